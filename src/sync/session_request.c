#include <stdio.h>

#include "base/mem.h"
#include "sync/session_impl.h"
#include "wire/resync.h"

static bool is_source_of_truth(const struct session *s)
{
	return s->o.role.end == ROLE_PRINCIPAL_OF_MANAGED || s->o.role.end == ROLE_AUTONOMOUS_AGENT;
}

/* ---- what we ask, as the end that holds copies ------------------------------------------------------------------ */

/*
 * Upstream compares specs alone. What else people changed at a copy whose record was lost nobody would see: it goes without a checksum,
 * so that the object is sent.
 */
static bool checksum_of(const struct replica_copy *c, unsigned char sum[static WIRE_CHECKSUM])
{
	enum wire_target target = wire_target_of_kind(str_of(object_kind_name(c->place.kind)));
	struct why why;

	return c->recorded && wire_spec_checksum(target, blob_view(c->object->json), sum, &why) == E_OK;
}

static enum err ask_update(struct session *s, const struct wire_resync *r)
{
	struct buf json = { 0 };
	enum err err;

	wire_resync_write(WIRE_REQUEST_UPDATE, r, &json);
	err = json.err;
	if (err == E_OK)
		err = peer_request(s->peer, WIRE_REQUEST_UPDATE, WIRE_TO_RESYNC, buf_view(&json), s->now_ms);
	buf_release(&json);
	return err;
}

/* "I have this, is it right?" */
static enum err ask_about(struct session *s, const struct replica_copy *c)
{
	json_object *tree = object_tree(c->object);
	unsigned char sum[WIRE_CHECKSUM];
	struct wire_resync r = { .kind = str_of(object_kind_name(c->place.kind)), .uid = str_of(c->source_uid) };
	enum err err = E_NOMEM;

	role_said_as(&s->role, &c->place, tree, &r.namespace, &r.name);
	if (!peer_speaks_upstream(s->peer))
		r.checksum = c->version;
	else if (checksum_of(c, sum))
		r.checksum = (struct str){ (const char *)sum, sizeof(sum) };
	if (tree)
		err = ask_update(s, &r);
	json_object_put(tree);
	return err;
}

/* "I do not have it." In the peer's own words: where it has the object nobody here knows, without a copy. */
static enum err ask_for(struct session *s, const struct wire_resync *named)
{
	return ask_update(
		s, &(struct wire_resync){ .kind = named->kind, .namespace = named->namespace, .name = named->name });
}

void session_ask_for(struct session *s, enum object_kind kind, struct str namespace, struct str name)
{
	const struct wire_resync named = { .kind = str_of(object_kind_name(kind)),
					   .namespace = namespace,
					   .name = name };

	(void)ask_for(s, &named); /* without memory or room it is sent with the next stream */
}

/* "Ask me about all that you have of mine." */
static enum err ask_resync(struct session *s)
{
	return peer_request(s->peer, WIRE_RESOURCE_RESYNC, WIRE_TO_RESYNC, (struct str)STR("{}"), s->now_ms);
}

static enum err ask_about_all(struct session *s)
{
	struct replica_copy c;
	const void *cursor = NULL;
	enum err err;

	do {
		err = replica_next_copy(s->replica, &cursor, &c);
		if (err == E_OK)
			err = ask_about(s, &c);
	} while (err == E_OK);
	return err == E_NOT_FOUND ? E_OK : err;
}

/* The checksum of all that we have of the peer, as the peer names it. */
static enum err list_checksum(struct session *s, size_t *ret_n, unsigned char ret_sum[static WIRE_CHECKSUM])
{
	struct replica_copy c;
	struct replica_stats stats;
	bool has;
	const void *cursor = NULL;
	size_t n = 0;
	enum err err;

	replica_stats(s->replica, &stats);
	CLEANUP(mem_freep) struct wire_listed *list = mem_array(stats.slots + 1, sizeof(*list));
	CLEANUP(mem_freep) char(*names)[OBJECT_NAME_MAX + 1] = mem_array(stats.slots + 1, sizeof(*names));

	if (!list || !names)
		return E_NOMEM;
	while ((err = replica_next_copy(s->replica, &cursor, &c)) == E_OK) {
		struct str namespace, name;

		role_said_as(&s->role, &c.place, NULL, &namespace, &name);
		memcpy(names[n], name.p, name.n);
		list[n] = (struct wire_listed){ .kind = str_of(object_kind_name(c.place.kind)),
						.name = { names[n], name.n },
						.uid = str_of(c.source_uid) };
		if (!peer_speaks_upstream(s->peer))
			list[n].version = c.version;
		n++;
	}
	*ret_n = n;
	return err != E_NOT_FOUND ? err : wire_list_checksum(list, n, &has, ret_sum);
}

static enum err ask_for_list(struct session *s)
{
	unsigned char sum[WIRE_CHECKSUM];
	struct wire_resync r = { 0 };
	struct buf json = { 0 };
	char count[24];
	size_t n = 0;
	enum err err = list_checksum(s, &n, sum);

	if (err != E_OK)
		return err;
	(void)snprintf(count, sizeof(count), "%zu", n);
	if (n)
		r.checksum = (struct str){ (const char *)sum, sizeof(sum) };
	if (n && !peer_speaks_upstream(s->peer))
		r.count = str_of(count);
	wire_resync_write(WIRE_SYNCED_LIST_REQUEST, &r, &json);
	err = json.err;
	if (err == E_OK)
		err = peer_request(s->peer, WIRE_SYNCED_LIST_REQUEST, WIRE_TO_RESYNC, buf_view(&json), s->now_ms);
	buf_release(&json);
	return err;
}

/*
 * What was asked is still being answered. It goes again with each stream, so asking anew each time would pile up as fast as streams
 * are cut; who is never answered asks again when the next comparison is due.
 */
static bool is_comparing(const struct session *s)
{
	return s->asked_at && peer_requests(s->peer) && s->now_ms < s->asked_at + s->o.limits.resync_ms;
}

void session_compare_next(struct session *s)
{
	if (s->compare_next && session_epoch(s) && !is_comparing(s))
		session_compare(s);
}

/*
 * Upstream's principal asks of its own accord once in its life, and we may have started since: it is told to, as its own agent does
 * (facts 2.9). What a managed agent has is not a copy alone: nothing there is deleted for a question of ours.
 */
static void have_upstream_ask(struct session *s)
{
	if (s->o.role.end == ROLE_AUTONOMOUS_AGENT && peer_speaks_upstream(s->peer) && !s->compared)
		s->compared = ask_resync(s) == E_OK;
}

void session_compare(struct session *s)
{
	enum err err = E_OK;

	if (is_source_of_truth(s)) {
		have_upstream_ask(s);
		return; /* the other end asks, and so wakes this one */
	}
	s->resync_at = s->now_ms + s->o.limits.resync_ms;
	s->compare_next = is_comparing(s);
	if (s->compare_next)
		return;
	s->asked_at = s->now_ms;
	/* Upstream keeps nothing over a restart: it is asked about each object once (facts 2.9). */
	if (peer_speaks_upstream(s->peer) && !s->compared) {
		err = ask_about_all(s);
		s->compared = err == E_OK;
	}
	if (err == E_OK)
		(void)ask_for_list(s); /* without memory or room: the next time */
}

/*
 * Each question of a peer may be one of ours about each object: what was asked goes again by itself, so a peer that answers nothing has
 * us ask no more of it than once about each, and what a fleet of this size asks at the same time.
 */
#define QUESTIONS_SPARE 10000

static enum err may_ask(const struct session *s, struct why *why)
{
	struct replica_stats stats;

	replica_stats(s->replica, &stats);
	if (peer_requests(s->peer) <= stats.slots + QUESTIONS_SPARE)
		return E_OK;
	return why_set(why, E_LIMIT, "what was asked before is not answered");
}

/* ---- what the peer asks ----------------------------------------------------------------------------------------- */

static enum err wrong_end(struct why *why)
{
	return why_set(why, E_UNSUPPORTED, "not to be asked of this end in this mode");
}

static enum err answer_list(struct session *s, const struct wire_resync *r, struct why *why)
{
	bool differs = false;
	uint64_t copies = 0;
	enum err err;

	if (!is_source_of_truth(s))
		return wrong_end(why);
	if (r->count.n && !str_to_u64(r->count, UINT64_MAX, &copies))
		return why_set(why, E_MALFORMED, "count is no number");
	err = source_compare_list(s->source, r->checksum, copies, &differs);
	if (err != E_OK || !differs)
		return err;
	if (is_comparing(s))
		return why_set(why, E_LIMIT, "the last comparison is not over");
	if ((err = may_ask(s, why)) != E_OK)
		return err;
	s->asked_at = s->now_ms;
	/* Ours that it may not have, and its own that we may not have. */
	err = source_list(s->source, s->now_ms);
	return err == E_OK ? ask_resync(s) : err;
}

static enum err answer_update(struct session *s, const struct wire_resync *r, struct why *why)
{
	struct replica_place place;
	enum err err;

	if (!is_source_of_truth(s))
		return wrong_end(why);
	if (!role_place_of(&s->role, object_kind_of(r->kind), r->namespace, r->name, r->uid, &place))
		return why_set(why, E_MALFORMED, "no such kind or name");
	err = source_compare(s->source, place.kind, place.namespace, place.name, r->uid, r->checksum, s->now_ms);
	return err == E_LIMIT ? why_set(why, err, ROOM_REFUSED) : err;
}

static enum err answer_synced(struct session *s, const struct wire_resync *r, struct why *why)
{
	struct replica_place place;
	struct replica_copy c;
	enum err err;

	if (is_source_of_truth(s))
		return wrong_end(why);
	if (!role_place_of(&s->role, object_kind_of(r->kind), r->namespace, r->name, r->uid, &place))
		return why_set(why, E_MALFORMED, "no such kind or name");
	err = replica_copy(s->replica, &place, &c);
	if (err == E_NOT_FOUND)
		return ask_for(s, r);
	return err == E_OK ? ask_about(s, &c) : err;
}

/* Somebody has forgotten something: perhaps the status of a copy, too. */
static enum err tell_all_again(struct session *s)
{
	struct replica_copy c;
	const void *cursor = NULL;
	enum err err;

	while ((err = replica_next_copy(s->replica, &cursor, &c)) == E_OK)
		session_tell_again(s, &c.place);
	return err == E_NOT_FOUND ? E_OK : err;
}

static enum err answer_resync(struct session *s, struct why *why)
{
	enum err err = is_source_of_truth(s) ? wrong_end(why) : may_ask(s, why);

	if (err == E_OK && s->o.role.end == ROLE_MANAGED_AGENT)
		err = tell_all_again(s);
	return err == E_OK ? ask_about_all(s) : err;
}

static enum err take_cache_info(struct session *s, const struct wire_event *e)
{
	if (s->o.events.on_cache_info)
		s->o.events.on_cache_info(s->o.events.ctx, e->data);
	return E_OK;
}

static enum err add_finished(struct session *s, struct str message)
{
	CLEANUP(blob_unref_freep) struct blob *bytes = blob_new(message);
	struct wire_event e;
	struct why why;
	struct delivery_event event = { .type = DELIVERY_REQUEST, .bytes = bytes };

	if (!bytes || wire_event_decode(message, &e, &why) != E_OK)
		return E_NOMEM;
	event.kind = wire_target_text(e.target);
	event.name = event.resource_id = e.resource_id;
	event.event_id = e.event_id;
	return peer_add(s->peer, &event, s->now_ms);
}

/* What we do not serve is answered, so that nobody waits for it. */
static enum err refuse(struct session *s, const struct wire_event *e)
{
	unsigned char random[16] = { 0 };
	enum wire_refusal refusal;
	struct buf message = { 0 };
	enum err err;

	peer_random(s->peer, random);
	err = wire_refuse(e, peer_source(s->peer), random, &refusal, &message);
	if (err == E_OK && refusal == WIRE_REFUSE_EVENT)
		err = add_finished(s, buf_view(&message));
	else if (err == E_OK && refusal != WIRE_REFUSE_NOTHING && s->o.events.on_refusal)
		s->o.events.on_refusal(s->o.events.ctx, refusal, buf_view(&message));
	buf_release(&message);
	return err;
}

static enum err answer(struct session *s, const struct wire_event *e, struct why *why)
{
	struct wire_resync r = { 0 };
	enum err err = E_OK;

	if (e->target == WIRE_TO_RESYNC) {
		buf_clear(&s->arena);
		err = wire_resync_read(e->data, &s->arena, &r, why);
	}
	if (err != E_OK)
		return err;
	switch (e->type) {
	case WIRE_SYNCED_LIST_REQUEST:
		return answer_list(s, &r, why);
	case WIRE_REQUEST_UPDATE:
		return answer_update(s, &r, why);
	case WIRE_SYNCED_RESOURCE:
		return answer_synced(s, &r, why);
	case WIRE_RESOURCE_RESYNC:
		return answer_resync(s, why);
	case WIRE_CACHE_INFO:
		return take_cache_info(s, e);
	default:
		return refuse(s, e);
	}
}

void session_request(struct session *s, struct inbox_work *work, const struct wire_event *e)
{
	static const struct replica_place nowhere = { .kind = OBJECT_KIND_COUNT };
	struct why why = { 0 };
	enum err err = answer(s, e, &why);
	bool retryable = err == E_NOMEM || err == E_LIMIT;
	enum delivery_outcome outcome = err == E_OK ? DELIVERY_APPLIED : DELIVERY_REJECTED;
	const char *reason = err == E_OK ? "" : why_text(&why, err);

	if (s->o.events.on_applied)
		s->o.events.on_applied(s->o.events.ctx, &work->event, &nowhere, outcome, retryable, reason);
	peer_done(s->peer, work, outcome, retryable, str_of(reason));
}
