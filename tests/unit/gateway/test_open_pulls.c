#include "gateway/sources/open_pulls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "gateway/sources/refs_changed.h"

static void an_answer_names_an_open_pull_request_or_not(void **state)
{
	static const struct {
		const char *answer;
		bool open;
	} rows[] = {
		{ "{\"values\":[{\"state\":\"OPEN\"}]}", true },
		{ "{\"size\": 2, \"values\" : [ {\"state\" : \"MERGED\"}, { \"id\": 1, \"state\": \"OPEN\" } ] }",
		  true },
		{ "{\"values\":[{\"state\":\"MERGED\"},{\"state\":\"DECLINED\"}]}", false },
		{ "{\"values\":[]}", false },
		{ "{\"values\":[1,null,\"OPEN\",[\"OPEN\"],{\"x\":{\"state\":\"OPEN\"}}]}", false },
		{ "{\"values\":{\"state\":\"OPEN\"}}", false },
		{ "{\"state\":\"OPEN\"}", false },
		{ "{\"values\":[{\"state\":\"OPEN\"}]", false },
		{ "OPEN", false },
		{ "null", false },
		{ "", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(open_pulls_in(str_of(rows[i].answer)), rows[i].open);
}

#define REPOSITORY    "\"repository\":{\"slug\":\"r.x-1\",\"project\":{\"key\":\"~me\"}}"
#define BODY(members) "{" members "}"

static void only_newest_commits_of_branches_are_asked_for(void **state)
{
	static const struct {
		const char *change;
		const char *hash; /* "": not asked for */
	} rows[] = {
		{ "{\"ref\":{\"type\":\"BRANCH\"},\"toHash\":\"ab12\",\"type\":\"UPDATE\"}", "ab12" },
		{ "{\"ref\":{\"type\":\"BRANCH\"},\"toHash\":\"ab12\"}", "ab12" },
		{ "{\"ref\":{\"type\":\"BRANCH\"},\"toHash\":\"ab12\",\"type\":\"DELETE\"}", "" },
		{ "{\"ref\":{\"type\":\"TAG\"},\"toHash\":\"ab12\",\"type\":\"ADD\"}", "" },
		{ "{\"toHash\":\"ab12\"}", "" },
		{ "{\"ref\":{\"type\":\"BRANCH\"}}", "" },
		{ "{\"ref\":{\"type\":\"BRANCH\"},\"toHash\":\"\"}", "" },
		{ "{\"ref\":{\"type\":\"BRANCH\"},\"toHash\":\"a/b\"}", "" },
		{ "{\"ref\":{\"type\":\"BRANCH\"},\"toHash\":\"..\"}", "" },
		{ "{\"ref\":{\"type\":\"BRANCH\"},\"toHash\":\"a?b\"}", "" },
		{ "{\"ref\":{\"type\":\"BRANCH\"},\"toHash\":\"a\\u002fb\"}", "" },
		{ "{\"ref\":{\"type\":\"BRANCH\"},\"toHash\":1}", "" },
		{ "{\"ref\":\"BRANCH\",\"toHash\":\"ab12\"}", "" },
		{ "null", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct open_pulls o;
		struct buf list = { 0 };

		buf_addf(&list, "[%s]", rows[i].change);
		assert_int_equal(open_pulls_init(&o, STR(BODY(REPOSITORY)), buf_view(&list), 1),
				 rows[i].hash[0] != '\0');
		assert_string_equal(o.path, "/api/1.0/projects/~me/repos/r.x-1/commits/");
		assert_string_equal(o.hash[0], rows[i].hash);
		open_pulls_release(&o);
		buf_release(&list);
	}
}

static void a_push_from_nowhere_is_not_asked_for(void **state)
{
	static const char *const bodies[] = {
		"{}",
		"{\"repository\":{\"slug\":\"r\"}}",
		"{\"repository\":{\"slug\":\"..\",\"project\":{\"key\":\"P\"}}}",
		"{\"repository\":{\"slug\":\"r\",\"project\":{\"key\":\"a/b\"}}}",
		"{\"repository\":{\"slug\":\"r\",\"project\":{\"key\":\"\"}}}",
		"{\"repository\":{\"slug\":\"r\",\"project\":\"P\"}}",
		"{\"repository\":[]}",
		"[]",
	};
	struct str changes = STR("[{\"ref\":{\"type\":\"BRANCH\"},\"toHash\":\"ab12\"}]");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct open_pulls o;

		assert_false(open_pulls_init(&o, str_of(bodies[i]), changes, 1));
		open_pulls_release(&o);
	}
}

static void no_more_than_the_limit_is_asked_for(void **state)
{
	struct buf changes = { 0 };
	struct open_pulls o;
	size_t asked = 0;

	(void)state;
	buf_char(&changes, '[');
	for (int i = 0; i < REFS_ASKED_MAX + 10; i++)
		buf_addf(&changes, "%s{\"ref\":{\"type\":\"BRANCH\"},\"toHash\":\"%d\"}", i ? "," : "", i);
	buf_char(&changes, ']');
	assert_true(open_pulls_init(&o, STR(BODY(REPOSITORY)), buf_view(&changes), REFS_ASKED_MAX + 10));
	for (size_t i = 0; i < o.count; i++)
		asked += o.hash[i][0] != '\0';
	assert_int_equal(asked, REFS_ASKED_MAX);
	open_pulls_release(&o);
	buf_release(&changes);
}

static void without_memory_nothing_is_asked_for(void **state)
{
	struct str changes = STR("[{\"ref\":{\"type\":\"BRANCH\"},\"toHash\":\"ab12\"}]");

	(void)state;
	for (long n = 1;; n++) {
		struct open_pulls o;
		bool asks;
		long count;

		mem_fail_at(n);
		asks = open_pulls_init(&o, STR(BODY(REPOSITORY)), changes, 1);
		count = mem_count();
		mem_fail_at(0);
		open_pulls_release(&o);
		assert_int_equal(asks, count < n);
		if (count < n)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_names_an_open_pull_request_or_not),
		cmocka_unit_test(only_newest_commits_of_branches_are_asked_for),
		cmocka_unit_test(a_push_from_nowhere_is_not_asked_for),
		cmocka_unit_test(no_more_than_the_limit_is_asked_for),
		cmocka_unit_test(without_memory_nothing_is_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
