/*
 * ledger.h -- what the two ends of the sync must not forget: what each peer has, commands under way, what was applied.
 *
 * Shape     one SQLite file `ledger.db` in a data directory, WAL, synchronous=FULL; one writer thread commits everything that
 *           waits as one group. A few tables, and rows of one shape for all of them; what a column means per table stands in
 *           LEDGER_TABLES. A transaction is a list of changes, all or none.
 * Owner     ledger_write() lends the caller's memory until on_done.
 * Threads   ledger_write() from any thread; on_done runs in the writer's thread and must only hand over.
 * Errors    E_FULL, E_IO, E_UNAVAILABLE (the disk failed and has not come back: retried with backoff for whoever asks again),
 *           E_BUSY (another process has this ledger), E_UNSUPPORTED (newer schema), E_CORRUPT
 * Source    docs/delivery.md "What must be on disk"
 */
#pragma once

#include "base/metrics.h"
#include "base/mpsc.h"
#include "base/str.h"
#include "base/why.h"

/*    name      table       key                                 what a row says */
#define LEDGER_TABLES(X)                                                                                              \
	X(OBJECT, "objects", (kind, namespace, name), "an object of the directory: uid, version, digest")             \
	X(COPY, "copies", (peer, name, namespace, kind, uid), "a peer has, or may have, this: digests it confirmed")  \
	X(COMMAND, "commands", (peer, name, namespace, kind, uid, version), "a command not confirmed yet: its bytes") \
	X(REPLICA, "replicas", (peer, name, namespace, kind), "what was applied here: source uid, its content, ids")  \
	X(SETTING, "settings", (name), "one value by name: bytes")

enum ledger_table {
#define X(name, table, key, says) LEDGER_##name,
	LEDGER_TABLES(X)
#undef X
		LEDGER_TABLE_COUNT,
};

/* A row. Columns that are not part of a table's key and that the table does not need are empty. */
struct ledger_row {
	struct str peer;
	struct str kind;
	struct str namespace;
	struct str name;
	struct str uid;
	struct str version;
	struct str desired;   /* digest */
	struct str status;    /* digest */
	struct str operation; /* digest */
	struct str bytes;
};

struct ledger_change {
	enum ledger_table table;
	bool remove; /* the row with this key; else: put it, in place of an older one */
	struct ledger_row row;
};

/* One transaction. */
struct ledger_write {
	struct mpsc_node node;         /* the ledger's while it waits */
	struct ledger_change *changes; /* borrowed until on_done */
	size_t count;
	enum err err; /* the outcome, set before on_done */
	void (*on_done)(struct ledger_write *w);
	void *owner; /* whoever on_done needs; the ledger does not look at it */
};

struct ledger;

/* Opens for writing, creating and migrating as needed; starts the writer. `dir` is made (0700) when missing. */
enum err ledger_open(const char *dir, struct metrics *metrics, struct why *why, struct ledger **ret_ledger);

/* Commits what waits, stops the writer, closes. Takes NULL. No write may follow. */
void ledger_close(struct ledger *l);

void ledger_write(struct ledger *l, struct ledger_write *w);

/* The disk has failed, whoever wrote, and no later write has succeeded. Any thread. */
bool ledger_has_failed(const struct ledger *l);

/*
 * Reads a table, in the order of its key, optionally of one peer alone ({NULL, 0}: all). For the start, before anything is
 * written. `on_row` returns false to stop early; rows lend their memory during the call only.
 */
enum err ledger_read(struct ledger *l, enum ledger_table table, struct str peer,
		     bool (*on_row)(void *ctx, const struct ledger_row *row), void *ctx, struct why *why);
