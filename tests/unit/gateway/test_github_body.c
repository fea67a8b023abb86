#include "gateway/sources/github_body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"

static void our_members_go_and_the_others_stay_as_they_are(void **state)
{
	static const struct {
		const char *object, *left;
	} rows[] = {
		{ "{}", "{" },
		{ "{\"a\":1}", "{\"a\":1" },
		{ "{\"a\":1,\"b\":[{\"X-GitHub-Event\":1}],\"a\":2}",
		  "{\"a\":1,\"b\":[{\"X-GitHub-Event\":1}],\"a\":2" },
		{ "{\"X-GitHub-Event\":1}", "{" },
		{ "{\"X-GitHub-Event\":1,\"X-GitHub-Delivery\":{\"x\":\"}\"}}", "{" },
		{ "{\"X-GitHub-Event\":1,\"a\":2}", "{\"a\":2" },
		{ "{\"a\":2,\"X-GitHub-Event\":1}", "{\"a\":2" },
		{ "{\"a\":2,\"X-GitHub-Event\":1,\"b\":3,\"X-GitHub-Event\":4,\"c\":5}", "{\"a\":2,\"b\":3,\"c\":5" },
		{ "{\"X-\\u0047it\\u0048ub-Event\":1,\"a\":2}", "{\"a\":2" },
		{ "{\"x-github-event\":1,\"X-Github-Event\":2}", "{\"x-github-event\":1,\"X-Github-Event\":2" },
		{ "{\"\\ud800\":1,\"\":2}", "{\"\\ud800\":1,\"\":2" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = { 0 };

		buf_lit(&b, "before");
		buf_str(&b, str_of(rows[i].object));
		assert_int_equal(github_drop_ours(&b, 6), E_OK);
		assert_true(str_is(str_sub(buf_view(&b), 0, 6), "before"));
		assert_true(str_is(str_sub(buf_view(&b), 6, b.n), rows[i].left));
		buf_release(&b);
	}
}

static void without_memory_it_is_an_error(void **state)
{
	struct buf b = { 0 };

	(void)state;
	buf_lit(&b, "{\"a\":1}");
	mem_fail_at(1);
	assert_int_equal(github_drop_ours(&b, 0), E_NOMEM);
	mem_fail_at(0);
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_members_go_and_the_others_stay_as_they_are),
		cmocka_unit_test(without_memory_it_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
