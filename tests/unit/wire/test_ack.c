#include "wire/ack.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/mem.h"

static const struct wire_dialect upstream = { .version = WIRE_UPSTREAM };
static const struct wire_dialect ours = { .version = WIRE_TWO_STEPS };

static const struct {
	struct delivery_answer answer;
	enum err upstream;
} rows[] = {
	{ { .outcome = DELIVERY_RECEIVED, .order = 7 }, E_UNSUPPORTED },
	{ { .outcome = DELIVERY_APPLIED, .order = 8 }, E_OK },
	{ { .outcome = DELIVERY_REJECTED, .retryable = true, .reason = { "busy", 4 }, .order = 9 }, E_UNSUPPORTED },
	{ { .outcome = DELIVERY_REJECTED, .reason = { "no such project", 15 }, .order = 10 }, E_OK },
};

static struct wire_event decoded(const struct buf *bytes)
{
	struct wire_event e;

	assert_int_equal(wire_event_decode(buf_view(bytes), &e, NULL), E_OK);
	return e;
}

static struct delivery_answer row(size_t i)
{
	struct delivery_answer a = rows[i].answer;

	a.resource_id = STR("guestbook_u");
	a.event_id = STR("guestbook_u_1");
	return a;
}

static void between_our_ends_every_answer_comes_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct delivery_answer a = row(i), back;
		struct wire_event e;
		struct buf bytes = { 0 };

		assert_int_equal(wire_ack_encode(&a, &ours, STR("p"), &bytes), E_OK);
		e = decoded(&bytes);
		assert_int_equal(e.type, WIRE_PROCESSED);
		assert_true(wire_ack_read(&e, &ours, &back));
		assert_int_equal(back.outcome, a.outcome);
		assert_int_equal(back.retryable, a.retryable);
		assert_int_equal(back.order, a.order);
		assert_true(str_eq(back.reason, a.reason));
		assert_true(str_eq(back.resource_id, a.resource_id));
		assert_true(str_eq(back.event_id, a.event_id));
		buf_release(&bytes);
	}
}

static void upstream_hears_processed_or_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct delivery_answer a = row(i), back;
		struct buf bytes = { 0 };

		assert_int_equal(wire_ack_encode(&a, &upstream, STR(""), &bytes), rows[i].upstream);
		if (rows[i].upstream == E_OK) {
			struct wire_event e = decoded(&bytes);

			assert_null(memmem(bytes.p, bytes.n, "holdfast", 8));
			assert_int_equal(e.outcome, WIRE_NO_OUTCOME);
			assert_int_equal(e.order, 0);
			assert_true(wire_ack_read(&e, &upstream, &back));
			assert_int_equal(back.outcome, DELIVERY_APPLIED);
		} else {
			assert_int_equal(bytes.n, 0);
		}
		buf_release(&bytes);
	}
}

/* Made by python3-protobuf: the ACK of resource "r", event "e". */
static void it_is_the_event_that_upstream_sends(void **state)
{
	static const char expected[] = "\x0a\x74\x1a\x03"
				       "1.0\x22\x28io.argoproj.argocd-agent.event.processed"
				       "\x2a\x1e\x0a\x0a"
				       "dataschema\x12\x10\x2a\x0e"
				       "eventProcessed"
				       "\x2a\x11\x0a\x0aresourceid\x12\x03\x1a\x01r"
				       "\x2a\x0e\x0a\x07"
				       "eventid\x12\x03\x1a\x01"
				       "e\x32";
	struct delivery_answer a = { .outcome = DELIVERY_APPLIED, .resource_id = STR("r"), .event_id = STR("e") };
	struct buf bytes = { 0 };

	(void)state;
	assert_int_equal(wire_ack_encode(&a, &upstream, STR(""), &bytes), E_OK);
	assert_int_equal(bytes.n, sizeof(expected)); /* with the last zero: no data */
	assert_memory_equal(bytes.p, expected, sizeof(expected));
	buf_release(&bytes);
}

static struct wire_event original(struct buf *bytes)
{
	struct wire_event e = {
		.type = WIRE_CREATE,
		.target = WIRE_TO_APPLICATION,
		.source = STR("s"),
		.subject = STR("ns/guestbook"),
		.resource_id = STR("guestbook_u"),
		.event_id = STR("guestbook_u_1"),
		.principal_uid = STR("p1"),
		.traceparent = STR("00-1-2-01"),
		.content_type = STR("application/json"),
		.data = STR("{}"),
	};

	assert_int_equal(wire_event_encode(&e, bytes), E_OK);
	/* an extension nobody knows, with a value of its own type: zone = ce_integer 5; and the stamp in a second event */
	buf_lit(bytes, "\x0a\x0c\x2a\x0a\x0a\x04zone\x12\x02\x10\x05");
	assert_int_equal(wire_event_stamp(STR("2026-01-01T00:00:00Z"), 3, bytes), E_OK);
	return decoded(bytes);
}

static void all_extensions_go_back_unchanged_and_nothing_else(void **state)
{
	struct buf bytes = { 0 }, ack = { 0 };
	struct wire_event e = original(&bytes), back;
	struct delivery_answer a = { .outcome = DELIVERY_APPLIED };

	(void)state;
	assert_int_equal(wire_ack_of(&e, &a, &upstream, STR("me"), &ack), E_OK);
	back = decoded(&ack);
	assert_int_equal(back.type, WIRE_PROCESSED);
	assert_int_equal(back.target, WIRE_TO_ACK);
	assert_true(str_is(back.source, "me"));
	assert_true(str_eq(back.resource_id, e.resource_id));
	assert_true(str_eq(back.event_id, e.event_id));
	assert_true(str_is(back.sent_at, "2026-01-01T00:00:00Z"));
	assert_true(str_is(back.principal_uid, "p1"));
	assert_true(str_is(back.traceparent, "00-1-2-01"));
	assert_non_null(memmem(ack.p, ack.n, "\x2a\x0a\x0a\x04zone\x12\x02\x10\x05", 12));
	assert_int_equal(back.subject.n, 0);
	assert_int_equal(back.content_type.n, 0);
	assert_int_equal(back.data.n, 0);
	assert_int_equal(back.order, 0);
	buf_release(&bytes);
	buf_release(&ack);
}

static void our_own_words_are_written_once_and_anew(void **state)
{
	struct buf bytes = { 0 }, ack = { 0 };
	struct wire_event e = original(&bytes), back;
	struct delivery_answer a = { .outcome = DELIVERY_REJECTED, .reason = STR("no"), .order = 3 };

	(void)state;
	assert_int_equal(wire_ack_of(&e, &a, &ours, STR("me"), &ack), E_OK);
	back = decoded(&ack);
	assert_int_equal(back.order, 3);
	assert_int_equal(back.outcome, WIRE_REJECTED);
	assert_true(str_is(back.reason, "no"));
	buf_release(&bytes);
	buf_release(&ack);
}

static void an_event_that_is_cut_off_is_answered_when_its_ids_came(void **state)
{
	struct buf bytes = { 0 };
	struct wire_event whole = original(&bytes);
	struct str all = buf_view(&bytes);
	struct delivery_answer a = { .outcome = DELIVERY_REJECTED };
	size_t answered = 0;

	(void)state;
	(void)whole;
	for (size_t n = 0; n < all.n; n++) {
		struct wire_event e, back;
		struct buf ack = { 0 };

		(void)wire_event_decode((struct str){ all.p, n }, &e, NULL);
		if (wire_ack_of(&e, &a, &upstream, STR(""), &ack) == E_OK) {
			back = decoded(&ack);
			assert_true(str_eq(back.resource_id, e.resource_id));
			assert_true(str_eq(back.event_id, e.event_id));
			answered++;
		}
		buf_release(&ack);
	}
	assert_in_range(answered, all.n / 4, all.n);
	buf_release(&bytes);
}

static void what_goes_back_is_bounded(void **state)
{
	struct buf bytes = { 0 }, ack = { 0 };
	struct delivery_answer a = { .outcome = DELIVERY_REJECTED };
	struct wire_event e;
	struct why why = { 0 };

	(void)state;
	(void)original(&bytes);
	/* further events, which mean the same one, with an attribute of 100 bytes each: x = ce_string */
	for (int i = 0; i < 1000; i++)
		buf_addf(&bytes, "\x0a\x6d\x2a\x6b\x0a\x01x\x12\x66\x1a\x64%0100d", i);
	assert_int_equal(wire_event_decode(buf_view(&bytes), &e, &why), E_MALFORMED);
	assert_string_equal(why.text, "its attributes are too large");
	assert_int_equal(wire_ack_of(&e, &a, &upstream, STR("me"), &ack), E_OK);
	assert_in_range(ack.n, WIRE_ATTRIBUTES_MAX / 2, WIRE_ATTRIBUTES_MAX + 256);
	assert_non_null(memmem(ack.p, ack.n, e.resource_id.p, e.resource_id.n));
	assert_non_null(memmem(ack.p, ack.n, e.event_id.p, e.event_id.n));
	buf_release(&bytes);
	buf_release(&ack);
}

static void without_a_resource_id_there_is_no_answer(void **state)
{
	struct delivery_answer a = { .outcome = DELIVERY_APPLIED };
	struct wire_event e = { .target = WIRE_TO_ACK };
	struct buf bytes = { 0 };

	(void)state;
	assert_int_equal(wire_ack_encode(&a, &upstream, STR(""), &bytes), E_MALFORMED);
	assert_int_equal(wire_ack_of(&e, &a, &upstream, STR(""), &bytes), E_MALFORMED);
	assert_false(wire_ack_read(&e, &upstream, &a));
	e.resource_id = STR("r");
	assert_true(wire_ack_read(&e, &upstream, &a));
	e.target = WIRE_TO_APPLICATION;
	assert_false(wire_ack_read(&e, &upstream, &a));
}

static void a_peer_that_did_not_ask_cannot_say_our_words(void **state)
{
	struct wire_event e = { .target = WIRE_TO_ACK, .resource_id = STR("r"), .outcome = WIRE_REJECTED, .order = 4 };
	struct delivery_answer a;

	(void)state;
	assert_true(wire_ack_read(&e, &upstream, &a));
	assert_int_equal(a.outcome, DELIVERY_APPLIED);
	assert_int_equal(a.order, 0);
}

static void a_long_reason_is_cut(void **state)
{
	static char text[1000];
	struct delivery_answer a = { .outcome = DELIVERY_REJECTED,
				     .resource_id = STR("r"),
				     .reason = { text, sizeof(text) } };
	struct buf bytes = { 0 };
	struct wire_event e;

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_int_equal(wire_ack_encode(&a, &ours, STR(""), &bytes), E_OK);
	e = decoded(&bytes);
	assert_int_equal(e.reason.n, DELIVERY_REASON_MAX);
	buf_release(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(between_our_ends_every_answer_comes_back),
		cmocka_unit_test(upstream_hears_processed_or_nothing),
		cmocka_unit_test(it_is_the_event_that_upstream_sends),
		cmocka_unit_test(all_extensions_go_back_unchanged_and_nothing_else),
		cmocka_unit_test(our_own_words_are_written_once_and_anew),
		cmocka_unit_test(an_event_that_is_cut_off_is_answered_when_its_ids_came),
		cmocka_unit_test(what_goes_back_is_bounded),
		cmocka_unit_test(without_a_resource_id_there_is_no_answer),
		cmocka_unit_test(a_peer_that_did_not_ask_cannot_say_our_words),
		cmocka_unit_test(a_long_reason_is_cut),
	};

	return cmocka_run_group_tests_name("wire ack", tests, NULL, NULL);
}
