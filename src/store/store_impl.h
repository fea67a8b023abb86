/*
 * store_impl.h -- the open store, as its own files see it.
 *
 * Shape     store.c opens, closes and answers; writer.c is the thread; group.c and put.c the transaction; conn.c the connection and
 *           what is read at open; retain.c lets old events go; space.h, dedup.h, routes.h, positions.h keep their part.
 * Threads   fields under "shared" from any thread; the rest belongs to the writer once it runs.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "store/age.h"
#include "store/dedup.h"
#include "store/gather.h"
#include "store/positions.h"
#include "store/queue.h"
#include "store/retry.h"
#include "store/routes.h"
#include "store/space.h"
#include "store/store.h"
#include "store/store_metrics.h"
#include "store/wake.h"
#include "store/wal.h"

struct store {
	char *dir;
	char *path; /* of the database */
	int dir_fd;
	int lock_fd;
	uint64_t noted_pos; /* the last one of the store that stood there before */
	bool forward_all;
	size_t dedup_memory;

	/* the writer's */
	struct db db;
	struct routes routes;
	struct dedup dedup;
	struct space space;
	struct gather gather;
	struct queue puts;    /* taken, waiting for a group */
	struct queue deads;   /* the same for dead letters */
	uint64_t last_pos;    /* of the running transaction */
	int64_t last_ms;      /* when the newest row was stored */
	struct age age;       /* by which dedup and retention forget */
	uint64_t removed_pos; /* retention let everything up to here go, but what is set aside */
	uint64_t judged_ms;   /* the age by which retention judges */
	uint64_t judged_pos;  /* it knows about everything up to here, */
	uint64_t aged_pos;    /* and that everything up to here is too old */
	int64_t dead_count;
	struct wal wal;
	uint64_t positions_mono; /* ms; when the writer first saw unwritten positions; 0: none */
	uint64_t retain_mono;    /* ms; when retention looks next */
	bool retain_more;        /* the last slice did not reach the end */
	bool judge_more;         /* the same of what retention knows */
	struct why failure;      /* why the store is FAILED */
	struct retry retry;      /* FAILED: when to try again */

	/* shared */
	struct mpsc put_queue;
	struct mpsc dead_queue;
	struct wake wake;
	struct positions positions;
	pthread_mutex_t listeners_lock;
	struct store_listener *listeners;
	_Atomic uint64_t last;
	_Atomic uint64_t bytes;
	_Atomic uint64_t max_bytes, dedup_ms, retain_ms, retain_bytes;
	_Atomic int state;
	_Atomic bool stopping;
	pthread_t thread;
	struct store_metrics metrics;
};

/* conn.c: open the database, bring it to the schema, read what the writer keeps in memory. On an error all is closed. */
enum err conn_open(struct store *s, struct why *why);

/* conn.c: after a failure; the same, and a write that shows the disk takes data again. */
enum err conn_reopen(struct store *s, struct why *why);
void conn_close(struct store *s);

/* group.c: one transaction with all that waits and all that is due, its requests completed after it. */
void group_commit(struct store *s);

/* group.c: complete everything that waits with `err`. */
void group_refuse(struct store *s, enum err err);

/* group.c: is there anything to write? */
bool group_is_due(struct store *s, uint64_t now_mono);

/* retain.c: inside a transaction, let a slice of old forwarded events go: `age_ms` is the time by which they are old. */
enum err retain_step(struct store *s, int64_t now_ms, int64_t age_ms, struct why *why);

/* retain.c: is there anything that may go, once its time has come? */
bool retain_waits(struct store *s);

/* retain.c: when a slice has work: 0 now, WAKE_FOREVER not before something else happens. */
uint32_t retain_wait_ms(struct store *s, uint64_t now_mono);

/* writer.c */
void *writer_main(void *store);
void writer_set_state(struct store *s, enum store_state state);
void writer_failed(struct store *s, const struct why *why);
