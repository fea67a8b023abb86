/*
 * metrics.h -- numbers for Prometheus.
 *
 * Shape     a registry of families (one row each), each with one metric per set of labels. Values are 64-bit integers
 *           that any thread changes with one atomic add; a family's `scale` turns them into its base unit when they
 *           are printed (1e-9: ns kept, seconds shown).
 * Owner     the registry owns its metrics; handles stay valid until metrics_free(). Families are static rows.
 * Threads   metric_*() from any thread without a lock; metrics_get() and metrics_write() take the registry's lock.
 * Errors    metrics_get() gives a metric that nobody will read when there is no memory: counting never fails.
 * Source    Prometheus text format 0.0.4; OpenMetrics 1.0.0.
 */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum metric_type {
	METRIC_COUNTER,
	METRIC_GAUGE,
	METRIC_HISTOGRAM,
	METRIC_SUMMARY, /* without quantiles: _sum and _count */
};

#define METRIC_BUCKETS_MAX 20
#define METRIC_LABELS_MAX  4

struct metric_family {
	const char *name; /* as printed; counters end in _total */
	const char *help;
	enum metric_type type;
	double scale;                              /* 0 means 1 */
	const int64_t *buckets;                    /* histogram: upper bounds, rising, in stored units; ended by 0 */
	const char *labels[METRIC_LABELS_MAX + 1]; /* label names, ended by NULL */
};

struct metric {
	_Atomic int64_t value;                      /* counter, gauge; histogram and summary: the sum */
	_Atomic int64_t count;                      /* histogram, summary */
	_Atomic int64_t bucket[METRIC_BUCKETS_MAX]; /* histogram, not cumulative; over the last bound: only in count */
	const struct metric_family *family;
	char *label_values[METRIC_LABELS_MAX];
	struct metric *next;
};

struct metrics;

/* 100 us to 10 s, for durations kept in ns. */
extern const int64_t metric_latency_buckets[];

/* The default of Prometheus's own clients, 5 ms to 10 s, for durations kept in ms. */
extern const int64_t metric_default_buckets_ms[];

/* An empty registry, or NULL without memory. */
struct metrics *metrics_new(void);
void metrics_free(struct metrics *m);

/*
 * The metric of `family` with these label values (as many as the family names), created at 0 on first use; the values
 * are copied. Look it up once and keep the handle.
 */
struct metric *metrics_get(struct metrics *m, const struct metric_family *family, const char *const *label_values);

/* One field of a struct of handles. */
struct metric_row {
	struct metric_family family;
	size_t at; /* where its handle goes */
};

/* Such a row out of a table's X(field, type, name, scale, help), and its labels; histograms have metric_latency_buckets. */
#define METRIC_ROW(owner, field, kind, title, factor, text, ...)                                    \
	{ .family = { .name = title,                                                                \
		      .help = text,                                                                 \
		      .type = METRIC_##kind,                                                        \
		      .scale = factor,                                                              \
		      .buckets = METRIC_##kind == METRIC_HISTOGRAM ? metric_latency_buckets : NULL, \
		      .labels = { __VA_ARGS__ } },                                                  \
	  .at = offsetof(owner, field) },

/* All of a table at once, each into its field of `ret_handles`. With labels all have the same values. */
void metrics_get_rows(struct metrics *m, const struct metric_row *rows, size_t n, void *ret_handles);
void metrics_get_labelled(struct metrics *m, const struct metric_row *rows, size_t n, const char *const *label_values,
			  void *ret_handles);

static inline void metric_add(struct metric *m, int64_t delta)
{
	atomic_fetch_add_explicit(&m->value, delta, memory_order_relaxed);
}

static inline void metric_inc(struct metric *m)
{
	metric_add(m, 1);
}

static inline void metric_set(struct metric *m, int64_t value)
{
	atomic_store_explicit(&m->value, value, memory_order_relaxed);
}

/* Of a counter that is read off somewhere else: it never goes back. For one thread. */
static inline void metric_raise(struct metric *m, int64_t value)
{
	if (value > atomic_load_explicit(&m->value, memory_order_relaxed))
		metric_set(m, value);
}

static inline int64_t metric_value(const struct metric *m)
{
	return atomic_load_explicit(&m->value, memory_order_relaxed);
}

/* One observation of a histogram or summary. */
void metric_observe(struct metric *m, int64_t value);

/*
 * The whole registry as text, families in order of creation. `openmetrics`: the OpenMetrics form with "# EOF": a counter whose name
 * does not end in _total (upstream has such) is of unknown type there.
 */
void metrics_write(struct metrics *m, bool openmetrics, struct buf *ret_text);
