#include <assert.h>
#include <limits.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/store_impl.h"

#define GROUP_BYTES    (1u << 20) /* more waits for the next group, unless a single request is larger */
#define GROUP_PUTS     4096
#define ROW_BYTES_MAX  (512u << 20) /* SQLite's own limit is 10^9 for a row */
#define POSITIONS_MS   1000         /* positions wait no longer than this for a group */
#define CLOCK_STEP_MS  60000        /* a clock set back by less leaves the stored times in order */
#define DEDUP_STEP_MIN 512          /* keys moved to disk in a transaction */
#define PAGE_OVERHEAD  32           /* bytes a row costs beside its columns */

/* What one transaction is about. */
struct group {
	struct store_put *puts; /* linked by node.next; whoever was refused is among them with its err */
	struct store_dead_put *deads;
	int64_t now_ms;
	size_t rows; /* inserted */
	size_t keys;
	size_t duplicates;
	size_t refused;
	uint64_t bytes;
};

static struct store_put *put_of(struct mpsc_node *node)
{
	return node ? CONTAINER_OF(node, struct store_put, node) : NULL;
}

static struct store_dead_put *dead_of(struct mpsc_node *node)
{
	return node ? CONTAINER_OF(node, struct store_dead_put, node) : NULL;
}

static struct store_put *next_put(const struct store_put *put)
{
	return put_of(put->node.next);
}

static struct store_dead_put *next_dead(const struct store_dead_put *dead)
{
	return dead_of(dead->node.next);
}

static uint64_t row_bytes(const struct store_row *row)
{
	return row->data.n + row->meta.n + row->id.n + row->key.n + PAGE_OVERHEAD;
}

static uint64_t put_bytes(const struct store_put *put)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < put->count; i++)
		bytes += row_bytes(&put->rows[i]);
	return bytes;
}

/* Cut the first requests off the queue, as many as make a group. */
static struct store_put *cut(struct queue *q)
{
	struct mpsc_node *first = q->first;
	struct mpsc_node *end = first;
	uint64_t bytes = 0;

	for (size_t n = 0; end; n++, end = end->next) {
		bytes += put_bytes(put_of(end));
		if ((bytes >= GROUP_BYTES || n + 1 >= GROUP_PUTS) && end->next)
			break;
	}
	if (end) {
		q->first = end->next;
		end->next = NULL;
	} else {
		queue_init(q);
	}
	return put_of(first);
}

/* ---- one row -------------------------------------------------------------------------------------------------------- */

static void bind_text(sqlite3_stmt *stmt, int at, struct str s)
{
	sqlite3_bind_text(stmt, at, s.n ? s.p : "", (int)s.n, SQLITE_STATIC);
}

/* TEXT where sqlite3 can show it. */
static void bind_data(sqlite3_stmt *stmt, int at, const struct store_row *row)
{
	if (row->data_kind == EVENT_DATA_NONE)
		sqlite3_bind_null(stmt, at);
	else if (row->data_kind == EVENT_DATA_BINARY)
		sqlite3_bind_blob(stmt, at, row->data.n ? row->data.p : "", (int)row->data.n, SQLITE_STATIC);
	else
		bind_text(stmt, at, row->data);
}

static enum err insert_row(struct store *s, const struct store_row *row, int64_t route, struct why *why)
{
	sqlite3_stmt *stmt = db_stmt(&s->db, SQL_EVENT_ADD);

	sqlite3_bind_int64(stmt, 1, (int64_t)row->pos);
	sqlite3_bind_int64(stmt, 2, row->stored_ms);
	sqlite3_bind_int64(stmt, 3, route);
	bind_text(stmt, 4, row->id);
	if (row->key.n)
		bind_text(stmt, 5, row->key);
	else
		sqlite3_bind_null(stmt, 5);
	sqlite3_bind_int(stmt, 6, row->data_kind);
	bind_text(stmt, 7, row->meta);
	bind_data(stmt, 8, row);
	return db_run(&s->db, SQL_EVENT_ADD, why);
}

static void add_key(struct store *s, struct group *g, const struct store_row *row, struct dedup_fp fp)
{
	struct dedup_entry entry = { fp, row->pos, row->stored_ms };

	dedup_add(&s->dedup, &entry);
	g->keys++;
}

static void mark(struct store_put *put, size_t i, const struct dedup_entry *older)
{
	put->rows[i].pos = older->pos;
	put->rows[i].stored_ms = older->stored_ms;
	if (put->duplicates)
		put->duplicates[i] = true;
}

static bool has_key(const struct store *s, const struct store_row *row)
{
	return row->key.n && s->dedup.window_ms;
}

/* One fresh row of a request; the same key may stand twice in it. */
static enum err add_row(struct store *s, struct group *g, struct store_put *put, size_t i, struct why *why)
{
	struct store_row *row = &put->rows[i];
	struct dedup_fp fp = { 0 };
	int64_t route;
	enum err err = routes_number(&s->routes, &s->db, row->source, row->name, why, &route);

	if (err != E_OK)
		return err;
	if (has_key(s, row)) {
		const struct dedup_entry *older;

		fp = dedup_fp(&s->dedup, route, row->key);
		older = dedup_find_recent(&s->dedup, fp, g->now_ms);
		if (older) {
			mark(put, i, older);
			g->duplicates++;
			return E_OK;
		}
	}
	row->pos = s->last_pos + 1;
	row->stored_ms = g->now_ms;
	err = insert_row(s, row, route, why);
	if (err != E_OK)
		return err;
	s->last_pos++;
	g->rows++;
	g->bytes += row_bytes(row);
	s->space.added += row_bytes(row);
	if (fp.hi)
		add_key(s, g, row, fp);
	return E_OK;
}

/* ---- one request ---------------------------------------------------------------------------------------------------- */

/* Which rows were stored before this request? They get pos > 0, the others 0. */
static enum err find_duplicates(struct store *s, struct group *g, struct store_put *put, struct why *why,
				size_t *ret_fresh)
{
	*ret_fresh = 0;
	for (size_t i = 0; i < put->count; i++) {
		struct store_row *row = &put->rows[i];
		struct dedup_entry older;
		bool found = false;
		int64_t route;
		enum err err = E_OK;

		row->pos = 0;
		if (put->duplicates)
			put->duplicates[i] = false;
		if (has_key(s, row)) {
			err = routes_number(&s->routes, &s->db, row->source, row->name, why, &route);
			if (err == E_OK)
				err = dedup_find(&s->dedup, dedup_fp(&s->dedup, route, row->key), g->now_ms, why,
						 &found, &older);
		}
		if (err != E_OK)
			return err;
		if (found)
			mark(put, i, &older);
		else
			++*ret_fresh;
	}
	return E_OK;
}

/* A request that this store cannot take now, or never. Decided before any of its rows is inserted. */
static enum err admit(struct store *s, const struct store_put *put, size_t fresh)
{
	size_t keys = 0;

	for (size_t i = 0; i < put->count; i++) {
		if (row_bytes(&put->rows[i]) > ROW_BYTES_MAX)
			return E_LIMIT;
		keys += has_key(s, &put->rows[i]);
	}
	if (fresh && !space_admits(&s->space))
		return E_FULL;
	return keys ? dedup_reserve(&s->dedup, keys) : E_OK;
}

/* The error is the transaction's; a request refused for itself has it in put->err. */
static enum err add_put(struct store *s, struct group *g, struct store_put *put, struct why *why)
{
	size_t fresh;
	enum err err = find_duplicates(s, g, put, why, &fresh);

	if (err != E_OK)
		return err;
	g->duplicates += put->count - fresh;
	put->err = admit(s, put, fresh);
	if (put->err != E_OK) {
		g->refused += fresh;
		return E_OK;
	}
	for (size_t i = 0; i < put->count && err == E_OK; i++)
		if (put->rows[i].pos == 0)
			err = add_row(s, g, put, i, why);
	return err;
}

static enum err remove_dead(struct store *s, const struct store_dead_put *dead, struct why *why)
{
	sqlite3_stmt *stmt = db_stmt(&s->db, SQL_DEAD_REMOVE);
	enum err err;

	sqlite3_bind_int64(stmt, 1, (int64_t)dead->pos);
	sqlite3_bind_text(stmt, 2, dead->bus, -1, SQLITE_STATIC);
	err = db_run(&s->db, SQL_DEAD_REMOVE, why);
	if (err == E_OK)
		s->dead_count -= sqlite3_changes64(s->db.handle);
	return err;
}

/* Set aside again counts once, with the newest reason. */
static enum err add_dead(struct store *s, const struct group *g, struct store_dead_put *dead, struct why *why)
{
	sqlite3_stmt *stmt = db_stmt(&s->db, SQL_DEAD_ADD);
	enum err err = remove_dead(s, dead, why);

	dead->err = E_OK;
	if (err != E_OK || dead->what == STORE_DEAD_REMOVE)
		return err;
	sqlite3_bind_int64(stmt, 1, (int64_t)dead->pos);
	sqlite3_bind_text(stmt, 2, dead->bus, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 3, dead->reason ? dead->reason : "", -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 4, g->now_ms);
	s->dead_count++;
	return db_run(&s->db, SQL_DEAD_ADD, why);
}

/* ---- the transaction ------------------------------------------------------------------------------------------------ */

static enum err step_dedup(struct store *s, const struct group *g, struct why *why)
{
	size_t keys = g->keys * 2 > DEDUP_STEP_MIN ? g->keys * 2 : DEDUP_STEP_MIN; /* faster than they come */

	if (!dedup_busy(&s->dedup, g->now_ms))
		return E_OK;
	return dedup_step(&s->dedup, keys, g->now_ms, why);
}

static enum err fill(struct store *s, struct group *g, struct why *why)
{
	enum err err = E_OK;

	for (struct store_put *put = g->puts; put && err == E_OK; put = next_put(put))
		err = add_put(s, g, put, why);
	for (struct store_dead_put *dead = g->deads; dead && err == E_OK; dead = next_dead(dead))
		err = add_dead(s, g, dead, why);
	if (err == E_OK)
		err = positions_write(&s->positions, &s->db, why);
	if (err == E_OK)
		err = step_dedup(s, g, why);
	if (err == E_OK)
		err = retain_step(s, g->now_ms, why);
	return err;
}

static enum err commit(struct store *s, struct why *why)
{
	uint64_t start = clock_mono_ns();
	enum err err = db_run(&s->db, SQL_COMMIT, why);

	metric_observe(s->metrics.commit, (int64_t)(clock_mono_ns() - start));
	return err == E_OK ? E_OK : why_add(why, "commit");
}

static enum err transact(struct store *s, struct group *g, struct why *why)
{
	enum err err;

	if (dedup_is_due(&s->dedup, s->last_pos) && !dedup_merging(&s->dedup))
		dedup_freeze(&s->dedup, s->last_pos, g->now_ms);
	err = db_run(&s->db, SQL_BEGIN, why);
	if (err == E_OK)
		err = fill(s, g, why);
	if (err == E_OK)
		err = commit(s, why);
	return err;
}

/* ---- afterwards ----------------------------------------------------------------------------------------------------- */

static void complete(struct group *g)
{
	while (g->puts) {
		struct store_put *put = g->puts;

		g->puts = next_put(put); /* before the callback: the request is its owner's again */
		put->on_stored(put);
	}
	while (g->deads) {
		struct store_dead_put *dead = g->deads;

		g->deads = next_dead(dead);
		dead->on_done(dead);
	}
}

static void fail(struct group *g, enum err err)
{
	for (struct store_put *put = g->puts; put; put = next_put(put))
		put->err = err;
	for (struct store_dead_put *dead = g->deads; dead; dead = next_dead(dead))
		dead->err = err;
}

static void count(struct store *s, const struct group *g)
{
	metric_add(s->metrics.events, (int64_t)g->rows);
	metric_add(s->metrics.duplicates, (int64_t)g->duplicates);
	metric_add(s->metrics.refused, (int64_t)g->refused);
	metric_set(s->metrics.last, (int64_t)s->last_pos);
	metric_set(s->metrics.keys, (int64_t)(s->dedup.recent_n + s->dedup.frozen_n));
	metric_set(s->metrics.bytes, (int64_t)space_used(&s->space));
	if (g->rows)
		metric_observe(s->metrics.group, (int64_t)g->rows);
}

static void tell_listeners(struct store *s)
{
	pthread_mutex_lock(&s->listeners_lock);
	for (struct store_listener *l = s->listeners; l; l = l->next)
		l->on_commit(l, s->last_pos);
	pthread_mutex_unlock(&s->listeners_lock);
}

static void committed(struct store *s, struct group *g)
{
	bool has_rows = g->rows > 0;

	s->last_ms = has_rows ? g->now_ms : s->last_ms;
	s->backoff_ms = has_rows ? 0 : s->backoff_ms;
	s->committed_mono = clock_mono_ms();
	s->positions_mono = 0;
	atomic_store(&s->last, s->last_pos);
	atomic_store(&s->bytes, space_used(&s->space));
	count(s, g);
	complete(g);
	if (has_rows)
		tell_listeners(s);
}

static int64_t stored_now(const struct store *s)
{
	int64_t now = clock_wall_ms();

	return now < s->last_ms && s->last_ms - now < CLOCK_STEP_MS ? s->last_ms : now;
}

void group_commit(struct store *s)
{
	struct group g = { .puts = cut(&s->puts), .deads = dead_of(s->deads.first), .now_ms = stored_now(s) };
	struct why why = { 0 };

	queue_init(&s->deads);
	if (transact(s, &g, &why) == E_OK) {
		committed(s, &g);
		return;
	}
	fail(&g, why.err == E_FULL ? E_FULL : why.err == E_NOMEM ? E_NOMEM : E_UNAVAILABLE);
	writer_failed(s, &why);
	complete(&g);
}

void group_refuse(struct store *s, enum err err)
{
	struct group g = { .puts = put_of(s->puts.first), .deads = dead_of(s->deads.first) };

	queue_init(&s->puts);
	queue_init(&s->deads);
	for (struct store_put *put = g.puts; put; put = next_put(put))
		metric_add(s->metrics.refused, (int64_t)put->count);
	fail(&g, err);
	complete(&g);
}

bool group_is_due(struct store *s, uint64_t now_mono)
{
	if (s->puts.first || s->deads.first)
		return true;
	if (positions_dirty(&s->positions)) {
		if (!s->positions_mono)
			s->positions_mono = now_mono;
		if (now_mono - s->positions_mono >= POSITIONS_MS || atomic_load(&s->stopping))
			return true;
	}
	return dedup_busy(&s->dedup, clock_wall_ms()) || retain_wait_ms(s, now_mono) == 0;
}
