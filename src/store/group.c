#include "store/group.h"
#include "base/clock.h"
#include "base/mem.h"

#define GROUP_BYTES    (1u << 20) /* more waits for the next group, unless a single request is larger */
#define GROUP_PUTS     4096
#define POSITIONS_MS   1000  /* positions wait no longer than this for a group */
#define CLOCK_STEP_MS  60000 /* a clock set back by less leaves the stored times in order */
#define DEDUP_STEP_MIN 512   /* keys moved to disk in a transaction */

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

static uint64_t put_bytes(const struct store_put *put)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < put->count; i++)
		bytes += group_row_bytes(&put->rows[i]);
	return bytes;
}

/* Cut the first requests off the queue, as many as make a group. */
static struct store_put *cut(struct queue *q)
{
	uint64_t bytes = 0;
	size_t n = 0;

	for (const struct mpsc_node *node = q->first; node && n < GROUP_PUTS && bytes < GROUP_BYTES;
	     node = node->next) {
		bytes += put_bytes(CONTAINER_OF(node, struct store_put, node));
		n++;
	}
	return put_of(queue_cut(q, n));
}

/* ---- the transaction ------------------------------------------------------------------------------------------------ */

static enum err step_dedup(struct store *s, const struct group *g, struct why *why)
{
	size_t keys = g->keys * 2 > DEDUP_STEP_MIN ? g->keys * 2 : DEDUP_STEP_MIN; /* faster than they come */

	if (!dedup_busy(&s->dedup, g->age_ms))
		return E_OK;
	return dedup_step(&s->dedup, keys, g->age_ms, why);
}

static enum err fill(struct store *s, struct group *g, struct why *why)
{
	enum err err = E_OK;

	for (struct store_put *put = g->puts; put && err == E_OK; put = next_put(put))
		err = group_add_put(s, g, put, why);
	for (struct store_dead_put *dead = g->deads; dead && err == E_OK; dead = next_dead(dead))
		err = group_add_dead(s, g, dead, why);
	if (err == E_OK)
		err = positions_write(&s->positions, &s->db, why);
	if (err == E_OK)
		err = step_dedup(s, g, why);
	if (err == E_OK)
		err = retain_step(s, g->now_ms, g->age_ms, why);
	return err;
}

static enum err commit(struct store *s, struct why *why)
{
	uint64_t start = clock_mono_ns();
	enum err err = db_run(&s->db, SQL_COMMIT, why);
	uint64_t took = clock_mono_ns() - start;

	gather_learn(&s->gather, took);
	metric_observe(s->metrics.commit, (int64_t)took);
	if (err == E_OK)
		err = db_check_name(&s->db, why);
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

static void fail(struct group *g, enum err err, const struct why *why)
{
	for (struct store_put *put = g->puts; put; put = next_put(put)) {
		put->err = err;
		if (put->why)
			*put->why = *why;
	}
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
	if (has_rows)
		retry_proved(&s->retry);
	s->wal.committed_mono = clock_mono_ms();
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

static int64_t forget_now(struct store *s)
{
	return age_now(&s->age, clock_wall_ms(), clock_mono_ms());
}

void group_commit(struct store *s)
{
	struct group g = { .puts = cut(&s->puts),
			   .deads = dead_of(s->deads.first),
			   .now_ms = stored_now(s),
			   .age_ms = forget_now(s) };
	struct why why = { 0 };

	queue_init(&s->deads);
	if (transact(s, &g, &why) == E_OK) {
		committed(s, &g);
		return;
	}
	fail(&g, why.err == E_FULL ? E_FULL : why.err == E_NOMEM ? E_NOMEM : E_UNAVAILABLE, &why);
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
	fail(&g, err, &s->failure);
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
	return dedup_busy(&s->dedup, forget_now(s)) || retain_wait_ms(s, now_mono) == 0;
}
