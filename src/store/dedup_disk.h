/*
 * dedup_disk.h -- the part of the look-up that is on disk, for dedup.c.
 *
 * Shape     finding, merging, pruning and what is read at open; dedup.c keeps what is in memory.
 */
#pragma once

#include "store/dedup.h"

#define DEDUP_FIRST_CAP 256 /* slots */

/* A clock set back makes nothing older. */
static inline bool dedup_too_old(const struct dedup *d, int64_t stored_ms, int64_t now_ms)
{
	return now_ms - stored_ms >= (int64_t)d->window_ms;
}

/* Look in the generations, the newest first. */
enum err dedup_disk_find(struct dedup *d, struct dedup_fp fp, int64_t now_ms, struct why *why, bool *ret_found,
			 struct dedup_entry *ret_entry);
