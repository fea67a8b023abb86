#include "sync/source_impl.h"

#include "base/mem.h"
#include "wire/ids.h"

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

bool source_is_idle(const struct source *s)
{
	return s->listener.pending == 0;
}

bool source_speaks_upstream(const struct source *s)
{
	return peer_dialect(s->o.peer)->version == WIRE_UPSTREAM;
}

/* ---- entries ---------------------------------------------------------------------------------------------------- */

static struct entry *entry_new(enum object_kind kind, const char *namespace, const char *name, struct str key)
{
	size_t namespace_n = strlen(namespace) + 1, name_n = strlen(name) + 1;
	struct entry *e = mem_alloc(sizeof(*e) + key.n + namespace_n + name_n);

	if (!e)
		return NULL;
	e->kind = kind;
	e->key_n = key.n;
	memcpy(e->key, key.p, key.n);
	e->namespace = memcpy(e->key + key.n, namespace, namespace_n);
	e->name = memcpy(e->namespace + namespace_n, name, name_n);
	return e;
}

struct entry *source_entry(struct source *s, enum object_kind kind, const char *namespace, const char *name, bool make)
{
	char text[OBJECT_KEY_MAX];
	struct str key = object_key(kind, namespace, name, text);
	struct entry *e = map_get(&s->entries, key);

	if (e || !make)
		return e;
	e = entry_new(kind, namespace, name, key);
	if (!e || map_put(&s->entries, (struct str){ e->key, e->key_n }, e) != E_OK) {
		mem_free(e);
		return NULL;
	}
	list_put_last(&s->all, &e->in_all);
	return e;
}

void source_settle(struct source *s, struct entry *e)
{
	if (e->truth || e->copies)
		return;
	s->held -= e->held;
	(void)map_remove(&s->entries, (struct str){ e->key, e->key_n });
	list_remove(&e->in_all);
	list_remove(&e->in_later);
	mem_free(e);
}

/* ---- copies and commands ---------------------------------------------------------------------------------------- */

struct copy *source_copy_of(const struct entry *e, const char *uid)
{
	for (struct copy *c = e->copies; c; c = c->next)
		if (strcmp(c->uid, uid) == 0)
			return c;
	return NULL;
}

static void append(struct copy **list, struct copy *c)
{
	while (*list)
		list = &(*list)->next;
	*list = c;
}

struct copy *source_copy_add(struct source *s, struct entry *e, struct str uid)
{
	size_t name_n = strlen(e->name);
	struct copy *c = mem_alloc(sizeof(*c) + name_n + uid.n + 2);

	if (!c)
		return NULL;
	/* The resource id "<name>_<uid>" (wire/ids.h): the UID is its end. */
	memcpy(c->resource_id, e->name, name_n);
	c->resource_id[name_n] = '_';
	c->uid = c->resource_id + name_n + 1;
	memcpy(c->uid, uid.p, uid.n);
	c->entry = e;
	c->number = ++s->copied;
	if (map_get(&s->copies, str_of(c->resource_id)) || map_put(&s->copies, str_of(c->resource_id), c) != E_OK) {
		mem_free(c);
		return NULL;
	}
	append(&e->copies, c);
	return c;
}

void source_copy_drop(struct source *s, struct copy *c)
{
	struct copy **at = &c->entry->copies;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	while (c->commands)
		source_command_drop(c, c->commands);
	(void)map_remove(&s->copies, str_of(c->resource_id));
	mem_free(c->remembered);
	mem_free(c);
}

void source_command_put(struct copy *c, struct command *command)
{
	struct command **at = &c->commands;

	while (*at && (*at)->number <= command->number)
		at = &(*at)->next;
	command->next = *at;
	*at = command;
}

void source_command_drop(struct copy *c, struct command *command)
{
	struct command **at = &c->commands;

	while (*at != command)
		at = &(*at)->next;
	*at = command->next;
	blob_unref(command->message);
	mem_free(command);
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

#define OPERATION_TEXT (2 * DIGEST_SIZE)

static struct ledger_row key_row(const struct source *s, const struct copy *c)
{
	return (struct ledger_row){ .peer = str_of(s->o.name),
				    .kind = str_of(object_kind_name(c->entry->kind)),
				    .namespace = str_of(c->entry->namespace),
				    .name = str_of(c->entry->name),
				    .uid = str_of(c->uid) };
}

enum err source_write_copy(struct source *s, const struct copy *c, bool remove)
{
	struct ledger_row row = key_row(s, c);
	char operation[OPERATION_TEXT];

	s->list.known = false;
	(void)snprintf(operation, sizeof(operation), "%s %s", c->operation.text, c->terminate.text);
	row.version = str_of(c->version);
	row.desired = str_of(c->desired.text);
	row.status = str_of(c->status.text);
	row.operation = str_of(operation);
	row.bytes = str_of(c->remembered);
	return journal_add(s->o.journal, LEDGER_COPY, remove, &row);
}

enum err source_write_command(struct source *s, const struct copy *c, const struct command *command, bool remove)
{
	struct ledger_row row = key_row(s, c);
	char number[24];

	(void)snprintf(number, sizeof(number), "%llu", (unsigned long long)command->number);
	row.operation = str_of(number);
	row.version = str_of(command->event_id);
	row.bytes = blob_view(command->message);
	return journal_add(s->o.journal, LEDGER_COMMAND, remove, &row);
}

/* The copy's number, its resource id, 0, `what`. */
enum err source_tell(struct source *s, const struct copy *c, const char *what)
{
	char tag[sizeof(c->number) + 2 * DELIVERY_TEXT_MAX + 2];
	size_t id_n = strlen(c->resource_id) + 1, what_n = strlen(what), n = sizeof(c->number) + id_n + what_n;

	if (n >= sizeof(tag))
		return E_LIMIT;
	memcpy(tag, &c->number, sizeof(c->number));
	memcpy(tag + sizeof(c->number), c->resource_id, id_n);
	memcpy(tag + sizeof(c->number) + id_n, what, what_n);
	return journal_tell(s->o.journal, &s->listener, (struct str){ tag, n });
}

static bool digest_set(struct digest *ret_digest, struct str text)
{
	if (text.n >= sizeof(ret_digest->text))
		return false;
	if (text.n)
		memcpy(ret_digest->text, text.p, text.n);
	ret_digest->text[text.n] = 0;
	return true;
}

/* The entry that a row belongs to; E_MALFORMED: it is not a row of ours. */
static enum err row_entry(struct source *s, const struct ledger_row *row, struct entry **ret_entry)
{
	enum object_kind kind = object_kind_of(row->kind);
	char namespace[OBJECT_NAME_MAX + 1], name[OBJECT_NAME_MAX + 1];

	if (kind == OBJECT_KIND_COUNT || row->namespace.n > OBJECT_NAME_MAX || row->name.n > OBJECT_NAME_MAX ||
	    row->uid.n == 0 || row->uid.n > OBJECT_NAME_MAX)
		return E_MALFORMED;
	(void)snprintf(namespace, sizeof(namespace), "%.*s", STR_ARG(row->namespace));
	(void)snprintf(name, sizeof(name), "%.*s", STR_ARG(row->name));
	*ret_entry = source_entry(s, kind, namespace, name, /* make= */ true);
	return *ret_entry ? E_OK : E_NOMEM;
}

enum err source_load_copy(struct source *s, const struct ledger_row *row)
{
	struct str terminate = row->operation, operation = str_cut(&terminate, ' ');
	struct entry *e;
	struct copy *c;
	enum err err = row_entry(s, row, &e);

	if (err != E_OK)
		return err;
	c = source_copy_add(s, e, row->uid);
	if (!c)
		return E_NOMEM;
	if (row->version.n >= sizeof(c->version) || !digest_set(&c->desired, row->desired) ||
	    !digest_set(&c->status, row->status) || !digest_set(&c->operation, operation) ||
	    !digest_set(&c->terminate, terminate))
		return E_MALFORMED;
	(void)snprintf(c->version, sizeof(c->version), "%.*s", STR_ARG(row->version));
	if (row->bytes.n && !(c->remembered = str_dup(row->bytes)))
		return E_NOMEM;
	c->kept = c->offered = true;
	return E_OK;
}

enum err source_load_command(struct source *s, const struct ledger_row *row)
{
	char uid[OBJECT_NAME_MAX + 1];
	struct command *command;
	struct entry *e;
	struct copy *c;
	uint64_t number;
	enum err err = row_entry(s, row, &e);

	if (err == E_OK && !str_to_u64(row->operation, UINT64_MAX, &number)) {
		source_settle(s, e);
		err = E_MALFORMED;
	}
	if (err != E_OK)
		return err;
	(void)snprintf(uid, sizeof(uid), "%.*s", STR_ARG(row->uid));
	c = source_copy_of(e, uid);
	if (!c) { /* its object is gone */
		source_settle(s, e);
		return E_OK;
	}
	command = mem_alloc(sizeof(*command) + row->version.n + 1);
	if (!command || !(command->message = blob_new(row->bytes))) {
		mem_free(command);
		return E_NOMEM;
	}
	memcpy(command->event_id, row->version.p, row->version.n);
	command->kept = true;
	command->number = number;
	source_command_put(c, command);
	return E_OK;
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

/* What the peer may have from before, and how much of it has no object any more. What was only begun just now does not count. */
static void count_copies(const struct source *s, uint64_t *ret_copies, uint64_t *ret_missing)
{
	*ret_copies = *ret_missing = 0;
	for (struct link *l = s->all.next; l != &s->all; l = l->next) {
		const struct entry *e = ENTRY_OF(l, in_all);

		for (const struct copy *c = e->copies; c; c = c->next) {
			*ret_copies += c->offered;
			*ret_missing += c->offered && !e->truth;
		}
	}
}

static bool guard_holds(struct source *s)
{
	struct guard_case c = { .peer = s->o.name, .released = s->released };
	struct guard_verdict verdict;

	count_copies(s, &c.copies, &c.deletes);
	guard_decide(&s->o.guard, &c, &verdict);
	memcpy(s->held_text, verdict.text, sizeof(s->held_text));
	return verdict.held;
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
	bool holds = s->o.deletes && guard_holds(s);

	s->complete = true;
	for (struct link *l = s->all.next; l != &s->all; l = l->next) {
		struct entry *e = ENTRY_OF(l, in_all);

		if (holds && !e->truth && !e->gone && !e->held) {
			e->held = true;
			s->held++;
		}
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
	*ret_stats = (struct source_stats){ .copies = s->copies.n, .held = s->held };
	for (struct link *l = s->all.next; l != &s->all; l = l->next) {
		const struct entry *e = ENTRY_OF(l, in_all);

		ret_stats->objects += e->truth != NULL;
		ret_stats->behind += source_is_behind(e);
	}
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

	return c && came > c->desired_at && !c->offered_desired.open &&
	       strcmp(c->desired.text, c->entry->state.desired.text) == 0;
}

bool source_awaits_answer(const struct source *s, const struct object *truth, uint64_t came)
{
	const struct copy *c = copy_of_truth(s, truth);

	return c && source_speaks_upstream(s) && c->offered_desired.open && came > c->offered_desired.sent_at &&
	       strcmp(c->offered_desired.digest.text, c->entry->state.desired.text) == 0;
}

void source_say_again(struct source *s, const struct object *truth, uint64_t now_ms)
{
	struct copy *c = copy_of_truth(s, truth);

	if (!c || !c->entry->truth)
		return;
	c->forced = c->entry->state.desired.text[0] != 0;
	c->forced_status = c->entry->state.status.text[0] != 0;
	source_sync(s, c->entry, now_ms);
}

void source_takes_over(struct source *s, const struct object *truth, const struct source_state *state)
{
	struct copy *c = copy_of_truth(s, truth);

	if (!c)
		return;
	c->their_operation = state->operation;
	c->their_terminate = state->terminate;
}
