#include "net/tls_suites.h"

#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

#define V12 "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
#define V13 "TLS_AES_256_GCM_SHA384"

static void a_list_and_a_range_go_together_or_are_refused(void **state)
{
	static const struct {
		const char *list;
		enum tls_version min, max;
		enum err err;
		const char *why;
	} cases[] = {
		{ NULL, TLS_ANY, TLS_ANY, E_OK, "" },
		{ NULL, TLS_1_3, TLS_1_2, E_CONFIG, "newer than the most" },
		{ V12, TLS_ANY, TLS_ANY, E_OK, "" },
		{ V12 ", " V13, TLS_1_2, TLS_1_3, E_OK, "" },
		{ V13, TLS_1_3, TLS_ANY, E_OK, "" },
		{ V13, TLS_ANY, TLS_ANY, E_CONFIG, "no cipher suite of TLS 1.2" },
		{ V12, TLS_1_3, TLS_ANY, E_CONFIG, "TLS 1.3 is the least" },
		{ V13, TLS_ANY, TLS_1_2, E_CONFIG, "TLS 1.2 is the most" },
		{ "TLS_RSA_WITH_AES_128_CBC_SHA", TLS_ANY, TLS_ANY, E_CONFIG, "is no cipher suite" },
		{ "AES128-SHA", TLS_ANY, TLS_ANY, E_CONFIG, "'AES128-SHA' is no cipher suite" },
		{ V12 ",", TLS_ANY, TLS_ANY, E_OK, "" },
		{ "," V12, TLS_ANY, TLS_ANY, E_CONFIG, "'' is no cipher suite" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		SSL_CTX *ctx = SSL_CTX_new(TLS_method());
		struct why why = { 0 };

		assert_int_equal(tls_suites_use(ctx, cases[i].list, cases[i].min, cases[i].max, &why), cases[i].err);
		assert_non_null(strstr(why.text, cases[i].why));
		SSL_CTX_free(ctx);
	}
}

static void only_the_suites_of_the_list_are_used(void **state)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_method());
	const STACK_OF(SSL_CIPHER) * ciphers;
	struct why why = { 0 };

	(void)state;
	assert_int_equal(tls_suites_use(ctx, V12 "," V13, TLS_ANY, TLS_ANY, &why), E_OK);
	ciphers = SSL_CTX_get_ciphers(ctx);
	assert_int_equal(sk_SSL_CIPHER_num(ciphers), 2);
	for (int i = 0; i < 2; i++) {
		const char *name = SSL_CIPHER_standard_name(sk_SSL_CIPHER_value(ciphers, i));

		assert_true(strcmp(name, V12) == 0 || strcmp(name, V13) == 0);
	}
	SSL_CTX_free(ctx);
}

static void the_list_of_all_has_good_ones_only(void **state)
{
	struct buf text = { 0 };
	struct str rest;

	(void)state;
	tls_suites(&text);
	assert_non_null(strstr(buf_cstr(&text), V13 "\n"));
	assert_non_null(strstr(text.p, V12 "\n"));
	rest = buf_view(&text);
	while (rest.n) {
		struct str name = str_cut(&rest, '\n');

		assert_true(str_find(name, 'C') < name.n);
		assert_null(memmem(name.p, name.n, "CBC", 3));
	}
	buf_release(&text);
}

static void versions_are_words(void **state)
{
	enum tls_version v = TLS_ANY;

	(void)state;
	assert_true(tls_version_parse(STR("tls1.2"), &v));
	assert_int_equal(v, TLS_1_2);
	assert_true(tls_version_parse(STR("tls1.3"), &v));
	assert_int_equal(v, TLS_1_3);
	assert_false(tls_version_parse(STR("tls1.1"), &v));
	assert_false(tls_version_parse(STR(""), &v));
	assert_int_equal(v, TLS_1_3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_and_a_range_go_together_or_are_refused),
		cmocka_unit_test(only_the_suites_of_the_list_are_used),
		cmocka_unit_test(the_list_of_all_has_good_ones_only),
		cmocka_unit_test(versions_are_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
