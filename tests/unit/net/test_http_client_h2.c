/* The client and a server that speaks HTTP/2, with nghttp2. */
#include "net/http_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <nghttp2/nghttp2.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "fetcher.h"
#include "net/tls.h"

#define CONNS 32
#define BIG   (4u << 20)

/* ---- the server: a thread with blocking sockets ----------------------------------------------------------------------------- */

struct stream {
	char path[32];
	size_t received;
	size_t left; /* of the answer's body */
	bool held;   /* there is more to come, some day */
};

struct conn {
	int fd;
	struct tls_session *tls;
	nghttp2_session *h2;
	bool cut;
};

static struct {
	int listener;
	uint16_t port;
	int wake[2];
	pthread_t thread;
	struct tls_server *tls;
	uint32_t streams_max;
	struct conn conns[CONNS];
	atomic_uint accepted;
	atomic_uint closed; /* streams */
} server;

static ssize_t give_body(nghttp2_session *h2, int32_t id, uint8_t *to, size_t n, uint32_t *flags,
			 nghttp2_data_source *source, void *ctx)
{
	struct stream *s = source->ptr;

	(void)h2;
	(void)id;
	(void)ctx;
	if (s->left == 0 && s->held)
		return NGHTTP2_ERR_DEFERRED;
	n = n < s->left ? n : s->left;
	memset(to, 'x', n);
	s->left -= n;
	if (s->left == 0 && !s->held)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

static void answer(nghttp2_session *h2, int32_t id, struct stream *s)
{
	nghttp2_nv status = { (uint8_t *)(uintptr_t) ":status", (uint8_t *)(uintptr_t) "200", 7, 3, 0 };
	nghttp2_data_provider body = { .source.ptr = s, .read_callback = give_body };

	s->held = strcmp(s->path, "/hold") == 0;
	s->left = strcmp(s->path, "/big") == 0 ? BIG : strcmp(s->path, "/body") == 0 ? s->received : 2;
	if (strcmp(s->path, "/silent") == 0)
		return;
	if (strcmp(s->path, "/reset") == 0)
		nghttp2_submit_rst_stream(h2, 0, id, NGHTTP2_INTERNAL_ERROR);
	else
		nghttp2_submit_response(h2, id, &status, 1, &body);
	if (strcmp(s->path, "/goaway") == 0)
		nghttp2_submit_goaway(h2, 0, id, NGHTTP2_NO_ERROR, NULL, 0);
}

static int on_begin(nghttp2_session *h2, const nghttp2_frame *frame, void *ctx)
{
	struct stream *s = mem_alloc(sizeof(*s));

	(void)ctx;
	nghttp2_session_set_stream_user_data(h2, frame->hd.stream_id, s);
	return s ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
		     const uint8_t *value, size_t value_n, uint8_t flags, void *ctx)
{
	struct stream *s = nghttp2_session_get_stream_user_data(h2, frame->hd.stream_id);

	(void)flags;
	(void)ctx;
	if (name_n == 5 && memcmp(name, ":path", 5) == 0)
		str_copy((struct str){ (const char *)value, value_n }, s->path, sizeof(s->path));
	return 0;
}

static int on_data(nghttp2_session *h2, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *ctx)
{
	struct stream *s = nghttp2_session_get_stream_user_data(h2, id);

	(void)flags;
	(void)p;
	(void)ctx;
	s->received += n;
	return 0;
}

static int on_frame(nghttp2_session *h2, const nghttp2_frame *frame, void *ctx)
{
	struct conn *c = ctx;
	struct stream *s = nghttp2_session_get_stream_user_data(h2, frame->hd.stream_id);

	if (!s || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	if (strcmp(s->path, "/cut") == 0)
		c->cut = true;
	else
		answer(h2, frame->hd.stream_id, s);
	return 0;
}

static int on_stream_closed(nghttp2_session *h2, int32_t id, uint32_t code, void *ctx)
{
	(void)code;
	(void)ctx;
	mem_free(nghttp2_session_get_stream_user_data(h2, id));
	nghttp2_session_set_stream_user_data(h2, id, NULL);
	atomic_fetch_add(&server.closed, 1);
	return 0;
}

static nghttp2_session *h2_of(struct conn *c)
{
	nghttp2_settings_entry most = { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, server.streams_max };
	nghttp2_session_callbacks *on;
	nghttp2_session *h2;

	nghttp2_session_callbacks_new(&on);
	nghttp2_session_callbacks_set_on_begin_headers_callback(on, on_begin);
	nghttp2_session_callbacks_set_on_header_callback(on, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(on, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(on, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(on, on_stream_closed);
	nghttp2_session_server_new(&h2, on, c);
	nghttp2_session_callbacks_del(on);
	nghttp2_submit_settings(h2, 0, &most, 1);
	return h2;
}

static void hang_up(struct conn *c)
{
	if (c->fd < 0)
		return;
	for (int32_t id = 1; id < 20000; id += 2)
		mem_free(nghttp2_session_get_stream_user_data(c->h2, id));
	nghttp2_session_del(c->h2);
	tls_session_free(c->tls);
	close(c->fd);
	c->fd = -1;
}

static bool flush(struct conn *c)
{
	struct buf *out = tls_session_output(c->tls);
	const uint8_t *p;
	ssize_t n;

	while (tls_session_established(c->tls) && (n = nghttp2_session_mem_send(c->h2, &p)) > 0)
		if (tls_session_write(c->tls, (struct str){ (const char *)p, (size_t)n }) != E_OK)
			return false;
	for (size_t at = 0; at < out->n; at += (size_t)n)
		if ((n = send(c->fd, out->p + at, out->n - at, MSG_NOSIGNAL)) < 0)
			return false;
	buf_clear(out);
	return true;
}

static bool serve(struct conn *c)
{
	char wire[16384], plain[16384];
	ssize_t n = recv(c->fd, wire, sizeof(wire), 0);
	enum tls_result result;
	size_t m;

	if (n <= 0)
		return false;
	tls_session_feed(c->tls, (struct str){ wire, (size_t)n });
	while ((result = tls_session_read(c->tls, plain, sizeof(plain), &m)) == TLS_DATA)
		if (nghttp2_session_mem_recv(c->h2, (uint8_t *)plain, m) < 0)
			return false;
	return flush(c) && result == TLS_MORE && !c->cut;
}

static void take(int fd)
{
	struct conn *c = server.conns;

	while (c->fd >= 0)
		c++;
	assert_true(c < server.conns + CONNS);
	*c = (struct conn){ .fd = fd, .tls = tls_session_new(server.tls) };
	c->h2 = h2_of(c);
	atomic_fetch_add(&server.accepted, 1);
}

static void *run_server(void *ctx)
{
	for (;;) {
		struct pollfd fds[CONNS + 2] = { { server.wake[0], POLLIN, 0 }, { server.listener, POLLIN, 0 } };

		for (size_t i = 0; i < CONNS; i++)
			fds[i + 2] = (struct pollfd){ server.conns[i].fd, POLLIN, 0 };
		poll(fds, CONNS + 2, -1);
		if (fds[0].revents)
			return ctx;
		for (size_t i = 0; i < CONNS; i++)
			if (fds[i + 2].revents && !serve(&server.conns[i]))
				hang_up(&server.conns[i]);
		if (fds[1].revents)
			take(accept(server.listener, NULL, NULL));
	}
}

/* ---- its certificate, and a client of it ------------------------------------------------------------------------------------- */

static char dir[] = "/tmp/holdfast-h2-XXXXXX";
static char cert_path[64], key_path[64];
static struct fetcher fetcher;

static int make_certificate(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	X509_EXTENSION *san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(cert_path, sizeof(cert_path), "%s/cert.pem", dir);
	(void)snprintf(key_path, sizeof(key_path), "%s/key.pem", dir);
	X509_set_version(cert, 2);
	X509_gmtime_adj(X509_getm_notBefore(cert), -60);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, (const unsigned char *)"a", -1, -1,
				   0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	X509_add_ext(cert, san, -1);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	f = fopen(cert_path, "w");
	assert_true(f && PEM_write_X509(f, cert) == 1 && fclose(f) == 0);
	f = fopen(key_path, "w");
	assert_true(f && PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1 && fclose(f) == 0);
	X509_EXTENSION_free(san);
	X509_free(cert);
	EVP_PKEY_free(key);
	return 0;
}

static int remove_certificate(void **state)
{
	(void)state;
	unlink(cert_path);
	unlink(key_path);
	return rmdir(dir);
}

static int open_server(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(at);
	char origin[64];

	(void)state;
	server.streams_max = 250;
	server.accepted = server.closed = 0;
	for (size_t i = 0; i < CONNS; i++)
		server.conns[i].fd = -1;
	assert_int_equal(E_OK, tls_server_new(cert_path, key_path, "h2", NULL, &server.tls));
	assert_int_equal(0, pipe(server.wake));
	server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(0, bind(server.listener, (struct sockaddr *)&at, sizeof(at)));
	assert_int_equal(0, listen(server.listener, 64));
	assert_int_equal(0, getsockname(server.listener, (struct sockaddr *)&at, &n));
	assert_int_equal(0, pthread_create(&server.thread, NULL, run_server, NULL));
	(void)snprintf(origin, sizeof(origin), "https://127.0.0.1:%u", ntohs(at.sin_port));
	fetcher_start(&fetcher, origin, &(struct http_client_options){ .ca_file = cert_path });
	return 0;
}

static int close_server(void **state)
{
	(void)state;
	fetcher_end(&fetcher);
	assert_int_equal(1, write(server.wake[1], "", 1));
	pthread_join(server.thread, NULL);
	for (size_t i = 0; i < CONNS; i++)
		hang_up(&server.conns[i]);
	close(server.wake[0]);
	close(server.wake[1]);
	close(server.listener);
	tls_server_free(server.tls);
	return 0;
}

/* ---- the tests --------------------------------------------------------------------------------------------------------------- */

static void answers_come_whole_and_in_pieces(void **state)
{
	struct visit v = visit_of(&fetcher, "/big");

	(void)state;
	visit_expect(&fetcher, "/a", E_OK, "200 xx");
	visit_start(&v);
	fetcher_run(&fetcher, 1);
	assert_int_equal(E_OK, v.fetch.err);
	assert_int_equal(BIG, v.body.n);
	visit_release(&v);
	v = watch_of(&fetcher, "/big");
	visit_start(&v);
	fetcher_run(&fetcher, 1);
	assert_int_equal(E_OK, v.fetch.err);
	assert_int_equal(BIG, v.body.n);
	visit_release(&v);
	assert_int_equal(1, server.accepted);
}

static void large_bodies_go_side_by_side(void **state)
{
	char *body = mem_alloc(BIG);
	struct visit v[8];

	(void)state;
	assert_non_null(body);
	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		v[i] = visit_of(&fetcher, "/body");
		v[i].fetch.method = "PUT";
		v[i].fetch.body = (struct str){ body, BIG - i };
		visit_start(&v[i]);
	}
	fetcher_run(&fetcher, ARRAY_LEN(v));
	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		if (v[i].fetch.err != E_OK)
			fail_msg("%s", v[i].fetch.why.text);
		assert_int_equal(BIG - i, v[i].body.n);
		visit_release(&v[i]);
	}
	assert_int_equal(1, server.accepted);
	mem_free(body);
}

static void ask_at_once(size_t n)
{
	struct visit *all = mem_array(n, sizeof(*all));

	assert_non_null(all);
	for (size_t i = 0; i < n; i++) {
		all[i] = visit_of(&fetcher, "/a");
		visit_start(&all[i]);
	}
	fetcher_run(&fetcher, n);
	for (size_t i = 0; i < n; i++) {
		if (all[i].fetch.err != E_OK)
			fail_msg("%s", all[i].fetch.why.text);
		visit_release(&all[i]);
	}
	mem_free(all);
}

/*
 * As many as the server takes on one connection. Beyond that all of them fill; one that is at rest may make room for a new one.
 * No more than 1,000 in all: libcurl 7.88 resets each stream that has ended, and nghttp2 does not let that be done more often.
 */
static void many_at_once_share_a_connection(void **state)
{
	(void)state;
	visit_expect(&fetcher, "/a", E_OK, "200 xx");
	ask_at_once(250);
	assert_int_equal(1, server.accepted);
	ask_at_once(700);
	assert_in_range(server.accepted, 2, 16);
}

static void what_has_no_end_shares_the_connection(void **state)
{
	struct visit watches[50];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(watches); i++) {
		watches[i] = watch_of(&fetcher, "/hold");
		visit_start(&watches[i]);
	}
	for (size_t i = 0; i < 20; i++)
		visit_expect(&fetcher, "/a", E_OK, "200 xx");
	assert_int_equal(1, server.accepted);
	fetcher_close(&fetcher);
	for (size_t i = 0; i < ARRAY_LEN(watches); i++) {
		assert_int_equal(E_CANCELLED, watches[i].fetch.err);
		assert_int_equal(1, watches[i].pieces);
		visit_release(&watches[i]);
	}
}

static void who_is_cancelled_leaves_the_connection(void **state)
{
	struct visit v = watch_of(&fetcher, "/hold");

	(void)state;
	visit_start(&v);
	while (!v.pieces)
		fetcher_turns(&fetcher, 1);
	visit_cancel(&v);
	fetcher_run(&fetcher, 1);
	visit_release(&v);
	visit_expect(&fetcher, "/a", E_OK, "200 xx");
	assert_int_equal(1, server.accepted);
	while (atomic_load(&server.closed) < 2)
		fetcher_turns(&fetcher, 1);
}

static void who_times_out_leaves_the_connection(void **state)
{
	struct visit v = visit_of(&fetcher, "/silent");

	(void)state;
	visit_expect(&fetcher, "/a", E_OK, "200 xx");
	v.fetch.timeout_ms = 20;
	visit_start(&v);
	fetcher_run(&fetcher, 1);
	assert_int_equal(E_TIMEOUT, v.fetch.err);
	visit_expect(&fetcher, "/a", E_OK, "200 xx");
	assert_int_equal(1, server.accepted);
}

static void a_stream_that_is_reset_is_unavailable(void **state)
{
	(void)state;
	visit_expect(&fetcher, "/reset", E_UNAVAILABLE, "0 ");
	visit_expect(&fetcher, "/a", E_OK, "200 xx");
}

static void a_connection_that_is_cut_ends_all_of_it(void **state)
{
	struct visit watches[5];
	struct visit v = visit_of(&fetcher, "/cut");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(watches); i++) {
		watches[i] = watch_of(&fetcher, "/hold");
		visit_start(&watches[i]);
	}
	visit_expect(&fetcher, "/a", E_OK, "200 xx");
	for (size_t i = 0; i < ARRAY_LEN(watches); i++)
		while (!watches[i].pieces)
			fetcher_turns(&fetcher, 1);
	v.fetch.timeout_ms = 2000;
	visit_start(&v);
	while (!watches[0].done || !watches[1].done || !watches[2].done || !watches[3].done || !watches[4].done)
		fetcher_run(&fetcher, 1);
	for (size_t i = 0; i < ARRAY_LEN(watches); i++) {
		assert_int_equal(E_UNAVAILABLE, watches[i].fetch.err);
		visit_release(&watches[i]);
	}
	if (!v.done)
		fetcher_run(&fetcher, 1);
	assert_int_equal(E_UNAVAILABLE, v.fetch.err);
	visit_expect(&fetcher, "/a", E_OK, "200 xx");
}

static void a_server_that_goes_away_is_asked_anew(void **state)
{
	(void)state;
	visit_expect(&fetcher, "/goaway", E_OK, "200 xx");
	visit_expect(&fetcher, "/a", E_OK, "200 xx");
	assert_int_equal(2, server.accepted);
}

static void a_client_is_closed_in_each_turn(void **state)
{
	(void)state;
	for (unsigned turns = 0; turns < 40; turns++) {
		struct visit v[3] = { visit_of(&fetcher, "/big"), watch_of(&fetcher, "/hold"),
				      visit_of(&fetcher, "/silent") };

		for (size_t i = 0; i < ARRAY_LEN(v); i++)
			visit_start(&v[i]);
		fetcher_turns(&fetcher, turns);
		close_server(NULL);
		for (size_t i = 0; i < ARRAY_LEN(v); i++) {
			assert_int_equal(1, v[i].done);
			assert_true(v[i].fetch.err == E_CANCELLED || (i == 0 && v[i].fetch.err == E_OK));
			visit_release(&v[i]);
		}
		open_server(NULL);
	}
}

#define AT_SERVER(name) cmocka_unit_test_setup_teardown(name, open_server, close_server)

int main(void)
{
	const struct CMUnitTest tests[] = {
		AT_SERVER(answers_come_whole_and_in_pieces),       AT_SERVER(large_bodies_go_side_by_side),
		AT_SERVER(many_at_once_share_a_connection),        AT_SERVER(what_has_no_end_shares_the_connection),
		AT_SERVER(who_is_cancelled_leaves_the_connection), AT_SERVER(who_times_out_leaves_the_connection),
		AT_SERVER(a_stream_that_is_reset_is_unavailable),  AT_SERVER(a_connection_that_is_cut_ends_all_of_it),
		AT_SERVER(a_server_that_goes_away_is_asked_anew),  AT_SERVER(a_client_is_closed_in_each_turn),
	};

	return cmocka_run_group_tests(tests, make_certificate, remove_certificate);
}
