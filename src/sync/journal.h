/*
 * journal.h -- transactions of the ledger, gathered over a turn and written as one.
 *
 * Shape     whoever has something to keep adds changes to the batch of the moment, and a tag to be told about; journal_flush(),
 *           once a turn, hands the batch to the ledger. One is on its way at a time, and what comes meanwhile is the next. A
 *           batch that fails is written again, with backoff, until it succeeds: what was decided stays decided, it is only
 *           not durable yet, and nobody is told before.
 * Owner     the journal copies what it is given. Tags are texts: their owner may be gone when they come back.
 * Errors    E_NOMEM: not added; nothing of this call is in the batch
 */
#pragma once

#include "base/buf.h"
#include "store/ledger.h"

/* How a batch gets to the ledger; store/ledger.h, or a simulation. `on_done` comes in the thread of the journal's owner. */
struct journal_io {
	void (*write)(void *ctx, struct ledger_write *w);
	/* Call journal_retry() after this time. */
	void (*retry_in)(void *ctx, uint32_t delay_ms);
	/* The ledger failed, or works again (E_OK): for the log and readiness. */
	void (*on_state)(void *ctx, enum err err);
	void *ctx;
};

struct journal;

/* Who is told when its changes are durable; `tag` is lent. */
struct journal_listener {
	void (*on_durable)(struct journal_listener *l, struct str tag);
	/* The listener's owner may free itself only when nothing of it is on the way. */
	unsigned pending;
};

struct journal *journal_new(const struct journal_io *io);

/* No write may be at the ledger any more; who still waits to be told is not told. Takes NULL. */
void journal_free(struct journal *j);

/* Add one change; copied. */
enum err journal_add(struct journal *j, enum ledger_table table, bool remove, const struct ledger_row *row);

/* Tell `l` when everything added so far is durable. */
enum err journal_tell(struct journal *j, struct journal_listener *l, struct str tag);

/* The turn is over. */
void journal_flush(struct journal *j);

/* A write has ended; in the owner's thread. */
void journal_done(struct journal *j, struct ledger_write *w);

/* The time of retry_in() has come. */
void journal_retry(struct journal *j);

bool journal_is_idle(const struct journal *j);
