#include "holdfast/outbox.h"

#include <string.h>

#include "base/mem.h"
#include "base/rand.h"
#include "delivery/outbox.h"
#include "lib/lib.h"

struct hf_outbox {
	struct outbox *outbox;
	uint64_t epoch;                       /* of the connection of now, or the last one */
	char resource[DELIVERY_TEXT_MAX + 1]; /* of what was taken last */
	char version[DELIVERY_TEXT_MAX + 1];  /* the same */
};

static const enum delivery_type types[] = {
	[HF_COMMAND] = DELIVERY_COMMAND, [HF_DELETE] = DELIVERY_DELETE, [HF_CREATE] = DELIVERY_CREATE,
	[HF_STATE] = DELIVERY_SPEC,      [HF_STATUS] = DELIVERY_STATUS,
};

static enum hf_kind kind_of(enum delivery_type type)
{
	size_t kind = 0;

	while (types[kind] != type)
		kind++;
	return (enum hf_kind)kind;
}

static struct outbox_options options_of(const struct hf_outbox_options *given)
{
	struct outbox_options o = outbox_defaults;

	o.entries_max = given->max_events ? given->max_events : o.entries_max;
	o.bytes_max = given->max_bytes ? given->max_bytes : o.bytes_max;
	o.window_events = given->window_events ? given->window_events : o.window_events;
	o.window_bytes = given->window_bytes ? given->window_bytes : o.window_bytes;
	o.resend_base_ms = given->resend_ms ? given->resend_ms : o.resend_base_ms;
	o.resend_cap_ms = given->resend_cap_ms ? given->resend_cap_ms : o.resend_cap_ms;
	o.rate_per_minute = given->events_per_minute;
	return o;
}

struct hf_outbox *hf_outbox_new(const struct hf_outbox_options *options, uint64_t now_ms)
{
	static const struct hf_outbox_options defaults;
	struct outbox_options inner = options_of(options ? options : &defaults);
	struct hf_outbox *o = mem_alloc(sizeof(*o));

	if (!o)
		return NULL;
	o->outbox = outbox_new(&inner, now_ms);
	if (!o->outbox) {
		mem_free(o);
		return NULL;
	}
	return o;
}

void hf_outbox_free(struct hf_outbox *o)
{
	if (!o)
		return;
	outbox_free(o->outbox);
	mem_free(o);
}

enum hf_error hf_outbox_add(struct hf_outbox *o, const struct hf_outgoing *event, uint64_t now_ms)
{
	if (!o || !event || !event->key || !event->version || (!event->bytes && event->size) ||
	    (unsigned)event->kind >= ARRAY_LEN(types))
		return HF_BAD_ARGUMENT;

	struct delivery_event e = {
		.type = types[event->kind],
		.name = str_of(event->key),
		.resource_id = str_of(event->resource ? event->resource : event->key),
		.event_id = str_of(event->version),
	};
	if (event->size && !(e.bytes = blob_new((struct str){ event->bytes, event->size })))
		return HF_NOMEM;
	enum err err = e.name.n ? outbox_add(o->outbox, &e, now_ms) : E_MALFORMED;
	blob_unref(e.bytes);
	return lib_error(err);
}

void hf_outbox_connected(struct hf_outbox *o)
{
	if (o)
		(void)outbox_connected(o->outbox, ++o->epoch); /* it is newer: it cannot be refused */
}

void hf_outbox_disconnected(struct hf_outbox *o)
{
	if (o)
		outbox_disconnected(o->outbox);
}

/* Into an array of DELIVERY_TEXT_MAX + 1 bytes, terminated. */
static const char *copy(struct str text, char *to)
{
	if (text.n)
		memcpy(to, text.p, text.n);
	to[text.n] = '\0';
	return to;
}

bool hf_outbox_take(struct hf_outbox *o, uint64_t now_ms, struct hf_sending *ret_sending)
{
	struct outbox_frame frame;

	if (!o || !ret_sending || !outbox_take(o->outbox, now_ms, &frame))
		return false;
	*ret_sending = (struct hf_sending){
		.kind = kind_of(frame.type),
		.resource = copy(frame.resource_id, o->resource),
		.version = copy(frame.event_id, o->version),
		.bytes = blob_view(frame.bytes).p,
		.size = blob_view(frame.bytes).n,
		.number = frame.order,
		.attempt = frame.attempt,
	};
	return true;
}

void hf_outbox_sent(struct hf_outbox *o, uint64_t number, uint64_t now_ms)
{
	if (o)
		outbox_sent(o->outbox, number, now_ms, rand_u64());
}

bool hf_outbox_answer(struct hf_outbox *o, const char *resource, const char *version, enum hf_outcome outcome,
		      const char *reason, uint64_t now_ms)
{
	static const enum delivery_outcome outcomes[] = {
		[HF_RECEIVED] = DELIVERY_RECEIVED,
		[HF_APPLIED] = DELIVERY_APPLIED,
		[HF_RETRY] = DELIVERY_REJECTED,
		[HF_REJECTED] = DELIVERY_REJECTED,
	};
	if (!o || !resource || !version || (unsigned)outcome >= ARRAY_LEN(outcomes))
		return false;

	const struct delivery_answer answer = {
		.outcome = outcomes[outcome],
		.retryable = outcome == HF_RETRY,
		.resource_id = str_of(resource),
		.event_id = str_of(version),
		.reason = str_of(reason),
	};
	return outbox_answer(o->outbox, o->epoch, &answer, now_ms, rand_u64(), NULL) != OUTBOX_NOTHING;
}

uint64_t hf_outbox_due(const struct hf_outbox *o, uint64_t now_ms)
{
	return o ? outbox_due(o->outbox, now_ms) : UINT64_MAX;
}

void hf_outbox_read_stats(const struct hf_outbox *o, struct hf_outbox_stats *ret_stats)
{
	struct outbox_stats s;

	if (!o || !ret_stats)
		return;
	outbox_stats(o->outbox, &s);
	*ret_stats = (struct hf_outbox_stats){
		.waiting = s.waiting,
		.in_flight = s.in_flight,
		.quarantined = s.quarantined,
		.bytes = s.bytes,
		.oldest_ms = s.oldest_ms,
		.replaced = s.coalesced,
		.resent = s.resent,
		.confirmed = s.confirmed,
		.refused = s.refused,
	};
}

void hf_outbox_quarantined(const struct hf_outbox *o,
			   bool (*on_entry)(void *ctx, const char *resource, const char *version, const char *reason),
			   void *ctx)
{
	char resource[DELIVERY_TEXT_MAX + 1], version[DELIVERY_TEXT_MAX + 1], reason[DELIVERY_TEXT_MAX + 1];
	struct outbox_quarantined entry;
	const void *cursor = NULL;

	while (o && on_entry && outbox_quarantine_next(o->outbox, &cursor, &entry) &&
	       on_entry(ctx, copy(entry.resource_id, resource), copy(entry.event_id, version),
			copy(entry.reason, reason)))
		;
}
