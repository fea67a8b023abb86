#include "sync/guard.h"

#include <string.h>

#include "base/mem.h"
#include "trees.h"

static const struct row {
	uint64_t copies, deletes, released;
	bool held;
	const char *text;
} rows[] = {
	{ 0, 0, 0, false, "" },
	{ 100, 0, 0, false, "" },
	{ 1, 1, 0, false, "" }, /* argocd-agent facts 8, 77 to 106: what one deletes while an end is down goes */
	{ 2, 2, 0, false, "" },
	{ 3, 3, 0, true,
	  "site: a resync would delete 3 of 3 copies (100 %, more than 50 %): held until an operator releases them" },
	{ 10, 10, 0, true,
	  "site: a resync would delete 10 of 10 copies (100 %, more than 50 %): held until an operator releases them" },
	{ 100, 50, 0, false, "" }, /* not more than half */
	{ 100, 51, 0, true,
	  "site: a resync would delete 51 of 100 copies (51 %, more than 50 %): held until an operator releases them" },
	{ 100, 51, 51, false,
	  "site: a resync would delete 51 of 100 copies (51 %, more than 50 %): an operator has released them" },
	{ 100, 60, 51, true,
	  "site: a resync would delete 60 of 100 copies (60 %, more than 50 %): held: more than an operator has "
	  "released" },
	{ 20, 11, 100, false,
	  "site: a resync would delete 11 of 20 copies (55 %, more than 50 %): an operator has released them" },
	{ 200, 199, 0, true,
	  "site: a resync would delete 199 of 200 copies (99 %, more than 50 %): held until an operator releases "
	  "them" },
	{ UINT64_MAX, UINT64_MAX, 0, true, NULL },
	{ 5, 20, 0, true,
	  "site: a resync would delete 20 of 5 copies (100 %, more than 50 %): held until an operator releases them" },
};

static void more_than_the_share_is_held_until_released(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		struct guard_verdict v;

		guard_decide(
			&GUARD_DEFAULTS,
			&(struct guard_case){
				.peer = "site", .copies = r->copies, .deletes = r->deletes, .released = r->released },
			&v);
		if (v.held != r->held)
			fail_msg("row %zu", i);
		if (r->text)
			assert_string_equal(v.text, r->text);
	}
}

static void a_hundred_percent_holds_nothing_and_none_holds_everything_from_the_least_count(void **state)
{
	struct guard_case c = { .peer = "site", .copies = 1000, .deletes = 1000 };
	struct guard_verdict v;

	(void)state;
	guard_decide(&(struct guard_limits){ .share_max = 100, .count_min = 1 }, &c, &v);
	assert_false(v.held);
	c.deletes = 1;
	guard_decide(&(struct guard_limits){ .share_max = 0, .count_min = 1 }, &c, &v);
	assert_true(v.held);
	guard_decide(&(struct guard_limits){ .share_max = 0, .count_min = 2 }, &c, &v);
	assert_false(v.held);
}

static void a_long_name_is_cut_and_nothing_else(void **state)
{
	char peer[400];
	struct guard_verdict v;

	(void)state;
	memset(peer, 'x', sizeof(peer) - 1);
	peer[sizeof(peer) - 1] = '\0';
	guard_decide(&GUARD_DEFAULTS, &(struct guard_case){ .peer = peer, .copies = 10, .deletes = 10 }, &v);
	assert_true(v.held);
	assert_int_equal(strlen(v.text), sizeof(v.text) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(more_than_the_share_is_held_until_released),
		cmocka_unit_test(a_hundred_percent_holds_nothing_and_none_holds_everything_from_the_least_count),
		cmocka_unit_test(a_long_name_is_cut_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
