#include "sync/session_impl.h"

#include "base/mem.h"
#include "sync/marks.h"
#include "wire/convert.h"

const struct session_limits SESSION_DEFAULTS = {
#define X(name, type, min, max, default, unit, meaning) .name = (default),
	SESSION_LIMITS(X)
#undef X
};

/* ---- what the parts tell ---------------------------------------------------------------------------------------- */

static void wake(void *ctx)
{
	struct session *s = ctx;

	if (s->o.events.on_wake)
		s->o.events.on_wake(s->o.events.ctx);
}

static void on_held(void *ctx, const char *text)
{
	struct session *s = ctx;

	if (s->o.events.on_held)
		s->o.events.on_held(s->o.events.ctx, text);
}

bool session_asks(const struct session *s, enum delivery_type type, struct str message)
{
	if (s->o.role.end != ROLE_MANAGED_AGENT && s->o.role.end != ROLE_AUTONOMOUS_AGENT)
		return false;
	return type == DELIVERY_COMMAND || mark_may_wish(message);
}

/*
 * What asks was answered. Its effects may have been told already, before the answer, when the peer could not know that they are of
 * this; so they are told once more, behind it.
 */
void session_tell_again(struct session *s, const struct replica_place *place)
{
	const struct object *o = replica_object(s->replica, place);

	if (o)
		source_say_again(s->source, o, s->now_ms);
}

static void on_applied(void *ctx, const struct delivery_event *event, const struct replica_place *place,
		       enum delivery_outcome outcome, bool retryable, const char *text)
{
	struct session *s = ctx;

	if (outcome == DELIVERY_APPLIED && session_asks(s, event->type, blob_view(event->bytes)))
		session_tell_again(s, place);
	if (s->o.events.on_applied)
		s->o.events.on_applied(s->o.events.ctx, event, place, outcome, retryable, text);
	wake(s);
}

static void on_reverted(void *ctx, const struct replica_place *place, enum err err, const char *text)
{
	struct session *s = ctx;

	if (s->o.events.on_reverted)
		s->o.events.on_reverted(s->o.events.ctx, place, err, text);
	wake(s);
}

/* Of what came, the names alone, and its UID where the original's is looked for. */
static enum err gone_stub(const struct wire_event *e, json_object **ret_stub)
{
	json_object *came = NULL, *stub = json_object_new_object();
	struct why why;
	enum err err = stub ? tree_parse(e->data, &why, &came) : E_NOMEM;
	const char *said = tree_mark(came, "annotations", MARK_SOURCE_UID), *uid = tree_meta(came, "uid");

	if (err == E_OK)
		err = tree_meta_set(stub, "name", tree_meta(came, "name"));
	if (err == E_OK)
		err = tree_meta_set(stub, "namespace", tree_meta(came, "namespace"));
	if (err == E_OK)
		err = tree_meta_set(stub, "uid", uid);
	if (err == E_OK)
		err = tree_mark_set(stub, "annotations", MARK_SOURCE_UID, said[0] ? said : uid);
	json_object_put(came);
	if (err == E_OK)
		*ret_stub = TAKE(stub);
	json_object_put(stub);
	return err;
}

/* The source of truth waits until its object is gone here, and it is not here: it is told what it would hear of a deletion. */
static void on_gone(void *ctx, const struct delivery_event *event)
{
	struct session *s = ctx;
	json_object *stub = NULL;
	struct wire_event e;
	struct buf text = { 0 }, message = { 0 };
	struct why why;

	if (wire_event_decode(blob_view(event->bytes), &e, &why) != E_OK || gone_stub(&e, &stub) != E_OK)
		return; /* the peer asks again when it waits on */
	e.type = WIRE_DELETE;
	e.source = peer_source(s->peer);
	e.order = 0;
	if (tree_write(stub, &text, &why) == E_OK)
		e.data = buf_view(&text);
	if (text.n && wire_event_encode(&e, &message) == E_OK) {
		CLEANUP(blob_unref_freep) struct blob *bytes = blob_new(buf_view(&message));
		struct delivery_event gone = *event;

		gone.type = DELIVERY_REQUEST; /* it is finished, and about no copy of ours */
		gone.bytes = bytes;
		if (bytes)
			(void)peer_add(s->peer, &gone, s->now_ms);
	}
	buf_release(&text);
	buf_release(&message);
	json_object_put(stub);
}

/* Its object was away, or is from an older copy, and what was said of the status meanwhile went with it. */
static void on_known(void *ctx, const struct replica_place *place)
{
	session_tell_again(ctx, place);
}

static void on_out_of_the_way(void *ctx, enum object_kind kind, struct str namespace, struct str name)
{
	session_ask_for(ctx, kind, namespace, name);
}

/* ---- life ------------------------------------------------------------------------------------------------------- */

static bool make_parts(struct session *s, uint64_t now_ms)
{
	const struct session_options *o = &s->o;

	s->peer = peer_new(&(struct peer_options){ .outbox = o->outbox,
						   .inbox = o->inbox,
						   .source = o->source,
						   .seed = o->seed,
						   .message_max = o->message_max },
			   now_ms);
	if (!s->peer)
		return false;
	s->source = source_new(&(struct source_options){ .name = o->rows,
							 .creates = role_creates(o->role.end),
							 .deletes = role_deletes(o->role.end),
							 .peer = s->peer,
							 .journal = o->journal,
							 .rules = role_source(&s->role),
							 .guard = o->guard,
							 .room = &s->room,
							 .on_held = on_held,
							 .on_wake = wake,
							 .ctx = s });
	s->replica = replica_new(&(struct replica_options){ .name = o->rows,
							    .peer = s->peer,
							    .journal = o->journal,
							    .backend = o->backend,
							    .room = &s->room,
							    .rules = role_replica(&s->role),
							    .events = { .on_applied = on_applied,
									.on_reverted = on_reverted,
									.on_gone = on_gone,
									.on_known = on_known,
									.on_out_of_the_way = on_out_of_the_way,
									.on_wake = wake,
									.ctx = s },
							    .seed = ~o->seed });
	s->role.source = s->source;
	s->role.replica = s->replica;
	return s->source && s->replica;
}

struct session *session_new(const struct session_options *options, uint64_t now_ms)
{
	struct session *s = mem_alloc(sizeof(*s));

	if (!s)
		return NULL;
	s->o = *options;
	s->role.config = options->role;
	s->resync_at = UINT64_MAX;
	s->now_ms = now_ms;
	s->room = (struct room){ .objects_max = options->limits.peer_objects,
				 .bytes_max = options->limits.peer_bytes,
				 .all = options->all,
				 .on_full = options->events.on_full,
				 .ctx = options->events.ctx };
	if (make_parts(s, now_ms))
		return s;
	session_free(s);
	return NULL;
}

void session_stop(struct session *s)
{
	session_close(s, session_epoch(s));
	replica_stop(s->replica);
}

bool session_is_idle(const struct session *s)
{
	return source_is_idle(s->source) && replica_is_idle(s->replica);
}

void session_free(struct session *s)
{
	if (!s)
		return;
	s->room.on_full = NULL;
	source_free(s->source);
	replica_free(s->replica);
	peer_free(s->peer);
	buf_release(&s->arena);
	mem_free(s);
}

enum err session_forget(struct session *s)
{
	enum err err = source_forget(s->source);

	return err == E_OK ? replica_forget(s->replica) : err;
}

enum err session_load(struct session *s, enum ledger_table table, const struct ledger_row *row)
{
	switch (table) {
	case LEDGER_COPY:
		return source_load_copy(s->source, row);
	case LEDGER_COMMAND:
		return source_load_command(s->source, row);
	case LEDGER_REPLICA:
		return replica_load(s->replica, row);
	default:
		return E_OK;
	}
}

/* ---- reports ---------------------------------------------------------------------------------------------------- */

enum err session_object(struct session *s, struct object *o, uint64_t now_ms, int64_t wall_ns)
{
	enum err err = E_OK;

	if (!role_has_kind(s->o.role.end, o->kind))
		return E_OK;
	session_set_time(s, now_ms, wall_ns);
	if (role_takes_kind(s->o.role.end, o->kind))
		err = replica_local(s->replica, o, now_ms);
	return err == E_OK ? source_truth(s->source, o, now_ms) : err;
}

void session_object_gone(struct session *s, struct object *last, uint64_t now_ms, int64_t wall_ns)
{
	session_set_time(s, now_ms, wall_ns);
	(void)source_gone(s->source, last->kind, last->namespace, last->name, now_ms);
	replica_local_gone(s->replica, last, now_ms);
}

/* What was asked of a process that died: it may have been done, and be seen no more, before anything was said of it. */
static void tell_what_was_asked(struct session *s)
{
	const struct replica_record *record;
	struct replica_place place;
	const void *cursor = NULL;

	while (replica_next(s->replica, &cursor, &place, &record))
		if (record->asked)
			session_tell_again(s, &place);
}

void session_synced(struct session *s, uint64_t now_ms, int64_t wall_ns)
{
	session_set_time(s, now_ms, wall_ns);
	s->synced = true;
	source_complete(s->source, now_ms);
	replica_complete(s->replica, now_ms);
	if (s->o.role.end == ROLE_MANAGED_AGENT)
		tell_what_was_asked(s);
	if (session_epoch(s))
		session_compare(s);
}

void session_recovered(struct session *s)
{
	replica_recovered(s->replica);
}

/* ---- streams ---------------------------------------------------------------------------------------------------- */

/* What is an autonomous agent's lies by namespace, whatever the options say. */
static enum wire_mapping mapping_of(const struct role_config *role)
{
	bool by_destination;

	if (role->end == ROLE_MANAGED_AGENT)
		by_destination = role->site->by_destination;
	else if (role->end == ROLE_PRINCIPAL_OF_MANAGED)
		by_destination = role->principal->by_destination;
	else
		return WIRE_MAPPING_UNSAID;
	return by_destination ? WIRE_MAPPING_DESTINATION : WIRE_MAPPING_NAMESPACE;
}

struct wire_dialect session_offer(const struct session *s)
{
	struct wire_dialect offer = peer_offer(s->peer);

	offer.mapping = mapping_of(&s->o.role);
	return offer;
}

bool session_maps_otherwise(const struct session *s)
{
	enum wire_mapping ours = mapping_of(&s->o.role);

	return ours != WIRE_MAPPING_UNSAID && s->peer_maps != WIRE_MAPPING_UNSAID && s->peer_maps != ours;
}

enum err session_open(struct session *s, uint64_t epoch, const struct wire_dialect *agreed, uint64_t now_ms)
{
	uint64_t before = peer_message_max(s->peer), max;
	enum err err = peer_open(s->peer, epoch, agreed);

	if (err != E_OK)
		return err;
	s->now_ms = now_ms;
	s->role.remembers = agreed->version != WIRE_UPSTREAM;
	s->peer_maps = agreed->mapping;
	max = peer_message_max(s->peer);
	if (before && (max == 0 || max > before))
		source_larger(s->source, now_ms);
	source_offer_refused(s->source, now_ms);
	source_resync(s->source, now_ms);
	source_again(s->source, now_ms);
	if (s->synced)
		session_compare(s);
	return E_OK;
}

void session_close(struct session *s, uint64_t epoch)
{
	peer_close(s->peer, epoch);
	if (session_epoch(s) == 0)
		s->resync_at = UINT64_MAX;
}

void session_told_max(struct session *s, uint64_t message_max)
{
	peer_told_max(s->peer, message_max);
}

uint64_t session_epoch(const struct session *s)
{
	return peer_epoch(s->peer);
}

struct source *session_source(struct session *s)
{
	return s->source;
}

struct replica *session_replica(struct session *s)
{
	return s->replica;
}

struct peer *session_peer(struct session *s)
{
	return s->peer;
}

const struct room *session_room(const struct session *s)
{
	return &s->room;
}
