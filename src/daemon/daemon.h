/*
 * daemon.h -- what the processes of a principal and of an agent are made of: a loop, turns, the ledger, signals.
 *
 * Shape     everything happens in one loop. Callbacks of sockets, timers, the backend and the ledger put something into a pure core
 *           (principal/hub.h, agent/site.h) and call daemon_wake(); before the loop waits again, the core gets its turn. So a turn
 *           of the loop is one turn of the core, one write to each stream and one group of rows.
 * Owner     embedded in its user; daemon_release() after the loop has ended.
 * Threads   the loop's. Rows are written by the ledger's own thread, the backend does its waiting elsewhere.
 * Source    docs/architecture.md "The life of one resource change"
 */
#pragma once

#include <uv.h>

#include "base/log.h"
#include "base/metrics.h"
#include "net/loop.h"
#include "store/ledger.h"
#include "sync/journal.h"

struct daemon;

struct daemon_user {
	/* Work that is due. Returns when to come back, in ms of the loop's clock; UINT64_MAX: not until daemon_wake(). */
	uint64_t (*on_turn)(struct daemon *daemon);
	void (*on_terminate)(struct daemon *daemon); /* SIGTERM, SIGINT: once */
	void (*on_reload)(struct daemon *daemon);    /* SIGHUP */
	/* The ledger failed (what was to be kept waits), or works again (E_OK). */
	void (*on_ledger)(struct daemon *daemon, enum err err);
	/* A row of the ledger, during daemon_load(). E_MALFORMED: it makes no sense. */
	enum err (*on_row)(struct daemon *daemon, enum ledger_table table, const struct ledger_row *row);
};

struct daemon {
	struct loop loop;
	struct metrics *metrics;
	struct ledger *ledger;
	struct journal *journal;
	const struct daemon_user *user;
	const char *logger; /* "principal" */
	uv_prepare_t prepare;
	uv_signal_t signals[3];
	struct loop_timer due;
	struct loop_timer retry;    /* of the journal */
	struct loop_timer watchdog; /* of the service manager: it hears that the loop turns */
	struct loop_task written;   /* the ledger's thread to ours */
	struct ledger_write *write; /* the one on its way */
	bool woken;
	bool running; /* the start is over */
	bool terminating;
	bool ledger_failed;
};

/* Opens the ledger in `data_dir` and prepares the loop. On an error everything is released. */
enum err daemon_init(struct daemon *daemon, const char *data_dir, const struct daemon_user *user, const char *logger,
		     struct why *why);

/* argocd_agent_build_info: 1, with the version as a label (facts 7.3). E_NOMEM. */
enum err daemon_build_info(struct daemon *daemon, const char *version);

/* The core has something to do: its turn comes before the loop waits again. */
void daemon_wake(struct daemon *daemon);

/* As SIGHUP; nothing before daemon_run(), nor once it is told to stop. */
void daemon_reload(struct daemon *daemon);

/* Runs until daemon_stop(): signals, turns. Who runs the loop before it ends the process with SIGTERM. */
void daemon_run(struct daemon *daemon);

/* Takes work: the backend has reported everything (`synced`), the ledger can be written, and nobody told it to stop. */
bool daemon_is_ready(const struct daemon *daemon, bool synced);

/* No more turns; the loop ends when the last handle is closed. All rows must be written: journal_is_idle(). */
void daemon_stop(struct daemon *daemon);
void daemon_release(struct daemon *daemon);

/* Monotonic ms as of this turn, and the wall clock in ns: for cores. */
uint64_t daemon_now_ms(const struct daemon *daemon);
int64_t daemon_wall_ns(const struct daemon *daemon);

/*
 * A value of the ledger's settings by name, read at the start: E_NOT_FOUND when there is none. And one put there for good,
 * before anything else runs.
 */
enum err daemon_setting(struct daemon *daemon, const char *name, struct buf *ret_value, struct why *why);
enum err daemon_setting_put(struct daemon *daemon, const char *name, struct str value, struct why *why);

/* What the core kept, to on_row(): all of SETTING, then COPY, COMMAND and REPLICA. What makes no sense is logged and left out. */
enum err daemon_load(struct daemon *daemon, struct why *why);
