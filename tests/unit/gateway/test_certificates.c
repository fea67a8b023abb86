#include "gateway/certificates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/buf.h"
#include "base/mem.h"

#define DAY 86400000ull

/* A certificate of its own key, valid from `from` to `to` seconds from now, as PEM. */
static void write_certificate(EVP_PKEY *key, long from, long to, struct buf *ret_pem)
{
	X509 *x = X509_new();
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long n;

	X509_gmtime_adj(X509_getm_notBefore(x), from);
	X509_gmtime_adj(X509_getm_notAfter(x), to);
	X509_set_pubkey(x, key);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_bio_X509(bio, x), 1);
	n = BIO_get_mem_data(bio, &text);
	buf_add(ret_pem, text, (size_t)n);
	BIO_free(bio);
	X509_free(x);
}

static struct buf pem_of(EVP_PKEY *key, long from, long to)
{
	struct buf pem = { 0 };

	write_certificate(key, from, to, &pem);
	return pem;
}

static void expect_refused(struct certificates *c, struct buf pem, const char *text)
{
	struct why why = { 0 };

	assert_int_equal(certificates_add(c, "u", buf_view(&pem), 1, &why), E_FORBIDDEN);
	assert_string_equal(why.text, text);
	assert_null(certificates_find(c, STR("u"), 1));
	buf_release(&pem);
}

static void what_cannot_be_trusted_is_not_kept(void **state)
{
	EVP_PKEY *rsa = EVP_RSA_gen(2048), *weak = EVP_RSA_gen(1024), *curve = EVP_EC_gen("P-256");
	struct certificates c;
	struct buf junk = { 0 };

	(void)state;
	certificates_init(&c);
	expect_refused(&c, pem_of(rsa, -7200, -3600), "the certificate is not valid at this time");
	expect_refused(&c, pem_of(rsa, 3600, 7200), "the certificate is not valid at this time");
	expect_refused(&c, pem_of(weak, -60, 3600), "the certificate's key is not RSA of 2048 bits");
	expect_refused(&c, pem_of(curve, -60, 3600), "the certificate's key is not RSA of 2048 bits");
	buf_lit(&junk, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	expect_refused(&c, junk, "it is not a certificate");
	expect_refused(&c, (struct buf){ 0 }, "it is not a certificate");
	certificates_release(&c);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(weak);
	EVP_PKEY_free(curve);
}

static bool knows(struct certificates *c, const char *url, uint64_t now_ms)
{
	EVP_PKEY *key = certificates_find(c, str_of(url), now_ms);

	EVP_PKEY_free(key);
	return key != NULL;
}

static void a_key_is_kept_for_a_day_and_the_oldest_makes_room(void **state)
{
	EVP_PKEY *rsa = EVP_RSA_gen(2048);
	struct buf pem = pem_of(rsa, -60, 3600);
	struct certificates c;
	char url[16];

	(void)state;
	certificates_init(&c);
	assert_int_equal(certificates_add(&c, "a", buf_view(&pem), 1000, NULL), E_OK);
	assert_true(knows(&c, "a", 1000 + DAY - 1));
	assert_false(knows(&c, "a", 1000 + DAY));
	assert_false(knows(&c, "b", 1000));
	assert_int_equal(certificates_add(&c, "a", buf_view(&pem), 2000, NULL), E_OK);
	assert_true(knows(&c, "a", 1000 + DAY));
	for (int i = 1; i < CERTIFICATES_MAX; i++) {
		(void)snprintf(url, sizeof(url), "%d", i);
		assert_int_equal(certificates_add(&c, url, buf_view(&pem), 2000, NULL), E_OK);
	}
	assert_true(knows(&c, "a", 2000));
	assert_int_equal(certificates_add(&c, "z", buf_view(&pem), 2000, NULL), E_OK);
	assert_false(knows(&c, "a", 2000));
	assert_true(knows(&c, "1", 2000));
	assert_true(knows(&c, "z", 2000));
	certificates_release(&c);
	buf_release(&pem);
	EVP_PKEY_free(rsa);
}

static void without_memory_nothing_is_kept(void **state)
{
	EVP_PKEY *rsa = EVP_RSA_gen(2048);
	struct buf pem = pem_of(rsa, -60, 3600);
	struct certificates c;

	(void)state;
	certificates_init(&c);
	mem_fail_at(1);
	assert_int_equal(certificates_add(&c, "a", buf_view(&pem), 1, NULL), E_NOMEM);
	mem_fail_at(0);
	assert_false(knows(&c, "a", 1));
	certificates_release(&c);
	buf_release(&pem);
	EVP_PKEY_free(rsa);
}

/* Nobody listens on port 1 of this machine. */
static void a_server_that_is_away_is_left_alone_for_a_while(void **state)
{
	struct certificates c;
	struct why first = { 0 }, second = { 0 }, later = { 0 };

	(void)state;
	certificates_init(&c);
	assert_int_equal(certificates_fetch(&c, "https://127.0.0.1:1/a.pem", NULL, 1000, &first), E_UNAVAILABLE);
	assert_int_equal(certificates_fetch(&c, "https://127.0.0.1:1/a.pem", NULL, 5999, &second), E_UNAVAILABLE);
	assert_non_null(strstr(second.text, "a moment ago"));
	assert_int_equal(certificates_fetch(&c, "https://127.0.0.1:1/a.pem", NULL, 6000, &later), E_UNAVAILABLE);
	assert_string_equal(first.text, later.text);
	assert_int_equal(certificates_fetch(&c, "http://127.0.0.1:1/a.pem", NULL, 60000, &later), E_UNAVAILABLE);
	assert_non_null(strstr(later.text, "Unsupported protocol"));
	certificates_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_cannot_be_trusted_is_not_kept),
		cmocka_unit_test(a_key_is_kept_for_a_day_and_the_oldest_makes_room),
		cmocka_unit_test(without_memory_nothing_is_kept),
		cmocka_unit_test(a_server_that_is_away_is_left_alone_for_a_while),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
