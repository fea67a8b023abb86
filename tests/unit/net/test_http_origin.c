#include "net/http_origin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <netdb.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "fetcher.h"
#include "site.h"

/* ---- certificates ---------------------------------------------------------------------------------------------------------- */

static char dir[] = "/tmp/holdfast-origin-XXXXXX";

struct paper {
	char cert_path[64];
	char key_path[64];
	struct buf cert, key; /* the same as bytes */
	X509 *x509;
	EVP_PKEY *pkey;
};

static struct paper ca, other_ca, server, named, client;

static void extend(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert_non_null(e);
	assert_int_equal(1, X509_add_ext(cert, e, -1));
	X509_EXTENSION_free(e);
}

static void keep(struct paper *p, const char *name)
{
	FILE *f;

	(void)snprintf(p->cert_path, sizeof(p->cert_path), "%s/%s.pem", dir, name);
	(void)snprintf(p->key_path, sizeof(p->key_path), "%s/%s.key", dir, name);
	f = fopen(p->cert_path, "w");
	assert_true(f && PEM_write_X509(f, p->x509) == 1 && fclose(f) == 0);
	f = fopen(p->key_path, "w");
	assert_true(f && PEM_write_PrivateKey(f, p->pkey, NULL, NULL, 0, NULL, NULL) == 1 && fclose(f) == 0);
	assert_int_equal(E_OK, file_read(p->cert_path, 65536, &p->cert, NULL));
	assert_int_equal(E_OK, file_read(p->key_path, 65536, &p->key, NULL));
}

/* Signed by `issuer`; NULL: an authority. `san`: as OpenSSL writes it. */
static void issue(struct paper *p, const struct paper *issuer, const char *name, const char *san)
{
	p->pkey = EVP_EC_gen("P-256");
	p->x509 = X509_new();
	assert_true(p->pkey && p->x509);
	X509_set_version(p->x509, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(p->x509), (long)strlen(name));
	X509_gmtime_adj(X509_getm_notBefore(p->x509), -60);
	X509_gmtime_adj(X509_getm_notAfter(p->x509), 3600);
	X509_set_pubkey(p->x509, p->pkey);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(p->x509), "CN", MBSTRING_ASC, (const unsigned char *)name, -1,
				   -1, 0);
	X509_set_issuer_name(p->x509, X509_get_subject_name(issuer ? issuer->x509 : p->x509));
	extend(p->x509, NID_basic_constraints, issuer ? "CA:FALSE" : "critical,CA:TRUE");
	if (san)
		extend(p->x509, NID_subject_alt_name, san);
	assert_true(X509_sign(p->x509, issuer ? issuer->pkey : p->pkey, EVP_sha256()) > 0);
	keep(p, name);
}

static void tear_up(struct paper *p)
{
	unlink(p->cert_path);
	unlink(p->key_path);
	buf_release(&p->cert);
	buf_release(&p->key);
	X509_free(p->x509);
	EVP_PKEY_free(p->pkey);
}

static int issue_all(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	issue(&ca, NULL, "authority", NULL);
	issue(&other_ca, NULL, "another", NULL);
	issue(&server, &ca, "server", "IP:127.0.0.1");
	issue(&named, &ca, "named", "DNS:api.test");
	issue(&client, &ca, "client", NULL);
	return 0;
}

static int tear_up_all(void **state)
{
	(void)state;
	tear_up(&ca);
	tear_up(&other_ca);
	tear_up(&server);
	tear_up(&named);
	tear_up(&client);
	return rmdir(dir);
}

/* ---- a server with TLS ------------------------------------------------------------------------------------------------------ */

static struct site site;
static struct tls_server *tls;
static struct fetcher fetcher;

static void open_site(const struct paper *as, enum tls_verify verify)
{
	struct http_limits limits = site_limits();
	struct why why = { 0 };

	if (tls_server_open(&(struct tls_options){ .cert.name = as->cert_path,
						   .key.name = as->key_path,
						   .ca.name = verify == TLS_VERIFY_NONE ? NULL : ca.cert_path,
						   .alpn = "http/1.1",
						   .verify = verify },
			    &why, &tls) != E_OK)
		fail_msg("%s", why.text);
	site_start(&site, &limits, tls);
}

static void close_site(void)
{
	site_end(&site);
	tls_server_free(tls);
}

/* A request to that server, with its story when there is one. */
static enum err ask_as(struct http_client_options options, struct why *ret_why)
{
	struct visit v;
	char origin[64], got[64];

	(void)snprintf(origin, sizeof(origin), "https://127.0.0.1:%u", site.port);
	fetcher_start(&fetcher, origin, &options);
	v = visit_of(&fetcher, "/a");
	(void)visit_once(&v, got, sizeof(got));
	fetcher_end(&fetcher);
	assert_string_equal(v.fetch.err == E_OK ? "200 GET /a 0\n" : "0 ", got);
	*ret_why = v.fetch.why;
	return v.fetch.err;
}

static void expect_as(enum err err, struct http_client_options options)
{
	struct why why;
	enum err got = ask_as(options, &why);

	if (got != err)
		fail_msg("%s: %s", err_name(got), why.text);
}

static void who_is_trusted_is_asked(void **state)
{
	(void)state;
	open_site(&server, TLS_VERIFY_NONE);
	expect_as(E_OK, (struct http_client_options){ .ca_file = ca.cert_path });
	expect_as(E_OK, (struct http_client_options){ .ca = buf_view(&ca.cert) });
	expect_as(E_OK, (struct http_client_options){ .insecure = true });
	expect_as(E_OK, (struct http_client_options){ .insecure = true, .ca_file = other_ca.cert_path });
	close_site();
}

static void who_is_not_trusted_is_not_asked(void **state)
{
	(void)state;
	open_site(&server, TLS_VERIFY_NONE);
	expect_as(E_FORBIDDEN, (struct http_client_options){ 0 });
	expect_as(E_FORBIDDEN, (struct http_client_options){ .ca_file = other_ca.cert_path });
	expect_as(E_FORBIDDEN, (struct http_client_options){ .ca = buf_view(&other_ca.cert) });
	assert_int_equal(0, site.heads);
	close_site();
}

static void the_name_must_be_in_the_certificate(void **state)
{
	const struct http_client_options options = { .ca_file = ca.cert_path };

	(void)state;
	open_site(&named, TLS_VERIFY_NONE);
	expect_as(E_FORBIDDEN, options);
	expect_as(E_OK, (struct http_client_options){ .ca_file = ca.cert_path, .server_name = "api.test" });
	expect_as(E_FORBIDDEN, (struct http_client_options){ .ca_file = ca.cert_path, .server_name = "127.0.0.1" });
	close_site();
	open_site(&server, TLS_VERIFY_NONE);
	expect_as(E_FORBIDDEN, (struct http_client_options){ .ca_file = ca.cert_path, .server_name = "api.test" });
	expect_as(E_OK, (struct http_client_options){ .ca_file = ca.cert_path, .server_name = "127.0.0.1" });
	expect_as(E_FORBIDDEN, (struct http_client_options){ .ca_file = ca.cert_path, .server_name = "::1" });
	close_site();
}

static void a_client_shows_its_certificate(void **state)
{
	(void)state;
	open_site(&server, TLS_VERIFY_REQUIRED);
	expect_as(E_OK, (struct http_client_options){
				.ca_file = ca.cert_path, .cert_file = client.cert_path, .key_file = client.key_path });
	expect_as(E_OK, (struct http_client_options){ .ca_file = ca.cert_path,
						      .cert = buf_view(&client.cert),
						      .key = buf_view(&client.key) });
	expect_as(E_FORBIDDEN, (struct http_client_options){ .ca_file = ca.cert_path });
	expect_as(E_FORBIDDEN, (struct http_client_options){ .ca_file = ca.cert_path,
							     .cert = buf_view(&other_ca.cert),
							     .key = buf_view(&other_ca.key) });
	close_site();
}

static void a_file_that_cannot_be_used_is_named(void **state)
{
	struct why why;

	(void)state;
	open_site(&server, TLS_VERIFY_NONE);
	expect_as(E_CONFIG, (struct http_client_options){ .ca_file = "/nowhere/ca.pem" });
	assert_int_equal(E_CONFIG, ask_as((struct http_client_options){ .ca_file = "/nowhere/ca.pem" }, &why));
	assert_non_null(strstr(why.text, "/nowhere/ca.pem"));
	expect_as(E_CONFIG, (struct http_client_options){ .ca_file = ca.key_path });
	expect_as(E_CONFIG, (struct http_client_options){ .ca = STR("no certificate") });
	expect_as(E_CONFIG, (struct http_client_options){ .ca_file = ca.cert_path, .cert_file = "/nowhere/cert.pem" });
	expect_as(E_CONFIG, (struct http_client_options){
				    .ca_file = ca.cert_path, .cert_file = client.cert_path, .key_file = ca.key_path });
	close_site();
}

/* Nobody sits at a terminal to be asked for it. */
static void a_key_with_a_password_is_refused(void **state)
{
	char path[96];
	FILE *f;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/locked.key", dir);
	f = fopen(path, "w");
	assert_true(f &&
		    PEM_write_PrivateKey(f, client.pkey, EVP_aes_128_cbc(), (const unsigned char *)"pass", 4, NULL,
					 NULL) == 1 &&
		    fclose(f) == 0);
	open_site(&server, TLS_VERIFY_NONE);
	expect_as(E_CONFIG, (struct http_client_options){
				    .ca_file = ca.cert_path, .cert_file = client.cert_path, .key_file = path });
	close_site();
	unlink(path);
}

static void replace(const char *path, struct str bytes)
{
	FILE *f = fopen(path, "w");

	assert_true(f && fwrite(bytes.p, 1, bytes.n, f) == bytes.n && fclose(f) == 0);
}

static void files_are_read_again_for_each_connection(void **state)
{
	char path[96], origin[64];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/renewed.pem", dir);
	open_site(&server, TLS_VERIFY_NONE);
	(void)snprintf(origin, sizeof(origin), "https://127.0.0.1:%u", site.port);
	replace(path, buf_view(&other_ca.cert));
	fetcher_start(&fetcher, origin, &(struct http_client_options){ .ca_file = path });
	visit_expect(&fetcher, "/a", E_FORBIDDEN, "0 ");
	replace(path, buf_view(&ca.cert));
	visit_expect(&fetcher, "/a", E_OK, "200 GET /a 0\n");
	replace(path, buf_view(&other_ca.cert));
	visit_expect(&fetcher, "/a", E_OK, "200 GET /a 0\n"); /* the same connection */
	site_stop(&site, /* now= */ true);
	site_wait(&site, &site.stopped, 1);
	fetcher_end(&fetcher);
	close_site();
	open_site(&server, TLS_VERIFY_NONE);
	(void)snprintf(origin, sizeof(origin), "https://127.0.0.1:%u", site.port);
	fetcher_start(&fetcher, origin, &(struct http_client_options){ .ca_file = path });
	visit_expect(&fetcher, "/a", E_FORBIDDEN, "0 ");
	fetcher_end(&fetcher);
	close_site();
	unlink(path);
}

static void a_server_without_tls_is_unavailable(void **state)
{
	struct http_limits limits = site_limits();

	(void)state;
	site_start(&site, &limits, NULL);
	expect_as(E_UNAVAILABLE, (struct http_client_options){ .ca_file = ca.cert_path });
	site_end(&site);
}

static void a_thousand_at_once_share_few_connections(void **state)
{
	struct visit *all = mem_array(1000, sizeof(*all));
	char origin[64];

	(void)state;
	assert_non_null(all);
	open_site(&server, TLS_VERIFY_NONE);
	(void)snprintf(origin, sizeof(origin), "https://127.0.0.1:%u", site.port);
	fetcher_start(&fetcher, origin, &(struct http_client_options){ .ca_file = ca.cert_path, .connections = 3 });
	for (size_t i = 0; i < 1000; i++) {
		all[i] = visit_of(&fetcher, "/a");
		visit_start(&all[i]);
	}
	fetcher_run(&fetcher, 1000);
	for (size_t i = 0; i < 1000; i++) {
		assert_int_equal(E_OK, all[i].fetch.err);
		visit_release(&all[i]);
	}
	assert_in_range(site_connections(&site), 1, 3);
	fetcher_end(&fetcher);
	close_site();
	mem_free(all);
}

/* ---- names and proxies ------------------------------------------------------------------------------------------------------ */

static struct stub stub;

/* The machine's resolver, for the whole program: libcurl asks it for each name, in a thread of its own.
 * The linker has to show it to libraries. */
static sem_t asked, answered;

__attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service,
						       const struct addrinfo *hints, struct addrinfo **ret)
{
	int (*real)(const char *, const char *, const struct addrinfo *,
		    struct addrinfo **) = (int (*)(const char *, const char *, const struct addrinfo *,
						   struct addrinfo **))dlsym(RTLD_NEXT, "getaddrinfo");

	if (!node || !str_ends(str_of(node), STR(".test")))
		return real(node, service, hints, ret);
	sem_post(&asked);
	sem_wait(&answered);
	return EAI_AGAIN;
}

static void a_resolver_that_does_not_answer_holds_up_nobody(void **state)
{
	struct visit v, timed;

	(void)state;
	sem_init(&asked, 0, 0);
	sem_init(&answered, 0, 0);
	fetcher_start(&fetcher, "http://slow.test", NULL);
	v = visit_of(&fetcher, "/");
	timed = visit_of(&fetcher, "/");
	timed.fetch.timeout_ms = 20;
	visit_start(&v);
	visit_start(&timed);
	fetcher_run(&fetcher, 1);
	assert_int_equal(E_TIMEOUT, timed.fetch.err);
	visit_cancel(&v);
	fetcher_run(&fetcher, 1);
	assert_int_equal(E_CANCELLED, v.fetch.err);
	v = visit_of(&fetcher, "/");
	visit_start(&v);
	fetcher_turns(&fetcher, 5);
	fetcher_end(&fetcher);
	assert_int_equal(E_CANCELLED, v.fetch.err);
	for (int i = 0; i < 3; i++) {
		sem_wait(&asked);
		sem_post(&answered);
	}
}

static void a_name_that_is_not_found_is_unavailable(void **state)
{
	(void)state;
	sem_post(&answered);
	fetcher_start(&fetcher, "http://none.test", NULL);
	visit_expect(&fetcher, "/", E_UNAVAILABLE, "0 ");
	fetcher_end(&fetcher);
}

static void expect_of_proxy(struct http_client_options options, const char *first_line)
{
	fetcher_start(&fetcher, "http://api.test:81", &options);
	visit_expect(&fetcher, "/a", E_OK, "200 ok");
	fetcher_end(&fetcher);
	assert_true(strncmp(stub_heard(&stub), first_line, strlen(first_line)) == 0);
}

static void a_proxy_is_used_and_that_of_the_environment_may_be_left_out(void **state)
{
	char direct[64];

	(void)state;
	stub_start(&stub, stub_answers_once);
	stub_will_say(&stub, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	expect_of_proxy((struct http_client_options){ .proxy = stub.origin }, "GET http://api.test:81/a HTTP/1.1\r\n");
	setenv("NO_PROXY", "*", 1);
	expect_of_proxy((struct http_client_options){ .proxy = stub.origin }, "GET http://api.test:81/a HTTP/1.1\r\n");
	unsetenv("NO_PROXY");
	setenv("http_proxy", stub.origin, 1);
	expect_of_proxy((struct http_client_options){ 0 }, "GET http://api.test:81/a HTTP/1.1\r\n");
	(void)snprintf(direct, sizeof(direct), "%s", stub.origin);
	fetcher_start(&fetcher, direct, &(struct http_client_options){ .proxy = "" });
	visit_expect(&fetcher, "/a", E_OK, "200 ok");
	assert_true(strncmp(stub_heard(&stub), "GET /a HTTP/1.1\r\n", 17) == 0);
	fetcher_end(&fetcher);
	unsetenv("http_proxy");
	stub_end(&stub);
}

static void the_password_of_a_proxy_is_in_no_story(void **state)
{
	static const char *const bad[] = { "nothing://u:secret@127.0.0.1", "http://u:secret@127.0.0.1:1",
					   "http://u:secret@[", "http://u:secret@127.0.0.1:99999999", "u:secret@ a" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct visit v;
		char got[64];

		fetcher_start(&fetcher, "http://127.0.0.1:1", &(struct http_client_options){ .proxy = bad[i] });
		v = visit_of(&fetcher, "/");
		assert_true(visit_once(&v, got, sizeof(got)) != E_OK);
		assert_true(strlen(v.fetch.why.text) > 0);
		if (strstr(v.fetch.why.text, "secret"))
			fail_msg("%s", v.fetch.why.text);
		fetcher_end(&fetcher);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_trusted_is_asked),
		cmocka_unit_test(who_is_not_trusted_is_not_asked),
		cmocka_unit_test(the_name_must_be_in_the_certificate),
		cmocka_unit_test(a_client_shows_its_certificate),
		cmocka_unit_test(a_file_that_cannot_be_used_is_named),
		cmocka_unit_test(a_key_with_a_password_is_refused),
		cmocka_unit_test(files_are_read_again_for_each_connection),
		cmocka_unit_test(a_server_without_tls_is_unavailable),
		cmocka_unit_test(a_thousand_at_once_share_few_connections),
		cmocka_unit_test(a_resolver_that_does_not_answer_holds_up_nobody),
		cmocka_unit_test(a_name_that_is_not_found_is_unavailable),
		cmocka_unit_test(a_proxy_is_used_and_that_of_the_environment_may_be_left_out),
		cmocka_unit_test(the_password_of_a_proxy_is_in_no_story),
	};

	return cmocka_run_group_tests(tests, issue_all, tear_up_all);
}
