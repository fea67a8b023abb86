/*
 * dedup.h -- which sender-given keys were stored already, and where.
 *
 * Shape     The key itself lies in its event's row: that is what makes it atomic with the event. This is the look-up,
 *           derived from the rows:
 *
 *             recent   a hash table in memory: keys of the events after `frozen_pos`
 *             frozen   a sorted array in memory: keys of (merged_pos, frozen_pos], on their way into the table
 *             dedup    a table on disk: keys up to merged_pos, in generations of an eighth of the window at most
 *
 *           When `recent` is full it becomes `frozen`, and dedup_step() moves that to disk a slice per transaction, in
 *           order. A generation goes as a whole when its newest key is older than the window. At open, `recent` is
 *           built from the rows after merged_pos.
 * Cost      Keys lie as if at random, so a generation that is many times as large as what comes into it has a page written
 *           for nearly each. It is full when `recent` went into it 16 times: then a score share a page. A full one has a
 *           Bloom filter in memory, 6 bits a key, so that a new key is looked for in one of 18 of them. It is made a
 *           slice per transaction, too, also after a start.
 * Units     times in ms of the wall clock. A key of 128 bits: SipHash-2-4 twice under a secret of the store and the
 *           route. That is enough instead of the key: two of 10^9 keys fall together with a chance of 10^-21, and
 *           nobody outside knows the secret that would let him search for a pair.
 * Threads   the writer's.
 * Errors    E_NOMEM  or those of db.h; after any of them the transaction fails and the look-up is built anew
 */
#pragma once

#include <stdint.h>

#include "base/map.h"
#include "store/spool_sql.h"

#define DEDUP_GENS_MAX 64

struct dedup_fp {
	uint64_t hi, lo; /* hi is never 0 in a used slot */
};

struct dedup_entry {
	struct dedup_fp fp;
	uint64_t pos;
	int64_t stored_ms;
};

struct dedup_gen {
	int64_t gen;
	int64_t first_ms;
	int64_t last_ms; /* of its newest key */
	uint64_t keys;   /* about so many */
	uint8_t *filter; /* NULL, or of the keys up to filtered */
	struct dedup_fp filtered;
	bool has_filter; /* of all keys */
};

struct dedup {
	struct db *db;
	uint64_t secret[2];
	uint64_t window_ms;
	size_t recent_max; /* keys before `recent` is frozen */

	struct dedup_entry *recent; /* open addressing; hi == 0: free */
	size_t recent_n, recent_cap;
	struct dedup_entry *frozen; /* sorted; [0, frozen_at) are in the table already */
	size_t frozen_n, frozen_at;
	uint64_t frozen_pos; /* rows up to here have their keys in frozen or the table */
	uint64_t merged_pos; /* rows up to here have them in the table */
	int64_t merge_gen;   /* where frozen goes */

	struct dedup_gen gens[DEDUP_GENS_MAX]; /* oldest first */
	size_t gen_n;
};

/* Read what is on disk and the keys of the rows up to `last`. `memory` in bytes for recent and frozen together. */
enum err dedup_open(struct dedup *d, struct db *db, size_t memory, uint64_t window_ms, uint64_t last, int64_t now_ms,
		    struct why *why);
void dedup_release(struct dedup *d);

/* The fingerprint of `key` on `route`. */
struct dedup_fp dedup_fp(const struct dedup *d, int64_t route, struct str key);

/* Was it stored within the window? Sets `*ret_found`, and the older row's place if so. */
enum err dedup_find(struct dedup *d, struct dedup_fp fp, int64_t now_ms, struct why *why, bool *ret_found,
		    struct dedup_entry *ret_entry);

/* The same in `recent` alone, where a key of the running transaction is. */
const struct dedup_entry *dedup_find_recent(const struct dedup *d, struct dedup_fp fp, int64_t now_ms);

/* Room for `n` more keys, so that dedup_add() cannot fail. */
enum err dedup_reserve(struct dedup *d, size_t n);

/* The key of a row that this transaction inserts. */
void dedup_add(struct dedup *d, const struct dedup_entry *entry);

/* Let `recent` go to disk, rows up to `last`: it is full, or retention waits for it. Not while dedup_merging(). */
void dedup_freeze(struct dedup *d, uint64_t last, int64_t now_ms);

/* Are keys on their way to disk? */
static inline bool dedup_merging(const struct dedup *d)
{
	return d->merged_pos < d->frozen_pos;
}

/* True when dedup_step() has something to do. */
bool dedup_busy(const struct dedup *d, int64_t now_ms);

/* Inside a transaction: move at most `keys` to disk, forget at most as many that are too old; or filter a few. */
enum err dedup_step(struct dedup *d, size_t keys, int64_t now_ms, struct why *why);

/* Is it time to freeze? When full, or when a start would have to read many rows. */
bool dedup_is_due(const struct dedup *d, uint64_t last);
