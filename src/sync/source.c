#include "sync/source_impl.h"

#include "base/mem.h"

struct source *source_new(const struct source_options *options)
{
	struct source *s = mem_alloc(sizeof(*s));

	if (!s)
		return NULL;
	s->o = *options;
	s->listener.on_durable = source_on_durable;
	list_init(&s->all);
	list_init(&s->later);
	return s;
}

void source_free(struct source *s)
{
	if (!s)
		return;
	while (!list_empty(&s->all)) {
		struct entry *e = ENTRY_OF(s->all.next, in_all);

		while (e->copies)
			source_copy_drop(s, e->copies);
		object_unref(TAKE(e->truth));
		source_settle(s, e);
	}
	map_release(&s->entries);
	map_release(&s->copies);
	buf_release(&s->arena);
	mem_free(s);
}

enum err source_forget(struct source *s)
{
	enum err err = E_OK;

	for (struct link *l = s->all.next; l != &s->all && err == E_OK; l = l->next)
		for (const struct copy *c = ENTRY_OF(l, in_all)->copies; c && err == E_OK; c = c->next)
			err = source_remove_rows(s, c);
	return err;
}

bool source_is_idle(const struct source *s)
{
	return s->listener.pending == 0;
}

/* ---- the truth -------------------------------------------------------------------------------------------------- */

static void unhold(struct source *s, struct entry *e)
{
	s->held -= e->held;
	e->held = false;
}

enum err source_truth(struct source *s, struct object *o, uint64_t now_ms)
{
	struct source_state state = { 0 };
	struct entry *e = source_entry(s, o->kind, o->namespace, o->name, /* make= */ true);
	enum err err = e ? s->o.rules.describe(s->o.rules.ctx, o, &state) : E_NOMEM;

	if (err == E_NOT_FOUND)
		return source_gone(s, o->kind, o->namespace, o->name, now_ms);
	if (err != E_OK) {
		if (e)
			source_settle(s, e);
		return err;
	}
	object_unref(e->truth);
	e->truth = object_ref(o);
	e->state = state;
	e->gone = false;
	s->list.known = false;
	unhold(s, e);
	source_sync(s, e, now_ms);
	return E_OK;
}

enum err source_gone(struct source *s, enum object_kind kind, const char *namespace, const char *name, uint64_t now_ms)
{
	struct entry *e = source_entry(s, kind, namespace, name, /* make= */ false);

	if (!e)
		return E_OK;
	object_unref(TAKE(e->truth));
	memset(&e->state, 0, sizeof(e->state));
	e->gone = true;
	s->list.known = false;
	source_sync(s, e, now_ms);
	return E_OK;
}

/* ---- the guard -------------------------------------------------------------------------------------------------- */

/* Of one name the peer has one copy at most, whatever was offered before. Until all is known it is what the ledger says. */
static bool may_have(const struct source *s, const struct entry *e)
{
	for (const struct copy *c = e->copies; c; c = c->next)
		if (c->offered && (s->complete || c->number <= s->loaded))
			return true;
	return false;
}

/* What the peer may have from before, and how much of it has no object any more. What was only begun just now does not count. */
static void count_copies(const struct source *s, uint64_t *ret_copies, uint64_t *ret_missing)
{
	*ret_copies = *ret_missing = 0;
	for (struct link *l = s->all.next; l != &s->all; l = l->next) {
		const struct entry *e = ENTRY_OF(l, in_all);

		*ret_copies += may_have(s, e);
		*ret_missing += may_have(s, e) && !e->truth;
	}
}

static bool guard_holds(struct source *s, struct guard_verdict *ret_verdict)
{
	struct guard_case c = { .peer = s->o.name, .released = s->released };

	count_copies(s, &c.copies, &c.deletes);
	guard_decide(&s->o.guard, &c, ret_verdict);
	return ret_verdict->held;
}

void source_hold(struct source *s, struct entry *e, const struct guard_verdict *verdict)
{
	e->held = true;
	memcpy(s->held_text, verdict->text, sizeof(s->held_text));
	if (s->held++ == 0 && s->o.on_held)
		s->o.on_held(s->o.ctx, s->held_text);
}

static void sync_all(struct source *s, uint64_t now_ms)
{
	for (struct link *l = s->all.next, *next; l != &s->all; l = next) {
		next = l->next;
		source_sync(s, ENTRY_OF(l, in_all), now_ms);
	}
}

void source_complete(struct source *s, uint64_t now_ms)
{
	struct guard_verdict verdict;
	bool holds = s->o.deletes && guard_holds(s, &verdict);

	s->complete = true;
	for (struct link *l = s->all.next; l != &s->all; l = l->next) {
		struct entry *e = ENTRY_OF(l, in_all);

		if (holds && !e->truth && !e->gone && !e->held)
			source_hold(s, e, &verdict);
	}
	sync_all(s, now_ms);
}

uint64_t source_held(const struct source *s, const char **ret_text)
{
	*ret_text = s->held_text;
	return s->held;
}

void source_release(struct source *s, uint64_t now_ms)
{
	s->released = s->held;
	for (struct link *l = s->all.next; l != &s->all; l = l->next)
		unhold(s, ENTRY_OF(l, in_all));
	s->held_text[0] = 0;
	sync_all(s, now_ms);
}

/* ---- what is asked ---------------------------------------------------------------------------------------------- */

void source_stats(const struct source *s, struct source_stats *ret_stats)
{
	*ret_stats = (struct source_stats){
		.objects = s->objects, .copies = s->copies.n, .behind = s->behind, .held = s->held
	};
}

const char *source_namespace_of(const struct source *s, enum object_kind kind, const char *said, const char *name,
				struct str uid)
{
	char id[2 * OBJECT_NAME_MAX + 2];
	const struct copy *c;

	if (uid.n == 0)
		return source_entry((struct source *)s, kind, said, name, /* make= */ false) ? said : NULL;
	if (uid.n > OBJECT_NAME_MAX)
		return NULL;
	(void)snprintf(id, sizeof(id), "%s_%.*s", name, STR_ARG(uid));
	c = map_get(&s->copies, str_of(id));
	return c && c->entry->kind == kind ? c->entry->namespace : NULL;
}

static struct copy *copy_of_truth(const struct source *s, const struct object *truth)
{
	const struct entry *e = source_entry((struct source *)s, truth->kind, truth->namespace, truth->name,
					     /* make= */ false);

	return e ? source_copy_of(e, truth->uid) : NULL;
}

const char *source_known_operation(const struct source *s, const struct object *truth, uint64_t came)
{
	const struct copy *c = copy_of_truth(s, truth);

	return c && !c->commands && came > c->operation_at ? c->operation.text : "";
}

bool source_knows_desired(const struct source *s, const struct object *truth, uint64_t came)
{
	const struct copy *c = copy_of_truth(s, truth);

	return c && came > c->desired_at && !(c->offered_desired && c->offered_desired->open) &&
	       digest_eq(&c->desired, &c->entry->state.desired);
}

bool source_awaits_answer(const struct source *s, const struct object *truth, uint64_t came)
{
	const struct copy *c = copy_of_truth(s, truth);
	const struct offer *offered = c ? c->offered_desired : NULL;

	return offered && peer_speaks_upstream(s->o.peer) && offered->open && came > offered->sent_at &&
	       digest_eq(&offered->digest, &c->entry->state.desired);
}

void source_say_again(struct source *s, const struct object *truth, uint64_t now_ms)
{
	struct copy *c = copy_of_truth(s, truth);

	if (!c || !c->entry->truth)
		return;
	source_copy_force(c);
	source_sync(s, c->entry, now_ms);
}

bool source_has_told_nothing(const struct source *s, enum object_kind kind, const char *namespace, const char *name,
			     uint64_t came)
{
	return peer_requests(s->o.peer) == 0 && came > s->answered_at &&
	       !source_entry((struct source *)s, kind, namespace, name, /* make= */ false);
}

bool source_knows(const struct source *s, const struct object *truth)
{
	return copy_of_truth(s, truth) != NULL;
}

/* The report may be late, for want of memory: until then this is the truth. */
static void take_over(struct digest *recorded, struct digest *truth, const struct digest *said)
{
	if (said)
		*recorded = *truth = *said;
}

void source_takes_over(struct source *s, const struct object *truth, const struct digest *operation,
		       const struct digest *terminate)
{
	struct copy *c = copy_of_truth(s, truth);

	if (!c)
		return;
	take_over(&c->operation, &c->entry->state.operation, operation);
	take_over(&c->terminate, &c->entry->state.terminate, terminate);
	(void)source_write_copy(s, c, /* remove= */ false); /* without memory it may be sent after a restart */
}
