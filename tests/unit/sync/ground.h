/*
 * ground.h -- what one process stands on, for tests: an instant clock, a memory backend, and a journal over a ledger that the test
 * holds back, lets fail or lets go. Objects and rows outlive the process.
 *
 * Shape     ground_open() and ground_crash() are the life of a process; ground_step() lets one thing happen that is due.
 * Units     ms.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend/memory.h"
#include "sync/journal.h"

#define GROUND_ROWS  1024
#define GROUND_TASKS 64

struct ground {
	struct memory_store *store;
	struct backend *backend;
	struct journal *journal;
	uint64_t now;
	struct {
		struct memory_task *task;
		uint64_t due;
	} tasks[GROUND_TASKS];
	size_t task_count;
	struct ledger_write *writing; /* at the disk */
	bool disk_held;
	unsigned disk_failures; /* batches that will fail */
	uint64_t retry_at;      /* of the journal; 0: it waits for nothing */
	enum err disk_state;    /* as the journal said last */
	struct {
		enum ledger_table table;
		char *texts[10]; /* the row's columns */
	} rows[GROUND_ROWS];
	size_t row_count;
};

void ground_begin(struct ground *g, uint64_t now);
void ground_end(struct ground *g);

void ground_open(struct ground *g);

/* What was not durable is gone. What stood on it is the caller's to free, now. */
void ground_crash(struct ground *g);

/* One thing that is due: a task of the backend, or a batch at the disk. Nothing is: false. */
bool ground_step(struct ground *g);

/* The rows of a table, in the order of its key, as a ledger reads them. */
void ground_rows(const struct ground *g, enum ledger_table table, void (*take)(void *ctx, const struct ledger_row *row),
		 void *ctx);
size_t ground_row_count(const struct ground *g, enum ledger_table table);

/* What a person does: JSON with ' for ". Its UID is the one it brings, or what is there has. */
void ground_put(struct ground *g, enum object_kind kind, const char *json);
void ground_remove(struct ground *g, enum object_kind kind, const char *namespace, const char *name);

/* An object, as it says on this dotted path; "" when it is not there. Borrowed until the next call. */
const char *ground_at(const struct ground *g, enum object_kind kind, const char *namespace, const char *name,
		      const char *path);
