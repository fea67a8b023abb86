#include "rpc/symbols.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"

#include "rpc/files.h"

static const struct rpc_file *file_of(const struct symbols *s, const char *symbol)
{
	const struct symbols_file *file = symbols_of_name(s, str_of(symbol));
	const struct rpc_file *list[4];

	return file && symbols_closure(s, file, list, 4) ? list[0] : NULL;
}

static void services_methods_messages_and_enums_are_found(void **state)
{
	static const struct {
		const char *symbol;
		const struct rpc_file *file;
	} rows[] = {
		{ "grpc.health.v1.Health", &rpc_file_health },
		{ "grpc.health.v1.Health.Check", &rpc_file_health },
		{ "grpc.health.v1.HealthCheckRequest", &rpc_file_health },
		{ "grpc.health.v1.HealthCheckResponse.ServingStatus", &rpc_file_health },
		{ "grpc.reflection.v1.ServerReflection", &rpc_file_reflection },
		{ "grpc.reflection.v1.ErrorResponse", &rpc_file_reflection },
		{ "grpc.health.v1", NULL },
		{ "grpc.health.v1.Healt", NULL },
		{ "", NULL },
	};
	struct symbols s = { 0 };

	(void)state;
	assert_int_equal(E_OK, symbols_add(&s, &rpc_file_health));
	assert_int_equal(E_OK, symbols_add(&s, &rpc_file_reflection));
	assert_int_equal(E_OK, symbols_add(&s, &rpc_file_health));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (file_of(&s, rows[i].symbol) != rows[i].file)
			fail_msg("%s", rows[i].symbol);
	assert_non_null(symbols_of_file(&s, STR("grpc/health/v1/health.proto")));
	assert_null(symbols_of_file(&s, STR("health.proto")));
	symbols_release(&s);
}

/* "name", "package", dependency: a descriptor by hand. */
#define IMPORTS_A "\12\1b\32\1a\32\1b\32\4none"

static void a_file_comes_with_what_it_imports_each_once(void **state)
{
	static const struct rpc_file a = { "a", { "\12\1a\32\1b", 6 } };
	static const struct rpc_file b = { "b", { IMPORTS_A, sizeof(IMPORTS_A) - 1 } };
	const struct rpc_file *list[4];
	struct symbols s = { 0 };

	(void)state;
	assert_int_equal(E_OK, symbols_add(&s, &a));
	assert_int_equal(E_OK, symbols_add(&s, &b));
	assert_int_equal(2, symbols_closure(&s, symbols_of_file(&s, STR("a")), list, 4));
	assert_ptr_equal(&a, list[0]);
	assert_ptr_equal(&b, list[1]);
	assert_int_equal(1, symbols_closure(&s, symbols_of_file(&s, STR("b")), list, 1));
	symbols_release(&s);
}

static void a_descriptor_that_does_not_parse_is_refused(void **state)
{
	static const struct rpc_file bad = { "bad", { "\12\177", 2 } };
	struct symbols s = { 0 };

	(void)state;
	assert_int_equal(E_MALFORMED, symbols_add(&s, &bad));
	symbols_release(&s);
}

static void a_missing_allocation_is_an_error(void **state)
{
	enum err err = E_NOMEM;
	long n;

	(void)state;
	for (n = 1; n < 500 && err == E_NOMEM; n++) {
		struct symbols s = { 0 };

		mem_fail_at(n);
		err = symbols_add(&s, &rpc_file_reflection);
		mem_fail_at(0);
		symbols_release(&s);
	}
	assert_int_equal(E_OK, err);
	assert_true(n > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(services_methods_messages_and_enums_are_found),
		cmocka_unit_test(a_file_comes_with_what_it_imports_each_once),
		cmocka_unit_test(a_descriptor_that_does_not_parse_is_refused),
		cmocka_unit_test(a_missing_allocation_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
