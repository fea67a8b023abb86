#include "rpc/code.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"

#include <nghttp2/nghttp2.h>

static void codes_have_the_names_and_numbers_of_grpc(void **state)
{
	(void)state;
	assert_int_equal(17, RPC_CODE_COUNT);
	assert_string_equal("OK", rpc_code_name(RPC_OK));
	assert_string_equal("UNAUTHENTICATED", rpc_code_name((enum rpc_code)16));
	assert_string_equal("UNKNOWN", rpc_code_name((enum rpc_code)17));
}

static void a_status_field_is_a_number_with_a_row(void **state)
{
	static const struct {
		const char *field;
		enum rpc_code code;
	} rows[] = { { "0", RPC_OK },       { "5", RPC_NOT_FOUND }, { "16", RPC_UNAUTHENTICATED },
		     { "17", RPC_UNKNOWN }, { "-1", RPC_UNKNOWN },  { "", RPC_UNKNOWN },
		     { "x", RPC_UNKNOWN },  { "5 ", RPC_UNKNOWN },  { "99999999999999999999", RPC_UNKNOWN } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(rows[i].code, rpc_code_parse(str_of(rows[i].field)));
}

static void http_says_it_when_grpc_does_not(void **state)
{
	static const struct {
		unsigned status;
		enum rpc_code code;
	} rows[] = { { 400, RPC_INTERNAL },
		     { 401, RPC_UNAUTHENTICATED },
		     { 403, RPC_PERMISSION_DENIED },
		     { 404, RPC_UNIMPLEMENTED },
		     { 429, RPC_UNAVAILABLE },
		     { 502, RPC_UNAVAILABLE },
		     { 503, RPC_UNAVAILABLE },
		     { 504, RPC_UNAVAILABLE },
		     { 500, RPC_UNKNOWN },
		     { 200, RPC_UNKNOWN },
		     { 0, RPC_UNKNOWN } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(rows[i].code, rpc_code_of_http(rows[i].status));
}

static void a_reset_says_it_too(void **state)
{
	(void)state;
	assert_int_equal(RPC_UNAVAILABLE, rpc_code_of_h2(NGHTTP2_REFUSED_STREAM));
	assert_int_equal(RPC_CANCELLED, rpc_code_of_h2(NGHTTP2_CANCEL));
	assert_int_equal(RPC_RESOURCE_EXHAUSTED, rpc_code_of_h2(NGHTTP2_ENHANCE_YOUR_CALM));
	assert_int_equal(RPC_PERMISSION_DENIED, rpc_code_of_h2(NGHTTP2_INADEQUATE_SECURITY));
	assert_int_equal(RPC_INTERNAL, rpc_code_of_h2(NGHTTP2_NO_ERROR));
	assert_int_equal(RPC_INTERNAL, rpc_code_of_h2(77));
	assert_int_equal(RPC_NOT_FOUND, rpc_code_of_err(E_NOT_FOUND));
	assert_int_equal(RPC_OK, rpc_code_of_err(E_OK));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codes_have_the_names_and_numbers_of_grpc),
		cmocka_unit_test(a_status_field_is_a_number_with_a_row),
		cmocka_unit_test(http_says_it_when_grpc_does_not),
		cmocka_unit_test(a_reset_says_it_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
