/*
 * ledger_metrics.h -- what the ledger counts.
 *
 * Shape     a row per metric: field, type, name, scale, help. Without a registry the numbers go where nobody looks.
 */
#pragma once

#include "base/metrics.h"

/* clang-format off */
/*    field           type       name                                    scale  meaning */
#define LEDGER_METRICS(X)                                                                                              \
	X(rows,           COUNTER,   "holdfast_ledger_rows_total",           1,     "Rows put or removed.")             \
	X(refused,        COUNTER,   "holdfast_ledger_refused_total",        1,     "Transactions that failed.")        \
	X(failures,       COUNTER,   "holdfast_ledger_failures_total",       1,     "Times the disk failed the ledger.") \
	X(commit,         HISTOGRAM, "holdfast_ledger_commit_seconds",       1e-9,  "Duration of a group's commit.")    \
	X(group,          SUMMARY,   "holdfast_ledger_group_writes",         1,     "Transactions in a group.")         \
	X(failed,         GAUGE,     "holdfast_ledger_failed",               1,                                         \
	  "1 while the disk has failed and has not come back.")                                                         \
	X(wal_bytes,      GAUGE,     "holdfast_ledger_wal_bytes",            1,     "Bytes in the write-ahead log.")
/* clang-format on */

struct ledger_metrics {
#define X(field, type, name, scale, help) struct metric *field;
	LEDGER_METRICS(X)
#undef X
	struct metrics *own; /* when the caller gave no registry */
};

/* `registry` may be NULL. E_NOMEM */
enum err ledger_metrics_init(struct ledger_metrics *m, struct metrics *registry);
void ledger_metrics_release(struct ledger_metrics *m);
