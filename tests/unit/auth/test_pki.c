#include "auth/pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "auth/jwt.h"
#include "base/mem.h"
#include "net/tls_peer.h"
#include "scratch.h"

#define NOW    (1800000000LL * 1000)
#define DAY_MS 86400000LL

static struct pki_pair authority_pair;
static struct pki_authority *authority;

static X509 *cert_of(const struct buf *pem)
{
	BIO *bio = BIO_new_mem_buf(pem->p, (int)pem->n);
	X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	BIO_free(bio);
	assert_non_null(cert);
	return cert;
}

static const char *file_of(const char *name, const struct buf *content)
{
	char *text = str_dup(buf_view(content));
	const char *path = scratch_file(name, text);

	mem_free(text);
	return path;
}

static int begin(void **state)
{
	const struct pki_request request = { .role = PKI_AUTHORITY, .name = "test", .days = 100 };

	if (scratch_begin(state) != 0 || pki_make_authority(&request, NOW, NULL, &authority_pair) != E_OK)
		return 1;
	return pki_authority_open(file_of("ca.crt", &authority_pair.cert), file_of("ca.key", &authority_pair.key), NOW,
				  NULL, &authority) == E_OK
		       ? 0
		       : 1;
}

static int end(void **state)
{
	pki_authority_free(authority);
	pki_pair_release(&authority_pair);
	return scratch_end(state);
}

/* Is it good for this purpose, at this time, to somebody who trusts our authority? */
static bool verifies(X509 *cert, int purpose, int64_t at_ms, const char *host, const char *ip)
{
	X509 *ca = cert_of(&authority_pair.cert);
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *param;
	bool ok;

	X509_STORE_add_cert(store, ca);
	X509_STORE_CTX_init(ctx, store, cert, NULL);
	X509_STORE_CTX_set_purpose(ctx, purpose);
	param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_time(param, (time_t)(at_ms / 1000));
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT);
	if (host)
		X509_VERIFY_PARAM_set1_host(param, host, 0);
	if (ip)
		X509_VERIFY_PARAM_set1_ip_asc(param, ip);
	ok = X509_verify_cert(ctx) == 1;
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	X509_free(ca);
	return ok;
}

static void a_server_is_good_for_its_names_and_for_nothing_else(void **state)
{
	static const char *const sans[] = { "dns:other.example", "127.0.0.1", "ip:::1", "spiffe://x/principal" };
	const struct pki_request request = {
		.role = PKI_SERVER, .name = "hub.example", .sans = sans, .san_count = ARRAY_LEN(sans), .days = 10
	};
	struct pki_pair pair = { 0 };
	struct why why = { 0 };
	X509 *cert;

	(void)state;
	if (pki_issue(authority, &request, (struct str){ 0 }, NOW, &why, &pair) != E_OK)
		fail_msg("%s", why.text);
	cert = cert_of(&pair.cert);
	assert_true(verifies(cert, X509_PURPOSE_SSL_SERVER, NOW, "hub.example", NULL));
	assert_true(verifies(cert, X509_PURPOSE_SSL_SERVER, NOW, "other.example", NULL));
	assert_true(verifies(cert, X509_PURPOSE_SSL_SERVER, NOW, NULL, "127.0.0.1"));
	assert_true(verifies(cert, X509_PURPOSE_SSL_SERVER, NOW, NULL, "::1"));
	assert_false(verifies(cert, X509_PURPOSE_SSL_SERVER, NOW, "x.example", NULL));
	assert_false(verifies(cert, X509_PURPOSE_SSL_CLIENT, NOW, NULL, NULL));
	assert_true(verifies(cert, X509_PURPOSE_SSL_SERVER, NOW - 200 * 1000, NULL, NULL));
	assert_false(verifies(cert, X509_PURPOSE_SSL_SERVER, NOW - 400 * 1000, NULL, NULL));
	assert_true(verifies(cert, X509_PURPOSE_SSL_SERVER, NOW + 10 * DAY_MS - 1000, NULL, NULL));
	assert_false(verifies(cert, X509_PURPOSE_SSL_SERVER, NOW + 10 * DAY_MS + 1000, NULL, NULL));
	assert_int_equal(NOW + 10 * DAY_MS, pair.expires_ms);
	X509_free(cert);
	pki_pair_release(&pair);
}

static void an_agent_is_a_client_and_reads_as_its_name(void **state)
{
	static const char *const sans[] = { "uri:spiffe://x/agent/one" };
	const struct pki_request request = {
		.role = PKI_AGENT, .kind = PKI_RSA, .name = "one", .sans = sans, .san_count = 1, .days = 1
	};
	struct pki_pair pair = { 0 };
	struct tls_peer peer;
	X509 *cert;

	(void)state;
	assert_int_equal(E_OK, pki_issue(authority, &request, (struct str){ 0 }, NOW, NULL, &pair));
	cert = cert_of(&pair.cert);
	assert_true(verifies(cert, X509_PURPOSE_SSL_CLIENT, NOW, NULL, NULL));
	assert_false(verifies(cert, X509_PURPOSE_SSL_SERVER, NOW, NULL, NULL));
	assert_int_equal(E_OK, tls_peer_read(&peer, cert));
	assert_string_equal("CN=one", peer.subject);
	assert_int_equal(1, peer.uri_count);
	assert_string_equal("spiffe://x/agent/one", peer.uris[0]);
	tls_peer_release(&peer);
	X509_free(cert);
	pki_pair_release(&pair);
}

static void nothing_outlives_its_authority(void **state)
{
	const struct pki_request request = { .role = PKI_AGENT, .name = "one", .days = 1000 };
	struct pki_pair pair = { 0 };
	struct pki_authority *late = NULL;
	struct why why = { 0 };

	(void)state;
	assert_int_equal(E_OK, pki_issue(authority, &request, (struct str){ 0 }, NOW, NULL, &pair));
	assert_int_equal(NOW + 100 * DAY_MS, pair.expires_ms);
	pki_pair_release(&pair);
	assert_int_equal(E_CONFIG, pki_authority_open(scratch_path("ca.crt"), scratch_path("ca.key"),
						      NOW + 101 * DAY_MS, &why, &late));
	assert_non_null(strstr(why.text, "the authority is over"));
}

static void a_certificate_is_renewed_for_the_same_key(void **state)
{
	const struct pki_request request = { .role = PKI_AGENT, .name = "one", .days = 5, .serial = { 1 } };
	struct pki_pair first = { 0 }, second = { 0 };
	int64_t expires;

	(void)state;
	assert_int_equal(E_OK, pki_issue(authority, &request, (struct str){ 0 }, NOW, NULL, &first));
	assert_int_equal(E_OK, pki_issue(authority, &request, buf_view(&first.key), NOW + DAY_MS, NULL, &second));
	assert_true(str_eq(buf_view(&first.key), buf_view(&second.key)));
	assert_int_equal(E_OK, pki_expiry(&(struct pem){ file_of("one.crt", &second.cert) }, NULL, &expires));
	assert_int_equal(NOW + 6 * DAY_MS, expires);
	pki_pair_release(&first);
	pki_pair_release(&second);
}

static void what_cannot_be_issued_is_said(void **state)
{
	static const struct {
		enum pki_role role;
		const char *name, *san;
		unsigned days;
		const char *story;
	} rows[] = {
		{ PKI_AGENT, "One", NULL, 1, "'One' is no name of an agent" },
		{ PKI_AGENT, "../one", NULL, 1, "'../one' is no name of an agent" },
		{ PKI_AGENT, "", NULL, 1, "'' is no name of an agent" },
		{ PKI_SERVER, "a/b", NULL, 1, "'a/b' is no DNS name and no address" },
		{ PKI_SERVER, "a..b", NULL, 1, "'a..b' is no DNS name and no address" },
		{ PKI_SERVER, "a.", NULL, 1, "'a.' is no DNS name and no address" },
		{ PKI_SERVER, "*.", NULL, 1, "'*.' is no DNS name and no address" },
		{ PKI_SERVER, "10.0.0.256", NULL, 1, "'10.0.0.256' is no DNS name and no address" },
		{ PKI_SERVER, "a", "10.0.0.256", 1, "'10.0.0.256' is no DNS name, no address and no URI" },
		{ PKI_SERVER, "a", "b,DNS:c", 1, "'b,DNS:c' is no DNS name, no address and no URI" },
		{ PKI_SERVER, "a", "ip:300.1.1.1", 1, "'ip:300.1.1.1' is no DNS name, no address and no URI" },
		{ PKI_SERVER, "a", "uri:x y", 1, "'uri:x y' is no DNS name, no address and no URI" },
		{ PKI_SERVER, "a", "uri:", 1, "'uri:' is no DNS name, no address and no URI" },
		{ PKI_SERVER, "a", "", 1, "'' is no DNS name, no address and no URI" },
		{ PKI_SERVER, "a", NULL, 0, "0 days: 1 to 36500 are possible" },
		{ PKI_SERVER, "a", NULL, 36501, "36501 days: 1 to 36500 are possible" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct pki_request request = { .role = rows[i].role,
						     .name = rows[i].name,
						     .sans = &rows[i].san,
						     .san_count = rows[i].san != NULL,
						     .days = rows[i].days };
		struct pki_pair pair = { 0 };
		struct why why = { 0 };

		assert_int_equal(E_CONFIG, pki_issue(authority, &request, (struct str){ 0 }, NOW, &why, &pair));
		if (!strstr(why.text, rows[i].story))
			fail_msg("'%s': %s", rows[i].name, why.text);
	}
}

static void what_is_no_authority_does_not_open(void **state)
{
	const struct pki_request request = { .role = PKI_AGENT, .name = "one", .days = 5 };
	struct pki_pair pair = { 0 };
	struct pki_authority *a = NULL;
	const char *cert, *key;

	(void)state;
	assert_int_equal(E_OK, pki_issue(authority, &request, (struct str){ 0 }, NOW, NULL, &pair));
	cert = file_of("one.crt", &pair.cert);
	key = file_of("one.key", &pair.key);
	assert_int_equal(E_CONFIG, pki_authority_open(cert, key, NOW, NULL, &a));
	assert_int_equal(E_CONFIG, pki_authority_open(scratch_path("ca.crt"), key, NOW, NULL, &a));
	assert_int_equal(E_CONFIG, pki_authority_open(key, key, NOW, NULL, &a));
	assert_int_equal(E_CONFIG, pki_authority_open(cert, cert, NOW, NULL, &a));
	assert_int_equal(E_NOT_FOUND, pki_authority_open(scratch_path("none"), key, NOW, NULL, &a));
	assert_int_equal(E_CONFIG, pki_authority_open(scratch_file("empty", ""), key, NOW, NULL, &a));
	assert_null(a);
	pki_pair_release(&pair);
}

static void the_key_of_the_tokens_is_one(void **state)
{
	struct buf pem = { 0 };
	struct jwt_keys *keys;

	(void)state;
	assert_int_equal(E_CONFIG, pki_make_rsa(1024, NULL, &pem));
	assert_int_equal(E_OK, pki_make_rsa(2048, NULL, &pem));
	assert_true(str_starts(buf_view(&pem), STR("-----BEGIN PRIVATE KEY-----")));
	assert_int_equal(E_OK, jwt_keys_open(&(struct pem){ file_of("jwt.key", &pem) }, NULL, &keys));
	jwt_keys_free(keys);
	buf_release(&pem);
}

static void a_failing_allocation_is_an_error(void **state)
{
	const struct pki_request request = { .role = PKI_AGENT, .name = "one", .days = 5 };
	struct pki_pair pair = { 0 };
	struct pki_authority *a = NULL;
	long n = 1;
	enum err err;

	(void)state;
	do {
		mem_fail_at(n++);
		err = pki_authority_open(scratch_path("ca.crt"), scratch_path("ca.key"), NOW, NULL, &a);
		mem_fail_at(0);
		assert_true(err == E_OK || err == E_NOMEM);
	} while (err != E_OK);
	assert_true(n > 3);
	n = 1;
	do {
		mem_fail_at(n++);
		err = pki_issue(a, &request, (struct str){ 0 }, NOW, NULL, &pair);
		mem_fail_at(0);
		assert_true(err == E_OK || err == E_NOMEM);
	} while (err != E_OK);
	assert_true(n > 2);
	pki_pair_release(&pair);
	pki_authority_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_server_is_good_for_its_names_and_for_nothing_else),
		cmocka_unit_test(an_agent_is_a_client_and_reads_as_its_name),
		cmocka_unit_test(nothing_outlives_its_authority),
		cmocka_unit_test(a_certificate_is_renewed_for_the_same_key),
		cmocka_unit_test(what_cannot_be_issued_is_said),
		cmocka_unit_test(what_is_no_authority_does_not_open),
		cmocka_unit_test(the_key_of_the_tokens_is_one),
		cmocka_unit_test(a_failing_allocation_is_an_error),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
