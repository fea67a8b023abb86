#include "net/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "site.h"

#define H    "Host: a\r\n"
#define GET  "GET / HTTP/1.1\r\n" H "\r\n"
#define HOLD "GET /hold HTTP/1.1\r\n" H "\r\n"

static char dir[] = "/tmp/holdfast-tls-XXXXXX";
static char cert_path[64];
static char key_path[64];
static char other_path[64]; /* a key that belongs to nothing */

static X509 *make_cert(EVP_PKEY *key, const char *name)
{
	X509 *cert = X509_new();

	assert_non_null(cert);
	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1,
				   0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	return cert;
}

static void write_pem(const char *path, X509 *cert, EVP_PKEY *key)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(1, cert ? PEM_write_X509(f, cert) : PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL));
	assert_int_equal(0, fclose(f));
}

/* A certificate for `name` and its key, in the two files. */
static void write_pair(const char *name)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = make_cert(key, name);

	write_pem(cert_path, cert, NULL);
	write_pem(key_path, NULL, key);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static int make_files(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(cert_path, sizeof(cert_path), "%s/cert.pem", dir);
	(void)snprintf(key_path, sizeof(key_path), "%s/key.pem", dir);
	(void)snprintf(other_path, sizeof(other_path), "%s/other.pem", dir);
	write_pair("first");
	write_pem(other_path, NULL, key);
	EVP_PKEY_free(key);
	return 0;
}

static int remove_files(void **state)
{
	(void)state;
	unlink(cert_path);
	unlink(key_path);
	unlink(other_path);
	return rmdir(dir);
}

static struct tls_server *tls_new(void)
{
	struct tls_server *t = NULL;
	struct why why = { 0 };

	if (tls_server_new(cert_path, key_path, "http/1.1", &why, &t) != E_OK)
		fail_msg("%s", why.text);
	return t;
}

/* Names of protocols as on the wire: length, name. */
#define HTTP_1_1 "\x08http/1.1"
#define HTTP_2   "\x02h2"

/* A client that has shaken hands. */
struct caller {
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
	int connected; /* as SSL_connect() */
};

static struct caller call_with(const struct site *s, int min_version, int max_version, const char *alpn)
{
	struct caller c = { .ctx = SSL_CTX_new(TLS_client_method()), .fd = dial(s) };

	SSL_CTX_set_security_level(c.ctx, 0);
	SSL_CTX_set_min_proto_version(c.ctx, min_version);
	SSL_CTX_set_max_proto_version(c.ctx, max_version);
	c.ssl = SSL_new(c.ctx);
	SSL_set_alpn_protos(c.ssl, (const unsigned char *)alpn, (unsigned)strlen(alpn));
	SSL_set_fd(c.ssl, c.fd);
	c.connected = SSL_connect(c.ssl);
	return c;
}

static struct caller call(const struct site *s)
{
	struct caller c = call_with(s, TLS1_2_VERSION, TLS1_3_VERSION, HTTP_1_1);

	assert_int_equal(1, c.connected);
	return c;
}

static void hang_up(struct caller *c)
{
	SSL_free(c->ssl);
	SSL_CTX_free(c->ctx);
	close(c->fd);
	ERR_clear_error();
}

static char *hear_tls(struct caller *c)
{
	struct buf b = { 0 };
	size_t n;

	while (SSL_read_ex(c->ssl, buf_reserve(&b, 65536), 65536, &n) == 1)
		b.n += n;
	buf_char(&b, '\0');
	return b.p;
}

/* Ask for an answer with Connection: close and return it. The server must say goodbye properly. */
static char *ask_tls(struct caller *c, struct str bytes)
{
	size_t n;
	char *heard;

	assert_int_equal(1, SSL_write_ex(c->ssl, bytes.p, bytes.n, &n));
	heard = hear_tls(c);
	assert_int_equal(SSL_RECEIVED_SHUTDOWN, SSL_get_shutdown(c->ssl) & SSL_RECEIVED_SHUTDOWN);
	return heard;
}

static void certificate_name(const struct caller *c, char *ret_name, size_t max)
{
	X509 *cert = SSL_get1_peer_certificate(c->ssl);

	assert_non_null(cert);
	assert_true(X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, ret_name, (int)max) > 0);
	X509_free(cert);
}

static void requests_are_served_over_each_version_of_tls(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct http_limits limits = site_limits();
	struct tls_server *t = tls_new();
	struct site s;

	(void)state;
	site_start(&s, &limits, t);
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct caller c = call_with(&s, versions[i], versions[i], HTTP_1_1);
		const unsigned char *alpn;
		unsigned n;
		char list[32];
		char *heard;

		assert_int_equal(1, c.connected);
		SSL_get0_alpn_selected(c.ssl, &alpn, &n);
		assert_true(str_eq(STR("http/1.1"), (struct str){ (const char *)alpn, n }));
		heard = ask_tls(
			&c, STR(GET GET "POST / HTTP/1.1\r\n" H "Connection: close\r\nContent-Length: 2\r\n\r\nab"));
		statuses(heard, list, sizeof(list));
		assert_string_equal("200 200 200", list);
		mem_free(heard);
		hang_up(&c);
	}
	site_end(&s);
	tls_server_free(t);
}

/* RFC 8446 6.1: else the end looks like an attack to the client. */
static void assert_goodbye(struct caller *c, const char *statuses_before)
{
	char *heard = hear_tls(c);
	char list[32];

	statuses(heard, list, sizeof(list));
	assert_string_equal(statuses_before, list);
	assert_int_equal(SSL_RECEIVED_SHUTDOWN, SSL_get_shutdown(c->ssl) & SSL_RECEIVED_SHUTDOWN);
	mem_free(heard);
	hang_up(c);
}

static void who_says_goodbye_is_answered_so(void **state)
{
	struct http_limits limits = site_limits();
	struct tls_server *t = tls_new();
	struct caller c;
	struct site s;
	size_t n;

	(void)state;
	site_start(&s, &limits, t);
	c = call(&s);
	assert_int_equal(0, SSL_shutdown(c.ssl));
	assert_goodbye(&c, "");
	c = call(&s);
	assert_int_equal(1, SSL_write_ex(c.ssl, HOLD, sizeof(HOLD) - 1, &n));
	assert_int_equal(0, SSL_shutdown(c.ssl));
	site_wait(&s, &s.holding, 1);
	site_answer_held(&s);
	assert_goodbye(&c, "200");
	site_end(&s);
	tls_server_free(t);
}

static void the_end_of_an_idle_connection_is_said(void **state)
{
	struct http_limits limits = site_limits();
	struct tls_server *t = tls_new();
	struct caller c;
	struct site s;

	(void)state;
	limits.idle_ms = 1;
	site_start(&s, &limits, t);
	c = call(&s);
	assert_goodbye(&c, "");
	site_end(&s);
	tls_server_free(t);
}

static void a_large_answer_and_a_large_body_pass(void **state)
{
	struct http_limits limits = site_limits();
	struct tls_server *t = tls_new();
	struct buf body = { 0 };
	struct caller c;
	struct site s;
	char *heard;

	(void)state;
	site_start(&s, &limits, t);
	c = call(&s);
	buf_lit(&body, "POST / HTTP/1.1\r\n" H "Content-Length: 500000\r\n\r\n");
	for (size_t i = 0; i < 500000; i++)
		buf_char(&body, 'x');
	buf_lit(&body, "GET /big HTTP/1.1\r\n" H "Connection: close\r\n\r\n");
	heard = ask_tls(&c, buf_view(&body));
	assert_non_null(strstr(heard, "POST / 500000\n"));
	assert_true(strlen(heard) > SITE_BIG);
	assert_true(str_ends(str_of(heard), STR("bbbb")));
	mem_free(heard);
	buf_release(&body);
	hang_up(&c);
	site_end(&s);
	tls_server_free(t);
}

static void bad_handshakes_end_only_their_own_connection(void **state)
{
	struct http_limits limits = site_limits();
	struct tls_server *t = tls_new();
	struct caller old;
	struct caller alpn;
	struct caller good;
	struct site s;
	char *heard;
	int plain;

	(void)state;
	site_start(&s, &limits, t);
	good = call(&s);
	old = call_with(&s, TLS1_1_VERSION, TLS1_1_VERSION, HTTP_1_1);
	assert_true(old.connected <= 0);
	alpn = call_with(&s, TLS1_2_VERSION, TLS1_3_VERSION, HTTP_2);
	assert_true(alpn.connected <= 0);
	plain = dial(&s);
	say(plain, STR(GET));
	heard = hear_all(plain); /* at most an alert */
	assert_null(strstr(heard, "HTTP"));
	mem_free(heard);
	heard = ask_tls(&good, STR("GET / HTTP/1.0\r\n\r\n"));
	assert_non_null(strstr(heard, "200 OK"));
	mem_free(heard);
	assert_int_equal(1, atomic_load(&s.heads));
	close(plain);
	hang_up(&old);
	hang_up(&alpn);
	hang_up(&good);
	site_end(&s);
	tls_server_free(t);
}

static void a_handshake_that_never_ends_is_closed(void **state)
{
	struct http_limits limits = site_limits();
	struct tls_server *t = tls_new();
	struct site s;
	int fd;

	(void)state;
	limits.head_ms = 50;
	site_start(&s, &limits, t);
	fd = dial(&s);
	say(fd, STR("\x16\x03\x01\x02")); /* the begin of a ClientHello */
	assert_true(hears_end(fd));
	close(fd);
	site_end(&s);
	tls_server_free(t);
}

static void reloading_changes_the_certificate_of_new_connections_only(void **state)
{
	struct http_limits limits = site_limits();
	struct tls_server *t = tls_new();
	struct caller before;
	struct caller after;
	struct why why = { 0 };
	struct site s;
	char name[32];
	char *heard;

	(void)state;
	site_start(&s, &limits, t);
	before = call(&s);
	write_pair("second");
	if (tls_server_reload(t, &why) != E_OK)
		fail_msg("%s", why.text);
	after = call(&s);
	certificate_name(&before, name, sizeof(name));
	assert_string_equal("first", name);
	certificate_name(&after, name, sizeof(name));
	assert_string_equal("second", name);
	heard = ask_tls(&before, STR("GET / HTTP/1.0\r\n\r\n"));
	assert_non_null(strstr(heard, "200 OK"));
	mem_free(heard);
	hang_up(&before);
	hang_up(&after);
	site_end(&s);
	tls_server_free(t);
	write_pair("first");
}

static void a_bad_pair_is_refused_and_the_old_one_stays(void **state)
{
	struct http_limits limits = site_limits();
	struct tls_server *t = tls_new();
	struct tls_server *none = NULL;
	struct caller c;
	struct why why = { 0 };
	struct site s;
	char name[32];

	(void)state;
	assert_int_equal(E_CONFIG, tls_server_new("/nowhere/cert.pem", key_path, NULL, &why, &none));
	assert_non_null(strstr(why.text, "/nowhere/cert.pem: No such file"));
	assert_int_equal(E_CONFIG, tls_server_new(cert_path, "/nowhere/key.pem", NULL, &why, &none));
	assert_int_equal(E_CONFIG, tls_server_new(cert_path, "/dev/zero", NULL, &why, &none));
	assert_non_null(strstr(why.text, "key /dev/zero: not a regular file"));
	assert_int_equal(E_CONFIG, tls_server_new(cert_path, other_path, NULL, &why, &none));
	assert_null(none);
	site_start(&s, &limits, t);
	assert_int_equal(0, truncate(cert_path, 10));
	assert_int_equal(E_CONFIG, tls_server_reload(t, &why));
	c = call(&s);
	certificate_name(&c, name, sizeof(name));
	assert_string_equal("first", name);
	hang_up(&c);
	site_end(&s);
	tls_server_free(t);
	write_pair("first");
}

static void read_texts(struct buf *cert, struct buf *key)
{
	buf_clear(cert);
	buf_clear(key);
	assert_int_equal(E_OK, file_read(cert_path, 65536, cert, NULL));
	assert_int_equal(E_OK, file_read(key_path, 65536, key, NULL));
}

static void expect_name(const struct site *s, const char *expected)
{
	struct caller c = call(s);
	char name[32];

	certificate_name(&c, name, sizeof(name));
	assert_string_equal(expected, name);
	hang_up(&c);
}

static void a_certificate_may_be_a_text_which_is_read_anew(void **state)
{
	struct buf cert = { 0 }, key = { 0 };
	const struct tls_options options = { .cert = { "the certificate", &cert }, .key = { "the key", &key } };
	struct http_limits limits = site_limits();
	struct tls_server *t = NULL;
	struct why why = { 0 };
	struct site s;

	(void)state;
	read_texts(&cert, &key);
	assert_int_equal(E_OK, tls_server_open(&options, &why, &t));
	site_start(&s, &limits, t);
	expect_name(&s, "first");
	write_pair("second");
	assert_int_equal(E_OK, tls_server_reload(t, &why));
	expect_name(&s, "first");
	read_texts(&cert, &key);
	key.n /= 2;
	assert_int_equal(E_CONFIG, tls_server_reload(t, &why));
	assert_non_null(strstr(why.text, "key the key: "));
	expect_name(&s, "first");
	key.n = 0;
	assert_int_equal(E_CONFIG, tls_server_reload(t, &why));
	read_texts(&cert, &key);
	assert_int_equal(E_OK, tls_server_reload(t, &why));
	expect_name(&s, "second");
	site_end(&s);
	tls_server_free(t);
	buf_wipe(&cert);
	buf_wipe(&key);
	write_pair("first");
}

static void append_certificate(const char *end)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = make_cert(key, "authority");
	FILE *f = fopen(cert_path, "a");

	assert_non_null(f);
	assert_int_equal(1, PEM_write_X509(f, cert));
	assert_true(fputs(end, f) >= 0);
	assert_int_equal(0, fclose(f));
	X509_free(cert);
	EVP_PKEY_free(key);
}

static void a_certificate_is_sent_with_its_chain(void **state)
{
	struct http_limits limits = site_limits();
	struct tls_server *none = NULL;
	struct tls_server *t;
	struct caller c;
	struct site s;

	(void)state;
	append_certificate("and that was all\n");
	t = tls_new();
	site_start(&s, &limits, t);
	c = call(&s);
	assert_int_equal(2, sk_X509_num(SSL_get_peer_cert_chain(c.ssl)));
	hang_up(&c);
	site_end(&s);
	tls_server_free(t);
	append_certificate("-----BEGIN CERTIFICATE-----\nMIIB\n");
	assert_int_equal(E_CONFIG, tls_server_new(cert_path, key_path, NULL, NULL, &none));
	write_pair("first");
}

/* A process in the foreground would wait for its terminal, at a reload too. */
static void a_key_that_wants_a_password_is_refused(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	struct tls_server *none = NULL;
	struct why why = { 0 };
	FILE *f = fopen(key_path, "w");

	(void)state;
	assert_non_null(f);
	assert_int_equal(1, PEM_write_PKCS8PrivateKey(f, key, EVP_aes_256_cbc(), "secret", 6, NULL, NULL));
	assert_int_equal(0, fclose(f));
	assert_int_equal(E_CONFIG, tls_server_new(cert_path, key_path, NULL, &why, &none));
	assert_non_null(strstr(why.text, "key.pem: it wants a password"));
	EVP_PKEY_free(key);
	write_pair("first");
}

static void no_memory_is_an_error_of_the_one_who_asked(void **state)
{
	struct tls_server *t = NULL;
	struct why why;

	(void)state;
	for (long n = 1; n <= 5; n++) { /* itself, the two names, the two texts */
		mem_fail_at(n);
		assert_int_equal(E_NOMEM, tls_server_new(cert_path, key_path, NULL, &why, &t));
		assert_null(t);
	}
	mem_fail_at(0);
	t = tls_new();
	mem_fail_at(1);
	assert_null(tls_session_new(t));
	mem_fail_at(0);
	tls_server_free(t);
}

static void no_allocation_that_fails_hurts_another_connection(void **state)
{
	struct http_limits limits = site_limits();
	struct tls_server *t = tls_new();
	struct site s;

	(void)state;
	site_start(&s, &limits, t);
	for (long n = 1; n <= 40; n++) {
		struct caller c;
		char *heard;
		size_t written;

		mem_fail_at(n);
		c = call_with(&s, TLS1_2_VERSION, TLS1_3_VERSION, HTTP_1_1);
		if (c.connected == 1)
			(void)SSL_write_ex(c.ssl, GET, sizeof(GET) - 1, &written);
		mem_fail_at(0);
		hang_up(&c);
		c = call(&s);
		heard = ask_tls(&c, STR("GET / HTTP/1.0\r\n\r\n"));
		assert_non_null(strstr(heard, "200 OK"));
		mem_free(heard);
		hang_up(&c);
	}
	site_end(&s);
	tls_server_free(t);
}

/* ---- OpenSSL's memory ------------------------------------------------------------------------------------------------ */

static long fail_in; /* so many allocations from now, and all behind that one; 0: never */

static bool must_fail(void)
{
	if (fail_in > 1)
		fail_in--;
	else if (fail_in == 1)
		return true;
	return false;
}

static void *give(size_t n, const char *file, int line)
{
	(void)file, (void)line;
	return must_fail() ? NULL : malloc(n);
}

static void *give_more(void *p, size_t n, const char *file, int line)
{
	(void)file, (void)line;
	return must_fail() ? NULL : realloc(p, n);
}

static void take_back(void *p, const char *file, int line)
{
	(void)file, (void)line;
	free(p);
}

/* Before any other session: whatever is made once for all of them is made then. */
static void the_first_session_without_memory_is_not_the_last(void **state)
{
	struct tls_session *s = NULL;
	struct tls_server *t = NULL;

	(void)state;
	assert_int_equal(tls_server_new(cert_path, key_path, NULL, NULL, &t), E_OK);
	for (long n = 1; n < 10000 && !s; n++) {
		fail_in = n;
		s = tls_session_new(t);
	}
	fail_in = 0;
	assert_non_null(s);
	tls_session_free(s);
	tls_server_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_session_without_memory_is_not_the_last), /* the first of all */
		cmocka_unit_test(requests_are_served_over_each_version_of_tls),
		cmocka_unit_test(who_says_goodbye_is_answered_so),
		cmocka_unit_test(the_end_of_an_idle_connection_is_said),
		cmocka_unit_test(a_large_answer_and_a_large_body_pass),
		cmocka_unit_test(bad_handshakes_end_only_their_own_connection),
		cmocka_unit_test(a_handshake_that_never_ends_is_closed),
		cmocka_unit_test(reloading_changes_the_certificate_of_new_connections_only),
		cmocka_unit_test(a_bad_pair_is_refused_and_the_old_one_stays),
		cmocka_unit_test(a_certificate_may_be_a_text_which_is_read_anew),
		cmocka_unit_test(a_certificate_is_sent_with_its_chain),
		cmocka_unit_test(a_key_that_wants_a_password_is_refused),
		cmocka_unit_test(no_memory_is_an_error_of_the_one_who_asked),
		cmocka_unit_test(no_allocation_that_fails_hurts_another_connection),
	};

	if (CRYPTO_set_mem_functions(give, give_more, take_back) != 1)
		return EXIT_FAILURE;
	return cmocka_run_group_tests(tests, make_files, remove_files);
}
