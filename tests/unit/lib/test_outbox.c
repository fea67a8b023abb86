/* holdfast/outbox.h: what is added is sent, again until it is answered, in order and never twice at a time. */
#include "holdfast/outbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static const char *const kinds[] = { "command", "delete", "create", "state", "status" };

static enum hf_error add(struct hf_outbox *o, enum hf_kind kind, const char *key, const char *version)
{
	return hf_outbox_add(
		o,
		&(struct hf_outgoing){
			.kind = kind, .key = key, .version = version, .bytes = version, .size = strlen(version) },
		/* now_ms= */ 0);
}

/* All that goes now, one "kind resource version" each, as its bytes say it too. */
static const char *sent(struct hf_outbox *o, uint64_t now_ms)
{
	static char text[1024];
	struct hf_sending s;
	size_t n = 0;

	text[0] = '\0';
	while (hf_outbox_take(o, now_ms, &s)) {
		assert_int_equal(s.size, strlen(s.version));
		assert_memory_equal(s.bytes, s.version, s.size);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s %s %s%s", n ? ", " : "", kinds[s.kind],
				      s.resource, s.version, s.attempt > 1 ? " again" : "");
		hf_outbox_sent(o, s.number, now_ms);
	}
	return text;
}

static struct hf_outbox_stats stats_of(const struct hf_outbox *o)
{
	struct hf_outbox_stats s;

	hf_outbox_read_stats(o, &s);
	return s;
}

static int make(void **state)
{
	*state = hf_outbox_new(NULL, 0);
	hf_outbox_connected(*state);
	return *state ? 0 : -1;
}

static int drop(void **state)
{
	hf_outbox_free(*state);
	return 0;
}

static void an_event_is_sent_again_until_it_is_confirmed(void **state)
{
	struct hf_outbox *o = *state;
	uint64_t due, now = 0, cap = 5000;

	assert_int_equal(hf_outbox_due(o, 0), UINT64_MAX);
	assert_int_equal(add(o, HF_STATE, "guestbook", "v1"), HF_OK);
	assert_int_equal(hf_outbox_due(o, 0), 0);
	assert_string_equal(sent(o, 0), "state guestbook v1");
	for (int i = 0; i < 4; i++, cap *= 4) {
		due = hf_outbox_due(o, now);
		assert_in_range(due - now, 1000, cap < 120000 ? cap : 120000);
		assert_string_equal(sent(o, due - 1), "");
		assert_string_equal(sent(o, due), "state guestbook v1 again");
		now = due;
	}
	assert_false(hf_outbox_answer(o, "guestbook", "v0", HF_APPLIED, NULL, now));
	assert_false(hf_outbox_answer(o, "other", "v1", HF_APPLIED, NULL, now));
	assert_true(hf_outbox_answer(o, "guestbook", "v1", HF_APPLIED, NULL, now));
	assert_false(hf_outbox_answer(o, "guestbook", "v1", HF_APPLIED, NULL, now));
	assert_int_equal(hf_outbox_due(o, now), UINT64_MAX);
	assert_int_equal(stats_of(o).confirmed, 1);
	assert_int_equal(stats_of(o).resent, 4);
	assert_int_equal(stats_of(o).oldest_ms, UINT64_MAX);
}

static void the_newest_state_replaces_older_ones_and_a_command_is_kept(void **state)
{
	struct hf_outbox *o = *state;

	assert_int_equal(add(o, HF_CREATE, "a", "v1"), HF_OK);
	assert_string_equal(sent(o, 0), "create a v1");
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(add(o, HF_STATE, "a", i ? "v3" : "v2"), HF_OK);
	assert_int_equal(add(o, HF_COMMAND, "a", "sync"), HF_OK);
	assert_int_equal(add(o, HF_STATUS, "b", "s1"), HF_OK);
	assert_string_equal(sent(o, 0), "status b s1"); /* b does not wait for a */
	assert_true(hf_outbox_answer(o, "a", "v1", HF_APPLIED, NULL, 0));
	assert_string_equal(sent(o, 0), "state a v3");
	assert_true(hf_outbox_answer(o, "a", "v3", HF_RECEIVED, NULL, 0));
	assert_string_equal(sent(o, 1000000), "status b s1 again"); /* who said "received" is not asked again */
	assert_true(hf_outbox_answer(o, "a", "v3", HF_APPLIED, NULL, 0));
	assert_string_equal(sent(o, 1000000), "command a sync");
	assert_int_equal(stats_of(o).replaced, 1);
}

static void an_object_made_anew_follows_the_delete_of_the_one_before(void **state)
{
	struct hf_outbox *o = *state;
	const struct hf_outgoing events[] = {
		{ .kind = HF_STATE, .key = "a", .resource = "uid-1", .version = "v1", .bytes = "v1", .size = 2 },
		{ .kind = HF_DELETE, .key = "a", .resource = "uid-1", .version = "gone", .bytes = "gone", .size = 4 },
		{ .kind = HF_CREATE, .key = "a", .resource = "uid-2", .version = "v1", .bytes = "v1", .size = 2 },
	};

	for (size_t i = 0; i < ARRAY_LEN(events); i++)
		assert_int_equal(hf_outbox_add(o, &events[i], 0), HF_OK);
	assert_string_equal(sent(o, 0), "delete uid-1 gone");
	assert_true(hf_outbox_answer(o, "uid-1", "gone", HF_APPLIED, NULL, 0));
	assert_string_equal(sent(o, 0), "create uid-2 v1");
}

static void what_was_in_flight_goes_again_on_the_next_connection(void **state)
{
	struct hf_outbox *o = *state;

	assert_int_equal(add(o, HF_STATE, "a", "v1"), HF_OK);
	assert_string_equal(sent(o, 0), "state a v1");
	hf_outbox_disconnected(o);
	assert_int_equal(add(o, HF_STATE, "b", "v1"), HF_OK);
	assert_string_equal(sent(o, 1000000), "");
	assert_int_equal(hf_outbox_due(o, 0), UINT64_MAX);
	hf_outbox_connected(o);
	assert_string_equal(sent(o, 1), "state a v1, state b v1");
	assert_int_equal(stats_of(o).in_flight, 2);
}

static bool note(void *ctx, const char *resource, const char *version, const char *reason)
{
	snprintf(ctx, 64, "%s %s: %s", resource, version, reason);
	return true;
}

static void what_is_rejected_for_good_waits_for_a_newer_version(void **state)
{
	struct hf_outbox *o = *state;
	char text[64] = "";

	assert_int_equal(add(o, HF_STATE, "a", "v1"), HF_OK);
	assert_string_equal(sent(o, 0), "state a v1");
	assert_true(hf_outbox_answer(o, "a", "v1", HF_RETRY, "busy", 0));
	assert_string_equal(sent(o, 0), "");
	assert_in_range(hf_outbox_due(o, 0), 1000, 5000);
	assert_string_equal(sent(o, 5000), "state a v1 again");
	assert_true(hf_outbox_answer(o, "a", "v1", HF_REJECTED, "no such project", 0));
	hf_outbox_quarantined(o, note, text);
	assert_string_equal(text, "a v1: no such project");
	assert_int_equal(stats_of(o).quarantined, 1);
	assert_int_equal(hf_outbox_due(o, 0), UINT64_MAX);
	assert_int_equal(add(o, HF_STATE, "a", "v2"), HF_OK);
	assert_string_equal(sent(o, 5000), "state a v2");
	assert_int_equal(stats_of(o).quarantined, 0);
}

static void a_full_outbox_refuses_and_still_replaces(void **state)
{
	const struct hf_outbox_options options = { .max_events = 2, .window_events = 1 };
	struct hf_outbox *o = hf_outbox_new(&options, 0);

	(void)state;
	assert_int_equal(add(o, HF_STATE, "a", "v1"), HF_OK);
	assert_int_equal(add(o, HF_STATE, "b", "v1"), HF_OK);
	assert_int_equal(add(o, HF_STATE, "c", "v1"), HF_LIMIT);
	assert_int_equal(add(o, HF_STATE, "b", "v2"), HF_OK);
	hf_outbox_connected(o);
	assert_string_equal(sent(o, 0), "state a v1");
	assert_true(hf_outbox_answer(o, "a", "v1", HF_APPLIED, NULL, 0));
	assert_string_equal(sent(o, 0), "state b v2");
	assert_int_equal(stats_of(o).refused, 1);
	hf_outbox_free(o);
}

static void a_call_that_breaks_its_contract_changes_nothing(void **state)
{
	static char long_text[1026];
	static const struct {
		struct hf_outgoing event;
		enum hf_error error;
	} rows[] = {
		{ { .kind = HF_STATE, .version = "v" }, HF_BAD_ARGUMENT },
		{ { .kind = HF_STATE, .key = "a" }, HF_BAD_ARGUMENT },
		{ { .kind = HF_STATE, .key = "a", .version = "v", .size = 1 }, HF_BAD_ARGUMENT },
		{ { .kind = (enum hf_kind)5, .key = "a", .version = "v" }, HF_BAD_ARGUMENT },
		{ { .kind = (enum hf_kind) - 1, .key = "a", .version = "v" }, HF_BAD_ARGUMENT },
		{ { .kind = HF_STATE, .key = "", .resource = "r", .version = "v" }, HF_MALFORMED },
		{ { .kind = HF_STATE, .key = "a", .resource = "", .version = "v" }, HF_MALFORMED },
		{ { .kind = HF_STATE, .key = "a", .version = "" }, HF_MALFORMED },
		{ { .kind = HF_STATE, .key = "a", .version = long_text }, HF_MALFORMED },
		{ { .kind = HF_STATE, .key = "elsewhere", .resource = "here", .version = "v" }, HF_MALFORMED },
	};
	struct hf_outbox *o = *state;

	memset(long_text, 'x', sizeof(long_text) - 1);
	assert_int_equal(add(o, HF_STATE, "here", "v1"), HF_OK);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(hf_outbox_add(o, &rows[i].event, 0), rows[i].error);
	assert_int_equal(hf_outbox_add(o, NULL, 0), HF_BAD_ARGUMENT);
	assert_int_equal(hf_outbox_add(NULL, &rows[0].event, 0), HF_BAD_ARGUMENT);
	assert_string_equal(sent(o, 0), "state here v1");
	assert_false(hf_outbox_answer(o, NULL, "v1", HF_APPLIED, NULL, 0));
	assert_false(hf_outbox_answer(o, "here", NULL, HF_APPLIED, NULL, 0));
	assert_false(hf_outbox_answer(o, "here", "v1", (enum hf_outcome)4, NULL, 0));
	assert_int_equal(stats_of(o).in_flight, 1);
}

static void without_memory_nothing_is_added_and_nothing_lost(void **state)
{
	struct hf_outbox *o;
	enum hf_error error = HF_NOMEM;

	(void)state;
	for (size_t at = 1; error; at++) {
		mem_fail_at(at);
		o = hf_outbox_new(NULL, 0);
		error = o ? add(o, HF_STATE, "a", "v1") : HF_NOMEM;
		mem_fail_at(0);
		if (o) {
			hf_outbox_connected(o);
			assert_string_equal(sent(o, 0), error ? "" : "state a v1");
		}
		assert_true(error == HF_OK || error == HF_NOMEM);
		hf_outbox_free(o);
	}
	hf_outbox_free(NULL);
}

static bool never(void *ctx, const char *resource, const char *version, const char *reason)
{
	(void)ctx, (void)resource, (void)version, (void)reason;
	fail();
	return true;
}

static void a_call_without_an_outbox_does_nothing(void **state)
{
	struct hf_outbox_stats stats = { .waiting = 7 };
	struct hf_sending sending;

	hf_outbox_connected(NULL);
	hf_outbox_disconnected(NULL);
	hf_outbox_sent(NULL, 1, 0);
	assert_false(hf_outbox_take(NULL, 0, &sending));
	assert_false(hf_outbox_take(*state, 0, NULL));
	assert_false(hf_outbox_answer(NULL, "a", "v", HF_APPLIED, NULL, 0));
	assert_int_equal(hf_outbox_due(NULL, 0), UINT64_MAX);
	hf_outbox_read_stats(NULL, &stats);
	hf_outbox_read_stats(*state, NULL);
	assert_int_equal(stats.waiting, 7);
	hf_outbox_quarantined(NULL, never, NULL);
	hf_outbox_quarantined(*state, NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_event_is_sent_again_until_it_is_confirmed, make, drop),
		cmocka_unit_test_setup_teardown(the_newest_state_replaces_older_ones_and_a_command_is_kept, make, drop),
		cmocka_unit_test_setup_teardown(an_object_made_anew_follows_the_delete_of_the_one_before, make, drop),
		cmocka_unit_test_setup_teardown(what_was_in_flight_goes_again_on_the_next_connection, make, drop),
		cmocka_unit_test_setup_teardown(what_is_rejected_for_good_waits_for_a_newer_version, make, drop),
		cmocka_unit_test(a_full_outbox_refuses_and_still_replaces),
		cmocka_unit_test_setup_teardown(a_call_that_breaks_its_contract_changes_nothing, make, drop),
		cmocka_unit_test_setup_teardown(a_call_without_an_outbox_does_nothing, make, drop),
		cmocka_unit_test(without_memory_nothing_is_added_and_nothing_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
