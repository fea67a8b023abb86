#include "sync/journal.h"

#include "base/mem.h"
#include "delivery/backoff.h"

#define TURN_CHANGES 64 /* room made for so many changes at a time */

/* Somebody to tell, when the batch is durable. */
struct tell {
	struct tell *next;
	struct journal_listener *listener;
	size_t n;
	char tag[];
};

struct batch {
	struct ledger_write write;
	struct ledger_change *changes; /* write.changes points here; each row's texts lie in one block of its own */
	char **texts;
	size_t cap;
	struct tell *first, **last;
};

struct journal {
	struct journal_io io;
	struct batch *open; /* of this turn; NULL: nothing yet */
	struct batch
		*flying; /* at the ledger, or waiting to be tried again. One at a time: order is kept, groups grow */
	bool waiting;    /* flying waits for its retry */
	struct backoff backoff;
};

struct journal *journal_new(const struct journal_io *io)
{
	struct journal *j = mem_alloc(sizeof(*j));

	if (!j)
		return NULL;
	j->io = *io;
	j->backoff = (struct backoff){ .base_ms = 100, .factor = 2, .cap_ms = 5000 };
	return j;
}

static void batch_free(struct batch *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < b->write.count; i++)
		mem_free(b->texts[i]);
	while (b->first) {
		struct tell *t = b->first;

		b->first = t->next;
		t->listener->pending--;
		mem_free(t);
	}
	mem_free(b->changes);
	mem_free(b->texts);
	mem_free(b);
}

void journal_free(struct journal *j)
{
	if (!j)
		return;
	batch_free(j->open);
	batch_free(j->flying);
	mem_free(j);
}

bool journal_is_idle(const struct journal *j)
{
	return !j->open && !j->flying;
}

static struct batch *open_batch(struct journal *j)
{
	if (!j->open && (j->open = mem_alloc(sizeof(*j->open))))
		j->open->last = &j->open->first;
	return j->open;
}

/* Room for one more change. */
static enum err grow(struct batch *b)
{
	size_t cap = b->cap ? b->cap * 2 : TURN_CHANGES;
	struct ledger_change *changes;
	char **texts;

	if (b->write.count < b->cap)
		return E_OK;
	if (!(changes = mem_realloc(b->changes, cap * sizeof(*changes))))
		return E_NOMEM;
	b->changes = changes;
	if (!(texts = mem_realloc(b->texts, cap * sizeof(*texts))))
		return E_NOMEM;
	b->texts = texts;
	b->cap = cap;
	return E_OK;
}

#define COLUMNS 10

/* All columns of `row` copied into one block, which `ret_row` then points to. */
static char *copy_row(const struct ledger_row *row, struct ledger_row *ret_row)
{
	const struct str from[COLUMNS] = { row->peer,    row->kind,    row->namespace, row->name,      row->uid,
					   row->version, row->desired, row->status,    row->operation, row->bytes };
	struct str *to[COLUMNS] = { &ret_row->peer,      &ret_row->kind,    &ret_row->namespace, &ret_row->name,
				    &ret_row->uid,       &ret_row->version, &ret_row->desired,   &ret_row->status,
				    &ret_row->operation, &ret_row->bytes };
	size_t n = 1;
	char *block, *at;

	for (int i = 0; i < COLUMNS; i++)
		n += from[i].n;
	if (!(block = at = mem_alloc(n)))
		return NULL;
	for (int i = 0; i < COLUMNS; i++) {
		if (from[i].n)
			memcpy(at, from[i].p, from[i].n);
		*to[i] = (struct str){ at, from[i].n };
		at += from[i].n;
	}
	return block;
}

enum err journal_add(struct journal *j, enum ledger_table table, bool remove, const struct ledger_row *row)
{
	struct batch *b = open_batch(j);
	struct ledger_change *change;

	if (!b || grow(b) != E_OK)
		return E_NOMEM;
	change = &b->changes[b->write.count];
	*change = (struct ledger_change){ .table = table, .remove = remove };
	if (!(b->texts[b->write.count] = copy_row(row, &change->row)))
		return E_NOMEM;
	b->write.count++;
	return E_OK;
}

enum err journal_tell(struct journal *j, struct journal_listener *l, struct str tag)
{
	struct batch *b = open_batch(j);
	struct tell *t = b ? mem_alloc(sizeof(*t) + tag.n) : NULL;

	if (!t)
		return E_NOMEM;
	t->listener = l;
	t->n = tag.n;
	if (tag.n)
		memcpy(t->tag, tag.p, tag.n);
	*b->last = t;
	b->last = &t->next;
	l->pending++;
	return E_OK;
}

void journal_flush(struct journal *j)
{
	if (j->flying || !j->open)
		return;
	j->flying = TAKE(j->open);
	j->flying->write.changes = j->flying->changes;
	j->io.write(j->io.ctx, &j->flying->write);
}

static void tell_all(struct batch *b)
{
	while (b->first) {
		struct tell *t = b->first;

		b->first = t->next;
		t->listener->pending--;
		t->listener->on_durable(t->listener, (struct str){ t->tag, t->n });
		mem_free(t);
	}
}

void journal_done(struct journal *j, struct ledger_write *w)
{
	struct batch *b = j->flying;

	if (w->err != E_OK) {
		j->waiting = true;
		j->io.on_state(j->io.ctx, w->err);
		j->io.retry_in(j->io.ctx, (uint32_t)backoff_step(&j->backoff));
		(void)backoff_next(&j->backoff, UINT64_MAX);
		return;
	}
	if (j->backoff.attempts)
		j->io.on_state(j->io.ctx, E_OK);
	backoff_reset(&j->backoff);
	/* Listeners may add to the next batch, and may be told of nothing else meanwhile. */
	j->flying = NULL;
	tell_all(b);
	batch_free(b);
	journal_flush(j);
}

void journal_retry(struct journal *j)
{
	if (!j->waiting)
		return;
	j->waiting = false;
	j->io.write(j->io.ctx, &j->flying->write);
}
