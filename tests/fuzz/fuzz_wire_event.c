/*
 * Events of the agent protocol. Properties: what is read is written and reads the same; strings point into the input; stamping changes
 * the stamp only; an ACK names what it answers, and reads without a fault whatever it was made from; a CloudEvent cut at any place
 * gives no other ids than it has.
 */
#include <stdint.h>
#include <stdlib.h>

#include "wire/ack.h"
#include "wire/convert.h"
#include "wire/refusal.h"
#include "wire/resync.h"

#define MUST(condition)           \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

static bool lies_in(struct str part, struct str whole)
{
	return part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static void must_be_same(const struct wire_event *a, const struct wire_event *b)
{
	MUST(a->type == b->type && a->target == b->target);
	MUST(str_eq(a->type_text, b->type_text) && str_eq(a->target_text, b->target_text));
	MUST(str_eq(a->source, b->source) && str_eq(a->subject, b->subject));
	MUST(str_eq(a->resource_id, b->resource_id) && str_eq(a->event_id, b->event_id));
	MUST(str_eq(a->sent_at, b->sent_at) && str_eq(a->principal_uid, b->principal_uid));
	MUST(str_eq(a->traceparent, b->traceparent) && str_eq(a->tracestate, b->tracestate));
	MUST(str_eq(a->content_type, b->content_type) && str_eq(a->data, b->data) && str_eq(a->reason, b->reason));
	MUST(a->order == b->order && a->outcome == b->outcome && a->retryable == b->retryable && a->bare == b->bare);
}

static void check_round_trip(const struct wire_event *e)
{
	struct wire_event back;
	struct buf bytes = { 0 };

	MUST(wire_event_encode(e, &bytes) == E_OK);
	MUST(wire_event_decode(buf_view(&bytes), &back, NULL) == E_OK);
	must_be_same(e, &back);
	buf_release(&bytes);
}

static void check_stamp(const struct wire_event *e)
{
	struct wire_event expected = *e, back;
	struct buf bytes = { 0 };

	buf_str(&bytes, e->bytes);
	MUST(wire_event_stamp(STR("2026-01-01T00:00:00Z"), 9, &bytes) == E_OK);
	MUST(wire_event_decode(buf_view(&bytes), &back, NULL) == E_OK);
	expected.sent_at = STR("2026-01-01T00:00:00Z");
	expected.order = 9;
	must_be_same(&expected, &back);
	buf_release(&bytes);
}

static void check_ack(const struct wire_event *e)
{
	struct wire_dialect ours = { .version = WIRE_TWO_STEPS };
	struct delivery_answer a = { .outcome = DELIVERY_REJECTED, .reason = STR("no"), .order = 4 }, read;
	struct wire_event back;
	struct buf bytes = { 0 };
	enum err err = wire_ack_of(e, &a, &ours, STR("fuzz"), &bytes);

	MUST(err == (e->resource_id.n ? E_OK : E_MALFORMED));
	if (err == E_OK) {
		MUST(wire_event_decode(buf_view(&bytes), &back, NULL) == E_OK);
		MUST(wire_ack_read(&back, &ours, &read));
		MUST(str_eq(read.resource_id, e->resource_id) && str_eq(read.event_id, e->event_id));
		MUST(read.outcome == DELIVERY_REJECTED && read.order == 4 && str_is(read.reason, "no"));
	}
	buf_release(&bytes);
}

static void check_payload(const struct wire_event *e)
{
	static const unsigned char random[16];
	struct wire_dialect ours = { .version = WIRE_TWO_STEPS };
	struct buf arena = { 0 }, resync = { 0 }, refusal = { 0 };
	struct delivery_event d;
	struct wire_resync r;
	enum wire_refusal kind;

	if (wire_to_delivery(e, NULL, &ours, &arena, &d, NULL) == E_OK)
		MUST(delivery_event_ok(&d));
	(void)wire_resync_read(e->data, &resync, &r, NULL);
	(void)wire_refuse(e, STR("fuzz"), random, &kind, &refusal);
	buf_release(&arena);
	buf_release(&resync);
	buf_release(&refusal);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str bytes = { (const char *)data, size };
	struct wire_event e;
	enum err err;

	if (size > WIRE_ATTRIBUTES_MAX / 2)
		return 0; /* stamps and answers add attributes of their own: at the limit they would be too much */
	err = wire_event_decode(bytes, &e, NULL);
	MUST(err == E_OK || err == E_MALFORMED);
	MUST(lies_in(e.data, bytes) && lies_in(e.resource_id, bytes) && lies_in(e.target_text, bytes));
	check_ack(&e);
	if (err == E_OK) {
		check_round_trip(&e);
		check_stamp(&e);
	}
	check_payload(&e);
	return 0;
}
