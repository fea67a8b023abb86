#include <stdio.h>

#include "base/mem.h"
#include "sync/source_impl.h"

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
	char operation[2 * DIGEST_SIZE], status[DIGEST_SIZE + sizeof(c->status_version)];

	s->list.known &= source_copy_is_learned(c); /* it lists what was confirmed */
	(void)snprintf(operation, sizeof(operation), "%s %s", c->operation.text, c->terminate.text);
	(void)snprintf(status, sizeof(status), "%s %s", c->status.text, c->status_version);
	row.version = str_of(c->version);
	row.desired = str_of(c->desired.text);
	row.status = str_of(status);
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

enum err source_remove_rows(struct source *s, const struct copy *c)
{
	enum err err = source_write_copy(s, c, /* remove= */ true);

	for (const struct command *command = c->commands; command && err == E_OK; command = command->next)
		err = source_write_command(s, c, command, /* remove= */ true);
	return err;
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
	memcpy(tag + sizeof(c->number) + id_n, what, what_n + 1);
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

static enum err take_row(struct source *s, struct copy *c, const struct ledger_row *row)
{
	struct str terminate = row->operation, operation = str_cut(&terminate, ' ');
	struct str status_version = row->status, status = str_cut(&status_version, ' ');
	char version[sizeof(c->version)];

	if (row->version.n >= sizeof(c->version) || !digest_set(&c->desired, row->desired) ||
	    !digest_set(&c->status, status) || !digest_set(&c->operation, operation) ||
	    !digest_set(&c->terminate, terminate))
		return E_MALFORMED;
	str_copy(status_version, c->status_version, sizeof(c->status_version));
	(void)snprintf(version, sizeof(version), "%.*s", STR_ARG(row->version));
	source_copy_version(s, c, version);
	if (row->bytes.n && !(c->remembered = str_dup(row->bytes)))
		return E_NOMEM;
	c->kept = c->offered = c->recalled = true;
	s->loaded = c->number;
	return E_OK;
}

/* A row that makes no sense leaves nothing behind: a copy that is never kept would hold its object back. */
enum err source_load_copy(struct source *s, const struct ledger_row *row)
{
	struct entry *e;
	struct copy *c;
	enum err err = row_entry(s, row, &e);

	if (err != E_OK)
		return err;
	c = source_copy_add(s, e, row->uid);
	err = c ? take_row(s, c, row) : E_NOMEM;
	if (c && err != E_OK)
		source_copy_drop(s, c);
	source_settle(s, e);
	return err;
}

enum err source_load_command(struct source *s, const struct ledger_row *row)
{
	char uid[OBJECT_NAME_MAX + 1];
	struct command *command;
	struct entry *e;
	struct copy *c;
	uint64_t number;
	enum err err = E_MALFORMED;

	if (str_to_u64(row->operation, UINT64_MAX, &number))
		err = row_entry(s, row, &e);
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
	source_settle(s, e);
	return E_OK;
}
