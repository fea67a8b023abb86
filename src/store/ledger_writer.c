#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/ledger_impl.h"

#define GROUP_BYTES  (4u << 20) /* more waits for the next group, unless a single transaction is larger */
#define GROUP_WRITES 4096
#define ROW_BYTES    256 /* what a row takes beside its texts, roughly */

static struct ledger_write *write_of(struct mpsc_node *node)
{
	return node ? CONTAINER_OF(node, struct ledger_write, node) : NULL;
}

static size_t row_bytes(const struct ledger_row *row)
{
	return ROW_BYTES + row->peer.n + row->kind.n + row->namespace.n + row->name.n + row->uid.n + row->version.n +
	       row->desired.n + row->status.n + row->operation.n + row->bytes.n;
}

static size_t write_bytes(const struct ledger_write *w)
{
	size_t bytes = 0;

	for (size_t i = 0; i < w->count; i++)
		bytes += row_bytes(&w->changes[i].row);
	return bytes;
}

/* As many as make a group. */
static struct mpsc_node *cut(struct queue *q)
{
	size_t bytes = 0;
	size_t n = 0;

	for (struct mpsc_node *node = q->first; node && n < GROUP_WRITES && bytes < GROUP_BYTES; node = node->next) {
		bytes += write_bytes(write_of(node));
		n++;
	}
	return queue_cut(q, n);
}

/* ---- the transaction ------------------------------------------------------------------------------------------------ */

/* What can never be stored must not fail the others of its group. */
static bool is_too_large(const struct ledger_write *w)
{
	for (size_t i = 0; i < w->count; i++)
		if (row_bytes(&w->changes[i].row) > LEDGER_BYTES_MAX)
			return true;
	return false;
}

static enum err apply(struct ledger *l, const struct ledger_change *change, struct why *why)
{
	unsigned sql = ledger_sql(change->table, change->remove ? LEDGER_VERB_REMOVE : LEDGER_VERB_PUT);

	if (change->remove)
		ledger_bind_key(db_stmt(&l->db, sql), &change->row);
	else
		ledger_bind_row(db_stmt(&l->db, sql), &change->row);
	return db_run(&l->db, sql, why);
}

static enum err fill(struct ledger *l, struct mpsc_node *group, struct why *why)
{
	enum err err = E_OK;

	for (struct ledger_write *w = write_of(group); w && err == E_OK; w = write_of(w->node.next)) {
		w->err = is_too_large(w) ? E_LIMIT : E_OK;
		for (size_t i = 0; w->err == E_OK && i < w->count && err == E_OK; i++)
			err = apply(l, &w->changes[i], why);
	}
	return err;
}

static enum err commit(struct ledger *l, struct why *why)
{
	uint64_t start = clock_mono_ns();
	enum err err = db_run(&l->db, LEDGER_SQL_COMMIT, why);

	metric_observe(l->metrics.commit, (int64_t)(clock_mono_ns() - start));
	if (err == E_OK)
		err = db_check_name(&l->db, why);
	return err == E_OK ? E_OK : why_add(why, "commit");
}

static enum err transact(struct ledger *l, struct mpsc_node *group, struct why *why)
{
	enum err err = db_run(&l->db, LEDGER_SQL_BEGIN, why);

	if (err == E_OK)
		err = fill(l, group, why);
	if (err == E_OK)
		err = commit(l, why);
	return err;
}

/* ---- outcomes ------------------------------------------------------------------------------------------------------- */

static void complete(struct mpsc_node *group)
{
	while (group) {
		struct ledger_write *w = write_of(group);

		group = group->next; /* before the callback: the request is its owner's again */
		w->on_done(w);
	}
}

static void refuse(struct ledger *l, struct mpsc_node *group, enum err err)
{
	for (struct mpsc_node *node = group; node; node = node->next) {
		write_of(node)->err = err;
		metric_inc(l->metrics.refused);
	}
	complete(group);
}

static void committed(struct ledger *l, struct mpsc_node *group)
{
	int64_t rows = 0;
	int64_t writes = 0;

	for (const struct mpsc_node *node = group; node; node = node->next) {
		const struct ledger_write *w = CONTAINER_OF(node, struct ledger_write, node);

		rows += w->err == E_OK ? (int64_t)w->count : 0;
		writes++;
		if (w->err != E_OK)
			metric_inc(l->metrics.refused);
	}
	metric_add(l->metrics.rows, rows);
	metric_observe(l->metrics.group, writes);
	retry_proved(&l->retry);
	l->wal.committed_mono = clock_mono_ms();
	complete(group);
}

bool ledger_has_failed(const struct ledger *l)
{
	return l->failed;
}

static void set_failed(struct ledger *l, bool failed)
{
	if (atomic_exchange(&l->failed, failed) == failed)
		return;
	metric_set(l->metrics.failed, failed);
	if (failed)
		log_error("ledger", "failed: nothing is written until it can be opened again", LOG_S("dir", l->dir),
			  LOG_WHY(&l->failure));
	else
		log_info("ledger", "takes writes again", LOG_S("dir", l->dir));
}

/* What may be in doubt is decided by the next opening, from the log alone: nothing of this connection is kept. */
static void fail(struct ledger *l, const struct why *why)
{
	ledger_conn_close(l);
	l->failure = *why;
	retry_failed(&l->retry, clock_mono_ms());
	metric_inc(l->metrics.failures);
	set_failed(l, true);
}

static void come_back(struct ledger *l)
{
	struct why why = { 0 };

	if (ledger_conn_reopen(l, &why) == E_OK)
		set_failed(l, false);
	else
		fail(l, &why);
}

static enum err refusal(enum err err)
{
	return err == E_FULL || err == E_NOMEM ? err : E_UNAVAILABLE;
}

static void commit_group(struct ledger *l)
{
	struct mpsc_node *group = cut(&l->writes);
	struct why why = { 0 };

	if (transact(l, group, &why) == E_OK) {
		committed(l, group);
		return;
	}
	fail(l, &why);
	refuse(l, group, refusal(why.err));
}

/* ---- the thread ----------------------------------------------------------------------------------------------------- */

static void take(struct ledger *l)
{
	queue_append(&l->writes, mpsc_take(&l->queue));
}

static void keep_house(struct ledger *l)
{
	struct why why = { 0 };

	if (wal_look(&l->wal, clock_mono_ms(), &why) != E_OK)
		fail(l, &why);
	metric_set(l->metrics.wal_bytes, wal_bytes(&l->wal));
}

static void turn(struct ledger *l)
{
	take(l);
	if (l->failed && clock_mono_ms() >= l->retry.due_mono)
		come_back(l);
	if (l->failed) {
		refuse(l, queue_take(&l->writes), refusal(l->failure.err));
		return;
	}
	if (l->writes.first)
		commit_group(l);
	if (!l->failed)
		keep_house(l);
}

static uint32_t sleep_ms(const struct ledger *l)
{
	uint64_t now = clock_mono_ms();

	if (!l->failed)
		return wal_wait_ms(&l->wal, now);
	return l->retry.due_mono > now ? (uint32_t)(l->retry.due_mono - now) : 0;
}

static bool has_requests(const struct ledger *l)
{
	return l->writes.first || atomic_load(&l->queue.head);
}

void *ledger_writer_main(void *ledger)
{
	struct ledger *l = ledger;

	while (!atomic_load(&l->stopping) || has_requests(l)) {
		turn(l);
		if (!has_requests(l) && !atomic_load(&l->stopping))
			wake_wait(&l->wake, sleep_ms(l));
	}
	return NULL;
}
