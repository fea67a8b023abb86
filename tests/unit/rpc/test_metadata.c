#include "rpc/metadata.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"

#include "rpc/fields.h"

static void pairs_keep_their_order_and_may_repeat(void **state)
{
	struct rpc_metadata m = { 0 };

	(void)state;
	rpc_metadata_add(&m, STR("a"), STR("1"));
	rpc_metadata_add(&m, STR("b"), STR(""));
	rpc_metadata_add(&m, STR("a"), STR("2"));
	assert_int_equal(E_OK, m.err);
	assert_int_equal(3, m.n);
	assert_true(str_is(rpc_metadata_key(&m, 2), "a"));
	assert_true(str_is(rpc_metadata_value(&m, 2), "2"));
	assert_true(str_is(rpc_metadata_get(&m, STR("a")), "1"));
	assert_non_null(rpc_metadata_get(&m, STR("b")).p);
	assert_null(rpc_metadata_get(&m, STR("c")).p);
	rpc_metadata_release(&m);
	assert_int_equal(0, m.n);
}

static void what_http2_cannot_carry_is_refused(void **state)
{
	static const struct {
		const char *key;
		const char *value;
	} rows[] = {
		{ "", "x" },
		{ "Upper", "x" },
		{ "a b", "x" },
		{ ":path", "x" },
		{ "grpc-status", "x" },
		{ "te", "x" },
		{ "content-type", "x" },
		{ "key", "a\nb" },
		{ "key", "a\rb" },
		{ "key", " a" },
		{ "key", "a\x01" },
		{ "connection", "x" },
		{ "k\xc3\xa9", "x" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rpc_metadata m = { 0 };

		rpc_metadata_add(&m, str_of(rows[i].key), str_of(rows[i].value));
		if (m.err != E_MALFORMED)
			fail_msg("%s: %s", rows[i].key, rows[i].value);
		rpc_metadata_add(&m, STR("good"), STR("x"));
		assert_int_equal(0, m.n);
		rpc_metadata_release(&m);
	}
}

static void binary_values_from_the_wire_are_decoded_and_cut(void **state)
{
	static const struct {
		const char *wire;
		size_t n;
		const char *values[3];
	} rows[] = {
		{ "Zg", 1, { "f" } },
		{ "Zg==", 1, { "f" } },
		{ "Zg,Zm8=", 2, { "f", "fo" } },
		{ "", 1, { "" } },
		{ "++++", 1, { "\xfb\xef\xbe" } },
		{ "Zg, Zm8 ,Zm9v", 3, { "f", "fo", "foo" } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rpc_metadata m = { 0 };

		rpc_metadata_add_wire(&m, STR("k-bin"), str_of(rows[i].wire));
		assert_int_equal(E_OK, m.err);
		assert_int_equal(rows[i].n, m.n);
		for (size_t k = 0; k < m.n; k++)
			assert_true(str_is(rpc_metadata_value(&m, k), rows[i].values[k]));
		rpc_metadata_release(&m);
	}
}

static void a_binary_value_that_is_no_base64_makes_the_list_bad(void **state)
{
	struct rpc_metadata m = { 0 };

	(void)state;
	rpc_metadata_add_wire(&m, STR("text"), STR("a,b"));
	rpc_metadata_add_wire(&m, STR("k-bin"), STR("Zg,!"));
	assert_int_equal(E_MALFORMED, m.err);
	assert_true(str_is(rpc_metadata_get(&m, STR("text")), "a,b"));
	rpc_metadata_release(&m);
}

static void fields_carry_binary_values_as_text(void **state)
{
	struct rpc_metadata m = { 0 }, fields = { 0 };
	nghttp2_nv *nv;

	(void)state;
	rpc_metadata_add(&m, STR("k-bin"), STR("\xff\x01"));
	rpc_metadata_add(&m, STR("text"), STR("plain"));
	rpc_fields_status(&fields, RPC_NOT_FOUND, STR("no %"));
	rpc_fields_add(&fields, &m);
	nv = rpc_fields_nv(&fields);
	assert_non_null(nv);
	assert_int_equal(4, fields.n);
	assert_memory_equal("grpc-status", nv[0].name, nv[0].namelen);
	assert_memory_equal("5", nv[0].value, nv[0].valuelen);
	assert_memory_equal("no %25", nv[1].value, nv[1].valuelen);
	assert_memory_equal("/wE", nv[2].value, nv[2].valuelen);
	assert_memory_equal("plain", nv[3].value, nv[3].valuelen);
	mem_free(nv);
	rpc_metadata_release(&fields);
	rpc_metadata_release(&m);
}

static void a_missing_allocation_is_an_error_that_stays(void **state)
{
	(void)state;
	for (long n = 1; n <= 4; n++) {
		struct rpc_metadata m = { 0 };

		mem_fail_at(n);
		for (int i = 0; i < 40; i++)
			rpc_metadata_add(&m, STR("some-key"), STR("some value"));
		mem_fail_at(0);
		assert_int_equal(E_NOMEM, m.err);
		assert_true(m.n < 40);
		assert_null(rpc_fields_nv(&m));
		rpc_metadata_release(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_keep_their_order_and_may_repeat),
		cmocka_unit_test(what_http2_cannot_carry_is_refused),
		cmocka_unit_test(binary_values_from_the_wire_are_decoded_and_cut),
		cmocka_unit_test(a_binary_value_that_is_no_base64_makes_the_list_bad),
		cmocka_unit_test(fields_carry_binary_values_as_text),
		cmocka_unit_test(a_missing_allocation_is_an_error_that_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
