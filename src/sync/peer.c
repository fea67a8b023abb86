#include "sync/peer_impl.h"

#include "base/clock.h"
#include "base/mem.h"
#include "wire/ack.h"
#include "wire/convert.h"

struct peer *peer_new(const struct peer_options *options, uint64_t now_ms)
{
	CLEANUP(peer_free_freep) struct peer *p = mem_alloc(sizeof(*p));

	if (!p)
		return NULL;
	p->inbox_options = options->inbox;
	p->outbox_options = options->outbox;
	p->source = str_dup(options->source);
	p->seed = options->seed;
	p->message_max = p->limit = options->message_max;
	p->outbox = outbox_new(&options->outbox, now_ms);
	p->inbox = inbox_new(&options->inbox);
	return p->source && p->outbox && p->inbox ? TAKE(p) : NULL;
}

void peer_free(struct peer *p)
{
	if (!p)
		return;
	outbox_free(p->outbox);
	inbox_free(p->inbox);
	buf_release(&p->arena);
	mem_free(p->source);
	mem_free(p);
}

static uint64_t smaller_limit(uint64_t a, uint64_t b)
{
	return a && (b == 0 || a < b) ? a : b;
}

enum err peer_open(struct peer *p, uint64_t epoch, const struct wire_dialect *agreed)
{
	bool grants = agreed->version >= WIRE_TWO_STEPS && agreed->window_events;
	enum err err;

	if ((err = outbox_connected(p->outbox, epoch)) != E_OK || (err = inbox_connected(p->inbox, epoch)) != E_OK)
		return err;
	inbox_two_step(p->inbox, agreed->version >= WIRE_TWO_STEPS);
	p->epoch = epoch;
	p->dialect = *agreed;
	p->limit = smaller_limit(p->message_max, agreed->message_max ? agreed->message_max : p->told_max);
	outbox_window(p->outbox, grants ? agreed->window_events : p->outbox_options.window_events,
		      grants ? agreed->window_bytes : p->outbox_options.window_bytes);
	return E_OK;
}

void peer_close(struct peer *p, uint64_t epoch)
{
	if (epoch == 0 || epoch != p->epoch)
		return;
	outbox_disconnected(p->outbox);
	p->epoch = 0;
}

uint64_t peer_epoch(const struct peer *p)
{
	return p->epoch;
}

bool peer_speaks_upstream(const struct peer *p)
{
	return p->dialect.version == WIRE_UPSTREAM;
}

struct wire_dialect peer_offer(const struct peer *p)
{
	return (struct wire_dialect){ .version = WIRE_NEWEST,
				      .window_events = p->inbox_options.window_events,
				      .window_bytes = p->inbox_options.window_bytes,
				      .message_max = p->message_max };
}

uint64_t peer_message_max(const struct peer *p)
{
	return p->limit;
}

void peer_told_max(struct peer *p, uint64_t message_max)
{
	if (message_max)
		p->told_max = message_max;
}

struct str peer_source(const struct peer *p)
{
	return str_of(p->source);
}

struct outbox *peer_outbox(struct peer *p)
{
	return p->outbox;
}

struct inbox *peer_inbox(struct peer *p)
{
	return p->inbox;
}

/* ---- what comes ------------------------------------------------------------------------------------------------- */

/* Answer a message that does not go through the inbox. What cannot be answered is left: the peer sends it again. */
static void answer_now(struct peer *p, const struct wire_event *e, enum delivery_outcome outcome, struct str reason)
{
	struct delivery_answer a = { .outcome = outcome, .reason = reason, .order = e->order };
	struct buf bytes = { 0 };

	if (wire_ack_of(e, &a, &p->dialect, str_of(p->source), &bytes) == E_OK && bytes.err == E_OK) {
		CLEANUP(blob_unref_freep) struct blob *message = blob_new(buf_view(&bytes));

		if (message)
			(void)outbox_control(p->outbox, message);
	}
	buf_release(&bytes);
}

/* It can never be taken: the peer is told so, and will not send it again. */
static void refuse(struct peer *p, const struct wire_event *e, enum err err, struct peer_heard *ret_heard)
{
	ret_heard->what = PEER_REFUSED;
	ret_heard->err = err;
	if (e->resource_id.n)
		answer_now(p, e, DELIVERY_REJECTED, str_of(ret_heard->why.text));
}

static void take_answer(struct peer *p, uint64_t epoch, const struct delivery_answer *a, uint64_t now_ms,
			uint64_t random, struct peer_heard *ret_heard)
{
	ret_heard->effect = outbox_answer(p->outbox, epoch, a, now_ms, random, &ret_heard->type);
	ret_heard->what = ret_heard->effect == OUTBOX_NOTHING ? PEER_QUIET : PEER_ANSWERED;
	ret_heard->reason = a->reason;
	peer_note_end(p, ret_heard);
}

static void take_event(struct peer *p, uint64_t epoch, const struct wire_event *e, struct str message, uint64_t now_ms,
		       struct peer_heard *ret_heard)
{
	CLEANUP(blob_unref_freep) struct blob *bytes = blob_new(message);
	struct delivery_event event;
	enum err err = E_NOMEM;

	buf_clear(&p->arena);
	if (bytes)
		err = wire_to_delivery(e, bytes, &p->dialect, &p->arena, &event, &ret_heard->why);
	event.came_ms = now_ms;
	(void)clock_parse_rfc3339(e->sent_at, &event.sent_ns);
	if (err == E_OK)
		err = inbox_put(p->inbox, epoch, &event);
	if (err == E_OK || err == E_CANCELLED) {
		ret_heard->what = err == E_OK ? PEER_EVENT : PEER_QUIET;
		return;
	}
	if (err == E_MALFORMED || err == E_UNSUPPORTED) {
		refuse(p, e, err, ret_heard);
		return;
	}
	/* No room or no memory: no answer, so that it comes again. */
	ret_heard->what = PEER_REFUSED;
	ret_heard->err = why_set(&ret_heard->why, err, "take the event");
}

void peer_receive(struct peer *p, uint64_t epoch, struct str message, uint64_t now_ms, uint64_t random,
		  struct peer_heard *ret_heard)
{
	struct delivery_answer answer;
	struct wire_event e;
	enum err err;

	*ret_heard = (struct peer_heard){ .what = PEER_QUIET };
	err = wire_event_decode(message, &e, &ret_heard->why);
	ret_heard->resource_id = e.resource_id;
	ret_heard->event_id = e.event_id;
	ret_heard->type_text = e.type_text;
	ret_heard->target_text = e.target_text;
	if (epoch != p->epoch)
		return;
	if (err != E_OK) {
		refuse(p, &e, err, ret_heard);
	} else if (wire_ack_read(&e, &p->dialect, &answer)) {
		take_answer(p, epoch, &answer, now_ms, random, ret_heard);
	} else if (e.type == WIRE_UNKNOWN_TYPE || e.target == WIRE_UNKNOWN_TARGET) {
		refuse(p, &e,
		       why_set(&ret_heard->why, E_UNSUPPORTED, "event type '%.*s' for '%.*s'", STR_ARG(e.type_text),
			       STR_ARG(e.target_text)),
		       ret_heard);
	} else if (wire_role_of(e.type) == WIRE_CONTROL) {
		if (e.type == WIRE_AGAIN)
			outbox_hurry(p->outbox, UINT64_MAX);
		else if (e.type == WIRE_PING && e.resource_id.n)
			answer_now(p, &e, DELIVERY_APPLIED, (struct str){ 0 });
	} else {
		take_event(p, epoch, &e, message, now_ms, ret_heard);
	}
}

uint64_t peer_came(const struct peer *p)
{
	struct inbox_stats stats;

	inbox_stats(p->inbox, &stats);
	return stats.accepted;
}

bool peer_has_caught_up(const struct peer *p)
{
	struct inbox_stats stats;

	inbox_stats(p->inbox, &stats);
	return stats.older == 0;
}

bool peer_is_full(const struct peer *p)
{
	struct inbox_stats stats;

	inbox_stats(p->inbox, &stats);
	return stats.queued + stats.applying >= p->inbox_options.window_events ||
	       stats.bytes >= p->inbox_options.window_bytes || stats.answers >= p->inbox_options.answers_max / 2;
}

struct inbox_work *peer_next(struct peer *p, struct wire_event *ret_event)
{
	struct inbox_work *work = inbox_next(p->inbox);
	struct why why;

	if (!work)
		return NULL;
	/* It was read when it came: it is readable now. */
	if (wire_event_decode(blob_view(work->event.bytes), ret_event, &why) != E_OK)
		*ret_event = (struct wire_event){ 0 };
	return work;
}

void peer_done(struct peer *p, struct inbox_work *work, enum delivery_outcome outcome, bool retryable,
	       struct str reason)
{
	inbox_done(p->inbox, work, outcome, retryable, reason);
}
