/*
 * ledger_impl.h -- the open ledger, as its own files see it.
 *
 * Shape     ledger.c opens, closes and reads; ledger_writer.c is the thread and the transaction.
 * Threads   fields under "shared" from any thread; the rest belongs to the writer once it runs.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "store/ledger.h"
#include "store/ledger_metrics.h"
#include "store/ledger_sql.h"
#include "store/queue.h"
#include "store/retry.h"
#include "store/wake.h"
#include "store/wal.h"

/* One row's bytes at most: twice an object. */
#define LEDGER_BYTES_MAX (64u << 20)

struct ledger {
	char *dir;
	char *path; /* of the database */
	int dir_fd;
	int lock_fd;

	/* the writer's */
	struct db db;
	struct wal wal;
	struct queue writes; /* taken, waiting for a group */
	struct why failure;  /* why it failed */
	struct retry retry;

	/* shared */
	struct mpsc queue;
	struct wake wake;
	_Atomic bool failed;
	_Atomic bool stopping;
	pthread_t thread;
	struct ledger_metrics metrics;
};

/* ledger.c: after a failure: open the database again, and a write that shows that the disk takes data again. On an error all is closed. */
enum err ledger_conn_reopen(struct ledger *l, struct why *why);
void ledger_conn_close(struct ledger *l);

/* ledger_writer.c */
void *ledger_writer_main(void *ledger);
