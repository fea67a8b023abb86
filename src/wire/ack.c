#include "wire/ack.h"

#include "wire/event_impl.h"

static enum wire_outcome outcome_of(enum delivery_outcome outcome)
{
	static const enum wire_outcome outcomes[] = {
		[DELIVERY_RECEIVED] = WIRE_RECEIVED,
		[DELIVERY_APPLIED] = WIRE_APPLIED,
		[DELIVERY_REJECTED] = WIRE_REJECTED,
	};

	return outcomes[outcome];
}

/* What "processed" may say upstream: it is over. */
static bool is_final(const struct delivery_answer *a)
{
	return a->outcome == DELIVERY_APPLIED || (a->outcome == DELIVERY_REJECTED && !a->retryable);
}

/* The event without its ids; E_UNSUPPORTED as in the header. */
static enum err answer_event(const struct delivery_answer *a, const struct wire_dialect *dialect, struct str source,
			     struct wire_event *ret_event)
{
	*ret_event = (struct wire_event){ .type = WIRE_PROCESSED, .target = WIRE_TO_ACK, .source = source };
	if (dialect->version < WIRE_TWO_STEPS)
		return is_final(a) ? E_OK : E_UNSUPPORTED;
	ret_event->outcome = outcome_of(a->outcome);
	ret_event->order = a->order;
	if (a->outcome != DELIVERY_REJECTED)
		return E_OK;
	ret_event->retryable = a->retryable;
	ret_event->reason = delivery_reason_cut(a->reason);
	return E_OK;
}

enum err wire_ack_encode(const struct delivery_answer *a, const struct wire_dialect *dialect, struct str source,
			 struct buf *ret_bytes)
{
	struct wire_event event;
	enum err err = answer_event(a, dialect, source, &event);

	if (err != E_OK)
		return err;
	if (a->resource_id.n == 0)
		return E_MALFORMED;
	event.resource_id = a->resource_id;
	event.event_id = a->event_id;
	return wire_event_encode(&event, ret_bytes);
}

enum err wire_ack_of(const struct wire_event *original, const struct delivery_answer *a,
		     const struct wire_dialect *dialect, struct str source, struct buf *ret_bytes)
{
	struct wire_event event;
	enum err err = answer_event(a, dialect, source, &event);

	if (err != E_OK)
		return err;
	if (original->resource_id.n == 0)
		return E_MALFORMED;
	return event_encode_with(&event, original->bytes, ret_bytes);
}

/* A processed event of our dialect says how; a bare one is upstream's yes. */
static void read_outcome(const struct wire_event *event, struct delivery_answer *a)
{
	if (event->outcome == WIRE_RECEIVED)
		a->outcome = DELIVERY_RECEIVED;
	if (event->outcome == WIRE_REJECTED) {
		a->outcome = DELIVERY_REJECTED;
		a->retryable = event->retryable;
		a->reason = event->reason;
	}
	a->order = event->order;
}

bool wire_ack_read(const struct wire_event *event, const struct wire_dialect *dialect,
		   struct delivery_answer *ret_answer)
{
	struct delivery_answer a = {
		.outcome = DELIVERY_APPLIED,
		.resource_id = event->resource_id,
		.event_id = event->event_id,
	};

	if (event->target != WIRE_TO_ACK || event->resource_id.n == 0)
		return false;
	if (dialect->version >= WIRE_TWO_STEPS)
		read_outcome(event, &a);
	*ret_answer = a;
	return true;
}
