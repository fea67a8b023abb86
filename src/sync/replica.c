#include "sync/replica_impl.h"

#include "base/mem.h"
#include "base/seed.h"
#include "wire/ids.h"

struct replica *replica_new(const struct replica_options *options)
{
	struct replica *r = mem_alloc(sizeof(*r));

	if (!r)
		return NULL;
	r->o = *options;
	r->seed = options->seed;
	r->listener.on_durable = replica_on_durable;
	return r;
}

static void run_until(struct replica *r, uint64_t due_ms)
{
	struct heap_node *node;

	while ((node = heap_first(&r->retries)) && node->key <= due_ms) {
		heap_remove(&r->retries, node);
		replica_drift(CONTAINER_OF(node, struct slot, retry));
	}
}

void replica_stop(struct replica *r)
{
	r->stopping = true;
	run_until(r, UINT64_MAX); /* what waits for something waits no longer: perhaps nobody runs it again */
}

bool replica_is_idle(const struct replica *r)
{
	return r->stats.busy == 0 && r->listener.pending == 0;
}

static void applied_release(struct applied *a)
{
	mem_free(a->state);
	mem_free(a->status);
	mem_free(a->commands);
	*a = (struct applied){ 0 };
}

static void slot_free(struct slot *s)
{
	struct link *first;

	while ((first = list_first(&s->waiting))) {
		list_remove(first);
		replica_job_free(CONTAINER_OF(first, struct job, in_slot));
	}
	replica_job_free(s->job);
	room_set(s->replica->o.room, &s->share, (struct room_share){ 0 });
	heap_remove(&s->replica->retries, &s->retry);
	object_unref(s->local);
	object_unref(s->last);
	object_unref(s->record.object);
	mem_free(s->made);
	mem_free(s->wanted);
	applied_release(&s->applied);
	mem_free(s);
}

void replica_free(struct replica *r)
{
	const struct map_entry *e;
	size_t at = 0;

	if (!r)
		return;
	while ((e = map_next(&r->slots, &at)))
		slot_free(e->value);
	map_release(&r->slots);
	heap_release(&r->retries);
	mem_free(r);
}

enum err replica_forget(struct replica *r)
{
	const struct map_entry *e;
	size_t at = 0;
	enum err err = E_OK;

	while (err == E_OK && (e = map_next(&r->slots, &at))) {
		struct slot *s = e->value;
		if (!s->recorded && !s->unsaved)
			continue;
		s->recorded = false;
		err = replica_write_row(s);
		s->unsaved = err != E_OK;
	}
	return err;
}

uint64_t replica_random(struct replica *r)
{
	return seed_next(&r->seed);
}

/* ---- slots ------------------------------------------------------------------------------------------------------ */

static struct slot *slot_new(struct replica *r, const struct replica_place *place, struct str key)
{
	size_t namespace_n = strlen(place->namespace) + 1, name_n = strlen(place->name) + 1;
	struct slot *s = mem_alloc(sizeof(*s) + key.n + namespace_n + name_n);

	if (!s)
		return NULL;
	s->replica = r;
	s->kind = place->kind;
	s->backoff = (struct backoff){ .base_ms = 100, .factor = 2, .cap_ms = 60000 };
	list_init(&s->waiting);
	s->key_n = key.n;
	memcpy(s->key, key.p, key.n);
	s->namespace = memcpy(s->key + key.n, place->namespace, namespace_n);
	s->name = memcpy(s->namespace + namespace_n, place->name, name_n);
	return s;
}

struct slot *replica_slot(struct replica *r, const struct replica_place *place, bool make)
{
	char text[OBJECT_KEY_MAX];
	struct str key = object_key(place->kind, place->namespace, place->name, text);
	struct slot *s = map_get(&r->slots, key);

	if (s || !make)
		return s;
	s = slot_new(r, place, key);
	if (!s)
		return NULL;
	/* Room for its retry now, so that starting the timer cannot fail. */
	if (heap_reserve(&r->retries, r->slots.n + 1) != E_OK ||
	    map_put(&r->slots, (struct str){ s->key, s->key_n }, s) != E_OK) {
		mem_free(s);
		return NULL;
	}
	return s;
}

void replica_settle(struct slot *s)
{
	if (s->local || s->recorded || s->unsaved || s->job || !list_empty(&s->waiting))
		return;
	(void)map_remove(&s->replica->slots, (struct str){ s->key, s->key_n });
	slot_free(s);
}

bool replica_place_set(struct replica_place *ret_place, enum object_kind kind, struct str namespace, struct str name)
{
	if (kind == OBJECT_KIND_COUNT || namespace.n > OBJECT_NAME_MAX || name.n == 0 || name.n > OBJECT_NAME_MAX)
		return false;
	*ret_place = (struct replica_place){ .kind = kind };
	memcpy(ret_place->namespace, namespace.p ? namespace.p : "", namespace.n);
	memcpy(ret_place->name, name.p, name.n);
	return true;
}

static struct replica_place place_of(const struct object *o)
{
	struct replica_place place;

	(void)replica_place_set(&place, o->kind, str_of(o->namespace), str_of(o->name));
	return place;
}

struct replica_place replica_place_of(const struct slot *s)
{
	struct replica_place place;

	(void)replica_place_set(&place, s->kind, str_of(s->namespace), str_of(s->name));
	return place;
}

void replica_recovered(struct replica *r)
{
	if (r->turned_away && peer_again(r->o.peer) == E_OK)
		r->turned_away = false;
}

/* ---- what the backend reports ----------------------------------------------------------------------------------- */

enum err replica_local(struct replica *r, struct object *o, uint64_t now_ms)
{
	struct replica_place place = place_of(o);
	struct slot *s = replica_slot(r, &place, /* make= */ true);

	if (!s)
		return E_NOMEM;
	r->now_ms = now_ms;
	s->settled = s->settled && s->local == o;
	object_ref(o);
	object_unref(s->local);
	s->local = o;
	s->missing = false;
	replica_weigh(s);
	replica_drift(s);
	return E_OK;
}

/* Without an object to make again, the row only says what was applied to one that is gone. */
static void forget_ids(struct slot *s)
{
	if (!s->recorded || s->record.object || s->job)
		return;
	s->recorded = false;
	s->replica->stats.records--;
	(void)replica_write_row(s); /* without memory it goes the next time */
}

static void tell_out_of_the_way(struct slot *s)
{
	CLEANUP(mem_freep) char *wanted = TAKE(s->wanted);
	struct str name = str_of(wanted), namespace = str_cut(&name, '/');
	const struct replica_events *events = &s->replica->o.events;

	if (wanted)
		events->on_out_of_the_way(events->ctx, s->kind, namespace, name);
}

void replica_local_gone(struct replica *r, struct object *last, uint64_t now_ms)
{
	struct replica_place place = place_of(last);
	struct slot *s = replica_slot(r, &place, /* make= */ false);

	if (!s || (s->local && strcmp(s->local->uid, last->uid) != 0))
		return;
	r->now_ms = now_ms;
	object_unref(TAKE(s->local));
	object_unref(s->last);
	s->last = object_ref(last);
	s->missing = r->complete;
	tell_out_of_the_way(s);
	forget_ids(s);
	replica_weigh(s);
	replica_drift(s);
}

void replica_complete(struct replica *r, uint64_t now_ms)
{
	const struct map_entry *e;
	size_t at = 0;

	r->complete = true;
	r->now_ms = now_ms;
	while ((e = map_next(&r->slots, &at))) {
		struct slot *s = e->value;

		s->missing = !s->local;
		if (s->missing)
			forget_ids(s);
		if (s->recorded && !s->job)
			replica_drift(s); /* a slot with a record stays: the map does not change */
		else if (s->missing && !s->job && !heap_holds(&s->retry))
			(void)heap_put(&r->retries, &s->retry, now_ms); /* it goes when nobody walks the map */
	}
}

const struct object *replica_object(const struct replica *r, const struct replica_place *place)
{
	const struct slot *s = replica_slot((struct replica *)r, place, /* make= */ false);

	return s ? s->local : NULL;
}

bool replica_made_untold(const struct replica *r, const struct object *o)
{
	struct replica_place place = place_of(o);
	const struct slot *s = replica_slot((struct replica *)r, &place, /* make= */ false);

	return s && s->job && s->job->plan.untold && s->job->step == s->job->plan.step_count &&
	       !replica_job_is_overtaken(s->job, o);
}

/* ---- events ----------------------------------------------------------------------------------------------------- */

static void answer(struct replica *r, struct inbox_work *work, const struct replica_place *place, bool retryable,
		   const char *reason)
{
	r->stats.refused++;
	r->o.events.on_applied(r->o.events.ctx, &work->event, place, DELIVERY_REJECTED, retryable, reason);
	peer_done(r->o.peer, work, DELIVERY_REJECTED, retryable, str_of(reason));
}

void replica_apply(struct replica *r, struct inbox_work *work, const struct wire_event *e, uint64_t now_ms)
{
	struct replica_place place = { .kind = OBJECT_KIND_COUNT };
	json_object *incoming = NULL;
	struct slot *s = NULL;
	struct job *j = NULL;
	struct why why = { 0 };
	enum err err = r->o.rules.locate(r->o.rules.ctx, e, &place, &incoming, &why);

	r->now_ms = now_ms;
	if (err == E_OK && (!(s = replica_slot(r, &place, /* make= */ true)) || !(j = mem_alloc(sizeof(*j)))))
		err = why_set(&why, E_NOMEM, "apply");
	if (!j || r->stopping) {
		answer(r, work, &place, err == E_OK || err == E_NOMEM, err == E_OK ? "stopping" : why.text);
		json_object_put(incoming);
		mem_free(j);
		if (s)
			replica_settle(s);
		return;
	}
	j->slot = s;
	j->work = work;
	j->event = *e;
	j->incoming = incoming;
	replica_job_start(j);
}

bool replica_next(const struct replica *r, const void **cursor, struct replica_place *ret_place,
		  const struct replica_record **ret_record)
{
	size_t at = (size_t)(uintptr_t)*cursor;
	const struct map_entry *e;

	while ((e = map_next(&r->slots, &at))) {
		const struct slot *s = e->value;

		if (!s->recorded)
			continue;
		*cursor = (const void *)(uintptr_t)at;
		*ret_place = replica_place_of(s);
		*ret_record = &s->record;
		return true;
	}
	return false;
}

struct str replica_applied_version(const struct slot *s)
{
	struct str rest = str_of(s->applied.state), line = str_cut(&rest, '\n');
	struct wire_id id;

	(void)str_cut(&line, '\t');
	(void)str_cut(&line, '\t');
	return wire_event_id_parse(line, &id) ? id.version : (struct str){ 0 };
}

static enum err says_so(const struct slot *s)
{
	const struct replica_rules *rules = &s->replica->o.rules;
	bool is = false;
	enum err err = E_OK;

	if (!s->job && s->local && rules->is_copy)
		err = rules->is_copy(rules->ctx, s->local, &is);
	return err == E_OK && !is ? E_NOT_FOUND : err;
}

static enum err copy_of(const struct slot *s, struct replica_copy *ret_copy)
{
	bool recorded = s->recorded && s->record.object;
	enum err err = recorded ? E_OK : says_so(s);

	if (err != E_OK)
		return err;
	*ret_copy = (struct replica_copy){ .place = replica_place_of(s),
					   .object = s->local ? s->local : s->record.object,
					   .source_uid = recorded ? s->record.object->source_uid : s->local->source_uid,
					   .recorded = recorded };
	if (recorded)
		ret_copy->version = replica_applied_version(s);
	return E_OK;
}

enum err replica_copy(const struct replica *r, const struct replica_place *place, struct replica_copy *ret_copy)
{
	const struct slot *s = replica_slot((struct replica *)r, place, /* make= */ false);

	return s ? copy_of(s, ret_copy) : E_NOT_FOUND;
}

enum err replica_next_copy(const struct replica *r, const void **cursor, struct replica_copy *ret_copy)
{
	size_t at = (size_t)(uintptr_t)*cursor;
	const struct map_entry *e;
	enum err err = E_NOT_FOUND;

	while (err == E_NOT_FOUND && (e = map_next(&r->slots, &at)))
		err = copy_of(e->value, ret_copy);
	*cursor = (const void *)(uintptr_t)at;
	return err;
}

void replica_run(struct replica *r, uint64_t now_ms)
{
	r->now_ms = now_ms;
	run_until(r, now_ms);
}

uint64_t replica_due(const struct replica *r)
{
	const struct heap_node *node = heap_first(&r->retries);

	return node ? node->key : UINT64_MAX;
}

void replica_stats(const struct replica *r, struct replica_stats *ret_stats)
{
	*ret_stats = r->stats;
	ret_stats->slots = r->slots.n;
}
