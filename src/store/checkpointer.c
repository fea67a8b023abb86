#include "store/checkpointer.h"

#include <assert.h>
#include <errno.h>
#include <time.h>

#include "base/thread.h"

/* Read something first: only then does a connection know that there is a log. */
static const char prepare[] = "PRAGMA synchronous = FULL;"
			      "PRAGMA cache_size = -64;"
			      "PRAGMA wal_autocheckpoint = 0;"
			      "SELECT count(*) FROM sqlite_schema;";

/*
 * SQLite does so only when the log did not grow while it was copied, which is seldom under load. Left to the writer that
 * sync would wait for all pages copied so far.
 */
static enum err sync_database(struct db *db, struct why *why)
{
	sqlite3_file *file = NULL;
	int rc;

	errno = 0;
	rc = sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_FILE_POINTER, &file);
	if (rc == SQLITE_OK)
		rc = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
	return db_why(db, rc, why, "sync the database file");
}

static enum err copy(struct checkpointer *c, struct why *why)
{
	int in_log = 0;
	int copied = 0;
	int rc;

	errno = 0;
	rc = sqlite3_wal_checkpoint_v2(c->db.handle, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_log, &copied);
	if (db_err(rc) == E_BUSY)
		return E_OK;
	if (rc != SQLITE_OK)
		return db_why(&c->db, rc, why, "checkpoint");
	c->held_back = copied < in_log;
	c->copied = copied;
	return sync_database(&c->db, why);
}

static void *run(void *arg)
{
	struct checkpointer *c = arg;

	pthread_mutex_lock(&c->lock);
	while (!c->stopping) {
		if (!c->busy) {
			pthread_cond_wait(&c->changed, &c->lock);
			continue;
		}
		pthread_mutex_unlock(&c->lock);
		c->err = copy(c, &c->failure);
		pthread_mutex_lock(&c->lock);
		c->busy = false;
		pthread_cond_broadcast(&c->changed);
		wake_signal(c->writer);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* ---- the writer's side ---------------------------------------------------------------------------------------------- */

static void release(struct checkpointer *c)
{
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	db_close(&c->db);
}

enum err checkpointer_start(struct checkpointer *c, const char *path, struct wake *writer, struct why *why)
{
	enum err err;

	*c = (struct checkpointer){ .writer = writer };
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->changed, NULL);
	err = db_open(path, SQLITE_OPEN_READWRITE, /* busy_ms= */ DB_BUSY_MS, why, &c->db);
	if (err == E_OK)
		err = db_exec_as(&c->db, "set up the checkpointer", prepare, why);
	if (err == E_OK)
		err = thread_start("checkpointer", run, c, why, &c->thread);
	c->running = err == E_OK;
	if (err != E_OK)
		release(c);
	return err;
}

void checkpointer_stop(struct checkpointer *c)
{
	if (!c->running)
		return;
	pthread_mutex_lock(&c->lock);
	c->stopping = true;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->thread, NULL);
	c->running = false;
	release(c);
}

void checkpointer_ask(struct checkpointer *c)
{
	pthread_mutex_lock(&c->lock);
	assert(!c->busy);
	c->busy = true;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

bool checkpointer_is_busy(const struct checkpointer *c)
{
	return atomic_load(&c->busy);
}

bool checkpointer_wait(struct checkpointer *c, uint32_t ms)
{
	struct timespec until;
	bool busy;

	if (!checkpointer_is_busy(c) || !ms)
		return !checkpointer_is_busy(c);
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&c->lock);
	while (c->busy && pthread_cond_clockwait(&c->changed, &c->lock, CLOCK_MONOTONIC, &until) == 0)
		;
	busy = c->busy;
	pthread_mutex_unlock(&c->lock);
	return !busy;
}
