/* traffic.h: the numbers of a page, under upstream's names. */
#include "daemon/traffic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

struct page {
	struct metrics *registry;
	struct traffic traffic;
	struct traffic_peer peer;
	struct outbox *outbox;
	struct buf text;
};

static void open_page(struct page *p, enum traffic_end end, const char *name)
{
	*p = (struct page){ .registry = metrics_new() };
	p->outbox = outbox_new(&outbox_defaults, 0);
	traffic_init(&p->traffic, p->registry, end);
	traffic_begin(&p->traffic, &p->peer, name);
	assert_int_equal(outbox_connected(p->outbox, 1), E_OK);
}

static void close_page(struct page *p)
{
	outbox_free(p->outbox);
	traffic_release(&p->traffic);
	metrics_free(p->registry);
	buf_release(&p->text);
}

/* The page has this line. */
static void expect(struct page *p, const char *line)
{
	struct buf whole = { 0 };

	buf_clear(&p->text);
	metrics_write(p->registry, /* openmetrics= */ false, &p->text);
	buf_addf(&whole, "\n%s\n", line);
	if (!strstr(buf_cstr(&p->text), buf_cstr(&whole)))
		fail_msg("not on the page: %s", line);
	buf_release(&whole);
}

static void apply(struct page *p, const char *kind, enum delivery_outcome outcome, bool retryable)
{
	const struct delivery_event event = {
		.type = DELIVERY_SPEC, .kind = str_of(kind), .came_ms = 100, .begun_ms = 130
	};

	traffic_applied(&p->traffic, &p->peer, &event, outcome, retryable, /* now_ms= */ 1000, /* wall_ns= */ 0);
}

static void what_comes_is_counted_by_its_outcome_and_kind(void **state)
{
	struct page p;

	(void)state;
	open_page(&p, TRAFFIC_PRINCIPAL, "berlin");
	expect(&p, "principal_errors{resource_type=\"application\"} 0");
	apply(&p, "application", DELIVERY_APPLIED, false);
	apply(&p, "application", DELIVERY_REJECTED, true);
	apply(&p, "appproject", DELIVERY_REJECTED, false);
	apply(&p, "sandwich", DELIVERY_REJECTED, false);
	expect(&p, "principal_events_received 4");
	expect(&p, "principal_errors{resource_type=\"application\"} 1");
	expect(&p, "principal_errors{resource_type=\"appproject\"} 1");
	expect(&p, "principal_errors{resource_type=\"unknown\"} 1");
	expect(&p, "principal_event_processing_time_sum{status=\"success\",agent_name=\"berlin\",resource_type="
		   "\"application\"} 0.87");
	expect(&p, "principal_event_processing_time_count{status=\"failure\",agent_name=\"berlin\",resource_type="
		   "\"application\"} 1");
	expect(&p, "principal_event_processing_time_count{status=\"not-allowed\",agent_name=\"berlin\",resource_type="
		   "\"appproject\"} 1");
	expect(&p, "argocd_principal_workqueue_queue_duration_seconds_sum{queue=\"recv\"} 0.12");
	expect(&p, "argocd_principal_workqueue_work_duration_seconds_count{queue=\"recv\"} 4");
	close_page(&p);
}

static void an_agent_knows_how_long_an_event_was_on_its_way(void **state)
{
	const int64_t begun_ns = 1767225602000000000; /* 2026-01-01T00:00:02Z */
	struct delivery_event event = {
		.kind = STR("application"), .came_ms = 100, .begun_ms = 200, .sent_ns = begun_ns - 1500000000
	};
	struct page p;

	(void)state;
	open_page(&p, TRAFFIC_AGENT, "managed");
	traffic_applied(&p.traffic, &p.peer, &event, DELIVERY_APPLIED, false, /* now_ms= */ 300, begun_ns + 100000000);
	expect(&p, "agent_event_propagation_latency_seconds_sum{resource_type=\"application\"} 1.5");
	/* The principal's clock is ahead of ours. */
	traffic_applied(&p.traffic, &p.peer, &event, DELIVERY_APPLIED, false, /* now_ms= */ 300, begun_ns - 5000000000);
	expect(&p, "agent_event_propagation_latency_seconds_sum{resource_type=\"application\"} 1.5");
	expect(&p, "agent_event_propagation_latency_seconds_bucket{resource_type=\"application\",le=\"0.005\"} 1");
	expect(&p, "agent_event_processing_time_count{status=\"success\",agent_mode=\"managed\",resource_type="
		   "\"application\"} 2");
	close_page(&p);
}

/* One event of ours goes, and is answered. */
static void answer(struct page *p, const char *id, enum delivery_outcome outcome, bool retryable)
{
	const struct delivery_event event = { .type = DELIVERY_SPEC,
					      .kind = STR("Application"),
					      .namespace = STR("n"),
					      .name = str_of(id),
					      .resource_id = str_of(id),
					      .event_id = STR("1") };
	const struct delivery_answer a = {
		.outcome = outcome, .retryable = retryable, .resource_id = str_of(id), .event_id = STR("1")
	};
	struct peer_heard heard = { .what = PEER_ANSWERED, .resource_id = str_of(id) };
	struct outbox_frame frame;

	assert_int_equal(outbox_add(p->outbox, &event, 100), E_OK);
	assert_true(outbox_take(p->outbox, 150, &frame));
	outbox_sent(p->outbox, frame.order, 150, 0);
	heard.effect = outbox_answer(p->outbox, 1, &a, 400, 0, &heard.type);
	traffic_heard(&p->traffic, &p->peer, &heard, p->outbox);
}

static void answers_of_the_other_side_are_counted(void **state)
{
	struct page p;

	(void)state;
	open_page(&p, TRAFFIC_PRINCIPAL, "berlin");
	expect(&p, "argocd_principal_event_writer_events_discarded_total{agent_name=\"berlin\","
		   "event_type=\"io.argoproj.argocd-agent.event.spec-update\",resource_type=\"application\"} 0");
	answer(&p, "a", DELIVERY_APPLIED, false);
	answer(&p, "b", DELIVERY_REJECTED, true);
	answer(&p, "c", DELIVERY_REJECTED, false);
	expect(&p, "principal_events_sent 1");
	expect(&p, "holdfast_principal_lag_seconds_sum 0.3");
	expect(&p, "holdfast_principal_rejected_total 2");
	expect(&p, "principal_errors{resource_type=\"application\"} 1");
	expect(&p, "argocd_principal_workqueue_queue_duration_seconds_sum{queue=\"send\"} 0.05");
	expect(&p, "argocd_principal_workqueue_work_duration_seconds_sum{queue=\"send\"} 0.25");
	expect(&p, "argocd_principal_event_writer_events_discarded_total{agent_name=\"berlin\","
		   "event_type=\"io.argoproj.argocd-agent.event.spec-update\",resource_type=\"application\"} 1");
	close_page(&p);
	open_page(&p, TRAFFIC_AGENT, "managed");
	answer(&p, "c", DELIVERY_REJECTED, false);
	expect(&p, "argocd_agent_event_writer_events_discarded_total{"
		   "event_type=\"io.argoproj.argocd-agent.event.spec-update\",resource_type=\"application\"} 1");
	close_page(&p);
}

static void what_cannot_be_read_is_an_error_of_its_kind(void **state)
{
	const struct peer_heard heard = { .what = PEER_REFUSED, .target_text = STR("gpgkey") };
	struct page p;

	(void)state;
	open_page(&p, TRAFFIC_AGENT, "managed");
	traffic_heard(&p.traffic, &p.peer, &heard, p.outbox);
	expect(&p, "agent_errors{resource_type=\"gpgkey\"} 1");
	close_page(&p);
}

static void sums_are_shown_and_counters_never_go_back(void **state)
{
	struct traffic_sums sums = { .waiting = 5,
				     .in_flight = 2,
				     .added = 9,
				     .resent = 3,
				     .queued = 4,
				     .accepted = 8,
				     .repeats = 1,
				     .oldest_ms = 1500,
				     .out = { 700, 400 },
				     .in = { 90, 60 } };
	struct page p;

	(void)state;
	open_page(&p, TRAFFIC_PRINCIPAL, "berlin");
	traffic_refresh(&p.traffic, &sums);
	sums.added = sums.resent = sums.accepted = 0; /* a session went */
	sums.waiting = 6;
	traffic_refresh(&p.traffic, &sums);
	expect(&p, "holdfast_principal_waiting 6");
	expect(&p, "holdfast_principal_oldest_seconds 1.5");
	expect(&p, "holdfast_principal_resent_total 3");
	expect(&p, "argocd_principal_workqueue_depth{queue=\"send\"} 6");
	expect(&p, "argocd_principal_workqueue_adds_total{queue=\"send\"} 9");
	expect(&p, "argocd_principal_workqueue_retries_total{queue=\"send\"} 3");
	expect(&p, "argocd_principal_workqueue_unfinished_work_seconds{queue=\"send\"} 0.7");
	expect(&p, "argocd_principal_workqueue_longest_running_processor_seconds{queue=\"send\"} 0.4");
	expect(&p, "argocd_principal_workqueue_depth{queue=\"recv\"} 4");
	expect(&p, "argocd_principal_workqueue_adds_total{queue=\"recv\"} 8");
	expect(&p, "argocd_principal_workqueue_retries_total{queue=\"recv\"} 1");
	expect(&p, "argocd_principal_workqueue_longest_running_processor_seconds{queue=\"recv\"} 0.06");
	close_page(&p);
}

static void so_many_agents_have_series_of_their_own_and_no_more(void **state)
{
	char name[32];
	struct page p;

	(void)state;
	open_page(&p, TRAFFIC_PRINCIPAL, "berlin");
	mem_fail_at(1);
	assert_string_equal(traffic_name(&p.traffic, (struct str)STR("no-memory")), TRAFFIC_OTHERS);
	mem_fail_at(2);
	assert_string_equal(traffic_name(&p.traffic, (struct str)STR("no-memory")), TRAFFIC_OTHERS);
	mem_fail_at(0);
	for (int i = 0; i < TRAFFIC_NAMED_MAX; i++) {
		(void)snprintf(name, sizeof(name), "site-%d", i);
		assert_string_equal(traffic_name(&p.traffic, str_of(name)), name);
	}
	assert_string_equal(traffic_name(&p.traffic, (struct str)STR("one-too-many")), TRAFFIC_OTHERS);
	assert_string_equal(traffic_name(&p.traffic, (struct str)STR("site-7")), "site-7");
	close_page(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_comes_is_counted_by_its_outcome_and_kind),
		cmocka_unit_test(an_agent_knows_how_long_an_event_was_on_its_way),
		cmocka_unit_test(answers_of_the_other_side_are_counted),
		cmocka_unit_test(what_cannot_be_read_is_an_error_of_its_kind),
		cmocka_unit_test(sums_are_shown_and_counters_never_go_back),
		cmocka_unit_test(so_many_agents_have_series_of_their_own_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
