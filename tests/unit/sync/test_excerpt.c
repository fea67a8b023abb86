#include "sync/excerpt.h"

#include "base/mem.h"
#include "trees.h"

static const struct {
	const char *json, *wanted;
} rows[] = {
	{ "{}", "{}" },
	{ "{\"status\":{}}", "{}" },
	{ "{\"status\":1,\"spec\":{\"status\":2,\"operation\":3},\"operation\":[]}",
	  "{\"spec\":{\"status\":2,\"operation\":3}}" },
	{ "{\"metadata\":{\"managedFields\":[{\"a\":1}],\"name\":\"n\",\"status\":\"stays\"},\"managedFields\":1}",
	  "{\"metadata\":{\"name\":\"n\",\"status\":\"stays\"},\"managedFields\":1}" },
	{ "{\"metadata\":{\"name\":\"n\",\"managedFields\":null}}", "{\"metadata\":{\"name\":\"n\"}}" },
	{ "{\"metadata\":7,\"a\":\"}\\\",{\\\"status\\\":\",\"status\":\"}\"}",
	  "{\"metadata\":7,\"a\":\"}\\\",{\\\"status\\\":\"}" },
};

static void what_is_not_for_the_peer_is_left_out(void **state)
{
	struct buf out = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_clear(&out);
		excerpt_desired(str_of(rows[i].json), &out);
		assert_string_equal(buf_cstr(&out), rows[i].wanted);
	}
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_for_the_peer_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
