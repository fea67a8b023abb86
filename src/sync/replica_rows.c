#include "sync/replica_impl.h"

#include "base/mem.h"
#include "sync/marks.h"

/* ---- what was applied ------------------------------------------------------------------------------------------- */

static bool fits_a_line(struct str s)
{
	return str_find(s, '\t') == s.n && str_find(s, '\n') == s.n;
}

/* Without the oldest line of `REPLICA_COMMANDS`. */
static struct str newest_lines(const char *text)
{
	struct str rest = str_of(text);
	size_t lines = 0;

	for (size_t i = 0; i < rest.n; i++)
		lines += rest.p[i] == '\n';
	for (; lines >= REPLICA_COMMANDS; lines--)
		(void)str_cut(&rest, '\n');
	return rest;
}

static enum err note_id(char **text, struct str keep, const struct delivery_event *e)
{
	struct buf line = { 0 };

	buf_str(&line, keep);
	buf_str(&line, str_of(delivery_type_name(e->type)));
	buf_char(&line, '\t');
	buf_str(&line, e->resource_id);
	buf_char(&line, '\t');
	buf_str(&line, e->event_id);
	buf_char(&line, '\n');
	char *copy = line.err == E_OK ? str_dup(buf_view(&line)) : NULL;

	buf_release(&line);
	if (!copy)
		return E_NOMEM;
	mem_free(*text);
	*text = copy;
	return E_OK;
}

enum err replica_note(struct slot *s, const struct delivery_event *e)
{
	struct str none = { 0 };

	if (!fits_a_line(e->resource_id) || !fits_a_line(e->event_id))
		return E_OK; /* it will be applied again, which changes nothing */
	if (e->type == DELIVERY_STATUS)
		return note_id(&s->applied.status, none, e);
	if (e->type == DELIVERY_COMMAND)
		return note_id(&s->applied.commands, newest_lines(s->applied.commands), e);
	return note_id(&s->applied.state, none, e);
}

/* ---- the row ------------------------------------------------------------------------------------------------------ */

enum err replica_write_row(struct slot *s)
{
	const struct object *object = s->record.object;
	struct ledger_row row = { .peer = str_of(s->replica->o.name),
				  .kind = str_of(object_kind_name(s->kind)),
				  .namespace = str_of(s->namespace),
				  .name = str_of(s->name),
				  .uid = str_of(object ? object->source_uid : NULL),
				  .version = str_of(s->applied.state),
				  .status = str_of(s->applied.status),
				  .operation = str_of(s->applied.commands),
				  .bytes = blob_view(object ? object->json : NULL) };

	return journal_add(s->replica->o.journal, LEDGER_REPLICA, !s->recorded, &row);
}

static enum err keep_text(char **to, struct str text)
{
	*to = text.n ? str_dup(text) : NULL;
	return *to || !text.n ? E_OK : E_NOMEM;
}

/* "type<tab>resource id<tab>event id<newline>" each: what was applied, for the inbox. */
static enum err remember(struct replica *r, const struct slot *s, const char *text)
{
	struct str rest = str_of(text);
	enum err err = E_OK;

	while (rest.n && err != E_NOMEM) {
		struct str line = str_cut(&rest, '\n'), type = str_cut(&line, '\t'), resource = str_cut(&line, '\t');
		struct delivery_event e = { .kind = str_of(object_kind_name(s->kind)),
					    .namespace = str_of(s->namespace),
					    .name = str_of(s->name),
					    .resource_id = resource,
					    .event_id = line };

		for (e.type = 0; e.type < DELIVERY_TYPE_COUNT; e.type++)
			if (str_is(type, delivery_type_name(e.type)))
				err = inbox_remember(peer_inbox(r->o.peer), &e);
	}
	return err;
}

enum err replica_load(struct replica *r, const struct ledger_row *row)
{
	struct replica_place place;
	struct slot *s;
	struct why why = { 0 };
	enum err err;

	if (!replica_place_set(&place, object_kind_of(row->kind), row->namespace, row->name))
		return E_MALFORMED;
	s = replica_slot(r, &place, /* make= */ true);
	if (!s)
		return E_NOMEM;
	s->recorded = true;
	r->stats.records++;
	if (row->bytes.n && (err = object_new(place.kind, row->bytes, &why, &s->record.object)) != E_OK)
		return err;
	if (keep_text(&s->applied.state, row->version) != E_OK || keep_text(&s->applied.status, row->status) != E_OK ||
	    keep_text(&s->applied.commands, row->operation) != E_OK)
		return E_NOMEM;
	replica_weigh(s);
	s->record.asked = row->operation.n > 0 || mark_may_wish(row->bytes);
	const char *const applied[] = { s->applied.state, s->applied.status, s->applied.commands };

	for (size_t i = 0; i < ARRAY_LEN(applied); i++)
		if (remember(r, s, applied[i]) == E_NOMEM)
			return E_NOMEM;
	return E_OK;
}
