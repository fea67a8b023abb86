#include "store/ledger.h"

#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "store/ledger_impl.h"
#include "store/lock.h"

#define WAL_FRAMES 2048 /* the log begins anew: after 8 MB of pages, and a start reads no more than twice that */

static void release(struct ledger *l)
{
	if (!l)
		return;
	ledger_conn_close(l);
	ledger_metrics_release(&l->metrics);
	if (l->lock_fd >= 0)
		close(l->lock_fd);
	if (l->dir_fd >= 0)
		close(l->dir_fd);
	mem_free(l->path);
	mem_free(l->dir);
	mem_free(l);
}

DEFINE_FREEP(release, struct ledger, release)

/* ---- the connection ------------------------------------------------------------------------------------------------- */

static enum err open_all(struct ledger *l, struct why *why)
{
	enum err err = db_open(l->path, SQLITE_OPEN_READWRITE, DB_BUSY_MS, why, &l->db);

	if (err != E_OK)
		return err;
	err = ledger_schema_prepare(&l->db, why);
	wal_watch(&l->wal, &l->db, LEDGER_PAGE_BYTES, WAL_FRAMES);
	if (err == E_OK)
		err = wal_rewrite(&l->db, why);
	if (err == E_OK)
		err = db_check_name(&l->db, why);
	if (err == E_OK)
		err = ledger_sql_prepare(&l->db, why);
	if (err == E_OK)
		err = wal_checkpoint(&l->wal, /* truncate= */ false, why);
	return err;
}

/* On a full disk what is there can still be read, and the first commit says that it is full. */
static enum err open_checked(struct ledger *l, bool accept_full, struct why *why)
{
	struct why story = { 0 };
	enum err err = open_all(l, &story);

	if (err == E_FULL && accept_full && l->db.count)
		return E_OK;
	if (err != E_OK)
		*why = story;
	return err;
}

/* Open the database and bring it to the schema. On an error all is closed. */
static enum err conn_open(struct ledger *l, struct why *why)
{
	enum err err = open_checked(l, /* accept_full= */ true, why);

	if (err == E_OK)
		err = wal_start(&l->wal, l->path, &l->wake, why);
	if (err != E_OK)
		ledger_conn_close(l);
	return err;
}

enum err ledger_conn_reopen(struct ledger *l, struct why *why)
{
	enum err err = open_checked(l, /* accept_full= */ false, why);

	if (err == E_OK)
		err = db_run(&l->db, LEDGER_SQL_PROBE, why);
	if (err == E_OK)
		err = db_run(&l->db, LEDGER_SQL_PROBE_END, why);
	if (err == E_OK)
		err = wal_start(&l->wal, l->path, &l->wake, why);
	if (err != E_OK)
		ledger_conn_close(l);
	return err;
}

void ledger_conn_close(struct ledger *l)
{
	wal_stop(&l->wal);
	db_close(&l->db);
}

/* ---- open and close ------------------------------------------------------------------------------------------------- */

static enum err init(struct ledger *l, const char *dir, struct metrics *metrics)
{
	struct buf path = { 0 };

	l->lock_fd = l->dir_fd = -1;
	wake_init(&l->wake);
	queue_init(&l->writes);
	buf_addf(&path, "%s/%s", dir, LEDGER_FILE);
	if (!buf_cstr(&path))
		buf_release(&path);
	l->path = path.p;
	l->dir = str_dup(str_of(dir));
	return l->dir && l->path ? ledger_metrics_init(&l->metrics, metrics) : E_NOMEM;
}

static enum err take_directory(struct ledger *l, struct why *why)
{
	enum err err = lock_dir_open(l->dir, /* create= */ true, why, &l->dir_fd);

	if (err == E_OK)
		err = lock_take(l->dir_fd, LOCK_LEDGER, why, &l->lock_fd);
	if (err == E_OK)
		err = db_check_log(l->path, why);
	if (err == E_OK)
		err = lock_create_file(l->dir_fd, LEDGER_FILE, why);
	return err;
}

enum err ledger_open(const char *dir, struct metrics *metrics, struct why *why, struct ledger **ret_ledger)
{
	CLEANUP(release_freep) struct ledger *l = mem_alloc(sizeof(*l));
	enum err err;

	if (!l || init(l, dir, metrics) != E_OK)
		return why_set(why, E_NOMEM, "ledger %s", dir);
	err = take_directory(l, why);
	if (err == E_OK)
		err = conn_open(l, why);
	if (err == E_OK)
		err = thread_start("ledger-writer", ledger_writer_main, l, why, &l->thread);
	if (err != E_OK)
		return why_add(why, "ledger %s", dir);
	log_info("ledger", "ledger opened", LOG_S("dir", l->dir));
	*ret_ledger = TAKE(l);
	return E_OK;
}

void ledger_close(struct ledger *l)
{
	if (!l)
		return;
	atomic_store(&l->stopping, true);
	wake_signal(&l->wake);
	pthread_join(l->thread, NULL);
	wal_stop(&l->wal);
	if (l->db.handle)
		(void)wal_checkpoint(&l->wal, /* truncate= */ true, NULL); /* what fails is in the log */
	release(l);
}

void ledger_write(struct ledger *l, struct ledger_write *w)
{
	if (mpsc_put(&l->queue, &w->node))
		wake_signal(&l->wake);
}

/* ---- reading -------------------------------------------------------------------------------------------------------- */

static enum err read_rows(struct db *db, unsigned sql, bool (*on_row)(void *ctx, const struct ledger_row *row),
			  void *ctx, struct why *why)
{
	bool more = true;

	while (more && db_row(db, sql)) {
		struct ledger_row row = ledger_row_of(db_stmt(db, sql));

		more = on_row(ctx, &row);
	}
	return db_done(db, sql, why);
}

static enum err read_table(struct db *db, enum ledger_table table, struct str peer,
			   bool (*on_row)(void *ctx, const struct ledger_row *row), void *ctx, struct why *why)
{
	unsigned sql = ledger_sql(table, peer.n ? LEDGER_VERB_OF_PEER : LEDGER_VERB_ALL);
	enum err err = ledger_schema_check(db, why);

	if (err == E_OK)
		err = ledger_sql_prepare(db, why);
	if (err != E_OK)
		return err;
	if (peer.n)
		sqlite3_bind_text64(db_stmt(db, sql), 1, peer.p, peer.n, SQLITE_STATIC, SQLITE_UTF8);
	return read_rows(db, sql, on_row, ctx, why);
}

/* A connection of its own: the writer's is busy in another thread. What a failed sync may have lost is not shown. */
enum err ledger_read(struct ledger *l, enum ledger_table table, struct str peer,
		     bool (*on_row)(void *ctx, const struct ledger_row *row), void *ctx, struct why *why)
{
	struct db db = { 0 };
	enum err err;

	if (atomic_load(&l->failed))
		return why_set(why, E_UNAVAILABLE, "ledger %s: failed, and has not come back", l->dir);
	err = db_open(l->path, SQLITE_OPEN_READWRITE, DB_BUSY_MS, why, &db);
	if (err == E_OK)
		err = read_table(&db, table, peer, on_row, ctx, why);
	db_close(&db);
	return err == E_OK ? E_OK : why_add(why, "ledger %s", l->dir);
}
