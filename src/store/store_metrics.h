/*
 * store_metrics.h -- what the store counts.
 *
 * Shape     a row per metric: field, type, name, scale, help. Without a registry the numbers go where nobody looks.
 */
#pragma once

#include "base/metrics.h"

/* clang-format off */
/*    field           type       name                                    scale  meaning */
#define STORE_METRICS(X)                                                                                               \
	X(events,         COUNTER,   "holdfast_store_events_total",          1,     "Events stored.")                   \
	X(duplicates,     COUNTER,   "holdfast_store_duplicates_total",      1,     "Events that were stored before, under the same id of the sender.")  \
	X(refused,        COUNTER,   "holdfast_store_refused_total",         1,     "Events refused: full or failed.")  \
	X(removed,        COUNTER,   "holdfast_store_removed_total",         1,     "Events removed by retention.")         \
	X(failures,       COUNTER,   "holdfast_store_failures_total",        1,     "Times the disk failed the store.") \
	X(commit,         HISTOGRAM, "holdfast_store_commit_seconds",        1e-9,  "Duration of a group's commit.")    \
	X(group,          SUMMARY,   "holdfast_store_group_events",          1,     "Events in a group.")               \
	X(bytes,          GAUGE,     "holdfast_store_bytes",                 1,     "Bytes in use.")                    \
	X(max_bytes,      GAUGE,     "holdfast_store_max_bytes",             1,     "Cap on the bytes in use; 0: none.") \
	X(state,          GAUGE,     "holdfast_store_state",                 1,                                         \
	  "0 takes writes, 1 over 85 % of the cap, 2 full, 3 failed.")                                                  \
	X(last,           GAUGE,     "holdfast_store_last_position",         1,     "Position of the newest event.")    \
	X(wal_bytes,      GAUGE,     "holdfast_store_wal_bytes",             1,     "Bytes in the write-ahead log.")    \
	X(dead,           GAUGE,     "holdfast_store_dead_letters",          1,     "Events set aside.")                \
	X(keys,           GAUGE,     "holdfast_store_keys_in_memory",        1,     "Ids from senders that are kept in memory.")
/* clang-format on */

struct store_metrics {
#define X(field, type, name, scale, help) struct metric *field;
	STORE_METRICS(X)
#undef X
	struct metrics *own; /* when the caller gave no registry */
};

/* `registry` may be NULL. E_NOMEM */
enum err store_metrics_init(struct store_metrics *m, struct metrics *registry);
void store_metrics_release(struct store_metrics *m);
