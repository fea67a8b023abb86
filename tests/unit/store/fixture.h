/*
 * fixture.h -- a store in a directory of its own, and requests that wait for their answer.
 *
 * Owner     fixture_new() makes the directory, fixture_free() closes the store and removes it. Nothing waits by sleeping:
 *           fixture_put() returns when on_stored came.
 */
#pragma once

/* clang-format off */
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include <semaphore.h>

#include "store/store.h"

struct fixture {
	char dir[64];
	struct store_config config; /* change it before fixture_open() */
	struct store *store;
	struct why why;
};

/* The store's log lines go nowhere, unless HOLDFAST_TEST_LOG is set. */
void fixture_quiet(void);

struct fixture *fixture_new(void);
void fixture_free(struct fixture *f);

/* Opens with f->config; the story of a failure is in f->why. */
enum err fixture_open(struct fixture *f);
void fixture_close(struct fixture *f);

/* A request that can be waited for. */
struct waiting {
	struct store_put put;
	struct why why;
	sem_t done;
};

void waiting_start(struct waiting *w, struct store *s, struct store_row *rows, size_t count, bool *duplicates);

/* The outcome. */
enum err waiting_end(struct waiting *w);

/* A row of route webhook/example with JSON data. */
struct store_row fixture_row(const char *id, const char *key, const char *data);

/* Stores and waits. */
enum err fixture_put(struct fixture *f, struct store_row *rows, size_t count, bool *duplicates);
enum err fixture_put_one(struct fixture *f, const char *id, const char *key, uint64_t *ret_pos, bool *ret_duplicate);
enum err fixture_dead(struct fixture *f, uint64_t pos, const char *bus, const char *reason);
enum err fixture_dead_remove(struct fixture *f, uint64_t pos, const char *bus);

/* The ids from `from` on, each followed by a blank; into a buffer that the next call uses again. */
const char *fixture_ids(struct fixture *f, uint64_t from);

/* How many events are readable. */
size_t fixture_count(struct fixture *f);

/* As a person with sqlite3 would. */
void fixture_sql(const char *dir, const char *sql);

/* Waits, at most a minute, until `done(f)`. */
void fixture_until(struct fixture *f, bool (*done)(struct fixture *f));
