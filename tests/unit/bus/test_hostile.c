/* The JetStream bus against servers that lie, and TLS. */
#include "peer.h"

#include <arpa/inet.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "bus/js_sync.h"
#include "bus/monitor.h"

/* ---- a server that says what the test wants -------------------------------------------------------------------------- */

#define INFO                                                                                                   \
	"INFO {\"server_id\":\"LIAR\",\"version\":\"2.9.10\",\"proto\":1,\"headers\":true,\"max_payload\":%s," \
	"\"jetstream\":true%s}\r\n"

struct liar {
	int listener;
	uint16_t port;
	pthread_t thread;
	const char *info;         /* replaces the whole greeting */
	const char *max_payload;  /* in its INFO */
	const char *more;         /* in its INFO */
	const char *answer;       /* to a publish; NULL: none; "": closes instead */
	const char *stream_reply; /* to stream info */
	unsigned complaints;      /* behind it */
	_Atomic unsigned connections;
	_Atomic bool stop;
};

static void say(int fd, const char *text)
{
	(void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static void say_msg(int fd, const char *sid, const char *subject, const char *payload)
{
	char text[2048];

	snprintf(text, sizeof(text), "MSG %s %s %zu\r\n%s\r\n", subject, sid, strlen(payload), payload);
	say(fd, text);
}

/* The sid of the subscription whose subject this reply belongs to. */
struct subs {
	char prefix[8][80];
	char sid[8][8];
	unsigned n;
};

static void subscribe(struct subs *subs, char *line)
{
	char *save = NULL;
	char *subject = strtok_r(line + 4, " \r", &save);
	char *sid = strtok_r(NULL, " \r", &save);

	if (!subject || !sid || subs->n == 8)
		return;
	snprintf(subs->prefix[subs->n], 80, "%.*s", (int)(strlen(subject) - 1), subject);
	snprintf(subs->sid[subs->n++], 8, "%s", sid);
}

static const char *sid_of(const struct subs *subs, const char *reply)
{
	for (unsigned i = 0; i < subs->n; i++)
		if (strncmp(reply, subs->prefix[i], strlen(subs->prefix[i])) == 0)
			return subs->sid[i];
	return "0";
}

static void say_about_stream(const struct liar *l, int fd, const struct subs *subs, const char *reply)
{
	say_msg(fd, sid_of(subs, reply), reply, l->stream_reply);
	for (unsigned i = 0; i < l->complaints; i++)
		say(fd, "-ERR 'Permissions Violation for Publish to \"this\"'\r\n");
}

/* False: it hangs up. */
static bool on_publish(struct liar *l, int fd, const struct subs *subs, char *line)
{
	char *save = NULL;
	char *subject = strtok_r(line + (line[0] == 'H' ? 5 : 4), " \r", &save);
	char *reply = strtok_r(NULL, " \r", &save);

	if (!subject || !reply)
		return true;
	if (strcmp(subject, JS_SYNC_SUBJECT) == 0)
		say_msg(fd, sid_of(subs, reply), reply, "{}");
	if (strncmp(subject, "$JS.API.STREAM.INFO", 19) == 0)
		say_about_stream(l, fd, subs, reply);
	else if (strncmp(subject, "default.", 8) == 0 && l->answer && !*l->answer)
		return false;
	else if (strncmp(subject, "default.", 8) == 0 && l->answer)
		say_msg(fd, sid_of(subs, reply), reply, l->answer);
	return true;
}

static bool on_line(struct liar *l, int fd, struct subs *subs, char *line)
{
	if (strncmp(line, "PING", 4) == 0)
		say(fd, "PONG\r\n");
	else if (strncmp(line, "SUB ", 4) == 0)
		subscribe(subs, line);
	else if (strncmp(line, "PUB ", 4) == 0 || strncmp(line, "HPUB ", 5) == 0)
		return on_publish(l, fd, subs, line);
	return true;
}

static void serve(struct liar *l, int fd)
{
	struct subs subs = { 0 };
	char info[512];
	char line[8192];
	FILE *in = fdopen(fd, "r");

	snprintf(info, sizeof(info), INFO, l->max_payload, l->more);
	say(fd, l->info ? l->info : info);
	while (!atomic_load(&l->stop) && fgets(line, sizeof(line), in) && on_line(l, fd, &subs, line))
		;
	fclose(in);
}

static void *liar_run(void *arg)
{
	struct liar *l = arg;

	for (;;) {
		int fd = accept(l->listener, NULL, NULL);

		if (fd < 0)
			return NULL;
		if (atomic_load(&l->stop)) {
			close(fd);
			return NULL;
		}
		atomic_fetch_add(&l->connections, 1);
		serve(l, fd);
	}
}

#define GOOD_STREAM                                                                                                  \
	"{\"type\":\"io.nats.jetstream.api.v1.stream_info_response\",\"config\":{\"name\":\"default\",\"subjects\":" \
	"[\"default.*.*\"],\"retention\":\"limits\",\"storage\":\"file\",\"discard\":\"old\"},\"state\":{}}"
#define GOOD_ACK "{\"stream\":\"default\",\"seq\":1}"

static void liar_start(struct liar *l, char ret_url[static 64])
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);

	l->max_payload = l->max_payload ? l->max_payload : "1048576";
	l->more = l->more ? l->more : "";
	l->stream_reply = l->stream_reply ? l->stream_reply : GOOD_STREAM;
	l->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(l->listener, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(l->listener, 8), 0);
	assert_int_equal(getsockname(l->listener, (struct sockaddr *)&a, &n), 0);
	l->port = ntohs(a.sin_port);
	snprintf(ret_url, 64, "nats://127.0.0.1:%u", l->port);
	assert_int_equal(pthread_create(&l->thread, NULL, liar_run, l), 0);
}

static void liar_stop(struct liar *l)
{
	atomic_store(&l->stop, true);
	shutdown(l->listener, SHUT_RDWR);
	pthread_join(l->thread, NULL);
	close(l->listener);
}

static void wait_for_connections(struct liar *l, unsigned n)
{
	uint64_t until = clock_mono_ms() + DEADLINE_MS;

	while (atomic_load(&l->connections) < n) {
		assert_true(clock_mono_ms() < until);
		usleep(1000);
	}
}

/* ---- lies ------------------------------------------------------------------------------------------------------------ */

static void each_lie_about_a_publish_is_an_error_of_that_publish(void **state)
{
	static const struct {
		const char *answer;
		enum err err;
		const char *text;
	} rows[] = {
		{ GOOD_ACK, E_OK, "" },
		{ "", E_UNAVAILABLE, "connection" },
		{ NULL, E_TIMEOUT, "no ack in 300 ms" },
		{ "rubbish", E_UNAVAILABLE, "not a JSON object" },
		{ "{\"stream\":\"default\"}", E_UNAVAILABLE, "no acknowledgement" },
		{ "{\"error\":{\"code\":503,\"err_code\":10077,\"description\":\"maximum bytes exceeded\"}}",
		  E_UNAVAILABLE, "maximum bytes exceeded (10077)" },
		{ "{\"error\":{\"code\":400,\"err_code\":10054,\"description\":\"message size exceeds maximum "
		  "allowed\"}}",
		  E_LIMIT, "10054" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct liar liar = { .answer = rows[i].answer };
		struct peer peer;
		struct why why = { 0 };
		uint32_t timeout_ms = rows[i].err == E_TIMEOUT ? 300 : DEADLINE_MS;
		char url[64];

		liar_start(&liar, url);
		peer_init(&peer, url);
		assert_int_equal(peer_open(&peer), E_OK);
		assert_true(peer_wait(&peer, BUS_UP, DEADLINE_MS));
		assert_int_equal(publish_one(peer.bus, "a", "b", "1", 10, timeout_ms, &why, NULL), rows[i].err);
		assert_non_null(strstr(why.text, rows[i].text));
		peer_release(&peer);
		liar_stop(&liar);
	}
}

static void a_connection_cut_under_load_answers_everything(void **state)
{
	struct liar liar = { .answer = "" };
	struct peer peer;
	struct volley v;
	char url[64];

	(void)state;
	liar_start(&liar, url);
	peer_init(&peer, url);
	assert_int_equal(peer_open(&peer), E_OK);
	for (int i = 0; i < 5; i++) {
		assert_true(peer_wait(&peer, BUS_UP, DEADLINE_MS));
		volley_init(&v, 500, "id", 2000, DEADLINE_MS);
		volley_fire(&v, peer.bus);
		volley_wait(&v, 500);
		assert_int_equal(volley_count(&v, E_UNAVAILABLE), 500);
		volley_release(&v);
	}
	peer_release(&peer);
	liar_stop(&liar);
}

static void greetings_that_make_no_sense_keep_the_bus_down(void **state)
{
	static const char *const infos[] = {
		"INFO {\r\n",
		"HTTP/1.1 400 Bad Request\r\n\r\n",
		"INFO {\"server_id\":1}\r\n-ERR 'no'\r\n",
		"",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(infos); i++) {
		struct liar liar = { .info = infos[i] };
		struct peer peer;
		char url[64];

		liar_start(&liar, url);
		liar.stream_reply = "{}";
		peer_init(&peer, url);
		assert_int_equal(peer_open(&peer), E_OK);
		wait_for_connections(&liar, 1);
		assert_int_equal(publish_one(peer.bus, "a", "b", "1", 10, 300, NULL, NULL), E_UNAVAILABLE);
		peer_close(&peer);
		assert_int_equal(peer.ups, 0);
		peer_release(&peer);
		liar_stop(&liar);
	}
}

/* And complains while its answer is read: what it says and what was read of it are two threads' affairs. */
static void a_server_without_jetstream_keeps_the_bus_down(void **state)
{
	struct liar liar = {
		.stream_reply =
			"{\"error\":{\"code\":503,\"err_code\":10076,\"description\":\"jetstream not enabled\"}}",
		.complaints = 100,
	};
	struct peer peer;
	char url[64];

	(void)state;
	liar_start(&liar, url);
	peer_init(&peer, url);
	assert_int_equal(peer_open(&peer), E_OK);
	wait_for_connections(&liar, 2);
	assert_int_equal(peer.ups, 0);
	peer_release(&peer);
	liar_stop(&liar);
}

/* It wants TLS and then says nothing: the handshake of the library would wait for ever. */
static void a_handshake_that_never_ends_does_not_hold_the_close_up(void **state)
{
	struct liar liar = { .more = ",\"tls_required\":true" };
	struct peer peer;
	char url[64];
	uint64_t before;

	(void)state;
	liar_start(&liar, url);
	peer_init(&peer, url);
	assert_int_equal(peer_open(&peer), E_OK);
	wait_for_connections(&liar, 1);
	before = clock_mono_ms();
	peer_release(&peer);
	assert_true(clock_mono_ms() - before < 5000); /* less than a connect is given */
	liar_stop(&liar);
}

static void tls_is_never_given_up_when_it_is_configured(void **state)
{
	struct liar liar = { .answer = GOOD_ACK };
	struct peer peer;
	char url[64];

	(void)state;
	liar_start(&liar, url);
	peer_init(&peer, url);
	peer.config.tls.configured = true;
	assert_int_equal(peer_open(&peer), E_OK);
	wait_for_connections(&liar, 2);
	assert_int_equal(peer.ups, 0);
	peer_release(&peer);
	liar_stop(&liar);
}

/* ---- TLS ------------------------------------------------------------------------------------------------------------- */

static char dir[64];

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *format, ...)
{
	char command[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, command, NULL };

	assert_int_equal(run_program(argv), 0);
}

/* A CA, a certificate it signed for 127.0.0.1, one for a client, and a CA that nobody knows. */
static int make_certificates(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/holdfast-tls-XXXXXX");
	assert_non_null(mkdtemp(dir));
	for (int i = 0; i < 2; i++)
		shell("cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "
		      "/CN=ca%d "
		      "-keyout ca%d.key -out ca%d.pem",
		      dir, i, i, i);
	shell("cd %s && for n in server client; do openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
	      "-subj "
	      "/CN=$n -keyout $n.key -out $n.csr && printf 'subjectAltName=IP:127.0.0.1' > ext && openssl x509 -req "
	      "-in "
	      "$n.csr -CA ca0.pem -CAkey ca0.key -CAcreateserial -days 2 -extfile ext -out $n.pem || exit 1; done",
	      dir);
	return 0;
}

static int remove_certificates(void **state)
{
	(void)state;
	shell("rm -rf %s", dir);
	return 0;
}

static struct nats *tls_server(bool verify)
{
	char more[512];

	snprintf(more, sizeof(more),
		 "tls { cert_file: \"%s/server.pem\", key_file: \"%s/server.key\", ca_file: \"%s/ca0.pem\", verify: %s "
		 "}",
		 dir, dir, dir, verify ? "true" : "false");
	return nats_new(more);
}

/* Until it says why it is not up. */
static void wait_for_trouble(struct peer *peer)
{
	CLEANUP(buf_release) struct buf trouble = { 0 };
	uint64_t until = clock_mono_ms() + DEADLINE_MS;

	while (!trouble.n) {
		assert_true(clock_mono_ms() < until);
		usleep(1000);
		peer->bus->ops->trouble(peer->bus, &trouble);
	}
}

static void tls_connects_to_whom_it_should_and_to_nobody_else(void **state)
{
	static const struct {
		bool server_verifies;
		bool configured;
		bool skip;
		const char *ca;
		const char *client;
		bool up;
	} rows[] = {
		{ false, false, false, NULL, NULL, true }, /* the server requires it; nobody configured it */
		{ false, true, false, "ca0", NULL, true }, { false, true, false, "ca1", NULL, false },
		{ false, true, false, NULL, NULL, false }, /* no system CA knows it */
		{ false, true, true, "ca1", NULL, true },  { true, true, false, "ca0", "client", true },
		{ true, true, false, "ca0", NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct nats *nats = tls_server(rows[i].server_verifies);
		struct peer peer;
		char ca[96];
		char cert[96];
		char key[96];

		snprintf(ca, sizeof(ca), "%s/%s.pem", dir, rows[i].ca ? rows[i].ca : "");
		snprintf(cert, sizeof(cert), "%s/%s.pem", dir, rows[i].client ? rows[i].client : "");
		snprintf(key, sizeof(key), "%s/%s.key", dir, rows[i].client ? rows[i].client : "");
		peer_init(&peer, nats->url);
		peer.config.tls = (struct tls_client_config){
			.configured = rows[i].configured,
			.insecure_skip_verify = rows[i].skip,
			.ca_path = rows[i].ca ? ca : NULL,
			.cert_path = rows[i].client ? cert : NULL,
			.key_path = rows[i].client ? key : NULL,
		};
		assert_int_equal(peer_open(&peer), E_OK);
		if (rows[i].up)
			assert_true(peer_wait(&peer, BUS_UP, DEADLINE_MS));
		else
			wait_for_trouble(&peer);
		if (rows[i].up) {
			uint64_t until = clock_mono_ms() + DEADLINE_MS;
			struct volley v;
			size_t taken;

			do { /* a connection that stands still for seconds is given up */
				assert_true(clock_mono_ms() < until && peer_wait(&peer, BUS_UP, DEADLINE_MS));
				volley_init(&v, 1000, "id", 3000, DEADLINE_MS);
				volley_fire(&v, peer.bus);
				volley_wait(&v, 1000);
				taken = volley_count(&v, E_OK);
				assert_int_equal(taken + volley_count(&v, E_UNAVAILABLE), 1000);
				volley_release(&v);
			} while (taken < 1000);
		}
		assert_int_equal(peer.ups > 0, rows[i].up);
		peer_release(&peer);
		nats_free(nats);
	}
}

static void a_server_that_stops_reading_in_tls_times_publishes_out(void **state)
{
	struct nats *nats = tls_server(false);
	struct peer peer;
	struct volley v;

	(void)state;
	peer_init(&peer, nats->url);
	peer.config.tls = (struct tls_client_config){ .configured = true, .insecure_skip_verify = true };
	assert_int_equal(peer_open(&peer), E_OK);
	assert_true(peer_wait(&peer, BUS_UP, DEADLINE_MS));
	nats_freeze(nats);
	/* More than the sockets between us hold: the library waits inside a write. */
	volley_init(&v, 60, "id", 500000, 500);
	volley_fire(&v, peer.bus);
	volley_wait(&v, 60);
	assert_int_equal(volley_count(&v, E_OK), 0);
	volley_release(&v);
	kill(nats->pid, SIGCONT);
	peer_release(&peer);
	nats_free(nats);
}

struct long_answer {
	struct bus_publish publish;
	sem_t done;
};

static void take_long(struct bus_publish *p)
{
	poll(NULL, 0, 5500); /* longer than the library may be stuck in TLS */
	sem_post(&CONTAINER_OF(p, struct long_answer, publish)->done);
}

/* On a busy machine it may take its time: that is none of the server. */
static void what_is_done_with_an_answer_costs_no_connection(void **state)
{
	struct nats *nats = tls_server(false);
	struct peer peer;
	struct long_answer a = { .publish = { .source = STR("a"),
					      .name = STR("b"),
					      .msg_id = STR("1"),
					      .payload = STR("{}"),
					      .timeout_ms = DEADLINE_MS,
					      .on_done = take_long } };

	(void)state;
	sem_init(&a.done, 0, 0);
	peer_init(&peer, nats->url);
	peer.config.tls = (struct tls_client_config){ .configured = true, .insecure_skip_verify = true };
	assert_int_equal(peer_open(&peer), E_OK);
	assert_true(peer_wait(&peer, BUS_UP, DEADLINE_MS));
	peer.bus->ops->publish(peer.bus, &a.publish);
	while (sem_wait(&a.done) != 0)
		;
	assert_int_equal(a.publish.err, E_OK);
	assert_int_equal(publish_one(peer.bus, "a", "b", "2", 10, DEADLINE_MS, NULL, NULL), E_OK);
	assert_int_equal(peer.ups, 1);
	peer_release(&peer);
	nats_free(nats);
	sem_destroy(&a.done);
}

/* ---- the sync policy ------------------------------------------------------------------------------------------------- */

/* False: it listens no more. */
static bool serve_once(int listener, const char *answer)
{
	int fd = accept(listener, NULL, NULL);
	char request[1024];

	if (fd < 0)
		return false;
	(void)!recv(fd, request, sizeof(request), 0);
	say(fd, answer);
	close(fd);
	return true;
}

struct page {
	int listener;
	const char *answer;
};

static void *page_run(void *arg)
{
	const struct page *p = arg;

	while (serve_once(p->listener, p->answer)) /* whoever gave up meanwhile asks again */
		;
	return NULL;
}

static void page_stop(const struct page *p, pthread_t thread)
{
	(void)shutdown(p->listener, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(p->listener);
}

static void pages_of_the_monitoring_port_are_read_or_refused(void **state)
{
	static const struct {
		const char *answer;
		enum err err;
	} rows[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Type: x\r\n\r\n{}", E_OK },
		{ "HTTP/1.0 200 OK\r\n\r\n{}", E_OK },
		{ "HTTP/1.1 404 Not Found\r\n\r\n{}", E_UNAVAILABLE },
		{ "HTTP/1.1 200 OK\r\n", E_UNAVAILABLE },
		{ "INFO {}\r\n\r\n", E_UNAVAILABLE },
		{ "", E_UNAVAILABLE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		socklen_t n = sizeof(a);
		struct page page = { socket(AF_INET, SOCK_STREAM, 0), rows[i].answer };
		struct buf body = { 0 };
		pthread_t thread;
		char url[64];

		assert_int_equal(bind(page.listener, (struct sockaddr *)&a, sizeof(a)), 0);
		assert_int_equal(listen(page.listener, 1), 0);
		assert_int_equal(getsockname(page.listener, (struct sockaddr *)&a, &n), 0);
		snprintf(url, sizeof(url), "http://127.0.0.1:%u", ntohs(a.sin_port));
		assert_int_equal(pthread_create(&thread, NULL, page_run, &page), 0);
		assert_int_equal(monitor_get(url, "/jsz", &body), rows[i].err);
		if (!rows[i].err)
			assert_true(str_is(buf_view(&body), "{}"));
		buf_release(&body);
		page_stop(&page, thread);
	}
}

static void strict_accepts_a_server_that_says_it_syncs(void **state)
{
	struct nats *nats = nats_new(NULL);
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	struct page page = { socket(AF_INET, SOCK_STREAM, 0),
			     "HTTP/1.0 200 OK\r\n\r\n{\"config\":{\"sync_interval\":1,\"sync_always\":true}}" };
	struct peer peer;
	pthread_t thread;
	char url[64];

	(void)state;
	assert_int_equal(bind(page.listener, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(page.listener, 1), 0);
	assert_int_equal(getsockname(page.listener, (struct sockaddr *)&a, &n), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", ntohs(a.sin_port));
	assert_int_equal(pthread_create(&thread, NULL, page_run, &page), 0);
	peer_init(&peer, nats->url);
	peer.config.strict = true;
	peer.config.monitor_url = url;
	assert_int_equal(peer_open(&peer), E_OK);
	assert_true(peer_wait(&peer, BUS_UP, DEADLINE_MS));
	assert_int_equal(peer.bus->ops->sync(peer.bus), BUS_SYNC_ALWAYS);
	page_stop(&page, thread);
	peer_release(&peer);
	nats_free(nats);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_lie_about_a_publish_is_an_error_of_that_publish),
		cmocka_unit_test(a_connection_cut_under_load_answers_everything),
		cmocka_unit_test(greetings_that_make_no_sense_keep_the_bus_down),
		cmocka_unit_test(a_server_without_jetstream_keeps_the_bus_down),
		cmocka_unit_test(a_handshake_that_never_ends_does_not_hold_the_close_up),
		cmocka_unit_test(tls_is_never_given_up_when_it_is_configured),
		cmocka_unit_test(tls_connects_to_whom_it_should_and_to_nobody_else),
		cmocka_unit_test(a_server_that_stops_reading_in_tls_times_publishes_out),
		cmocka_unit_test(what_is_done_with_an_answer_costs_no_connection),
		cmocka_unit_test(pages_of_the_monitoring_port_are_read_or_refused),
		cmocka_unit_test(strict_accepts_a_server_that_says_it_syncs),
	};

	peer_quiet();
	return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
