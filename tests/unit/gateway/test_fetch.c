/* Whom the gateway's requests to others trust: a fetch, and the account of a hook. The server's authority is one of the system's. */
#include "gateway/fetch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "auth/pki.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "gateway/hooks/engine.h"
#include "manifest.h"
#include "site.h"

#define DEADLINE_MS 20000

static struct site site;
static struct tls_server *tls;

/* The system's directory, as libcurl has OpenSSL look into it. The linker has to show it to libraries. */
__attribute__((visibility("default"))) int X509_STORE_load_path(X509_STORE *store, const char *path)
{
	assert_string_equal("/etc/ssl/certs", path);
	return X509_STORE_load_file(store, "system.pem");
}

/* ---- certificates ---------------------------------------------------------------------------------------------------------- */

static void keep(const char *cert_path, const char *key_path, struct pki_pair *pair)
{
	manifest_file(cert_path, buf_cstr(&pair->cert));
	manifest_file(key_path, buf_cstr(&pair->key));
	pki_pair_release(pair);
}

static void make_authority(const char *name, const char *cert_path, const char *key_path)
{
	const struct pki_request request = { .role = PKI_AUTHORITY, .name = name, .days = 1 };
	struct pki_pair pair = { 0 };

	assert_int_equal(E_OK, pki_make_authority(&request, (int64_t)clock_wall_ms(), NULL, &pair));
	keep(cert_path, key_path, &pair);
}

static void make_server(void)
{
	const struct pki_request request = { .role = PKI_SERVER, .name = "127.0.0.1", .days = 1 };
	struct pki_authority *authority = NULL;
	struct pki_pair pair = { 0 };
	int64_t now_ms = (int64_t)clock_wall_ms();

	assert_int_equal(E_OK, pki_authority_open("system.pem", "system.key", now_ms, NULL, &authority));
	assert_int_equal(E_OK, pki_issue(authority, &request, STR(""), now_ms, NULL, &pair));
	pki_authority_free(authority);
	keep("server.pem", "server.key", &pair);
}

static void lock_key(const char *from, const char *to)
{
	FILE *f = fopen(from, "r");
	EVP_PKEY *key = f ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;

	assert_true(key && fclose(f) == 0);
	f = fopen(to, "w");
	assert_true(f &&
		    PEM_write_PrivateKey(f, key, EVP_aes_128_cbc(), (const unsigned char *)"pass", 4, NULL, NULL) ==
			    1 &&
		    fclose(f) == 0);
	EVP_PKEY_free(key);
}

static int begin(void **state)
{
	struct http_limits limits = site_limits();

	assert_int_equal(0, manifest_begin(state));
	assert_int_equal(0, mkdir("s", 0700));
	manifest_file("s/t", "token");
	make_authority("of the system", "system.pem", "system.key");
	make_authority("configured", "other.pem", "other.key");
	make_server();
	lock_key("server.key", "locked.key");
	assert_int_equal(E_OK, tls_server_new("server.pem", "server.key", "http/1.1", NULL, &tls));
	site_start(&site, &limits, tls);
	return 0;
}

static int end(void **state)
{
	site_end(&site);
	tls_server_free(tls);
	return manifest_end(state);
}

/* ---- fetches ---------------------------------------------------------------------------------------------------------------- */

static enum err fetch_as(struct fetch f)
{
	char url[64];
	struct buf body = { 0 };
	enum err err;

	(void)snprintf(url, sizeof(url), "https://127.0.0.1:%u/a", site.port);
	f.url = url;
	f.timeout_ms = DEADLINE_MS;
	f.max = 1024;
	err = fetch_run(&f, &body, NULL);
	buf_release(&body);
	return err;
}

static void a_fetch_trusts_the_authority_that_is_named_and_no_other(void **state)
{
	int heads = site.heads;

	(void)state;
	assert_int_equal(E_OK, fetch_as((struct fetch){ 0 }));
	assert_int_equal(E_OK, fetch_as((struct fetch){ .ca_path = "system.pem" }));
	assert_int_equal(E_OK, fetch_as((struct fetch){ .ca_path = "other.pem", .insecure = true }));
	assert_int_equal(heads + 3, site.heads);
	assert_int_equal(E_UNAVAILABLE, fetch_as((struct fetch){ .ca_path = "other.pem" }));
	assert_int_equal(heads + 3, site.heads);
}

static void nobody_is_asked_for_the_password_of_a_key(void **state)
{
	(void)state;
	manifest_file("typed", "pass\npass\n");
	assert_non_null(freopen("typed", "r", stdin)); /* where OpenSSL asks when there is no terminal */
	assert_int_equal(E_OK, fetch_as((struct fetch){ .cert_path = "server.pem", .key_path = "server.key" }));
	assert_int_equal(E_UNAVAILABLE,
			 fetch_as((struct fetch){ .cert_path = "server.pem", .key_path = "locked.key" }));
}

/* ---- hooks ------------------------------------------------------------------------------------------------------------------ */

/* How many requests the provider had heard when one was, or could not be, answered. */
static int look_as(const char *ca)
{
	const struct engine_options options = {
		.goal = HOOK_LOOK, .once = true, .quiet = true, .deadline_ms = clock_mono_ms() + DEADLINE_MS
	};
	struct gateway_config *config;
	struct engine *e = NULL;
	CURLM *multi = curl_multi_init();
	struct buf text = { 0 };
	int heads = site.heads;

	buf_addf(&text,
		 "apiVersion: argoproj.io/v1alpha1\nkind: EventSource\nmetadata: {name: hosts}\nspec:\n"
		 "  holdfast: {dataDir: d, secretsDir: .}\n  github:\n    e:\n"
		 "      webhook: {endpoint: /hook, port: '12000', url: 'https://us'}\n"
		 "      repositories: [{owner: o, names: [r]}]\n      events: [push]\n      active: true\n"
		 "      contentType: json\n      apiToken: {name: s, key: t}\n"
		 "      holdfast: {hooks: {url: 'https://127.0.0.1:%u', ca: %s}}\n",
		 site.port, ca);
	config = manifest_load(buf_cstr(&text));
	assert_int_equal(E_OK, engine_new(config, &options, multi, &e));
	while (site.heads == heads && !e->hooks->backoff.attempts)
		engine_turn(e, DEADLINE_MS);
	engine_free(e);
	curl_multi_cleanup(multi);
	gateway_config_unref(config);
	buf_release(&text);
	return site.heads - heads;
}

static void a_hook_trusts_the_authority_that_is_named_and_no_other(void **state)
{
	(void)state;
	assert_true(look_as("system.pem") > 0);
	assert_int_equal(0, look_as("other.pem"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fetch_trusts_the_authority_that_is_named_and_no_other),
		cmocka_unit_test(nobody_is_asked_for_the_password_of_a_key),
		cmocka_unit_test(a_hook_trusts_the_authority_that_is_named_and_no_other),
	};

	log_setup(-1, LOG_ERROR, LOG_FORMAT_JSON);
	return cmocka_run_group_tests(tests, begin, end);
}
