/* sync_text.h: what people see of a status. */
#include "cli/sync_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char principal[] =
	"{\"ready\":true,\"principal\":{\"uid\":\"u\",\"objects\":7},\"agents\":["
	"{\"name\":\"berlin\",\"mode\":\"managed\",\"connected\":true,\"since_ms\":1000,\"objects\":5,\"behind\":1,"
	"\"waiting\":2,\"in_flight\":3,\"oldest_ms\":125000,\"resent\":4,\"lag_p50_ms\":6,\"lag_p99_ms\":2500,"
	"\"applied\":8,\"held\":20,\"held_reason\":\"20 of 40 copies\",\"quarantined_count\":3,\"quarantined\":["
	"{\"type\":\"create\",\"resource_id\":\"app\\u001b[2J\\u202e_1\",\"age_ms\":60000,\"reason\":\"no room\"}]},"
	"{\"name\":\"lagos\",\"mode\":\"\",\"connected\":false}]}";

static void a_principal_shows_a_line_for_each_agent_and_what_needs_attention(void **state)
{
	struct buf text = { 0 };

	(void)state;
	assert_true(sync_text_is(str_of(principal)));
	assert_int_equal(sync_text(str_of(principal), /* columns= */ 0, /* now_ms= */ 4000, &text), E_OK);
	assert_string_equal(buf_cstr(&text), "principal, 7 objects, 1 of 2 agents connected\n\n"
					     "peer    mode        connected  objects   behind  waiting  in flight  "
					     "oldest    re-sent  lag p50   lag p99   "
					     "applied\n"
					     "berlin  managed     3 s              5        1        2          3  2 m "
					     "            4  6 ms      2 s             8\n"
					     "  20 deletes are held: 20 of 40 copies\n"
					     "    to let them go: holdfast release berlin\n"
					     "  rejected: app\\x1b[2J\\xe2\\x80\\xae_1 (create, since 60 s): no room\n"
					     "  and 2 more that were rejected\n"
					     "    each is sent again when it changes, or when this process restarts\n"
					     "lagos   not yet     no               0        0        0          0  0 "
					     "ms            0  0 ms      0 ms            0\n");
	buf_release(&text);
}

static void on_a_narrow_terminal_what_matters_most_is_shown(void **state)
{
	static const struct {
		size_t columns;
		const char *head;
	} widths[] = {
		{ 140, "\npeer    mode        connected  objects   behind  waiting  in flight  oldest    re-sent  lag "
		       "p50   lag "
		       "p99   applied\n" },
		{ 80, "\npeer    mode        connected  objects   behind  waiting  in flight  oldest  \n" },
		{ 40, "\npeer    connected   behind  oldest  \n" },
		{ 10, "\npeer \n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
		struct buf text = { 0 };

		assert_int_equal(sync_text(str_of(principal), widths[i].columns, 0, &text), E_OK);
		assert_non_null(strstr(buf_cstr(&text), widths[i].head));
		buf_release(&text);
	}
}

static void who_needs_somebody_comes_first_then_who_is_away_and_no_name_is_cut(void **state)
{
#define LONG "a123456789012345678901234567890123456789012345678901234567-long"
	static const char json[] = "{\"principal\":{},\"agents\":[{\"name\":\"b\",\"connected\":true},"
				   "{\"name\":\"z\",\"connected\":true,\"quarantined_count\":1},"
				   "{\"name\":\"y\",\"connected\":false},{\"name\":\"a\",\"connected\":true},"
				   "{\"name\":\"" LONG "\",\"connected\":false,\"held\":2}]}";
	static const char *const order[] = { "\n" LONG " ", "holdfast release " LONG "\n", "\nz ", "\ny ", "\na ",
					     "\nb " };
	struct buf text = { 0 };
	const char *at;

	(void)state;
	assert_int_equal(sync_text(str_of(json), /* columns= */ 40, 0, &text), E_OK);
	at = buf_cstr(&text);
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		assert_non_null(at = strstr(at, order[i]));
	buf_release(&text);
}

static void a_peer_that_maps_otherwise_is_told(void **state)
{
	static const char json[] = "{\"principal\":{},\"agents\":[{\"name\":\"a\",\"connected\":true},"
				   "{\"name\":\"b\",\"connected\":true,\"maps_otherwise\":true}]}";
	static const char *const order[] = { "\nb ", "\n  --destination-based-mapping is given at one end only",
					     "\na " };
	struct buf text = { 0 };
	const char *at;

	(void)state;
	assert_int_equal(sync_text(str_of(json), 0, 0, &text), E_OK);
	at = buf_cstr(&text);
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		assert_non_null(at = strstr(at, order[i]));
	buf_release(&text);
}

static void applications_of_nobody_are_told_with_their_reasons(void **state)
{
	static const char json[] = "{\"ready\":true,\"principal\":{\"objects\":1,\"unowned\":[{\"count\":3,\"reason\":"
				   "\"lives elsewhere\"},"
				   "{\"count\":1,\"reason\":\"has no destination\"}]},\"agents\":[]}";
	struct buf text = { 0 };

	(void)state;
	assert_int_equal(sync_text(str_of(json), 0, 0, &text), E_OK);
	assert_string_equal(buf_cstr(&text), "principal, 1 object, 0 of 0 agents connected\n"
					     "3 applications belong to no agent: each lives elsewhere\n"
					     "1 application belongs to no agent: it has no destination\n\n"
					     "no agent is known yet\n");
	buf_release(&text);
}

#define DAY_MS 86400000LL

static void expect_among(const char *json, int64_t now_ms, const char *wanted)
{
	struct buf text = { 0 };

	assert_int_equal(sync_text(str_of(json), 0, now_ms, &text), E_OK);
	assert_non_null(strstr(buf_cstr(&text), wanted));
	buf_release(&text);
}

static void what_is_wrong_at_this_end_is_told(void **state)
{
	static const char *const ends[] = {
		"{\"ready\":false,\"principal\":{\"problems\":2,\"ledger_failed\":true},\"agents\":[]}",
		"{\"ready\":false,\"agent\":{\"problems\":2,\"ledger_failed\":true},\"principal\":{}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		expect_among(ends[i], 0,
			     "\nthe backend has 2 problems, named in the log\n"
			     "the ledger cannot be written, and nothing is confirmed until it can: is the disk "
			     "full?\n\n");
	expect_among(ends[0], 0, "principal, 0 objects, 0 of 0 agents connected\n");
}

/* It expires when day 10 is over. */
static void a_certificate_is_told_a_week_before_it_expires(void **state)
{
	static const char json[] =
		"{\"ready\":true,\"principal\":{\"certificate_expires_ms\":864000000},\"agents\":[]}";

	(void)state;
	expect_among(json, 2 * DAY_MS, "connected\n\n");
	expect_among(json, 4 * DAY_MS, "\nthe certificate of this end expires in 6 d: renew it (");
	expect_among(json, 13 * DAY_MS, "\nthe certificate of this end has expired for 3 d: renew it (");
}

static void who_was_turned_away_is_told(void **state)
{
	(void)state;
	expect_among("{\"ready\":true,\"principal\":{\"turned_away\":{\"age_ms\":5000,\"who\":\"x of 10.0.0.9: "
		     "\\u001b[2Jno\"}},\"agents\":[]}",
		     0, "\nturned away 5 s ago: x of 10.0.0.9: \\x1b[2Jno\n");
}

static void why_a_peer_is_away_or_behind_is_told_below_it(void **state)
{
	static const char json[] =
		"{\"ready\":true,\"principal\":{},\"agents\":[{\"name\":\"a\",\"connected\":true,\"replaced\":2},"
		"{\"name\":\"b\",\"connected\":true,\"replaced\":3},{\"name\":\"c\",\"full\":true,\"no_room\":7},"
		"{\"name\":\"d\",\"failure\":\"connection: refused\"}]}";
	static const char *const order[] = { "\nb ", "\n  a newer stream took its place 3 times lately: ",
					     "\nc ", "\n  it has more than it may here, and the rest waits there (7 ",
					     "\nd ", "\n  no connection: connection: refused\n",
					     "\na " };
	struct buf text = { 0 };
	const char *at;

	(void)state;
	assert_int_equal(sync_text(str_of(json), 0, 0, &text), E_OK);
	at = buf_cstr(&text);
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		assert_non_null(at = strstr(at, order[i]));
	assert_null(strstr(at, "a newer stream"));
	buf_release(&text);
}

static void an_agent_shows_its_principal(void **state)
{
	static const char json[] =
		"{\"ready\":false,\"agent\":{\"name\":\"\",\"mode\":\"managed\"},\"principal\":{\"name\":\"principal\","
		"\"address\":\"hub\",\"port\":8443,\"mode\":\"managed\",\"connected\":false}}";
	struct buf text = { 0 };

	(void)state;
	assert_int_equal(sync_text(str_of(json), 0, 0, &text), E_OK);
	assert_non_null(strstr(buf_cstr(&text),
			       "agent (not let in yet), managed, principal hub port 8443; the backend has "
			       "not reported all yet\n"));
	buf_release(&text);
}

static void what_is_no_status_of_theirs_is_told_apart(void **state)
{
	static const char *const others[] = {
		"", "{", "[]", "7", "{\"store\":{}}", "{\"agents\":5}", "{\"agent\":\"x\"}"
	};
	struct buf text = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		assert_false(sync_text_is(str_of(others[i])));
		assert_int_equal(sync_text(str_of(others[i]), 0, 0, &text), E_MALFORMED);
	}
	buf_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_principal_shows_a_line_for_each_agent_and_what_needs_attention),
		cmocka_unit_test(on_a_narrow_terminal_what_matters_most_is_shown),
		cmocka_unit_test(who_needs_somebody_comes_first_then_who_is_away_and_no_name_is_cut),
		cmocka_unit_test(a_peer_that_maps_otherwise_is_told),
		cmocka_unit_test(applications_of_nobody_are_told_with_their_reasons),
		cmocka_unit_test(what_is_wrong_at_this_end_is_told),
		cmocka_unit_test(a_certificate_is_told_a_week_before_it_expires),
		cmocka_unit_test(who_was_turned_away_is_told),
		cmocka_unit_test(why_a_peer_is_away_or_behind_is_told_below_it),
		cmocka_unit_test(an_agent_shows_its_principal),
		cmocka_unit_test(what_is_no_status_of_theirs_is_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
