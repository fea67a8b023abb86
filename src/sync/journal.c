#include "sync/journal.h"

#include "base/mem.h"
#include "delivery/backoff.h"

#define TURN_CHANGES 64         /* room made for so many changes at a time */
#define KEEP_CHANGES 2048       /* memory of a batch that stays for the next: no more than so many changes, */
#define KEEP_TEXTS   (1u << 20) /* and bytes of their texts */

/* Somebody to tell, when the batch is durable. */
struct tell {
	struct tell *next;
	struct journal_listener *listener;
	size_t n;
	char tag[];
};

struct batch {
	struct ledger_write write;
	struct ledger_change *changes; /* write.changes points here; texts lie behind each other in `texts` */
	struct buf texts;
	size_t cap;
	struct tell *first, **last;
};

struct journal {
	struct journal_io io;
	struct batch *open; /* of this turn; NULL: nothing yet */
	/* At the ledger, or waiting to be tried again. One at a time: order is kept, groups grow. */
	struct batch *flying;
	struct batch *spare; /* one that has ended, for its memory */
	bool waiting;        /* flying waits for its retry */
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
	while (b->first) {
		struct tell *t = b->first;

		b->first = t->next;
		t->listener->pending--;
		mem_free(t);
	}
	mem_free(b->changes);
	buf_release(&b->texts);
	mem_free(b);
}

void journal_free(struct journal *j)
{
	if (!j)
		return;
	batch_free(j->open);
	batch_free(j->flying);
	batch_free(j->spare);
	mem_free(j);
}

bool journal_is_idle(const struct journal *j)
{
	return !j->open && !j->flying;
}

static struct batch *open_batch(struct journal *j)
{
	if (!j->open && j->spare)
		j->open = TAKE(j->spare);
	else if (!j->open && (j->open = mem_alloc(sizeof(*j->open))))
		j->open->last = &j->open->first;
	return j->open;
}

/* Everybody has been told. */
static void batch_end(struct journal *j, struct batch *b)
{
	if (j->spare || b->cap > KEEP_CHANGES || b->texts.cap > KEEP_TEXTS) {
		batch_free(b);
		return;
	}
	b->write = (struct ledger_write){ 0 };
	b->last = &b->first;
	buf_clear(&b->texts);
	j->spare = b;
}

/* Room for one more change. */
static enum err grow(struct batch *b)
{
	size_t cap = b->cap ? b->cap * 2 : TURN_CHANGES;
	struct ledger_change *changes;

	if (b->write.count < b->cap)
		return E_OK;
	if (!(changes = mem_realloc(b->changes, cap * sizeof(*changes))))
		return E_NOMEM;
	b->changes = changes;
	b->cap = cap;
	return E_OK;
}

#define COLUMNS 10

static void columns_of(struct ledger_row *row, struct str *ret_columns[static COLUMNS])
{
	struct str *columns[] = { &row->peer,    &row->kind,    &row->namespace, &row->name,      &row->uid,
				  &row->version, &row->desired, &row->status,    &row->operation, &row->bytes };

	memcpy(ret_columns, columns, sizeof(columns));
}

/* All columns into the texts of the batch; the row has their lengths alone, until the batch goes and the texts stay where they are. */
static enum err copy_row(struct batch *b, struct ledger_row *row)
{
	struct str *columns[COLUMNS];
	size_t before = b->texts.n;
	enum err err;

	columns_of(row, columns);
	for (int i = 0; i < COLUMNS; i++)
		buf_str(&b->texts, *columns[i]);
	err = b->texts.err;
	if (err != E_OK) {
		buf_clear(&b->texts);
		b->texts.n = before;
	}
	return err;
}

static void point_to_texts(struct batch *b)
{
	const char *at = b->texts.p;

	for (size_t n = 0; n < b->write.count; n++) {
		struct str *columns[COLUMNS];

		columns_of(&b->changes[n].row, columns);
		for (int i = 0; i < COLUMNS; i++) {
			columns[i]->p = at;
			at += columns[i]->n;
		}
	}
}

enum err journal_add(struct journal *j, enum ledger_table table, bool remove, const struct ledger_row *row)
{
	struct batch *b = open_batch(j);
	struct ledger_change *change;

	if (!b || grow(b) != E_OK)
		return E_NOMEM;
	change = &b->changes[b->write.count];
	*change = (struct ledger_change){ .table = table, .remove = remove, .row = *row };
	if (copy_row(b, &change->row) != E_OK)
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
	point_to_texts(j->flying);
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
	batch_end(j, b);
	journal_flush(j);
}

void journal_retry(struct journal *j)
{
	if (!j->waiting)
		return;
	j->waiting = false;
	j->io.write(j->io.ctx, &j->flying->write);
}
