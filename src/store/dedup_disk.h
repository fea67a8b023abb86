/*
 * dedup_disk.h -- the part of the look-up that is on disk, for dedup.c.
 *
 * Shape     dedup_disk.c    finding, merging, pruning and what is read at open; dedup.c keeps what is in memory
 *           dedup_filter.c  the filters of full generations
 */
#pragma once

#include "store/dedup.h"

#define DEDUP_FIRST_CAP 256 /* slots */
#define DEDUP_GEN_FULL  16  /* times that `recent` goes into a generation */

/* A clock set back makes nothing older. */
static inline bool dedup_too_old(const struct dedup *d, int64_t stored_ms, int64_t now_ms)
{
	return now_ms - stored_ms >= (int64_t)d->window_ms;
}

/* Keys of a full generation. */
static inline uint64_t dedup_gen_full(const struct dedup *d)
{
	return DEDUP_GEN_FULL * (uint64_t)d->recent_max;
}

/* A fingerprint as it is bound, the bytes lent for that, and back. E_CORRUPT */
void dedup_bind_fp(sqlite3_stmt *stmt, int at, struct dedup_fp fp, uint64_t bytes[static 2]);
enum err dedup_column_fp(sqlite3_stmt *stmt, int at, struct why *why, struct dedup_fp *ret_fp);

/* May the generation have it? */
bool dedup_filter_passes(const struct dedup *d, const struct dedup_gen *gen, struct dedup_fp fp);

/* Has a full generation no filter yet? */
bool dedup_filter_due(const struct dedup *d);

/* Look through a slice of its keys. */
enum err dedup_filter_step(struct dedup *d, struct why *why);

/* Look in the generations, the newest first. */
enum err dedup_disk_find(struct dedup *d, struct dedup_fp fp, int64_t now_ms, struct why *why, bool *ret_found,
			 struct dedup_entry *ret_entry);
