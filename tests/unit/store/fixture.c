#include "fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

void fixture_quiet(void)
{
	if (!getenv("HOLDFAST_TEST_LOG"))
		log_setup(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_ERROR, LOG_FORMAT_JSON);
}

struct fixture *fixture_new(void)
{
	struct fixture *f = mem_alloc(sizeof(*f));
	const char *tmp = getenv("TMPDIR");

	assert_non_null(f);
	snprintf(f->dir, sizeof(f->dir), "%s/holdfast-store-XXXXXX", tmp && strlen(tmp) < 30 ? tmp : "/tmp");
	assert_non_null(mkdtemp(f->dir));
	f->config = (struct store_config){
		.dir = f->dir,
		.dedup_ms = 72ull * 3600 * 1000,
		.dedup_memory = 1 << 20,
	};
	return f;
}

static void remove_files(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *entry;

	while (d && (entry = readdir(d)))
		if (entry->d_name[0] != '.')
			(void)unlinkat(dirfd(d), entry->d_name, 0);
	if (d)
		closedir(d);
	(void)rmdir(dir);
}

void fixture_free(struct fixture *f)
{
	fixture_close(f);
	remove_files(f->dir);
	mem_free(f);
}

enum err fixture_open(struct fixture *f)
{
	f->why = (struct why){ 0 };
	return store_open(&f->config, &f->why, &f->store);
}

void fixture_close(struct fixture *f)
{
	store_close(f->store);
	f->store = NULL;
}

static void on_stored(struct store_put *put)
{
	sem_post(&CONTAINER_OF(put, struct waiting, put)->done);
}

void waiting_start(struct waiting *w, struct store *s, struct store_row *rows, size_t count, bool *duplicates)
{
	*w = (struct waiting){
		.put = { .rows = rows,
			 .count = count,
			 .duplicates = duplicates,
			 .why = &w->why,
			 .on_stored = on_stored },
	};
	sem_init(&w->done, 0, 0);
	store_put(s, &w->put);
}

static void wait_for(sem_t *done)
{
	while (sem_wait(done) != 0)
		;
	sem_destroy(done);
}

enum err waiting_end(struct waiting *w)
{
	wait_for(&w->done);
	return w->put.err;
}

struct store_row fixture_row(const char *id, const char *key, const char *data)
{
	return (struct store_row){
		.source = STR("webhook"),
		.name = STR("example"),
		.id = str_of(id),
		.key = str_of(key),
		.meta = STR("{\"specversion\":\"1.0\"}"),
		.data_kind = EVENT_DATA_JSON,
		.data = str_of(data),
	};
}

enum err fixture_put(struct fixture *f, struct store_row *rows, size_t count, bool *duplicates)
{
	struct waiting w;

	waiting_start(&w, f->store, rows, count, duplicates);
	return waiting_end(&w);
}

enum err fixture_put_one(struct fixture *f, const char *id, const char *key, uint64_t *ret_pos, bool *ret_duplicate)
{
	struct store_row row = fixture_row(id, key, "{}");
	bool duplicate = false;
	enum err err = fixture_put(f, &row, 1, &duplicate);

	if (ret_pos)
		*ret_pos = row.pos;
	if (ret_duplicate)
		*ret_duplicate = duplicate;
	return err;
}

struct dead_waiting {
	struct store_dead_put put;
	sem_t done;
};

static void on_done(struct store_dead_put *put)
{
	sem_post(&CONTAINER_OF(put, struct dead_waiting, put)->done);
}

static enum err dead(struct fixture *f, struct store_dead_put put)
{
	struct dead_waiting w = { .put = put };

	w.put.on_done = on_done;
	sem_init(&w.done, 0, 0);
	store_dead(f->store, &w.put);
	wait_for(&w.done);
	return w.put.err;
}

enum err fixture_dead(struct fixture *f, uint64_t pos, const char *bus, const char *reason)
{
	return dead(f, (struct store_dead_put){ .pos = pos, .bus = bus, .reason = reason, .what = STORE_DEAD_ADD });
}

enum err fixture_dead_remove(struct fixture *f, uint64_t pos, const char *bus)
{
	return dead(f, (struct store_dead_put){ .pos = pos, .bus = bus, .what = STORE_DEAD_REMOVE });
}

struct listing {
	char *text;
	size_t size;
	size_t n;
	size_t rows;
};

static bool list(void *ctx, const struct store_row *row)
{
	struct listing *l = ctx;

	l->rows++;
	if (l->text && l->n + row->id.n + 2 < l->size) {
		memcpy(l->text + l->n, row->id.p, row->id.n);
		l->n += row->id.n;
		l->text[l->n++] = ' ';
		l->text[l->n] = '\0';
	}
	return true;
}

static void read_all(struct fixture *f, uint64_t from, struct listing *l)
{
	struct store_query query = { .from = from };
	struct store_reader *r;

	assert_int_equal(store_reader_open(f->dir, &f->why, &r), E_OK);
	assert_int_equal(store_read(r, &query, list, l, &f->why), E_OK);
	store_reader_close(r);
}

const char *fixture_ids(struct fixture *f, uint64_t from)
{
	static char text[8192];
	struct listing l = { text, sizeof(text), 0, 0 };

	text[0] = '\0';
	read_all(f, from, &l);
	return text;
}

size_t fixture_count(struct fixture *f)
{
	struct listing l = { 0 };

	read_all(f, 0, &l);
	return l.rows;
}

void fixture_sql(const char *dir, const char *sql)
{
	char path[192];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/spool.db", dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 60000);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

void fixture_until(struct fixture *f, bool (*done)(struct fixture *f))
{
	uint64_t end = clock_mono_ms() + 60000;

	while (!done(f)) {
		assert_true(clock_mono_ms() < end);
		sched_yield();
	}
}
