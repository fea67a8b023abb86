#include "sync/peer.h"

#include "base/clock.h"
#include "base/mem.h"
#include "wire/ack.h"
#include "wire/convert.h"
#include "wire/ids.h"

struct peer {
	struct outbox *outbox;
	struct inbox *inbox;
	struct inbox_options inbox_options;
	struct outbox_options outbox_options;
	char *source;
	uint64_t epoch; /* of the open stream; 0: none */
	struct wire_dialect dialect;
	struct buf arena; /* names of the message that is being read */
	uint64_t seed;
};

struct peer *peer_new(const struct peer_options *options, uint64_t now_ms)
{
	CLEANUP(peer_free_freep) struct peer *p = mem_alloc(sizeof(*p));

	if (!p)
		return NULL;
	p->inbox_options = options->inbox;
	p->outbox_options = options->outbox;
	p->source = str_dup(options->source);
	p->seed = options->seed;
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

enum err peer_open(struct peer *p, uint64_t epoch, const struct wire_dialect *agreed)
{
	bool grants = agreed->version >= WIRE_TWO_STEPS && agreed->window_events;
	enum err err;

	inbox_two_step(p->inbox, agreed->version >= WIRE_TWO_STEPS);
	if ((err = outbox_connected(p->outbox, epoch)) != E_OK || (err = inbox_connected(p->inbox, epoch)) != E_OK)
		return err;
	p->epoch = epoch;
	p->dialect = *agreed;
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

const struct wire_dialect *peer_dialect(const struct peer *p)
{
	return &p->dialect;
}

struct wire_dialect peer_offer(const struct peer *p)
{
	return (struct wire_dialect){ .version = WIRE_NEWEST,
				      .window_events = p->inbox_options.window_events,
				      .window_bytes = p->inbox_options.window_bytes };
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
}

static void take_event(struct peer *p, uint64_t epoch, const struct wire_event *e, struct blob *message,
		       struct peer_heard *ret_heard)
{
	struct delivery_event event;
	enum err err;

	buf_clear(&p->arena);
	err = wire_to_delivery(e, message, &p->dialect, &p->arena, &event, &ret_heard->why);
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

void peer_receive(struct peer *p, uint64_t epoch, struct blob *message, uint64_t now_ms, uint64_t random,
		  struct peer_heard *ret_heard)
{
	struct delivery_answer answer;
	struct wire_event e;
	enum err err;

	*ret_heard = (struct peer_heard){ .what = PEER_QUIET };
	err = wire_event_decode(blob_view(message), &e, &ret_heard->why);
	ret_heard->resource_id = e.resource_id;
	ret_heard->event_id = e.event_id;
	ret_heard->type_text = e.type_text;
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
		if (e.type == WIRE_PING && e.resource_id.n)
			answer_now(p, &e, DELIVERY_APPLIED, (struct str){ 0 });
	} else {
		take_event(p, epoch, &e, message, ret_heard);
	}
}

uint64_t peer_came(const struct peer *p)
{
	struct inbox_stats stats;

	inbox_stats(p->inbox, &stats);
	return stats.accepted;
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

/* ---- what goes -------------------------------------------------------------------------------------------------- */

enum err peer_add(struct peer *p, const struct delivery_event *e, uint64_t now_ms)
{
	return outbox_add(p->outbox, e, now_ms);
}

/* Vigna's splitmix64. */
static uint64_t next_random(struct peer *p)
{
	uint64_t z = p->seed += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

void peer_random(struct peer *p, unsigned char ret_bytes[static 16])
{
	uint64_t random[2] = { next_random(p), next_random(p) };

	memcpy(ret_bytes, random, sizeof(random));
}

enum err peer_request(struct peer *p, enum wire_type type, enum wire_target target, struct str data, uint64_t now_ms)
{
	unsigned char bytes[16];
	char uuid[WIRE_UUID];
	struct buf message = { 0 };
	enum err err;

	peer_random(p, bytes);
	wire_uuid(bytes, uuid);
	struct wire_event e = { .type = type,
				.target = target,
				.source = str_of(p->source),
				.resource_id = str_of(uuid),
				.event_id = str_of(uuid),
				.content_type = STR("application/json"),
				.data = data };
	err = wire_event_encode(&e, &message);
	CLEANUP(blob_unref_freep) struct blob *blob = err == E_OK ? blob_new(buf_view(&message)) : NULL;
	buf_release(&message);
	if (!blob)
		return err == E_OK ? E_NOMEM : err;
	struct delivery_event event = { .type = DELIVERY_REQUEST,
					.kind = wire_target_text(target),
					.name = str_of(uuid),
					.resource_id = str_of(uuid),
					.event_id = str_of(uuid),
					.bytes = blob };
	return peer_add(p, &event, now_ms);
}

enum err peer_ping(struct peer *p)
{
	unsigned char bytes[16];
	char uuid[WIRE_UUID];
	struct buf message = { 0 };
	enum err err;

	peer_random(p, bytes);
	wire_uuid(bytes, uuid);
	struct wire_event e = { .type = WIRE_PING,
				.target = WIRE_TO_HEARTBEAT,
				.source = str_of(p->source),
				.resource_id = str_of(uuid),
				.event_id = str_of(uuid) };
	err = wire_event_encode(&e, &message);
	CLEANUP(blob_unref_freep) struct blob *blob = err == E_OK ? blob_new(buf_view(&message)) : NULL;
	buf_release(&message);
	if (!blob)
		return err == E_OK ? E_NOMEM : err;
	return outbox_control(p->outbox, blob);
}

static bool take_reply(struct peer *p, struct buf *message)
{
	struct delivery_answer a;

	while (inbox_answer(p->inbox, &a))
		if (wire_ack_encode(&a, &p->dialect, str_of(p->source), message) == E_OK)
			return true;
	return false;
}

static enum wire_type wire_type_for(enum delivery_type type)
{
	switch (type) {
	case DELIVERY_CREATE:
		return WIRE_CREATE;
	case DELIVERY_SPEC:
		return WIRE_SPEC_UPDATE;
	case DELIVERY_STATUS:
		return WIRE_STATUS_UPDATE;
	default:
		return WIRE_DELETE;
	}
}

/* Commands and requests wait as finished messages, without what only the moment of sending knows. */
static enum err write_finished(const struct peer *p, const struct peer_composer *composer, const struct outbox_frame *f,
			       struct str sent_at, struct buf *message)
{
	struct wire_event e = { 0 };
	enum err err = f->type == DELIVERY_COMMAND ? composer->compose(composer->ctx, f, &e) : E_OK;

	if (err != E_OK)
		return err;
	buf_str(message, blob_view(f->bytes));
	return wire_event_stamp(sent_at, p->dialect.version >= WIRE_TWO_STEPS ? f->order : 0, message);
}

static enum err write_state(const struct peer *p, const struct peer_composer *composer, const struct outbox_frame *f,
			    struct str sent_at, struct buf *message)
{
	struct wire_event e = { .type = wire_type_for(f->type),
				.source = str_of(p->source),
				.resource_id = f->resource_id,
				.event_id = f->event_id,
				.sent_at = sent_at,
				.content_type = STR("application/json"),
				.order = p->dialect.version >= WIRE_TWO_STEPS ? f->order : 0 };
	enum err err = composer->compose(composer->ctx, f, &e);

	return err == E_OK ? wire_event_encode(&e, message) : err;
}

/* What cannot be written is dropped when it has become pointless, set aside when it never can, and else tried again later. */
static void not_written(struct peer *p, const struct outbox_frame *f, enum err err, uint64_t now_ms)
{
	struct delivery_answer a = { .outcome = err == E_NOT_FOUND ? DELIVERY_APPLIED : DELIVERY_REJECTED,
				     .retryable = err == E_NOMEM || err == E_LIMIT,
				     .resource_id = f->resource_id,
				     .event_id = f->event_id,
				     .reason = str_of(err_text(err)),
				     .order = f->order };

	(void)outbox_answer(p->outbox, f->epoch, &a, now_ms, /* random= */ f->order, NULL);
}

bool peer_take(struct peer *p, const struct peer_composer *composer, uint64_t now_ms, int64_t wall_ns,
	       struct buf *message, uint64_t *ret_order)
{
	char stamp[CLOCK_RFC3339_MAX];
	struct str sent_at = { stamp, clock_rfc3339(wall_ns, stamp) };
	struct outbox_frame f;
	enum err err;

	*ret_order = 0;
	if (p->epoch == 0)
		return false;
	if (take_reply(p, message))
		return true;
	while (outbox_take(p->outbox, now_ms, &f)) {
		if (f.control) {
			buf_str(message, blob_view(f.bytes));
			return true;
		}
		if (f.type == DELIVERY_COMMAND || f.type == DELIVERY_REQUEST)
			err = write_finished(p, composer, &f, sent_at, message);
		else
			err = write_state(p, composer, &f, sent_at, message);
		if (err == E_OK) {
			*ret_order = f.order;
			return true;
		}
		buf_clear(message);
		not_written(p, &f, err, now_ms);
	}
	return false;
}

void peer_sent(struct peer *p, uint64_t order, uint64_t now_ms, uint64_t random)
{
	outbox_sent(p->outbox, order, now_ms, random);
}

uint64_t peer_due(const struct peer *p, uint64_t now_ms)
{
	struct inbox_stats stats;

	if (p->epoch == 0)
		return UINT64_MAX;
	inbox_stats(p->inbox, &stats);
	return stats.answers ? now_ms : outbox_due(p->outbox, now_ms);
}
