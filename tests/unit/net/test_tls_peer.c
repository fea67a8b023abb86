#include "net/tls_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/mem.h"

static EVP_PKEY *key;

static int make_key(void **state)
{
	(void)state;
	key = EVP_EC_gen("P-256");
	return key ? 0 : 1;
}

static int free_key(void **state)
{
	(void)state;
	EVP_PKEY_free(key);
	return 0;
}

/* Subject as "TYPE=value" pairs in this order, names as OpenSSL writes them ("URI:a,DNS:b"; NULL: none). */
static X509 *make_cert(const char *const *subject, const char *names)
{
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);

	assert_non_null(cert);
	for (; *subject; subject++) {
		const char *value = strchr(*subject, '=') + 1;
		char *type = mem_dup(*subject, (size_t)(value - *subject) - 1);

		assert_int_equal(1, X509_NAME_add_entry_by_txt(name, type, MBSTRING_UTF8, (const unsigned char *)value,
							       -1, -1, 0));
		mem_free(type);
	}
	if (names) {
		X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);

		assert_int_equal(1, X509_add_ext(cert, ext, -1));
		X509_EXTENSION_free(ext);
	}
	X509_set_version(cert, 2);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	return cert;
}

static void the_subject_reads_as_go_prints_it(void **state)
{
	static const struct {
		const char *subject[8];
		const char *text;
		const char *common_name;
	} rows[] = {
		{ { NULL }, "", "" },
		{ { "CN=agent-1" }, "CN=agent-1", "agent-1" },
		{ { "CN=a", "O=o", "C=DE" }, "CN=a,O=o,C=DE", "a" },
		{ { "C=DE", "O=o", "CN=a" }, "CN=a,O=o,C=DE", "a" },
		{ { "O=one", "OU=x", "O=two", "CN=a" }, "CN=a,OU=x,O=one+O=two", "a" },
		{ { "CN=first", "CN=last" }, "CN=last", "last" },
		{ { "ST=s", "L=l", "street=r", "postalCode=p", "serialNumber=n", "CN=a" },
		  "SERIALNUMBER=n,CN=a,POSTALCODE=p,STREET=r,ST=s,L=l",
		  "a" },
		{ { "CN=a, b+c\"d\\e<f>g;h" }, "CN=a\\, b\\+c\\\"d\\\\e\\<f\\>g\\;h", "a, b+c\"d\\e<f>g;h" },
		{ { "CN= a#b " }, "CN=\\ a#b\\ ", " a#b " },
		{ { "CN=#a" }, "CN=\\#a", "#a" },
		{ { "CN=\xc3\xa9" }, "CN=\xc3\xa9", "\xc3\xa9" },
		{ { "emailAddress=a@b", "CN=a" }, "CN=a,1.2.840.113549.1.9.1=#0c03614062", "a" },
		{ { "UID=u1", "DC=org", "CN=a" },
		  "CN=a,0.9.2342.19200300.100.1.25=#13036f7267,0.9.2342.19200300.100.1.1=#13027531",
		  "a" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		X509 *cert = make_cert(rows[i].subject, NULL);
		struct tls_peer p;

		assert_int_equal(E_OK, tls_peer_read(&p, cert));
		assert_string_equal(rows[i].text, p.subject);
		assert_string_equal(rows[i].common_name, p.common_name);
		assert_int_equal(0, p.uri_count);
		tls_peer_release(&p);
		X509_free(cert);
	}
}

static void uris_come_in_their_order_without_the_other_names(void **state)
{
	static const char *const subject[] = { "CN=a", NULL };
	X509 *cert = make_cert(subject, "URI:spiffe://a/b,DNS:host,URI:urn:x,IP:10.0.0.1");
	struct tls_peer p;

	(void)state;
	assert_int_equal(E_OK, tls_peer_read(&p, cert));
	assert_int_equal(2, p.uri_count);
	assert_string_equal("spiffe://a/b", p.uris[0]);
	assert_string_equal("urn:x", p.uris[1]);
	tls_peer_release(&p);
	X509_free(cert);
}

static void the_fingerprint_is_the_sha256_of_the_certificate(void **state)
{
	static const char *const subject[] = { "CN=a", NULL };
	X509 *cert = make_cert(subject, NULL);
	unsigned char *der = NULL;
	int n = i2d_X509(cert, &der);
	unsigned char digest[32];
	struct tls_peer p;

	(void)state;
	assert_int_equal(1, EVP_Digest(der, (size_t)n, digest, NULL, EVP_sha256(), NULL));
	assert_int_equal(E_OK, tls_peer_read(&p, cert));
	assert_int_equal(64, strlen(p.fingerprint));
	for (size_t i = 0; i < sizeof(digest); i++) {
		char hex[3];

		(void)snprintf(hex, sizeof(hex), "%02X", digest[i]);
		assert_memory_equal(hex, p.fingerprint + 2 * i, 2);
	}
	tls_peer_release(&p);
	OPENSSL_free(der);
	X509_free(cert);
}

/* "good\0evil" in a name has fooled others. */
static void a_name_with_a_zero_byte_is_refused(void **state)
{
	static const char *const none[] = { NULL };
	X509 *cert = make_cert(none, NULL);
	struct tls_peer p = { 0 };

	(void)state;
	assert_int_equal(1, X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", V_ASN1_UTF8STRING,
						       (const unsigned char *)"good\0evil", 9, -1, 0));
	assert_int_equal(E_MALFORMED, tls_peer_read(&p, cert));
	assert_null(p.subject);
	X509_free(cert);
}

static void a_missing_allocation_is_an_error(void **state)
{
	static const char *const subject[] = { "CN=a", "O=o", NULL };
	X509 *cert = make_cert(subject, "URI:a,URI:b");
	enum err err = E_NOMEM;
	long n;

	(void)state;
	for (n = 1; err == E_NOMEM && n < 100; n++) {
		struct tls_peer p = { 0 };

		mem_fail_at(n);
		err = tls_peer_read(&p, cert);
		mem_fail_at(0);
		tls_peer_release(&p);
	}
	assert_int_equal(E_OK, err);
	assert_in_range(n, 6, 99);
	X509_free(cert);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_subject_reads_as_go_prints_it),
		cmocka_unit_test(uris_come_in_their_order_without_the_other_names),
		cmocka_unit_test(the_fingerprint_is_the_sha256_of_the_certificate),
		cmocka_unit_test(a_name_with_a_zero_byte_is_refused),
		cmocka_unit_test(a_missing_allocation_is_an_error),
	};

	return cmocka_run_group_tests(tests, make_key, free_key);
}
