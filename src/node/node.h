/*
 * node.h -- what the processes of a principal and of an agent are made of: a loop, turns, the ledger, signals.
 *
 * Shape     everything happens in one loop. Callbacks of sockets, timers, the backend and the ledger put something into a pure core
 *           (principal/hub.h, agent/site.h) and call node_wake(); before the loop waits again, the core gets its turn. So a turn
 *           of the loop is one turn of the core, one write to each stream and one group of rows.
 * Owner     embedded in its user; node_release() after the loop has ended.
 * Threads   the loop's. Rows are written by the ledger's own thread, the backend does its waiting elsewhere.
 * Source    STYLE "a turn, a step, actions"
 */
#pragma once

#include <uv.h>

#include "base/log.h"
#include "base/metrics.h"
#include "net/loop.h"
#include "store/ledger.h"
#include "sync/journal.h"

struct node;

struct node_user {
	/* Work that is due. Returns when to come back, in ms of the loop's clock; UINT64_MAX: not until node_wake(). */
	uint64_t (*on_turn)(struct node *node);
	void (*on_terminate)(struct node *node); /* SIGTERM, SIGINT: once */
	void (*on_reload)(struct node *node);    /* SIGHUP */
	/* The ledger failed (what was to be kept waits), or works again (E_OK). */
	void (*on_ledger)(struct node *node, enum err err);
};

struct node {
	struct loop loop;
	struct metrics *metrics;
	struct ledger *ledger;
	struct journal *journal;
	const struct node_user *user;
	const char *logger; /* "principal" */
	uv_prepare_t prepare;
	uv_signal_t signals[3];
	struct loop_timer due;
	struct loop_timer retry;    /* of the journal */
	struct loop_task written;   /* the ledger's thread to ours */
	struct ledger_write *write; /* the one on its way */
	bool woken;
	bool terminating;
	bool ledger_failed;
};

/* Opens the ledger in `data_dir` and prepares the loop. On an error everything is released. */
enum err node_init(struct node *node, const char *data_dir, const struct node_user *user, const char *logger,
		   struct why *why);

/* The core has something to do: its turn comes before the loop waits again. */
void node_wake(struct node *node);

/* Runs until node_stop(): signals, turns. */
void node_run(struct node *node);

/* No more turns; the loop ends when the last handle is closed. All rows must be written: journal_is_idle(). */
void node_stop(struct node *node);
void node_release(struct node *node);

/* Monotonic ms as of this turn, and the wall clock in ns: for cores. */
uint64_t node_now_ms(const struct node *node);
int64_t node_wall_ns(const struct node *node);

/*
 * A value of the ledger's settings by name, read at the start: E_NOT_FOUND when there is none. And one put there for good,
 * before anything else runs.
 */
enum err node_setting(struct node *node, const char *name, struct buf *ret_value, struct why *why);
enum err node_setting_put(struct node *node, const char *name, struct str value, struct why *why);
