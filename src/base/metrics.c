#include "base/metrics.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>

#include "base/mem.h"

const int64_t metric_latency_buckets[] = {
	100000,    250000,    500000,    1000000,    2500000,    5000000,    10000000,    25000000, 50000000,
	100000000, 250000000, 500000000, 1000000000, 2500000000, 5000000000, 10000000000, 0,
};

const int64_t metric_default_buckets_ms[] = { 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 0 };

/* The metrics of one family, in order of creation. */
struct group {
	const struct metric_family *family;
	struct group *next;
	struct metric *first;
	struct metric **last;
	struct metric *recent; /* looked up last: often the next one, too */
};

struct metrics {
	pthread_mutex_t lock;
	struct group *first;
	struct group **last;
	struct metric lost; /* what is counted when there is no memory for more */
};

struct metrics *metrics_new(void)
{
	struct metrics *m = mem_alloc(sizeof(*m));

	if (!m)
		return NULL;
	pthread_mutex_init(&m->lock, NULL);
	m->last = &m->first;
	return m;
}

static size_t label_count(const struct metric_family *family)
{
	size_t n = 0;

	while (n < METRIC_LABELS_MAX && family->labels[n])
		n++;
	return n;
}

static void metric_free(struct metric *metric)
{
	for (size_t i = 0; i < METRIC_LABELS_MAX; i++)
		mem_free(metric->label_values[i]);
	mem_free(metric);
}

static void group_free(struct group *g)
{
	while (g->first) {
		struct metric *next = g->first->next;

		metric_free(g->first);
		g->first = next;
	}
	mem_free(g);
}

void metrics_free(struct metrics *m)
{
	if (!m)
		return;
	while (m->first) {
		struct group *next = m->first->next;

		group_free(m->first);
		m->first = next;
	}
	pthread_mutex_destroy(&m->lock);
	mem_free(m);
}

static bool has_labels(const struct metric *metric, const char *const *values, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!str_eq(str_of(metric->label_values[i]), str_of(values[i])))
			return false;
	return true;
}

static struct metric *metric_new(const struct metric_family *family, const char *const *values, size_t n)
{
	struct metric *metric = mem_alloc(sizeof(*metric));

	if (!metric)
		return NULL;
	metric->family = family;
	for (size_t i = 0; i < n; i++) {
		metric->label_values[i] = str_dup(str_of(values[i]));
		if (!metric->label_values[i]) {
			metric_free(metric);
			return NULL;
		}
	}
	return metric;
}

static struct group *find_or_add_group(struct metrics *m, const struct metric_family *family)
{
	struct group *g = m->first;

	while (g && g->family != family)
		g = g->next;
	if (g)
		return g;
	g = mem_alloc(sizeof(*g));
	if (!g)
		return NULL;
	g->family = family;
	g->last = &g->first;
	*m->last = g;
	m->last = &g->next;
	return g;
}

static struct metric *find(const struct group *g, const char *const *values, size_t n)
{
	struct metric *metric = g->first;

	if (g->recent && has_labels(g->recent, values, n))
		return g->recent;
	while (metric && !has_labels(metric, values, n))
		metric = metric->next;
	return metric;
}

static struct metric *find_or_add(struct metrics *m, const struct metric_family *family, const char *const *values)
{
	struct group *g = find_or_add_group(m, family);
	size_t n = values ? label_count(family) : 0;
	struct metric *metric;

	if (!g)
		return &m->lost;
	metric = find(g, values, n);
	if (!metric) {
		metric = metric_new(family, values, n);
		if (!metric)
			return &m->lost;
		*g->last = metric;
		g->last = &metric->next;
	}
	g->recent = metric;
	return metric;
}

struct metric *metrics_get(struct metrics *m, const struct metric_family *family, const char *const *label_values)
{
	struct metric *metric;

	assert(label_values || !family->labels[0]);
	pthread_mutex_lock(&m->lock);
	metric = find_or_add(m, family, label_values);
	pthread_mutex_unlock(&m->lock);
	return metric;
}

void metrics_get_labelled(struct metrics *m, const struct metric_row *rows, size_t n, const char *const *label_values,
			  void *ret_handles)
{
	for (size_t i = 0; i < n; i++)
		*(struct metric **)((char *)ret_handles + rows[i].at) = metrics_get(m, &rows[i].family, label_values);
}

void metrics_get_rows(struct metrics *m, const struct metric_row *rows, size_t n, void *ret_handles)
{
	metrics_get_labelled(m, rows, n, NULL, ret_handles);
}

void metric_observe(struct metric *m, int64_t value)
{
	const int64_t *bounds = m->family ? m->family->buckets : NULL;

	for (size_t i = 0; bounds && bounds[i] && i < METRIC_BUCKETS_MAX; i++) {
		if (value <= bounds[i]) {
			atomic_fetch_add_explicit(&m->bucket[i], 1, memory_order_relaxed);
			break;
		}
	}
	atomic_fetch_add_explicit(&m->count, 1, memory_order_relaxed);
	metric_add(m, value);
}

static void write_label(struct buf *b, const char *name, struct str value)
{
	buf_str(b, str_of(name));
	buf_lit(b, "=\"");
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] == '\n')
			buf_lit(b, "\\n");
		else if (value.p[i] == '"' || value.p[i] == '\\')
			buf_add(b, (const char[]){ '\\', value.p[i] }, 2);
		else
			buf_char(b, value.p[i]);
	}
	buf_char(b, '"');
}

/* name{labels[,le="bound"]} and a space */
static void write_name(struct buf *b, const struct metric *m, const char *suffix, const char *bound)
{
	size_t n = label_count(m->family);

	buf_str(b, str_of(m->family->name));
	buf_str(b, str_of(suffix));
	for (size_t i = 0; i < n; i++) {
		buf_char(b, i ? ',' : '{');
		write_label(b, m->family->labels[i], str_of(m->label_values[i]));
	}
	if (bound) {
		buf_char(b, n ? ',' : '{');
		write_label(b, "le", str_of(bound));
	}
	buf_str(b, n || bound ? STR("} ") : STR(" "));
}

static void write_integer(struct buf *b, int64_t value)
{
	if (value < 0)
		buf_char(b, '-');
	buf_u64(b, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
	buf_char(b, '\n');
}

static void write_number(struct buf *b, const struct metric_family *family, int64_t value)
{
	if (family->scale == 0 || family->scale == 1)
		write_integer(b, value);
	else
		buf_addf(b, "%.15g\n", (double)value * family->scale);
}

/* Writes the buckets and returns the number of observations: what is added meanwhile must not make it less than a bucket. */
static int64_t write_buckets(struct buf *b, const struct metric *m)
{
	double scale = m->family->scale != 0 ? m->family->scale : 1;
	int64_t sum = 0, count;

	for (size_t i = 0; i < METRIC_BUCKETS_MAX && m->family->buckets[i]; i++) {
		char bound[32];

		(void)snprintf(bound, sizeof(bound), "%.9g", (double)m->family->buckets[i] * scale);
		sum += atomic_load_explicit(&m->bucket[i], memory_order_relaxed);
		write_name(b, m, "_bucket", bound);
		write_integer(b, sum);
	}
	count = atomic_load_explicit(&m->count, memory_order_relaxed);
	count = count > sum ? count : sum;
	write_name(b, m, "_bucket", "+Inf");
	write_integer(b, count);
	return count;
}

static void write_metric(struct buf *b, const struct metric *m)
{
	enum metric_type type = m->family->type;
	int64_t count;

	if (type == METRIC_COUNTER || type == METRIC_GAUGE) {
		write_name(b, m, "", NULL);
		write_number(b, m->family, metric_value(m));
		return;
	}
	count = type == METRIC_HISTOGRAM ? write_buckets(b, m) : atomic_load_explicit(&m->count, memory_order_relaxed);
	write_name(b, m, "_sum", NULL);
	write_number(b, m->family, metric_value(m));
	write_name(b, m, "_count", NULL);
	write_integer(b, count);
}

static void write_group(struct buf *b, const struct group *g, bool openmetrics)
{
	static const char *const types[] = { "counter", "gauge", "histogram", "summary" };
	const struct metric_family *family = g->family;
	const char *type = types[family->type];
	struct str name = str_of(family->name);

	/* OpenMetrics names a counter's family without its suffix, and knows no counter that has none. */
	if (openmetrics && family->type == METRIC_COUNTER) {
		if (str_ends(name, STR("_total")))
			name.n -= sizeof("_total") - 1;
		else
			type = "unknown";
	}
	buf_addf(b, "# HELP %.*s %s\n# TYPE %.*s %s\n", STR_ARG(name), family->help, STR_ARG(name), type);
	for (const struct metric *m = g->first; m; m = m->next)
		write_metric(b, m);
}

void metrics_write(struct metrics *m, bool openmetrics, struct buf *ret_text)
{
	pthread_mutex_lock(&m->lock);
	for (const struct group *g = m->first; g; g = g->next)
		if (g->first)
			write_group(ret_text, g, openmetrics);
	pthread_mutex_unlock(&m->lock);
	if (openmetrics)
		buf_lit(ret_text, "# EOF\n");
}
