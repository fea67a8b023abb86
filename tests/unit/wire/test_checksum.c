#include "wire/checksum.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/mem.h"

static const char *hex(const unsigned char sum[static WIRE_CHECKSUM])
{
	static char text[2 * WIRE_CHECKSUM + 1];

	for (size_t i = 0; i < WIRE_CHECKSUM; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", sum[i]);
	return text;
}

/* sha256sum(1) of the canonical text behind each. */
#define SUM_SPEC  "fb5c885fdabdb27d72f9101e66ac138f03b41f935c34c2bbaae043723fbf4404"
#define SUM_EMPTY "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a" /* {} */
#define SUM_DATA  "b2ba1521fe671c2d5089c55a930cde62b247e347ec71a44bfef4b4aed3fde2d8" /* {"url":"aHR0cA=="} */

static const struct {
	enum wire_target target;
	const char *json, *sum;
} rows[] = {
	/* {"project":"default","source":{"path":"a\u0026b","targetRevision":"HEAD"},"syncPolicy":{"retry":{"limit":5}}} */
	{ WIRE_TO_APPLICATION,
	  "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"syncPolicy\":{\"retry\":{\"limit\":5}},\"project\":\"default\","
	  "\"source\":{\"targetRevision\":\"HEAD\",\"path\":\"a&b\"}}}",
	  SUM_SPEC },
	{ WIRE_TO_APPLICATION,
	  "{\"spec\":{\"destination\":{\"name\":\"one\"},\"syncPolicy\":{\"retry\":{\"limit\":5.0}},\"project\":"
	  "\"default\","
	  "\"source\":{\"targetRevision\":\"HEAD\",\"path\":\"a\\u0026b\"}},\"status\":{}}",
	  SUM_SPEC },
	{ WIRE_TO_APPPROJECT, "{\"spec\":{}}", SUM_EMPTY },
	{ WIRE_TO_APPLICATION, "{\"spec\":{\"destination\":{}}}", SUM_EMPTY },
	{ WIRE_TO_APPLICATIONSET, " { \"spec\" : { } } ", SUM_EMPTY },
	{ WIRE_TO_REPOSITORY, "{\"data\":{\"url\":\"aHR0cA==\"},\"spec\":{\"a\":1}}", SUM_DATA },
	{ WIRE_TO_GPGKEY, "{\"data\":{\"url\":\"aHR0cA==\"}}", SUM_DATA },
	{ WIRE_TO_GPGKEY, "{\"metadata\":{}}", SUM_EMPTY },
};

static void a_spec_has_the_sum_that_upstream_computes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		unsigned char sum[WIRE_CHECKSUM];

		assert_int_equal(wire_spec_checksum(rows[i].target, str_of(rows[i].json), sum, NULL), E_OK);
		assert_string_equal(hex(sum), rows[i].sum);
	}
}

static const struct {
	enum wire_target target;
	const char *json;
	enum err err;
} bad[] = {
	{ WIRE_TO_APPLICATION, "", E_MALFORMED },
	{ WIRE_TO_APPLICATION, "{", E_MALFORMED },
	{ WIRE_TO_APPLICATION, "[]", E_MALFORMED },
	{ WIRE_TO_GPGKEY, "7", E_MALFORMED },
	{ WIRE_TO_APPLICATION, "{\"spec\":null}", E_MALFORMED },
	{ WIRE_TO_APPLICATION, "{\"spec\":[]}", E_MALFORMED },
	{ WIRE_TO_APPLICATION, "{\"spec\":{\"a\":1e999}}", E_MALFORMED },
	{ WIRE_TO_APPLICATION, "{\"data\":{}}", E_NOT_FOUND },
	{ WIRE_TO_REPOSITORY, "{\"spec\":{}}", E_NOT_FOUND },
};

static void what_has_no_spec_has_no_sum(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		unsigned char sum[WIRE_CHECKSUM];
		struct why why = { 0 };

		assert_int_equal(wire_spec_checksum(bad[i].target, str_of(bad[i].json), sum, &why), bad[i].err);
		assert_true(why.text[0] != '\0');
	}
}

/* In this order, as the texts sort: AppProject/default/u1, Application/a-b/u0, Application/a/u10, Application/a/u2, Application/b/u1 */
#define LISTED(kind, name, uid)                                         \
	{                                                               \
		{ kind, sizeof(kind) - 1 }, { name, sizeof(name) - 1 }, \
		{                                                       \
			uid, sizeof(uid) - 1                            \
		}                                                       \
	}
static const struct wire_listed list[] = {
	LISTED("Application", "b", "u1"),   LISTED("AppProject", "default", "u1"), LISTED("Application", "a", "u2"),
	LISTED("Application", "a-b", "u0"), LISTED("Application", "a", "u10"),
};

static void a_list_has_one_sum_in_any_order(void **state)
{
	(void)state;
	for (size_t turn = 0; turn < ARRAY_LEN(list); turn++) {
		struct wire_listed turned[ARRAY_LEN(list)];
		unsigned char sum[WIRE_CHECKSUM];
		bool has;

		for (size_t i = 0; i < ARRAY_LEN(list); i++)
			turned[i] = list[(i + turn) % ARRAY_LEN(list)];
		assert_int_equal(wire_list_checksum(turned, ARRAY_LEN(turned), &has, sum), E_OK);
		assert_true(has);
		assert_string_equal(hex(sum), "3bc09a3622b12d2735087f14840ab03b632912136c74cf9153e766422e62011e");
	}
}

static void the_versions_of_our_dialect_change_the_sum(void **state)
{
	struct wire_listed one = { .kind = STR("Application"), .name = STR("web"), .uid = STR("u1") };
	unsigned char none[WIRE_CHECKSUM], first[WIRE_CHECKSUM], second[WIRE_CHECKSUM];
	bool has;

	(void)state;
	assert_int_equal(wire_list_checksum(&one, 1, &has, none), E_OK);
	one.version = (struct str)STR("1");
	assert_int_equal(wire_list_checksum(&one, 1, &has, first), E_OK);
	one.version = (struct str)STR("2");
	assert_int_equal(wire_list_checksum(&one, 1, &has, second), E_OK);
	assert_true(memcmp(none, first, sizeof(none)) && memcmp(first, second, sizeof(first)));
}

static void an_empty_list_has_none(void **state)
{
	unsigned char sum[WIRE_CHECKSUM];
	bool has = true;

	(void)state;
	assert_int_equal(wire_list_checksum(NULL, 0, &has, sum), E_OK);
	assert_false(has);
}

static void any_missing_memory_is_an_error(void **state)
{
	unsigned char sum[WIRE_CHECKSUM];
	bool has;

	(void)state;
	for (long at = 1, ok = 0; !ok; at++) {
		enum err a, b;

		mem_fail_at(at);
		a = wire_list_checksum(list, ARRAY_LEN(list), &has, sum);
		mem_fail_at(at);
		b = wire_spec_checksum(WIRE_TO_APPLICATION, str_of(rows[0].json), sum, NULL);
		mem_fail_at(0);
		assert_true((a == E_OK || a == E_NOMEM) && (b == E_OK || b == E_NOMEM));
		ok = a == E_OK && b == E_OK;
		assert_true(at < 100);
	}
	assert_string_equal(hex(sum), SUM_SPEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_spec_has_the_sum_that_upstream_computes),
		cmocka_unit_test(what_has_no_spec_has_no_sum),
		cmocka_unit_test(a_list_has_one_sum_in_any_order),
		cmocka_unit_test(the_versions_of_our_dialect_change_the_sum),
		cmocka_unit_test(an_empty_list_has_none),
		cmocka_unit_test(any_missing_memory_is_an_error),
	};

	return cmocka_run_group_tests_name("wire checksum", tests, NULL, NULL);
}
