#include "store/store.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "store/lock.h"
#include "store/store_impl.h"

static void release(struct store *s)
{
	if (!s)
		return;
	conn_close(s);
	positions_release(&s->positions);
	pthread_mutex_destroy(&s->listeners_lock);
	store_metrics_release(&s->metrics);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	if (s->dir_fd >= 0)
		close(s->dir_fd);
	mem_free(s->path);
	mem_free(s->dir);
	mem_free(s);
}

DEFINE_FREEP(release, struct store, release)

static char *path_in(const char *dir, const char *name)
{
	struct buf path = { 0 };

	buf_addf(&path, "%s/%s", dir, name);
	if (!buf_cstr(&path))
		buf_release(&path);
	return path.p;
}

void store_set_limits(struct store *s, const struct store_config *config)
{
	atomic_store(&s->max_bytes, config->max_bytes);
	atomic_store(&s->dedup_ms, config->dedup_ms);
	atomic_store(&s->retain_ms, config->retain_ms);
	atomic_store(&s->retain_bytes, config->retain_bytes);
	wake_signal(&s->wake);
}

static enum err init(struct store *s, const struct store_config *config)
{
	s->lock_fd = s->dir_fd = -1;
	positions_init(&s->positions);
	pthread_mutex_init(&s->listeners_lock, NULL);
	wake_init(&s->wake);
	queue_init(&s->puts);
	queue_init(&s->deads);
	s->dir = str_dup(str_of(config->dir));
	s->path = path_in(config->dir, STORE_FILE);
	if (!s->dir || !s->path)
		return E_NOMEM;
	s->forward_all = config->forward_all;
	s->dedup_memory = config->dedup_memory;
	store_set_limits(s, config);
	return store_metrics_init(&s->metrics, config->metrics);
}

/* Whoever removes the file, and its log, wants a new one; whoever leaves an empty one has lost what was in it. */
static enum err make_file(struct store *s, struct why *why)
{
	int64_t bytes = db_file_bytes(s->path, "");

	if (bytes == 0 && s->noted_pos)
		return why_set(why, E_CORRUPT,
			       "%s is empty, but had events up to position %llu: it was truncated or replaced", s->path,
			       (unsigned long long)s->noted_pos);
	if (bytes < 0)
		lock_note(s->lock_fd, 0);
	return lock_create_file(s->dir_fd, STORE_FILE, why);
}

static enum err take_directory(struct store *s, struct why *why)
{
	enum err err = lock_dir_open(s->dir, /* create= */ true, why, &s->dir_fd);

	if (err == E_OK)
		err = lock_take(s->dir_fd, LOCK_SPOOL, why, &s->lock_fd);
	if (err != E_OK)
		return err;
	s->noted_pos = lock_noted(s->lock_fd);
	err = db_check_log(s->path, why);
	return err == E_OK ? make_file(s, why) : err;
}

/* Nobody has to be asked before an older copy is used, but it is said: positions are given a second time. */
static void note_last(struct store *s)
{
	if (s->last_pos < s->noted_pos)
		log_warn("store", "the store is older than it was: it was replaced, or the disk lost events",
			 LOG_S("dir", s->dir), LOG_U("last_position", s->last_pos), LOG_U("it_was", s->noted_pos));
	lock_note(s->lock_fd, s->last_pos);
}

static enum err start(struct store *s, struct why *why)
{
	atomic_store(&s->last, s->last_pos);
	atomic_store(&s->bytes, space_used(&s->space));
	s->space.max = atomic_load(&s->max_bytes);
	writer_set_state(s, space_update(&s->space));
	return thread_start("store-writer", writer_main, s, why, &s->thread);
}

enum err store_open(const struct store_config *config, struct why *why, struct store **ret_store)
{
	CLEANUP(release_freep) struct store *s = mem_alloc(sizeof(*s));
	enum err err;

	if (!s || init(s, config) != E_OK)
		return why_set(why, E_NOMEM, "store %s", config->dir);
	err = take_directory(s, why);
	if (err == E_OK)
		err = conn_open(s, why);
	if (err == E_OK)
		note_last(s);
	if (err == E_OK)
		err = start(s, why);
	if (err != E_OK)
		return why_add(why, "store %s", config->dir);
	log_info("store", "store opened", LOG_S("dir", s->dir), LOG_U("last_position", store_last(s)),
		 LOG_U("bytes", store_bytes(s)));
	*ret_store = TAKE(s);
	return E_OK;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	atomic_store(&s->stopping, true);
	wake_signal(&s->wake);
	pthread_join(s->thread, NULL);
	wal_stop(&s->wal);
	if (s->db.handle)
		(void)wal_checkpoint(&s->wal, /* truncate= */ true,
				     NULL); /* for a quick start; what fails is in the log */
	lock_note(s->lock_fd, store_last(s));
	release(s);
}

void store_abandon(struct store *s)
{
	close(s->lock_fd);
	close(s->dir_fd);
	s->lock_fd = s->dir_fd = -1;
}

bool store_is_writer(const struct store *s)
{
	return pthread_equal(s->thread, pthread_self());
}

void store_put(struct store *s, struct store_put *put)
{
	if (mpsc_put(&s->put_queue, &put->node))
		wake_signal(&s->wake);
}

void store_dead(struct store *s, struct store_dead_put *put)
{
	if (mpsc_put(&s->dead_queue, &put->node))
		wake_signal(&s->wake);
}

uint64_t store_last(const struct store *s)
{
	return atomic_load(&s->last);
}

enum store_state store_state(const struct store *s)
{
	return (enum store_state)atomic_load(&s->state);
}

uint64_t store_bytes(const struct store *s)
{
	return atomic_load(&s->bytes);
}

void store_listen(struct store *s, struct store_listener *listener)
{
	pthread_mutex_lock(&s->listeners_lock);
	listener->next = s->listeners;
	s->listeners = listener;
	pthread_mutex_unlock(&s->listeners_lock);
}

void store_unlisten(struct store *s, struct store_listener *listener)
{
	pthread_mutex_lock(&s->listeners_lock);
	for (struct store_listener **l = &s->listeners; *l; l = &(*l)->next) {
		if (*l == listener) {
			*l = listener->next;
			break;
		}
	}
	pthread_mutex_unlock(&s->listeners_lock);
}

enum err store_forwarded(struct store *s, const char *bus, uint64_t *ret_pos, struct why *why)
{
	enum err err = positions_get(&s->positions, bus, ret_pos);

	return err == E_OK ? E_OK : why_set(why, err, "position of bus %s", bus);
}

void store_set_forwarded(struct store *s, const char *bus, uint64_t pos)
{
	if (positions_set(&s->positions, bus, pos))
		wake_signal(&s->wake);
}

void store_set_forwarded_but(struct store *s, const char *bus, uint64_t pos, const struct store_held *held, size_t n)
{
	if (positions_set_but(&s->positions, bus, pos, held, n))
		wake_signal(&s->wake);
}

enum err store_each_held(struct store *s, const char *bus,
			 enum err (*on_held)(void *ctx, const struct store_held *held), void *ctx)
{
	return positions_each_held(&s->positions, bus, on_held, ctx);
}
