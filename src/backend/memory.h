/*
 * memory.h -- a backend that keeps everything in memory: for simulations and benches.
 *
 * Shape     the store holds the objects and outlives the backends opened on it, as a disk outlives processes; a backend is
 *           one process' view of it. Time comes from a clock that is given, so that a simulation can bring its own. A write
 *           is done when its delay is over, and durable then. UIDs come from the store's seed: a run can be repeated.
 *           What has finalizers is deleted as by an API server: it gets a deletionTimestamp and a new version and stays until a write
 *           leaves none of them.
 * Owner     the store must outlive its backend; at most one backend is open on a store at a time.
 * Errors    E_NOMEM
 */
#pragma once

#include "backend/backend.h"

struct memory_store;

struct memory_task {
	void (*run)(struct memory_task *task);
};

/* Runs `task` once, `delay_ms` from now and never from inside this call; tasks of equal times in the order given. */
struct memory_clock {
	void (*after)(void *ctx, struct memory_task *task, uint64_t delay_ms);
	void *ctx;
};

struct memory_store *memory_store_new(uint64_t seed);
void memory_store_free(struct memory_store *s);

/* The object there is, lent; NULL. */
struct object *memory_store_get(const struct memory_store *s, enum object_kind kind, const char *namespace,
				const char *name);

/* All of them, in no particular order: start with *at = 0, ends with NULL. Nothing may change meanwhile. */
struct object *memory_store_next(const struct memory_store *s, size_t *at);
size_t memory_store_count(const struct memory_store *s);

/*
 * What a person does, past the backend: put the whole object, status and operation too, or delete it. It gets a UID when it is
 * new (its own when it brings one) and a new version; who watches hears of it after the clock's next step. Not from inside the
 * watcher's callbacks. E_NOT_FOUND: nothing to delete.
 */
enum err memory_store_edit(struct memory_store *s, struct object *o);
enum err memory_store_remove(struct memory_store *s, enum object_kind kind, const char *namespace, const char *name);

/* From now on a write takes so long. */
void memory_store_delay(struct memory_store *s, uint64_t delay_ms);

/* Something is (`bad`), or is no longer, wrong: who watches is told at once. Not from inside the watcher's callbacks. */
void memory_store_problem(struct memory_store *s, bool bad);

/* The next `times` writes fail with `err` and change nothing. */
void memory_store_fail(struct memory_store *s, enum err err, unsigned times);

enum err memory_open(struct memory_store *s, const struct memory_clock *clock, struct why *why,
		     struct backend **ret_backend);

/* The same on a loop's time. */
enum err memory_open_loop(struct memory_store *s, struct loop *loop, struct why *why, struct backend **ret_backend);

/*
 * The process dies: nothing is called back any more, writes under way are lost. The backend is freed; the clock may still run
 * its tasks, which do nothing then.
 */
void memory_crash(struct backend *b);
