/* method_metrics.h: which series there are. What they count at both ends: test_call.c. */
#include "rpc/method_metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static void a_method_is_made_once_and_named_by_its_path(void **state)
{
	struct metrics *registry = metrics_new();
	struct method_metrics *list = NULL, *m;
	struct buf page = { 0 };

	(void)state;
	m = method_metrics_of(&list, registry, /* server= */ true, "/a.b.C/Do", RPC_BIDI);
	assert_non_null(m);
	assert_ptr_equal(method_metrics_of(&list, registry, true, "/a.b.C/Do", RPC_BIDI), m);
	assert_ptr_not_equal(method_metrics_of(&list, registry, true, "/a.b.C/Go", RPC_UNARY), m);
	assert_ptr_not_equal(method_metrics_of(&list, registry, true, "/a.b/Do", RPC_UNARY), m);
	method_metrics_handled(m, RPC_CANCELLED, 700);
	method_metrics_handled(m, RPC_CANCELLED, 700);
	metrics_write(registry, /* openmetrics= */ false, &page);
#define LABELS "grpc_type=\"bidi_stream\",grpc_service=\"a.b.C\",grpc_method=\"Do\""
	assert_non_null(strstr(buf_cstr(&page), "\ngrpc_server_handled_total{" LABELS ",grpc_code=\"Canceled\"} 2\n"));
	assert_non_null(strstr(buf_cstr(&page), "\ngrpc_server_handling_seconds_sum{" LABELS "} 1.4\n"));
#undef LABELS
	buf_release(&page);
	method_metrics_free(&list);
	assert_null(list);
	metrics_free(registry);
}

static void what_is_no_path_has_no_series(void **state)
{
	static const char *const paths[] = { "", "/", "a", "/a", "/a/", "//b" };
	struct metrics *registry = metrics_new();
	struct method_metrics *list = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		assert_null(method_metrics_of(&list, registry, true, paths[i], RPC_UNARY));
	assert_null(method_metrics_of(&list, /* registry= */ NULL, true, "/a/B", RPC_UNARY));
	metrics_free(registry);
}

static void without_memory_a_method_is_not_counted_this_time(void **state)
{
	struct metrics *registry = metrics_new();
	struct method_metrics *list = NULL;

	(void)state;
	mem_fail_at(1);
	assert_null(method_metrics_of(&list, registry, false, "/a/B", RPC_UNARY));
	mem_fail_at(0);
	assert_non_null(method_metrics_of(&list, registry, false, "/a/B", RPC_UNARY));
	method_metrics_free(&list);
	metrics_free(registry);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_method_is_made_once_and_named_by_its_path),
		cmocka_unit_test(what_is_no_path_has_no_series),
		cmocka_unit_test(without_memory_a_method_is_not_counted_this_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
