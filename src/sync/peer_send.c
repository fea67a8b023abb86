#include "sync/peer_impl.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/seed.h"
#include "base/uuid.h"
#include "wire/ack.h"

/* Of an answer but for our source: two ids, a reason, and attributes of a fixed size. */
#define REPLY_ROOM (2 * DELIVERY_TEXT_MAX + DELIVERY_REASON_MAX + 1024)

enum err peer_add(struct peer *p, const struct delivery_event *e, uint64_t now_ms)
{
	return outbox_add(p->outbox, e, now_ms);
}

void peer_random(struct peer *p, unsigned char ret_bytes[static 16])
{
	uint64_t random[2] = { seed_next(&p->seed), seed_next(&p->seed) };

	memcpy(ret_bytes, random, sizeof(random));
}

static enum err encode(const struct wire_event *e, struct blob **ret_message)
{
	struct buf message = { 0 };
	enum err err = wire_event_encode(e, &message);

	if (err == E_OK && !(*ret_message = blob_new(buf_view(&message))))
		err = E_NOMEM;
	buf_release(&message);
	return err;
}

enum err peer_request(struct peer *p, enum wire_type type, enum wire_target target, struct str data, uint64_t now_ms)
{
	unsigned char bytes[16];
	char uuid[UUID_MAX];
	CLEANUP(blob_unref_freep) struct blob *message = NULL;
	enum err err;

	peer_random(p, bytes);
	uuid_write(bytes, uuid);
	struct wire_event e = { .type = type,
				.target = target,
				.source = str_of(p->source),
				.resource_id = str_of(uuid),
				.event_id = str_of(uuid),
				.content_type = STR("application/json"),
				.data = data };
	err = encode(&e, &message);
	if (err != E_OK)
		return err;
	struct delivery_event event = { .type = DELIVERY_REQUEST,
					.kind = wire_target_text(target),
					.name = str_of(uuid),
					.resource_id = str_of(uuid),
					.event_id = str_of(uuid),
					.bytes = message };
	err = peer_add(p, &event, now_ms);
	p->requests += err == E_OK;
	return err;
}

uint64_t peer_requests(const struct peer *p)
{
	return p->requests;
}

static enum err say_once(struct peer *p, enum wire_type type)
{
	unsigned char bytes[16];
	char uuid[UUID_MAX];
	CLEANUP(blob_unref_freep) struct blob *message = NULL;
	enum err err;

	peer_random(p, bytes);
	uuid_write(bytes, uuid);
	struct wire_event e = { .type = type,
				.target = WIRE_TO_HEARTBEAT,
				.source = str_of(p->source),
				.resource_id = str_of(uuid),
				.event_id = str_of(uuid) };
	err = encode(&e, &message);
	if (err != E_OK)
		return err;
	return outbox_control(p->outbox, message);
}

enum err peer_ping(struct peer *p)
{
	return say_once(p, WIRE_PING);
}

enum err peer_again(struct peer *p)
{
	return p->dialect.version >= WIRE_TWO_STEPS ? say_once(p, WIRE_AGAIN) : E_OK;
}

/* Is the message whole, and no larger than the stream carries? */
static enum err finished(const struct peer *p, const struct buf *message, struct why *why)
{
	if (message->err != E_OK)
		return why_set(why, message->err, "write the message: %s", err_text(message->err));
	if (p->limit == 0 || message->n <= p->limit)
		return E_OK;
	return why_set(why, E_LIMIT, "a message of %zu bytes is larger than %s limit of %" PRIu64 " bytes (%s)",
		       message->n, p->limit == p->message_max ? "our" : "the peer's", p->limit,
		       p->limit == p->message_max ? "--grpc-max-message-size" : "its --grpc-max-message-size");
}

/*
 * Room for any answer, before it is taken: a peer that was told "received" does not send its event again, and would wait for the
 * outcome for ever.
 */
static bool reserve_reply(const struct peer *p, struct buf *message)
{
	if (buf_reserve(message, REPLY_ROOM + strlen(p->source)))
		return true;
	buf_clear(message);
	return false;
}

static bool take_reply(struct peer *p, uint64_t now_ms, struct buf *message)
{
	struct delivery_answer a;

	while (inbox_answer(p->inbox, now_ms, &a))
		if (wire_ack_encode(&a, &p->dialect, str_of(p->source), message) == E_OK)
			return true; /* else this dialect has no word for it */
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

static enum err write_payload(const struct peer *p, const struct peer_composer *composer, const struct outbox_frame *f,
			      struct str sent_at, struct buf *message, struct why *why)
{
	bool waits = f->type == DELIVERY_COMMAND || f->type == DELIVERY_REQUEST;
	enum err err = waits ? write_finished(p, composer, f, sent_at, message)
			     : write_state(p, composer, f, sent_at, message);

	return err == E_OK ? finished(p, message, why) : why_set(why, err, "compose the event: %s", err_text(err));
}

/* Set aside as if the peer had rejected it, and told like that. The ids are copied: the entry may be gone at once. */
static void refuse(struct peer *p, const struct peer_composer *composer, const struct outbox_frame *f,
		   const struct why *why, uint64_t now_ms)
{
	char ids[2][DELIVERY_TEXT_MAX];
	struct peer_heard heard = { .what = PEER_ANSWERED,
				    .resource_id = { ids[0], f->resource_id.n },
				    .event_id = { ids[1], f->event_id.n },
				    .reason = str_of(why->text),
				    .err = why->err };
	const struct delivery_answer a = { .outcome = DELIVERY_REJECTED,
					   .resource_id = heard.resource_id,
					   .event_id = heard.event_id,
					   .reason = heard.reason,
					   .order = f->order };

	memcpy(ids[0], f->resource_id.p, f->resource_id.n);
	memcpy(ids[1], f->event_id.p, f->event_id.n);
	heard.effect = outbox_answer(p->outbox, f->epoch, &a, now_ms, /* random= */ 0, &heard.type);
	peer_note_end(p, &heard);
	composer->on_refused(composer->ctx, &heard);
}

/* What cannot be written is dropped when it has become pointless, tried again when there may be memory, and else refused. */
static void not_written(struct peer *p, const struct peer_composer *composer, const struct outbox_frame *f,
			const struct why *why, uint64_t now_ms)
{
	const struct delivery_answer a = { .outcome = why->err == E_NOT_FOUND ? DELIVERY_APPLIED : DELIVERY_REJECTED,
					   .retryable = why->err == E_NOMEM,
					   .resource_id = f->resource_id,
					   .event_id = f->event_id,
					   .order = f->order };

	if (why->err == E_NOT_FOUND || why->err == E_NOMEM)
		(void)outbox_answer(p->outbox, f->epoch, &a, now_ms, /* random= */ f->order, NULL);
	else
		refuse(p, composer, f, why, now_ms);
}

bool peer_take(struct peer *p, const struct peer_composer *composer, uint64_t now_ms, int64_t wall_ns,
	       struct buf *message, uint64_t *ret_order)
{
	char stamp[CLOCK_RFC3339_MAX];
	struct str sent_at = { stamp, clock_rfc3339(wall_ns, stamp) };
	struct outbox_frame f;
	struct why why;

	*ret_order = 0;
	if (p->epoch == 0 || !reserve_reply(p, message))
		return false;
	if (take_reply(p, now_ms, message))
		return true;
	while (outbox_take(p->outbox, now_ms, &f)) {
		if (f.control) {
			buf_str(message, blob_view(f.bytes));
			if (finished(p, message, NULL) == E_OK)
				return true; /* else it is left: who waits for it asks again */
		} else if (write_payload(p, composer, &f, sent_at, message, &why) == E_OK) {
			*ret_order = f.order;
			return true;
		} else {
			not_written(p, composer, &f, &why, now_ms);
		}
		buf_clear(message);
	}
	return false;
}

void peer_sent(struct peer *p, uint64_t order, uint64_t now_ms, uint64_t random)
{
	outbox_sent(p->outbox, order, now_ms, random);
}

uint64_t peer_due(const struct peer *p, uint64_t now_ms)
{
	uint64_t in_ms = inbox_due(p->inbox), out_ms;

	if (p->epoch == 0)
		return UINT64_MAX;
	if (in_ms <= now_ms)
		return now_ms;
	out_ms = outbox_due(p->outbox, now_ms);
	return in_ms < out_ms ? in_ms : out_ms;
}
