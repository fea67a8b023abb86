#include "base/metrics.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"

static const int64_t bounds[] = { 1000000, 500000000, 0 }; /* 1 ms, 500 ms */

static const struct metric_family events = {
	.name = "app_events_total", .help = "Events.", .type = METRIC_COUNTER, .labels = { "source", "name" }
};
static const struct metric_family open_now = { .name = "app_open", .help = "Open now.", .type = METRIC_GAUGE };
static const struct metric_family latency = { .name = "app_latency_seconds",
					      .help = "Latency.",
					      .type = METRIC_HISTOGRAM,
					      .scale = 1e-9,
					      .buckets = bounds,
					      .labels = { "name" } };
static const struct metric_family size = { .name = "app_size", .help = "Size.", .type = METRIC_SUMMARY };

static struct metrics *filled(void)
{
	struct metrics *m = metrics_new();
	struct metric *h;

	metric_add(metrics_get(m, &events, (const char *[]){ "web", "a\"b\\c\nd" }), 3);
	metric_set(metrics_get(m, &open_now, NULL), -2);
	metric_inc(metrics_get(m, &events, (const char *[]){ "web", "x" }));
	h = metrics_get(m, &latency, (const char *[]){ "x" });
	metric_observe(h, 1000000);    /* on a bound: inside */
	metric_observe(h, 1000001);    /* over it */
	metric_observe(h, 2500000000); /* over the last */
	metric_observe(metrics_get(m, &size, NULL), 7);
	metric_observe(metrics_get(m, &size, NULL), 5);
	return m;
}

static void expect_text(bool openmetrics, const char *want)
{
	struct metrics *m = filled();
	struct buf text = { 0 };

	metrics_write(m, openmetrics, &text);
	assert_string_equal(buf_cstr(&text), want);
	buf_release(&text);
	metrics_free(m);
}

static void the_text_format_is_exact(void **state)
{
	(void)state;
	expect_text(false, "# HELP app_events_total Events.\n"
			   "# TYPE app_events_total counter\n"
			   "app_events_total{source=\"web\",name=\"a\\\"b\\\\c\\nd\"} 3\n"
			   "app_events_total{source=\"web\",name=\"x\"} 1\n"
			   "# HELP app_open Open now.\n"
			   "# TYPE app_open gauge\n"
			   "app_open -2\n"
			   "# HELP app_latency_seconds Latency.\n"
			   "# TYPE app_latency_seconds histogram\n"
			   "app_latency_seconds_bucket{name=\"x\",le=\"0.001\"} 1\n"
			   "app_latency_seconds_bucket{name=\"x\",le=\"0.5\"} 2\n"
			   "app_latency_seconds_bucket{name=\"x\",le=\"+Inf\"} 3\n"
			   "app_latency_seconds_sum{name=\"x\"} 2.502000001\n"
			   "app_latency_seconds_count{name=\"x\"} 3\n"
			   "# HELP app_size Size.\n"
			   "# TYPE app_size summary\n"
			   "app_size_sum 12\n"
			   "app_size_count 2\n");
}

static void openmetrics_names_counters_without_suffix_and_ends_in_eof(void **state)
{
	(void)state;
	expect_text(true, "# HELP app_events Events.\n"
			  "# TYPE app_events counter\n"
			  "app_events_total{source=\"web\",name=\"a\\\"b\\\\c\\nd\"} 3\n"
			  "app_events_total{source=\"web\",name=\"x\"} 1\n"
			  "# HELP app_open Open now.\n"
			  "# TYPE app_open gauge\n"
			  "app_open -2\n"
			  "# HELP app_latency_seconds Latency.\n"
			  "# TYPE app_latency_seconds histogram\n"
			  "app_latency_seconds_bucket{name=\"x\",le=\"0.001\"} 1\n"
			  "app_latency_seconds_bucket{name=\"x\",le=\"0.5\"} 2\n"
			  "app_latency_seconds_bucket{name=\"x\",le=\"+Inf\"} 3\n"
			  "app_latency_seconds_sum{name=\"x\"} 2.502000001\n"
			  "app_latency_seconds_count{name=\"x\"} 3\n"
			  "# HELP app_size Size.\n"
			  "# TYPE app_size summary\n"
			  "app_size_sum 12\n"
			  "app_size_count 2\n"
			  "# EOF\n");
}

static void openmetrics_has_no_type_for_a_counter_of_another_name(void **state)
{
	static const struct metric_family named = { .name = "app_events", .help = "Events.", .type = METRIC_COUNTER };
	struct metrics *m = metrics_new();
	struct buf text = { 0 };

	(void)state;
	metric_inc(metrics_get(m, &named, NULL));
	metrics_write(m, true, &text);
	assert_string_equal(buf_cstr(&text),
			    "# HELP app_events Events.\n# TYPE app_events unknown\napp_events 1\n# EOF\n");
	buf_clear(&text);
	metrics_write(m, false, &text);
	assert_string_equal(buf_cstr(&text), "# HELP app_events Events.\n# TYPE app_events counter\napp_events 1\n");
	buf_release(&text);
	metrics_free(m);
}

static void a_table_fills_a_struct_of_handles(void **state)
{
	struct handles {
		struct metric *a, *b;
	} handles = { 0 };
	static const struct metric_row rows[] = {
		{ { .name = "app_a", .help = "A.", .type = METRIC_GAUGE }, offsetof(struct handles, a) },
		{ { .name = "app_b_total", .help = "B.", .type = METRIC_COUNTER }, offsetof(struct handles, b) },
	};
	struct metrics *m = metrics_new();
	struct buf text = { 0 };

	(void)state;
	metrics_get_rows(m, rows, ARRAY_LEN(rows), &handles);
	metric_set(handles.a, 7);
	metric_raise(handles.b, 5);
	metric_raise(handles.b, 3); /* never back */
	metrics_write(m, false, &text);
	assert_string_equal(buf_cstr(&text), "# HELP app_a A.\n# TYPE app_a gauge\napp_a 7\n"
					     "# HELP app_b_total B.\n# TYPE app_b_total counter\napp_b_total 5\n");
	buf_release(&text);
	metrics_free(m);
}

static void an_empty_registry_writes_nothing(void **state)
{
	struct metrics *m = metrics_new();
	struct buf text = { 0 };

	(void)state;
	metrics_write(m, false, &text);
	assert_int_equal(text.n, 0);
	metrics_write(m, true, &text);
	assert_string_equal(buf_cstr(&text), "# EOF\n");
	buf_release(&text);
	metrics_free(m);
	metrics_free(NULL);
}

static void a_sum_keeps_its_nanoseconds_over_months(void **state)
{
	struct metrics *m = metrics_new();
	struct metric *h = metrics_get(m, &latency, (const char *[]){ "x" });
	struct buf text = { 0 };

	(void)state;
	metric_observe(h, 5184000000000000); /* 60 days */
	metric_observe(h, 1000000);
	metrics_write(m, false, &text);
	assert_non_null(strstr(buf_cstr(&text), "app_latency_seconds_sum{name=\"x\"} 5184000.001\n"));
	buf_release(&text);
	metrics_free(m);
}

static void a_counter_in_its_own_unit_is_exact(void **state)
{
	static const struct metric_family bytes = {
		.name = "app_bytes_total", .help = "B.", .type = METRIC_COUNTER, .scale = 1
	};
	struct metrics *m = metrics_new();
	struct buf text = { 0 };

	(void)state;
	metric_add(metrics_get(m, &bytes, NULL), INT64_MAX);
	metrics_write(m, false, &text);
	assert_non_null(strstr(buf_cstr(&text), "\napp_bytes_total 9223372036854775807\n"));
	buf_release(&text);
	metrics_free(m);
}

static void the_same_labels_are_the_same_metric(void **state)
{
	struct metrics *m = metrics_new();
	char source[] = "web";
	struct metric *a = metrics_get(m, &events, (const char *[]){ source, "x" });

	(void)state;
	source[0] = 'W'; /* values are copied */
	assert_ptr_equal(metrics_get(m, &events, (const char *[]){ "web", "x" }), a);
	assert_ptr_not_equal(metrics_get(m, &events, (const char *[]){ "web", "y" }), a);
	assert_ptr_not_equal(metrics_get(m, &events, (const char *[]){ "x", "web" }), a);
	metrics_free(m);
}

static void expect_buckets(const int64_t *buckets, int64_t first, int64_t last)
{
	size_t n = 0;

	while (buckets[n]) {
		assert_true(n == 0 || buckets[n] > buckets[n - 1]);
		n++;
	}
	assert_true(n <= METRIC_BUCKETS_MAX);
	assert_int_equal(buckets[0], first);
	assert_int_equal(buckets[n - 1], last);
}

static void the_shared_buckets_rise_and_fit(void **state)
{
	(void)state;
	expect_buckets(metric_latency_buckets, 100000, 10000000000);
	expect_buckets(metric_default_buckets_ms, 5, 10000);
}

static void counting_never_fails_for_want_of_memory(void **state)
{
	/* The family, which is there from then on; the metric; its two label values. */
	static const long nth[] = { 1, 2, 2, 3 };
	struct metrics *m = metrics_new();
	struct buf text = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(nth); i++) {
		struct metric *lost;

		mem_fail_at(nth[i]);
		lost = metrics_get(m, &events, (const char *[]){ "web", "x" });
		mem_fail_at(0);
		assert_non_null(lost);
		metric_inc(lost);
		metric_observe(lost, 1);
	}
	metrics_write(m, false, &text);
	assert_int_equal(text.n, 0);
	assert_int_equal(metric_value(metrics_get(m, &events, (const char *[]){ "web", "x" })), 0);
	mem_fail_at(1);
	assert_null(metrics_new());
	mem_fail_at(0);
	buf_release(&text);
	metrics_free(m);
}

#define THREADS 4
#define EACH    5000

static void *count(void *arg)
{
	for (int i = 0; i < EACH; i++) {
		metric_inc(metrics_get(arg, &events, (const char *[]){ "web", i % 2 ? "a" : "b" }));
		metric_observe(metrics_get(arg, &latency, (const char *[]){ "x" }), 1);
	}
	return NULL;
}

static void threads_count_together_while_another_reads(void **state)
{
	struct metrics *m = metrics_new();
	pthread_t threads[THREADS];
	struct buf text = { 0 };

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count, m), 0);
	for (int i = 0; i < 50; i++) {
		buf_clear(&text);
		metrics_write(m, false, &text);
	}
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(metric_value(metrics_get(m, &events, (const char *[]){ "web", "a" })), THREADS * EACH / 2);
	assert_int_equal(metrics_get(m, &latency, (const char *[]){ "x" })->count, THREADS * EACH);
	buf_release(&text);
	metrics_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_text_format_is_exact),
		cmocka_unit_test(openmetrics_names_counters_without_suffix_and_ends_in_eof),
		cmocka_unit_test(openmetrics_has_no_type_for_a_counter_of_another_name),
		cmocka_unit_test(a_table_fills_a_struct_of_handles),
		cmocka_unit_test(an_empty_registry_writes_nothing),
		cmocka_unit_test(a_sum_keeps_its_nanoseconds_over_months),
		cmocka_unit_test(a_counter_in_its_own_unit_is_exact),
		cmocka_unit_test(the_same_labels_are_the_same_metric),
		cmocka_unit_test(the_shared_buckets_rise_and_fit),
		cmocka_unit_test(counting_never_fails_for_want_of_memory),
		cmocka_unit_test(threads_count_together_while_another_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
