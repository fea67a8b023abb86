#include "sync/session_impl.h"
#include "wire/convert.h"

/* Events that one peer's session deals with in one turn, before all others have theirs; the last may be larger. */
#define TURN_BYTES (256u << 10)

/* A repetition: the answer may have been lost, and what followed it came first. */
static void repeated(struct session *s, struct str message)
{
	const struct replica_rules rules = role_replica(&s->role);
	json_object *incoming = NULL;
	struct replica_place place;
	struct wire_event e;
	struct why why;

	if (wire_event_decode(message, &e, &why) == E_OK && wire_is_object(&e) &&
	    session_asks(s, wire_delivered_as(e.type), message) &&
	    rules.locate(rules.ctx, &e, &place, &incoming, &why) == E_OK)
		session_tell_again(s, &place);
	json_object_put(incoming);
}

static void tell_heard(const struct session *s, const struct peer_heard *heard)
{
	if (s->o.events.on_heard)
		s->o.events.on_heard(s->o.events.ctx, heard);
}

/* The peer has answered an event of ours, or it is as if it had. */
static void answered(struct session *s, const struct peer_heard *heard)
{
	source_answered(s->source, heard, s->now_ms);
	tell_heard(s, heard);
}

void session_receive(struct session *s, uint64_t epoch, struct str message, uint64_t now_ms, uint64_t random)
{
	struct peer_heard heard;
	uint64_t came = peer_came(s->peer);

	s->now_ms = now_ms;
	peer_receive(s->peer, epoch, message, now_ms, random, &heard);
	if (heard.what == PEER_EVENT && came == peer_came(s->peer))
		repeated(s, message);
	if (heard.what == PEER_ANSWERED) {
		answered(s, &heard);
		session_compare_next(s);
	} else if (heard.what == PEER_REFUSED) {
		tell_heard(s, &heard);
	}
}

bool session_is_full(const struct session *s)
{
	return peer_is_full(s->peer);
}

static bool is_for_replica(const struct wire_event *e)
{
	return wire_is_object(e) || e->type == WIRE_ERROR;
}

void session_work(struct session *s, uint64_t now_ms, int64_t wall_ns)
{
	struct inbox_work *work;
	struct wire_event e;
	size_t bytes = 0;

	session_set_time(s, now_ms, wall_ns);
	/* Until the backend has said what there is, a missing object means nothing: events wait. */
	while (s->synced && bytes < TURN_BYTES && (work = peer_next(s->peer, &e))) {
		work->event.begun_ms = now_ms;
		bytes += e.bytes.n;
		if (is_for_replica(&e))
			replica_apply(s->replica, work, &e, now_ms);
		else
			session_request(s, work, &e);
	}
	s->more = bytes >= TURN_BYTES;
	replica_run(s->replica, now_ms);
	if (now_ms >= source_due(s->source))
		source_again(s->source, now_ms);
	if (now_ms >= s->resync_at)
		session_compare(s);
}

static enum err compose(void *ctx, const struct outbox_frame *frame, struct wire_event *e)
{
	struct session *s = ctx;

	return source_compose(s->source, frame, e);
}

static void on_refused(void *ctx, const struct peer_heard *heard)
{
	answered(ctx, heard);
}

bool session_take(struct session *s, uint64_t now_ms, int64_t wall_ns, struct buf *message, uint64_t *ret_order)
{
	const struct peer_composer composer = { .compose = compose, .on_refused = on_refused, .ctx = s };

	session_set_time(s, now_ms, wall_ns);
	return peer_take(s->peer, &composer, now_ms, wall_ns, message, ret_order);
}

void session_sent(struct session *s, uint64_t order, uint64_t now_ms, uint64_t random)
{
	peer_sent(s->peer, order, now_ms, random);
}

void session_heartbeat(struct session *s)
{
	(void)peer_ping(s->peer); /* without memory or room: the next one */
}

uint64_t session_due(const struct session *s, uint64_t now_ms)
{
	const uint64_t dues[] = { peer_due(s->peer, now_ms), replica_due(s->replica), source_due(s->source),
				  s->resync_at };
	uint64_t due_ms = s->more ? now_ms : UINT64_MAX;

	for (size_t i = 0; i < ARRAY_LEN(dues); i++)
		due_ms = dues[i] < due_ms ? dues[i] : due_ms;
	return due_ms;
}
