#include "sync/excerpt.h"

#include "base/mem.h"
#include "sync/marks.h"
#include "trees.h"

static const struct {
	const char *json, *wanted;
	bool told; /* it has a status or an operation */
} rows[] = {
	{ "{}", "{}" },
	{ "{\"status\":{}}", "{}", true },
	{ "{\"status\":1,\"spec\":{\"status\":2,\"operation\":3},\"operation\":[]}",
	  "{\"spec\":{\"status\":2,\"operation\":3}}", true },
	{ "{\"metadata\":{\"managedFields\":[{\"a\":1}],\"name\":\"n\",\"status\":\"stays\"},\"managedFields\":1}",
	  "{\"metadata\":{\"name\":\"n\",\"status\":\"stays\"},\"managedFields\":1}" },
	{ "{\"metadata\":{\"name\":\"n\",\"managedFields\":null}}", "{\"metadata\":{\"name\":\"n\"}}" },
	{ "{\"metadata\":7,\"a\":\"}\\\",{\\\"status\\\":\",\"status\":\"}\"}",
	  "{\"metadata\":7,\"a\":\"}\\\",{\\\"status\\\":\"}", true },
};

static void what_is_not_for_the_peer_is_left_out(void **state)
{
	struct buf out = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_clear(&out);
		assert_int_equal(excerpt_desired(str_of(rows[i].json), &out), !rows[i].told);
		assert_string_equal(buf_cstr(&out), rows[i].wanted);
	}
	buf_release(&out);
}

static void a_report_has_no_content_and_the_namespace_that_the_peer_knows(void **state)
{
	static const char json[] =
		"{\"apiVersion\":\"v\",\"kind\":\"k\",\"metadata\":{\"namespace\":\"here\",\"name\":\"n\","
		"\"managedFields\":[]},\"spec\":{\"status\":1},\"status\":{\"spec\":2},\"more\":3,\"operation\":{}}";
	struct buf out = { 0 };

	(void)state;
	excerpt_reported(str_of(json), "the\"re", &out);
	assert_string_equal(
		buf_cstr(&out),
		"{\"apiVersion\":\"v\",\"kind\":\"k\",\"metadata\":{\"name\":\"n\",\"namespace\":\"the\\\"re\"},"
		"\"status\":{\"spec\":2},\"operation\":{}}");
	buf_clear(&out);
	excerpt_reported(str_of("{\"metadata\":{}}"), "there", &out);
	assert_string_equal(buf_cstr(&out), "{\"metadata\":{\"namespace\":\"there\"}}");
	buf_release(&out);
}

static void a_copy_is_bare_when_it_has_nothing_to_report(void **state)
{
	static const struct {
		const char *json;
		bool bare;
	} bares[] = {
		{ "{}", true },
		{ "{\"metadata\":{\"name\":\"n\",\"annotations\":{\"a\":\"b\"}},\"spec\":{\"status\":1,\"labels\":{}}}",
		  true },
		{ "{\"metadata\":{\"name\":\"n\"},\"status\":{}}", false },
		{ "{\"operation\":{},\"metadata\":{\"name\":\"n\"}}", false },
		{ "{\"metadata\":{\"labels\":{},\"name\":\"n\"},\"spec\":{}}", false },
		{ "{\"metadata\":{\"annotations\":{\"argocd.argoproj.io/hydrate\":\"normal\"},\"name\":\"n\"}}",
		  false },
		{ "{\"metadata\":{\"annotations\":{\"" MARK_REFRESH "\":\"hard\"},\"name\":\"n\"}}", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bares); i++)
		assert_int_equal(excerpt_is_bare(str_of(bares[i].json)), bares[i].bare);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_for_the_peer_is_left_out),
		cmocka_unit_test(a_report_has_no_content_and_the_namespace_that_the_peer_knows),
		cmocka_unit_test(a_copy_is_bare_when_it_has_nothing_to_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
