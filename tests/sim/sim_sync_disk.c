#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "sim_sync.h"

/* The columns of each table's key, as store/ledger.h has them. */
static char *key_of(const struct sim *s, enum ledger_table table, const struct ledger_row *r)
{
	if (table == LEDGER_SETTING)
		return sim_text(s, "%d|%.*s", (int)table, STR_ARG(r->name));
	if (table == LEDGER_REPLICA)
		return sim_text(s, "%d|%.*s|%.*s|%.*s|%.*s", (int)table, STR_ARG(r->peer), STR_ARG(r->kind),
				STR_ARG(r->namespace), STR_ARG(r->name));
	return sim_text(s, "%d|%.*s|%.*s|%.*s|%.*s|%.*s|%.*s", (int)table, STR_ARG(r->peer), STR_ARG(r->kind),
			STR_ARG(r->namespace), STR_ARG(r->name), STR_ARG(r->uid),
			STR_ARG(table == LEDGER_COMMAND ? r->version : (struct str){ 0 }));
}

static struct str keep(char **at, struct str text)
{
	char *to = *at;

	if (text.n)
		memcpy(to, text.p, text.n);
	*at += text.n;
	return (struct str){ to, text.n };
}

static struct disk_row *row_new(const struct sim *s, const struct ledger_change *c)
{
	const struct ledger_row *r = &c->row;
	size_t n = r->peer.n + r->kind.n + r->namespace.n + r->name.n + r->uid.n + r->version.n + r->desired.n +
		   r->status.n + r->operation.n + r->bytes.n;
	struct disk_row *row = sim_alloc(s, sizeof(*row) + n);
	char *at = row->text;

	row->table = c->table;
	row->key = key_of(s, c->table, r);
	row->row = (struct ledger_row){ .peer = keep(&at, r->peer),
					.kind = keep(&at, r->kind),
					.namespace = keep(&at, r->namespace),
					.name = keep(&at, r->name),
					.uid = keep(&at, r->uid),
					.version = keep(&at, r->version),
					.desired = keep(&at, r->desired),
					.status = keep(&at, r->status),
					.operation = keep(&at, r->operation),
					.bytes = keep(&at, r->bytes) };
	return row;
}

static void row_free(struct disk_row *row)
{
	if (!row)
		return;
	mem_free(row->key);
	mem_free(row);
}

static void commit(struct end *e, const struct ledger_change *c)
{
	struct disk_row *row = row_new(e->sim, c);

	row_free(map_remove(&e->disk.rows, str_of(row->key)));
	if (c->remove)
		row_free(row);
	else if (map_put(&e->disk.rows, str_of(row->key), row) != E_OK)
		sim_broken(e->sim, "no memory");
}

/* ---- the journal's way to it ------------------------------------------------------------------------------------- */

static void on_told(struct sim *s, struct happening *h)
{
	sim_enter(s);
	journal_done(h->end->journal, h->data);
	sim_leave();
	end_plan(h->end, h->end->sim->now);
}

bool disk_is_full(const struct disk *d, const struct sim *s)
{
	return !s->healed && s->now < d->full_until_ms;
}

static void on_commit(struct sim *s, struct happening *h)
{
	struct ledger_write *w = h->data;
	struct disk *d = &h->end->disk;

	w->err = disk_is_full(d, s) ? E_FULL : d->failures ? E_IO : E_OK;
	d->failures -= d->failures > 0;
	sim_trace(s, "%-9s ledger: %zu changes%s", end_name(h->end), w->count, w->err == E_OK ? "" : ", failed");
	for (size_t i = 0; i < w->count && w->err == E_OK; i++)
		commit(h->end, &w->changes[i]);
	sim_later(s, sim_below(s, 3), &(struct happening){ .run = on_told, .end = h->end, .life = h->life, .data = w });
}

static void write_batch(void *ctx, struct ledger_write *w)
{
	struct end *e = ctx;
	SIM_OWN;

	if (!e->sim->healed && sim_once_in(e->sim, 300))
		e->disk.failures = 1 + (unsigned)sim_below(e->sim, 6);
	sim_later(e->sim, 1 + sim_below(e->sim, e->disk.slow_ms),
		  &(struct happening){ .run = on_commit, .end = e, .life = e->life, .data = w });
}

static void on_retry(struct sim *s, struct happening *h)
{
	(void)s;
	journal_retry(h->end->journal);
}

static void retry_in(void *ctx, uint32_t delay_ms)
{
	struct end *e = ctx;
	SIM_OWN;

	sim_later(e->sim, delay_ms, &(struct happening){ .run = on_retry, .end = e, .life = e->life });
}

static void on_state(void *ctx, enum err err)
{
	(void)ctx, (void)err;
}

struct journal *disk_journal(struct end *e)
{
	return journal_new(
		&(struct journal_io){ .write = write_batch, .retry_in = retry_in, .on_state = on_state, .ctx = e });
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static int by_key(const void *a, const void *b)
{
	const struct disk_row *const *left = a, *const *right = b;

	return strcmp((*left)->key, (*right)->key);
}

void disk_read(struct end *e, enum ledger_table table, void (*on_row)(void *ctx, const struct ledger_row *row),
	       void *ctx)
{
	struct disk_row **rows = sim_alloc(e->sim, (e->disk.rows.n + 1) * sizeof(struct disk_row *));
	const struct map_entry *entry;
	size_t at = 0, n = 0;

	while ((entry = map_next(&e->disk.rows, &at)))
		if (((struct disk_row *)entry->value)->table == table)
			rows[n++] = entry->value;
	qsort(rows, n, sizeof(struct disk_row *), by_key);
	for (size_t i = 0; i < n; i++)
		on_row(ctx, &rows[i]->row);
	mem_free(rows);
}

bool disk_has(const struct disk *d, enum ledger_table table, const char *peer, struct str uid)
{
	const struct map_entry *entry;
	size_t at = 0;

	while ((entry = map_next(&d->rows, &at))) {
		const struct disk_row *row = entry->value;

		if (row->table == table && (!peer || str_is(row->row.peer, peer)) && str_eq(row->row.uid, uid))
			return true;
	}
	return false;
}

static void rows_release(struct map *rows)
{
	const struct map_entry *entry;
	size_t at = 0;

	while ((entry = map_next(rows, &at)))
		row_free(entry->value);
	map_release(rows);
}

void disk_release(struct disk *d)
{
	rows_release(&d->rows);
	rows_release(&d->backup);
}

/* ---- backups ----------------------------------------------------------------------------------------------------- */

static void rows_copy(const struct sim *s, const struct map *from, struct map *to)
{
	const struct map_entry *entry;
	size_t at = 0;

	rows_release(to);
	while ((entry = map_next(from, &at))) {
		const struct disk_row *row = entry->value;
		struct disk_row *copy = row_new(s, &(struct ledger_change){ .table = row->table, .row = row->row });

		if (map_put(to, str_of(copy->key), copy) != E_OK)
			sim_broken(s, "no memory");
	}
}

void disk_save(struct end *e)
{
	rows_copy(e->sim, &e->disk.rows, &e->disk.backup);
	memcpy(e->disk.backup_identity, e->disk.identity, sizeof(e->disk.identity));
}

void disk_restore(struct end *e)
{
	sim_trace(e->sim, "%-9s ledger: restored from a backup of %zu rows", end_name(e), e->disk.backup.n);
	rows_copy(e->sim, &e->disk.backup, &e->disk.rows);
	memcpy(e->disk.identity, e->disk.backup_identity, sizeof(e->disk.identity));
}
