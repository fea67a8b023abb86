#include "count.h"
#include "principal/hub_impl.h"
#include "sim_sync.h"
#include "sync/peer_impl.h"
#include "sync/replica_impl.h"
#include "sync/session_impl.h"
#include "sync/source_impl.h"

/* ---- the owner of objects ---------------------------------------------------------------------------------------------- */

struct sums {
	uint64_t objects, behind, held, entries, copies;
	struct room room;
};

static void add_share(struct sums *t, const struct room_share *share)
{
	t->room.objects += share->objects;
	t->room.bytes += share->bytes;
}

/* It is not held for want of room or memory, nor for a row that is on its way: then the outbox has it. */
static const char *count_under_way(const struct session *s, const struct entry *e, const struct copy *c)
{
	const struct outbox *o = s->peer->outbox;
	struct str id = str_of(c->resource_id), any = { 0 };
	const struct source_state *state = &e->state;
	unsigned held = 0;

	if (link_held(&e->in_later) || !c->kept)
		return NULL;
	if (c->deleting)
		return count_holds(o, id, DELIVERY_DELETE, any) ? NULL : "a delete is in the outbox";
	if (!e->truth || strcmp(c->uid, e->truth->uid) != 0)
		return e->held || !(e->truth || e->gone || s->source->complete) ? NULL
										: "what is gone is being deleted";
	HOLDS(digest_is_empty(&state->desired) || digest_eq(&c->desired, &state->desired) ||
	      count_holds(o, id, DELIVERY_SPEC, any));
	HOLDS(digest_is_empty(&state->status) || digest_eq(&c->status, &state->status) ||
	      count_holds(o, id, DELIVERY_STATUS, any));
	for (const struct command *command = c->commands; command; command = command->next) {
		HOLDS(!command->held || command->over ||
		      count_holds(o, id, DELIVERY_COMMAND, str_of(command->event_id)));
		HOLDS(!command->next || command->number <= command->next->number);
		held += command->held;
	}
	HOLDS(held <= DELIVERY_COMMANDS);
	return NULL;
}

static const char *count_entry(const struct session *s, const struct entry *e, struct sums *t)
{
	const char *wrong;

	HOLDS(map_get(&s->source->entries, (struct str){ e->key, e->key_n }) == e);
	HOLDS(e->truth || e->copies);
	HOLDS(e->has == (e->truth != NULL));
	HOLDS(e->behind == source_is_behind(e));
	HOLDS(!e->truth || source_copy_of(e, e->truth->uid) || link_held(&e->in_later));
	HOLDS(!e->held || !e->truth);
	t->entries++;
	t->objects += e->has;
	t->behind += e->behind;
	t->held += e->held;
	for (const struct copy *c = e->copies; c; c = c->next) {
		HOLDS(c->entry == e && map_get(&s->source->copies, str_of(c->resource_id)) == c);
		t->copies++;
		add_share(t, &c->share);
		if ((wrong = count_under_way(s, e, c)))
			return wrong;
	}
	return NULL;
}

static const char *count_source(const struct session *s, struct sums *t)
{
	const struct source *source = s->source;
	const char *wrong;

	for (struct link *l = source->all.next; l != &source->all; l = l->next)
		if ((wrong = count_entry(s, ENTRY_OF(l, in_all), t)))
			return wrong;
	HOLDS(t->entries == source->entries.n);
	HOLDS(t->copies == source->copies.n);
	HOLDS(t->objects == source->objects);
	HOLDS(t->behind == source->behind);
	HOLDS(t->held == source->held);
	return NULL;
}

/* ---- the holder of copies ---------------------------------------------------------------------------------------------- */

struct slots {
	uint64_t busy, records, retries, keeping;
};

static const char *count_slot(const struct replica *r, const struct slot *slot, struct slots *t)
{
	const struct job *j = slot->job;

	HOLDS(slot->local || slot->recorded || slot->unsaved || j || heap_holds(&slot->retry));
	HOLDS(j || list_empty(&slot->waiting));
	HOLDS(!j || j->slot == slot);
	HOLDS(!j || !j->stale || heap_holds(&slot->retry) || r->stopping);
	HOLDS(!slot->local || slot->local->kind == slot->kind);
	t->busy += j != NULL;
	t->keeping += j && j->keeping;
	t->records += slot->recorded;
	t->retries += heap_holds(&slot->retry);
	return NULL;
}

static const char *count_replica(const struct session *s, struct sums *sums)
{
	const struct replica *r = s->replica;
	const struct map_entry *entry;
	struct slots t = { 0 };
	const char *wrong;
	size_t at = 0;

	while ((entry = map_next(&r->slots, &at))) {
		const struct slot *slot = entry->value;

		add_share(sums, &slot->share);
		if ((wrong = count_slot(r, slot, &t)))
			return wrong;
	}
	HOLDS(t.busy == r->stats.busy);
	HOLDS(t.records == r->stats.records);
	HOLDS(t.retries == r->retries.n);
	HOLDS(t.keeping == r->listener.pending);
	return NULL;
}

/* ---- a session, and those of an end -------------------------------------------------------------------------------------- */

static const char *count_session(const struct session *s)
{
	struct sums t = { 0 };
	const char *wrong = count_outbox(s->peer->outbox);

	if (!wrong)
		wrong = count_inbox(s->peer->inbox);
	if (!wrong)
		wrong = count_source(s, &t);
	if (!wrong)
		wrong = count_replica(s, &t);
	if (wrong)
		return wrong;
	HOLDS(t.room.objects == s->room.objects);
	HOLDS(t.room.bytes == s->room.bytes);
	HOLDS(s->peer->requests == count_requests(s->peer->outbox));
	return NULL;
}

static const char *count_hub(const struct hub *h)
{
	const struct map_entry *entry;
	uint64_t kinds[OBJECT_KIND_COUNT] = { 0 }, reasons[MAPPING_REASON_COUNT] = { 0 };
	size_t at = 0, in_buckets = 0;

	while ((entry = map_next(&h->objects, &at))) {
		const struct known_object *k = entry->value;

		HOLDS(k->bucket && link_held(&k->in_bucket));
		HOLDS(map_get(&h->buckets, (struct str){ k->bucket->name, k->bucket->name_n }) == k->bucket);
		kinds[k->object->kind]++;
		reasons[k->reason]++;
	}
	HOLDS(memcmp(kinds, h->kinds, sizeof(kinds)) == 0);
	HOLDS(memcmp(reasons, h->reasons, sizeof(reasons)) == 0);
	at = 0;
	while ((entry = map_next(&h->buckets, &at))) {
		const struct bucket *b = entry->value;

		HOLDS(!list_empty(&b->objects));
		for (const struct link *l = b->objects.next; l != &b->objects; l = l->next)
			in_buckets++;
	}
	HOLDS(in_buckets == h->objects.n);
	return NULL;
}

void count_end(struct end *e)
{
	const char *wrong = NULL;

	if (!end_is_up(e))
		return;
	if (e->hub)
		wrong = count_hub(e->hub);
	for (int i = 0; i < SIM_AGENTS && !wrong; i++) {
		struct agent *a = &e->sim->agents[i];
		struct session *s = !e->agent || e->agent == a ? end_session(e, a) : NULL;

		wrong = s ? count_session(s) : NULL;
	}
	if (wrong)
		sim_broken(e->sim, "%s: does not hold: %s", end_name(e), wrong);
}
