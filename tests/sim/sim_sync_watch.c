#include <stdio.h>

#include "backend/apply.h"
#include "base/mem.h"
#include "sim_sync.h"
#include "sync/graft.h"
#include "wire/convert.h"
#include "wire/ids.h"

/* ---- what leaves ---------------------------------------------------------------------------------------------------- */

/* What was confirmed last of a part of a resource. */
struct seen {
	char *key;
	char *event_id;
	uint64_t life; /* of the process that heard it */
};

static char *seen_key(struct end *e, struct agent *a, struct str resource_id, bool status)
{
	return sim_text(e->sim, "%s|%s|%.*s|%d", end_name(e), a->name, STR_ARG(resource_id), status);
}

static void seen_drop(struct sim *s, char *key)
{
	struct seen *seen = map_remove(&s->confirmed, str_of(key));

	if (seen) {
		mem_free(seen->key);
		mem_free(seen->event_id);
		mem_free(seen);
	}
	mem_free(key);
}

void watch_answer(struct end *e, struct agent *a, const struct peer_heard *heard)
{
	struct sim *s = e->sim;
	bool status = heard->type == DELIVERY_STATUS;
	struct seen *seen;

	if (heard->what != PEER_ANSWERED || heard->effect != OUTBOX_CONFIRMED || heard->type == DELIVERY_COMMAND ||
	    heard->type == DELIVERY_REQUEST)
		return;
	seen_drop(s, seen_key(e, a, heard->resource_id, status));
	if (heard->type == DELIVERY_DELETE) {
		seen_drop(s, seen_key(e, a, heard->resource_id, true));
		return;
	}
	seen = sim_alloc(s, sizeof(*seen));
	*seen = (struct seen){ .key = seen_key(e, a, heard->resource_id, status),
			       .event_id = sim_text(s, "%.*s", STR_ARG(heard->event_id)),
			       .life = e->life };
	if (map_put(&s->confirmed, str_of(seen->key), seen) != E_OK)
		sim_broken(s, "no memory");
}

/* Nothing that was confirmed goes again. */
static void check_again(struct end *from, struct agent *a, const struct wire_event *e)
{
	char *key = seen_key(from, a, e->resource_id, e->type == WIRE_STATUS_UPDATE);
	struct seen *seen = map_get(&from->sim->confirmed, str_of(key));

	if (seen && !a->moved && seen->life == from->life && str_is(e->event_id, seen->event_id))
		sim_broken(from->sim, "%s sends %.*s to %s again, which was confirmed", end_name(from),
			   STR_ARG(e->event_id), a->name);
	mem_free(key);
}

/* Whatever was ever offered can be deleted after a crash: its row is durable. */
static void check_row(struct end *from, const struct wire_event *e, struct str uid)
{
	bool command = wire_delivered_as(e->type) == DELIVERY_COMMAND;

	if (!disk_has(&from->disk, LEDGER_COPY, NULL, uid))
		sim_broken(from->sim, "%s: %.*s leaves before its copy is durable", end_name(from),
			   STR_ARG(e->event_id));
	if (command && !disk_has(&from->disk, LEDGER_COMMAND, NULL, uid))
		sim_broken(from->sim, "%s: the command %.*s leaves before it is durable", end_name(from),
			   STR_ARG(e->event_id));
}

/* What an agent has of an object that is gone, under "<agent>|<uid>". */
struct held {
	char *key;
	enum object_kind kind;
	char namespace[64], name[64];
	bool over; /* there was another of this name since: what was before it may go */
};

static const struct held *held_of(struct sim *s, const struct agent *a, struct str uid)
{
	char *key = sim_text(s, "%s|%.*s", a->name, STR_ARG(uid));
	const struct held *held = map_get(&s->held, str_of(key));

	mem_free(key);
	return held;
}

void watch_edit(struct sim *s, const struct object *o)
{
	const struct map_entry *entry;
	size_t at = 0;

	while ((entry = map_next(&s->held, &at))) {
		struct held *held = entry->value;

		held->over |= held->kind == o->kind && strcmp(held->namespace, o->namespace) == 0 &&
			      strcmp(held->name, o->name) == 0;
	}
}

static void check_held(struct end *from, const struct agent *a, const struct wire_event *e, struct str uid)
{
	const struct held *held = from->agent || e->type != WIRE_DELETE ? NULL : held_of(from->sim, a, uid);

	if (held && !held->over && disk_has(&from->disk, LEDGER_COPY, a->name, uid))
		sim_broken(from->sim, "the delete of %.*s leaves for %s although the guard must hold it",
			   STR_ARG(e->resource_id), a->name);
}

static bool is_talk(const struct wire_event *e)
{
	return e->target == WIRE_TO_ACK || e->type == WIRE_SYNCED_LIST_REQUEST || e->type == WIRE_PING;
}

void watch_message(struct end *from, struct agent *a, struct str message)
{
	struct sim *s = from->sim;
	struct wire_event e;
	struct wire_id id;
	struct why why;

	if (wire_event_decode(message, &e, &why) != E_OK)
		sim_broken(s, "%s sends what cannot be read: %s", end_name(from), why.text);
	if (s->silent && !is_talk(&e))
		sim_broken(s, "%s says %s %.*s although everything is said", end_name(from), wire_type_name(e.type),
			   STR_ARG(e.event_id));
	if (!wire_is_object(&e) || e.target == WIRE_TO_ACK || !wire_resource_id_parse(e.resource_id, &id))
		return;
	/* That something is gone here is said in the words of who asked: with its UID. */
	if (from->agent && e.type == WIRE_DELETE && str_starts(id.uid, (struct str)STR(PRINCIPAL_UIDS)))
		return;
	check_held(from, a, &e, id.uid);
	check_row(from, &e, id.uid);
	if (e.type == WIRE_CREATE || e.type == WIRE_SPEC_UPDATE || e.type == WIRE_STATUS_UPDATE)
		check_again(from, a, &e);
}

/* ---- what is written -------------------------------------------------------------------------------------------------- */

static bool same_spec(const struct object *a, const struct object *b)
{
	json_object *left = object_tree(a), *right = object_tree(b);
	bool same = graft_same(tree_get(left, "spec", NULL), tree_get(right, "spec", NULL));

	json_object_put(left);
	json_object_put(right);
	return same;
}

static bool is_deleting(const struct object *o)
{
	json_object *tree = object_tree(o);
	bool deleting = apply_is_going(tree);

	json_object_put(tree);
	return deleting;
}

static bool is_held(const struct object *o)
{
	json_object *tree = object_tree(o);
	bool held = apply_is_held(tree);

	json_object_put(tree);
	return held;
}

/* It takes effect only on what was seen when it was decided. */
static bool would_hit(const struct backend_write *w, const struct object *there)
{
	return there && (!w->expect_uid || strcmp(w->expect_uid, there->uid) == 0) &&
	       (!w->expect_version || strcmp(w->expect_version, there->version) == 0);
}

static void check_delete(struct end *e, const struct object *there)
{
	struct sim *s = e->sim;
	struct story *story = there->source_uid[0] ? story_of(s, there->source_uid) : NULL;

	if (!there->source_uid[0] && e->agent && !is_deleting(there))
		sim_broken(s, "%s deletes %s, which came from nowhere else", end_name(e), there->name);
	if (!there->source_uid[0] && !is_deleting(there))
		sim_broken(s, "principal: an agent deletes %s, which is wanted", there->name);
	if (story && !story->unwanted && !is_deleting(there))
		sim_broken(s, "%s: %s is deleted, but its original is alive (UID %s)", end_name(e), there->name,
			   there->source_uid);
}

/* Then nothing holds it any more, and it goes. */
static bool takes_the_last_finalizer(const struct backend_write *w, const struct object *there)
{
	return w->verb == BACKEND_PUT && is_deleting(there) && is_held(there) && !is_held(w->object);
}

static const char *member_text(json_object *tree, const char *a, const char *b, const char *c)
{
	json_object *value = tree_get(tree, a, b, c, NULL);

	return value ? json_object_get_string(value) : "";
}

/* Controllers sign the status: what another agent signed must not come into an application of this one. */
static void check_signature(struct end *e, const struct object *o, const struct object *there)
{
	json_object *new = object_tree(o), *old = object_tree(there);
	const char *by = member_text(new, "status", "by", NULL);
	const char *owner = e->sim->by_destination ? member_text(old, "spec", "destination", "name") : there->namespace;

	if (by[0] && !e->sim->moody && strcmp(by, owner) != 0 &&
	    strcmp(by, member_text(old, "status", "by", NULL)) != 0)
		sim_broken(e->sim, "principal: %s writes the status of %s/%s, which is %s's", by, there->namespace,
			   there->name, owner);
	json_object_put(new);
	json_object_put(old);
}

/*
 * A memory that is older than the copy, since it was restored, or since a crash came between the copy and its row, puts back what
 * it remembers, another object: what was asked of the copy of this one ends with it. Nothing else turns the copy of what is alive
 * into that of something else.
 */
static void check_identity(struct end *e, const struct object *o, const struct object *there)
{
	struct story *story = story_of(e->sim, there->source_uid);

	if (!story || story->unwanted || strcmp(o->source_uid, there->source_uid) == 0)
		return;
	if (e->life == 0)
		sim_broken(e->sim, "%s: %s becomes the copy of %s, but its original is alive (UID %s)", end_name(e),
			   there->name, o->source_uid, there->source_uid);
	story->closed = true;
}

/*
 * An agent keeps what its own people asked of a copy when the copy becomes that of another object (argocd-agent facts 4.5, "Managed,
 * P->A write"): the operation of the one is then executed on the other.
 */
static void note_inherited(struct end *e, const struct object *o, const struct object *there)
{
	json_object *tree = object_tree(o);
	struct story *story = story_of(e->sim, o->source_uid);

	if (e->agent && story && strcmp(o->source_uid, there->source_uid) != 0 && tree_get(tree, "operation", NULL))
		story->closed = true;
	json_object_put(tree);
}

void watch_write(struct end *e, const struct backend_write *w)
{
	const struct object *o = w->object;
	const struct object *there = memory_store_get(e->store, o->kind, o->namespace, o->name);

	if (o->kind != OBJECT_APPLICATION || !would_hit(w, there))
		return;
	if (w->verb == BACKEND_PUT) {
		check_identity(e, o, there);
		note_inherited(e, o, there);
	}
	if (w->verb == BACKEND_DELETE || takes_the_last_finalizer(w, there))
		check_delete(e, there);
	else if (w->verb == BACKEND_STATUS && !e->agent)
		check_signature(e, o, there);
	else if (w->verb == BACKEND_PUT && !there->source_uid[0] && !e->sim->moody && !same_spec(o, there))
		sim_broken(e->sim, "%s: the spec of %s, an original, is changed by its copy", end_name(e), there->name);
}

/*
 * Mapped by namespace an agent can name nothing but its own; by destination every write is looked at. What was under way when the agent
 * came in another mode ends in the former.
 */
void watch_applied(struct agent *a, enum agent_mode mode, const struct replica_place *place,
		   enum delivery_outcome outcome)
{
	struct sim *s = a->end.sim;

	if (place->kind != OBJECT_APPLICATION || outcome != DELIVERY_APPLIED)
		return;
	if ((!s->by_destination || mode == AGENT_AUTONOMOUS) && strcmp(place->namespace, a->name) != 0)
		sim_broken(s, "%s acted in %s", a->name, place->namespace);
}

/* ---- the guard --------------------------------------------------------------------------------------------------------- */

void watch_guard_released(struct sim *s)
{
	const struct map_entry *entry;
	size_t at = 0;

	while ((entry = map_next(&s->held, &at))) {
		mem_free(((struct held *)entry->value)->key);
		mem_free(entry->value);
	}
	map_release(&s->held);
}

/* A row about a copy of this agent; is its object still there? */
static bool read_row(struct sim *s, const struct agent *a, const struct disk_row *row, struct held *ret_held,
		     bool *ret_there)
{
	if (row->table != LEDGER_COPY || !str_is(row->row.peer, a->name))
		return false;
	*ret_held = (struct held){ .kind = object_kind_of(row->row.kind) };
	(void)snprintf(ret_held->namespace, sizeof(ret_held->namespace), "%.*s", STR_ARG(row->row.namespace));
	(void)snprintf(ret_held->name, sizeof(ret_held->name), "%.*s", STR_ARG(row->row.name));
	*ret_there = memory_store_get(s->principal.store, ret_held->kind, ret_held->namespace, ret_held->name);
	return true;
}

static void hold(struct sim *s, const struct agent *a, const struct disk_row *row, const struct held *what)
{
	struct held *held = sim_alloc(s, sizeof(*held));

	*held = *what;
	held->key = sim_text(s, "%s|%.*s", a->name, STR_ARG(row->row.uid));
	if (map_put(&s->held, str_of(held->key), held) != E_OK)
		sim_broken(s, "no memory");
}

/* An agent has one copy of a name at most, whatever rows of former ones are there. */
static bool is_first_of_its_name(struct sim *s, const struct agent *a, const struct disk_row *row,
				 const struct held *what)
{
	const struct map_entry *entry;
	size_t at = 0;
	struct held held;
	bool there;

	while ((entry = map_next(&s->principal.disk.rows, &at)) && entry->value != row)
		if (read_row(s, a, entry->value, &held, &there) && held.kind == what->kind &&
		    strcmp(held.namespace, what->namespace) == 0 && strcmp(held.name, what->name) == 0)
			return false;
	return true;
}

/* Names are counted as the guard's limits say: of what an agent has, too much is missing. */
static bool must_hold(struct sim *s, const struct agent *a)
{
	const struct map_entry *entry;
	size_t at = 0, copies = 0, missing = 0;
	struct held held;
	bool there;

	while ((entry = map_next(&s->principal.disk.rows, &at)))
		if (read_row(s, a, entry->value, &held, &there) && is_first_of_its_name(s, a, entry->value, &held)) {
			copies++;
			missing += !there;
		}
	if (missing < 4 || missing * 100 <= copies * 50)
		return false;
	sim_trace(s, "principal the guard must hold %zu of %zu of %s", missing, copies, a->name);
	return true;
}

/* The principal saw it go before it knew all: that is for the guard no more than any other deletion. */
void watch_seen_gone(struct sim *s, const struct object *o)
{
	if (s->seen_gone_n < ARRAY_LEN(s->seen_gone))
		s->seen_gone[s->seen_gone_n++] = object_ref((struct object *)o);
}

static void forget_seen_gone(struct sim *s)
{
	while (s->seen_gone_n)
		object_unref(s->seen_gone[--s->seen_gone_n]);
}

static bool was_seen_gone(const struct sim *s, const struct held *held)
{
	for (size_t i = 0; i < s->seen_gone_n; i++) {
		const struct object *o = s->seen_gone[i];

		if (o->kind == held->kind && strcmp(o->namespace, held->namespace) == 0 &&
		    strcmp(o->name, held->name) == 0)
			return true;
	}
	return false;
}

static void expect_held(struct sim *s, const struct agent *a)
{
	const struct map_entry *entry;
	struct held held;
	size_t at = 0;
	bool there;

	while ((entry = map_next(&s->principal.disk.rows, &at)))
		if (read_row(s, a, entry->value, &held, &there) && !there && !was_seen_gone(s, &held))
			hold(s, a, entry->value, &held);
}

void watch_guard(struct sim *s)
{
	watch_guard_released(s);
	for (int i = 0; i < SIM_AGENTS && !s->healed; i++)
		if (s->agents[i].mode == AGENT_MANAGED && must_hold(s, &s->agents[i]))
			expect_held(s, &s->agents[i]);
	forget_seen_gone(s);
}

/* ---- operations -------------------------------------------------------------------------------------------------------- */

void watch_executed(struct agent *a, const struct object *app, uint64_t op)
{
	struct sim *s = a->end.sim;
	struct story *story = story_about(s, app);

	sim_trace(s, "%-9s executes operation %llu of %s", a->name, (unsigned long long)op, app->name);
	if (story->op == op) {
		story->executed++;
		story->outstanding = false;
	} else if (s->crashes) {
		story->closed =
			true; /* asked for again by a memory that was lost: it took the place of the newer one */
	}
	if (story->closed)
		return;
	if (story->op != op && s->calm)
		sim_broken(s, "%s: operation %llu of %s is executed again, after %llu", a->name, (unsigned long long)op,
			   app->name, (unsigned long long)story->op);
	if (story->op == op && story->executed > 1 && s->crashes == story->op_crashes)
		sim_broken(s, "%s: operation %llu of %s is executed %u times", a->name, (unsigned long long)op,
			   app->name, story->executed);
}

void watch_release(struct sim *s)
{
	const struct map_entry *entry;
	size_t at = 0;

	while ((entry = map_next(&s->confirmed, &at))) {
		struct seen *seen = entry->value;

		mem_free(seen->key);
		mem_free(seen->event_id);
		mem_free(seen);
	}
	map_release(&s->confirmed);
	watch_guard_released(s);
	forget_seen_gone(s);
}
