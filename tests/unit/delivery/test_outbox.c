/* clang-format off */
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "desk.h"

/* The wait is always the whole step: floor and step are the same. */
static struct outbox_options exact(void)
{
	struct outbox_options options = outbox_defaults;

	options.resend_floor_ms = options.resend_base_ms = 5000;
	options.resend_factor = 1;
	return options;
}

static void an_event_is_sent_at_once_and_again_until_it_is_acked(void **state)
{
	struct outbox_options options = exact();
	struct desk d;

	(void)state;
	desk_open(&d, &options);
	desk_add(&d, "a", "s1");
	desk_wait(&d, 12000);
	desk_expect(&d, "[     0] a s1\n"
			"[  5000] a s1\n"
			"[ 10000] a s1\n");
	assert_int_equal(desk_ack(&d, "a", "s1"), OUTBOX_CONFIRMED);
	assert_int_equal(outbox_due(d.o, d.now), UINT64_MAX);
	desk_wait(&d, 100000);
	desk_expect(&d, "");
	assert_int_equal(desk_stats(&d).resent, 2);
	assert_int_equal(desk_stats(&d).confirmed, 1);
	desk_close(&d);
}

static struct delivery_progress progress(const struct desk *d)
{
	struct delivery_progress p = { 0 };

	outbox_progress(d->o, d->now, &p);
	return p;
}

static void how_long_an_event_waited_and_was_on_its_way_is_known(void **state)
{
	struct outbox_options options = exact();
	struct outbox_answered answered;
	struct desk d;

	(void)state;
	options.window_events = 2;
	desk_open(&d, &options);
	d.now = 1000;
	desk_add(&d, "a", "s1");
	desk_add(&d, "b", "s1");
	desk_add(&d, "c", "s1");
	desk_send_all(&d, 9);
	d.now = 1300;
	assert_int_equal(progress(&d).sum_ms, 600);
	assert_int_equal(progress(&d).longest_ms, 300);
	desk_ack(&d, "a", "s1");
	outbox_answered(d.o, &answered);
	assert_true(str_is(answered.kind, "Application"));
	assert_int_equal(answered.waited_ms, 0);
	assert_int_equal(answered.out_ms, 300);
	assert_int_equal(lag_quantile(outbox_lag(d.o), 1000), 500); /* the bucket of 300 ms ends there */
	desk_send_all(&d, 9);                                       /* c had no room until now */
	desk_wait(&d, 5200); /* it went twice: it is on its way since the first time */
	assert_int_equal(progress(&d).sum_ms, 5500 + 5200);
	assert_int_equal(progress(&d).longest_ms, 5500);
	desk_ack(&d, "c", "s1");
	outbox_answered(d.o, &answered);
	assert_int_equal(answered.waited_ms, 300);
	assert_int_equal(answered.out_ms, 5200);
	desk_close(&d);
}

static void waits_are_drawn_between_the_floor_and_the_growing_step(void **state)
{
	static const uint64_t steps[] = { 5000, 20000, 80000, 120000, 120000, 120000 };
	uint64_t least[ARRAY_LEN(steps)], most[ARRAY_LEN(steps)] = { 0 };

	(void)state;
	memset(least, 0xff, sizeof(least));
	for (uint64_t run = 0; run < 500; run++) {
		struct desk d;
		struct outbox_frame f;

		desk_open(&d, NULL);
		desk_add(&d, "a", "s1");
		for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
			uint64_t wait;

			assert_true(outbox_take(d.o, d.now, &f));
			assert_int_equal(f.attempt, i + 1);
			outbox_sent(d.o, f.order, d.now, run * 7919);
			wait = outbox_due(d.o, d.now) - d.now;
			assert_in_range(wait, 1000, steps[i]);
			least[i] = wait < least[i] ? wait : least[i];
			most[i] = wait > most[i] ? wait : most[i];
			d.now += wait;
		}
		desk_close(&d);
	}
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		assert_in_range(least[i], 1000, 1000 + steps[i] / 20);
		assert_in_range(most[i], steps[i] - steps[i] / 20, steps[i]);
	}
}

static void the_timer_starts_when_the_bytes_have_left(void **state)
{
	struct outbox_options options = exact();
	struct outbox_frame f;
	struct desk d;

	(void)state;
	desk_open(&d, &options);
	desk_add(&d, "a", "s1");
	assert_true(outbox_take(d.o, 0, &f));
	assert_int_equal(outbox_due(d.o, 0), UINT64_MAX);
	mem_fail_at(1); /* room for it was made when the event was added */
	outbox_sent(d.o, f.order, 700, 0);
	mem_fail_at(0);
	assert_int_equal(outbox_due(d.o, 700), 5700);
	desk_close(&d);
}

static void what_has_not_left_yet_has_no_timer(void **state)
{
	struct outbox_frame first, second;
	struct desk d;

	(void)state;
	desk_open(&d, NULL);
	desk_add(&d, "a", "s1");
	desk_add(&d, "b", "s1");
	assert_true(outbox_take(d.o, 0, &first));
	assert_true(outbox_take(d.o, 0, &second));
	outbox_sent(d.o, first.order, 0, 1);
	assert_true(outbox_take(d.o, 1000000, &second));
	assert_true(str_is(second.resource_id, "a"));
	assert_false(outbox_take(d.o, 1000000, &second));
	desk_close(&d);
}

/* Else all that was written at once would come again at once. */
static void what_leaves_together_does_not_come_again_together(void **state)
{
	struct outbox_frame f = { 0 };
	struct desk d;

	(void)state;
	desk_open(&d, NULL);
	desk_add(&d, "a", "s1");
	desk_add(&d, "b", "s1");
	while (outbox_take(d.o, 0, &f))
		continue;
	outbox_sent(d.o, f.order, 0, 4000);
	d.now = outbox_due(d.o, 0);
	assert_true(desk_send(&d));
	assert_false(desk_send(&d));
	desk_close(&d);
}

static void a_crowd_of_timers_is_run_in_parts(void **state)
{
	char kind[] = { 'k', '0', '\0' };
	struct outbox_frame f = { 0 };
	struct desk d;

	(void)state;
	desk_open(&d, NULL);
	for (kind[1] = '0'; kind[1] < '0' + 70; kind[1]++) {
		struct delivery_event e = {
			.type = DELIVERY_SPEC, .kind = str_of(kind), .resource_id = str_of(kind), .event_id = STR("1")
		};

		assert_int_equal(outbox_add(d.o, &e, 0), E_OK);
	}
	while (outbox_take(d.o, 0, &f))
		continue;
	outbox_sent(d.o, f.order, 0, 1);
	assert_true(outbox_take(d.o, 1000000, &f));
	assert_int_equal(desk_stats(&d).waiting, 63);
	assert_int_equal(desk_stats(&d).in_flight, 7);
	desk_close(&d);
}

static void received_stops_the_timer_and_the_outcome_frees(void **state)
{
	struct desk d;

	(void)state;
	desk_open(&d, NULL);
	desk_add(&d, "a", "s1");
	desk_send(&d);
	assert_int_equal(desk_answer(&d, "a", "s1", DELIVERY_RECEIVED, false, NULL), OUTBOX_HELD);
	assert_int_equal(outbox_due(d.o, 0), UINT64_MAX);
	desk_wait(&d, 1000000);
	desk_expect(&d, "[     0] a s1\n");
	assert_int_equal(desk_stats(&d).in_flight, 1);
	assert_int_equal(desk_ack(&d, "a", "s1"), OUTBOX_CONFIRMED);
	desk_close(&d);
}

static void received_before_the_bytes_are_known_to_have_left_starts_no_timer(void **state)
{
	struct outbox_frame f;
	struct desk d;

	(void)state;
	desk_open(&d, NULL);
	desk_add(&d, "a", "s1");
	assert_true(outbox_take(d.o, 0, &f));
	assert_int_equal(desk_answer(&d, "a", "s1", DELIVERY_RECEIVED, false, NULL), OUTBOX_HELD);
	outbox_sent(d.o, f.order, 0, 0);
	assert_int_equal(outbox_due(d.o, 0), UINT64_MAX);
	desk_reconnect(&d);
	desk_wait(&d, 0);
	desk_expect(&d, "[     0] a s1\n");
	desk_close(&d);
}

static void what_left_with_something_that_was_received_has_its_timer(void **state)
{
	struct outbox_frame f;
	struct desk d;

	(void)state;
	desk_open(&d, NULL);
	desk_add(&d, "a", "s1");
	desk_add(&d, "b", "s1");
	assert_true(outbox_take(d.o, 0, &f));
	assert_true(outbox_take(d.o, 0, &f));
	assert_int_equal(desk_answer(&d, "a", "s1", DELIVERY_RECEIVED, false, NULL), OUTBOX_HELD);
	outbox_sent(d.o, f.order, 0, 0);
	assert_true(outbox_due(d.o, 0) < UINT64_MAX);
	desk_close(&d);
}

static void an_answer_counts_only_for_what_was_sent(void **state)
{
	struct delivery_answer a = { .outcome = DELIVERY_APPLIED, .resource_id = STR("a"), .event_id = STR("s1") };
	struct desk d;

	(void)state;
	desk_open(&d, NULL);
	desk_add(&d, "a", "s1");
	assert_int_equal(desk_ack(&d, "a", "s1"), OUTBOX_NOTHING); /* not sent yet */
	desk_send(&d);
	desk_add(&d, "A", "s1");
	assert_int_equal(desk_ack(&d, "a", "s0"), OUTBOX_NOTHING); /* an older version */
	assert_int_equal(desk_ack(&d, "b", "s1"), OUTBOX_NOTHING); /* another resource */
	assert_int_equal(desk_ack(&d, "A", "s1"), OUTBOX_NOTHING); /* the same name, another UID, which waits */
	assert_int_equal(outbox_answer(d.o, d.epoch - 1, &a, 0, 0, NULL), OUTBOX_NOTHING); /* a fenced stream */
	a.order = d.order + 1;
	assert_int_equal(outbox_answer(d.o, d.epoch, &a, 0, 0, NULL), OUTBOX_NOTHING); /* another sending */
	assert_int_equal(desk_stats(&d).in_flight, 1);
	a.order = d.order;
	enum delivery_type type = DELIVERY_TYPE_COUNT;

	assert_int_equal(outbox_answer(d.o, d.epoch, &a, 0, 0, &type), OUTBOX_CONFIRMED);
	assert_int_equal(type, DELIVERY_SPEC);
	assert_int_equal(desk_ack(&d, "a", "s1"), OUTBOX_NOTHING); /* twice */
	assert_int_equal(desk_stats(&d).answers_ignored, 7);
	desk_close(&d);
}

static void the_order_tells_a_command_from_the_state_with_the_same_ids(void **state)
{
	struct delivery_event e = { .resource_id = STR("a"), .event_id = STR("7") };
	struct delivery_answer a = { .outcome = DELIVERY_APPLIED, .resource_id = STR("a"), .event_id = STR("7") };
	struct desk d;

	(void)state;
	desk_open(&d, NULL);
	e.type = DELIVERY_SPEC;
	assert_int_equal(outbox_add(d.o, &e, 0), E_OK);
	e.type = DELIVERY_COMMAND;
	assert_int_equal(outbox_add(d.o, &e, 0), E_OK);
	desk_send(&d);
	a.order = d.order;
	assert_int_equal(outbox_answer(d.o, 1, &a, 0, 0, NULL), OUTBOX_CONFIRMED);
	desk_send(&d);
	assert_int_equal(outbox_answer(d.o, 1, &a, 0, 0, NULL), OUTBOX_NOTHING); /* the first answer, repeated */
	a.order = d.order;
	assert_int_equal(outbox_answer(d.o, 1, &a, 0, 0, NULL), OUTBOX_CONFIRMED);
	desk_close(&d);
}

static void a_create_serves_for_the_spec_of_its_version(void **state)
{
	struct delivery_event e = { .type = DELIVERY_CREATE, .resource_id = STR("a"), .event_id = STR("7") };
	struct desk d;

	(void)state;
	desk_open(&d, NULL);
	assert_int_equal(outbox_add(d.o, &e, 0), E_OK);
	e.type = DELIVERY_SPEC;
	assert_int_equal(outbox_add(d.o, &e, 0), E_OK);
	assert_int_equal(desk_stats(&d).waiting, 1);
	e.event_id = STR("8");
	assert_int_equal(outbox_add(d.o, &e, 0), E_OK);
	assert_int_equal(desk_stats(&d).waiting, 2);
	assert_int_equal(desk_stats(&d).repeats, 1);
	desk_close(&d);
}

static void what_shares_its_id_with_what_was_set_aside_is_another_event(void **state)
{
	struct delivery_event e = { .type = DELIVERY_CREATE, .resource_id = STR("a"), .event_id = STR("7") };
	struct desk d;

	(void)state;
	desk_open(&d, NULL);
	assert_int_equal(outbox_add(d.o, &e, 0), E_OK);
	desk_send(&d);
	assert_int_equal(desk_answer(&d, "a", "7", DELIVERY_REJECTED, false, ""), OUTBOX_QUARANTINED);
	e.type = DELIVERY_STATUS;
	assert_int_equal(outbox_add(d.o, &e, 0), E_OK);
	assert_int_equal(desk_stats(&d).waiting, 1);
	e.type = DELIVERY_SPEC;
	assert_int_equal(outbox_add(d.o, &e, 0), E_OK);
	assert_int_equal(desk_stats(&d).waiting, 2);
	assert_int_equal(desk_stats(&d).quarantined, 0);
	desk_close(&d);
}

static void a_late_ack_of_what_waits_to_be_sent_again_counts(void **state)
{
	struct outbox_options options = exact();
	struct desk d;

	(void)state;
	options.rate_per_minute = 60;
	options.rate_burst = 1;
	desk_open(&d, &options);
	desk_add(&d, "a", "s1");
	desk_send(&d);
	d.now = 5000;
	desk_add(&d, "b", "s1");
	desk_send(&d); /* takes the only token; "a" is due */
	assert_int_equal(desk_stats(&d).waiting, 1);
	assert_int_equal(desk_ack(&d, "a", "s1"), OUTBOX_CONFIRMED);
	assert_int_equal(desk_stats(&d).waiting + desk_stats(&d).in_flight, 1);
	desk_close(&d);
}

static void after_a_reconnect_what_was_in_flight_goes_again_at_once_and_first(void **state)
{
	struct desk d;

	(void)state;
	desk_open(&d, NULL);
	desk_add(&d, "a", "s1");
	desk_add(&d, "b", "s1");
	desk_add(&d, "c", "s1");
	desk_send_all(&d, 2);
	d.now = 100;
	outbox_disconnected(d.o);
	assert_false(desk_send(&d));
	assert_int_equal(outbox_due(d.o, d.now), UINT64_MAX);
	desk_add(&d, "e", "s1");
	assert_int_equal(outbox_connected(d.o, 1), E_CANCELLED); /* an old stream */
	assert_int_equal(outbox_connected(d.o, 2), E_OK);
	desk_send_all(&d, 10);
	desk_expect(&d, "[     0] a s1\n"
			"[     0] b s1\n"
			"[   100] a s1\n"
			"[   100] b s1\n"
			"[   100] c s1\n"
			"[   100] e s1\n");
	desk_close(&d);
}

/* What was taken and not written stands behind what was sent before it. */
static void after_a_reconnect_the_order_is_that_of_sending(void **state)
{
	struct outbox_frame f;
	struct desk d;

	(void)state;
	desk_open(&d, NULL);
	desk_add(&d, "a", "s1");
	desk_add(&d, "b", "s1");
	desk_send(&d);
	assert_true(outbox_take(d.o, d.now, &f));
	desk_reconnect(&d);
	desk_send_all(&d, 10);
	desk_expect(&d, "[     0] a s1\n"
			"[     0] a s1\n"
			"[     0] b s1\n");
	desk_close(&d);
}

static void after_a_reconnect_waits_begin_from_the_first_step(void **state)
{
	struct outbox_frame f;
	struct desk d;

	(void)state;
	desk_open(&d, NULL);
	desk_add(&d, "a", "s1");
	desk_add(&d, "b", "s1");
	desk_send_all(&d, 2);
	desk_wait(&d, 600000); /* both went several times */
	desk_answer(&d, "b", "s1", DELIVERY_REJECTED, true, "busy");
	assert_int_equal(desk_stats(&d).in_flight, 1);
	assert_int_equal(desk_stats(&d).held_back, 1);
	desk_reconnect(&d);
	while (outbox_take(d.o, d.now, &f))
		assert_int_equal(f.attempt, 1);
	assert_int_equal(desk_stats(&d).in_flight, 2);
	desk_close(&d);
}

static void a_newer_stream_fences_the_older_without_a_goodbye(void **state)
{
	struct desk d;

	(void)state;
	desk_open(&d, NULL);
	desk_add(&d, "a", "s1");
	desk_send(&d);
	assert_int_equal(outbox_connected(d.o, 2), E_OK);
	assert_int_equal(desk_ack(&d, "a", "s1"), OUTBOX_NOTHING); /* said on stream 1 */
	d.epoch = 2;
	desk_send(&d);
	assert_int_equal(desk_ack(&d, "a", "s1"), OUTBOX_CONFIRMED);
	desk_close(&d);
}

static void control_goes_first_and_leaves_no_residue(void **state)
{
	CLEANUP(blob_unref_freep) struct blob *ack = blob_new(STR("ack"));
	struct outbox_options options = outbox_defaults;
	struct desk d;

	(void)state;
	options.control_max = 2;
	options.window_events = 1;
	options.rate_per_minute = 1;
	options.rate_burst = 1;
	desk_open(&d, &options);
	desk_add(&d, "a", "s1");
	desk_add(&d, "b", "s1");
	desk_send(&d);
	assert_int_equal(outbox_control(d.o, ack),
			 E_OK); /* the window is full, the rate used up: ACKs go all the same */
	assert_int_equal(outbox_control(d.o, ack), E_OK);
	assert_int_equal(outbox_control(d.o, ack), E_LIMIT);
	assert_int_equal(outbox_due(d.o, 0), 0);
	desk_send_all(&d, 10);
	desk_expect(&d, "[     0] a s1\n"
			"[     0] control ack\n"
			"[     0] control ack\n");
	assert_int_equal(desk_stats(&d).control, 0);
	assert_int_equal(outbox_control(d.o, ack), E_OK);
	outbox_disconnected(d.o);
	assert_int_equal(outbox_control(d.o, ack), E_UNAVAILABLE);
	outbox_connected(d.o, 2);
	assert_int_equal(desk_stats(&d).control, 0); /* the peer asks again on its new stream */
	desk_close(&d);
}

static void the_window_holds_back_by_count_and_by_bytes(void **state)
{
	struct outbox_options options = outbox_defaults;
	struct desk d;

	(void)state;
	options.window_events = 3;
	options.window_bytes = 100;
	desk_open(&d, &options);
	desk_add_bytes(&d, "a", "s1", 60);
	desk_add_bytes(&d, "b", "s1", 50);
	desk_add_bytes(&d, "c", "s1", 10);
	assert_int_equal(desk_send_all(&d, 10), 1); /* "b" does not fit, and nothing overtakes it */
	assert_int_equal(desk_stats(&d).in_flight_bytes, 60);
	desk_ack(&d, "a", "s1");
	assert_int_equal(desk_send_all(&d, 10), 2);
	desk_add_bytes(&d, "e", "s1", 1);
	desk_add_bytes(&d, "f", "s1", 1);
	assert_int_equal(desk_send_all(&d, 10), 1); /* three in flight */
	outbox_window(d.o, 4, 100);
	assert_int_equal(desk_send_all(&d, 10), 1);
	desk_ack(&d, "c", "s1");
	desk_add_bytes(&d, "g", "s1", 100 - 50 - 1 - 1);
	assert_int_equal(desk_send_all(&d, 10), 1); /* to the last byte */
	desk_close(&d);
}

static void an_event_larger_than_the_window_goes_alone(void **state)
{
	struct outbox_options options = outbox_defaults;
	struct desk d;

	(void)state;
	options.window_bytes = 10;
	desk_open(&d, &options);
	desk_add_bytes(&d, "a", "s1", 5);
	desk_add_bytes(&d, "b", "s1", 500);
	desk_add_bytes(&d, "c", "s1", 5);
	assert_int_equal(desk_send_all(&d, 10), 1);
	desk_ack(&d, "a", "s1");
	assert_int_equal(desk_send_all(&d, 10), 1);
	desk_ack(&d, "b", "s1");
	assert_int_equal(desk_send_all(&d, 10), 1);
	desk_close(&d);
}

static void the_rate_spreads_what_goes_beyond_the_burst(void **state)
{
	struct outbox_options options = outbox_defaults;
	struct desk d;

	(void)state;
	options.rate_per_minute = 60;
	options.rate_burst = 2;
	desk_open(&d, &options);
	for (const char *who = "a\0b\0c\0e\0"; *who; who += 2) {
		desk_add(&d, who, "q1");
		desk_send_all(&d, 10);
	}
	for (int i = 0; i < 8; i++) {
		uint64_t due = outbox_due(d.o, d.now);

		if (due == UINT64_MAX || due > 2500)
			break;
		d.now = due;
		desk_send_all(&d, 10);
	}
	desk_expect(&d, "[     0] a q1\n"
			"[     0] b q1\n"
			"[  1000] c q1\n"
			"[  2000] e q1\n");
	desk_close(&d);
}

static void lanes_get_at_least_their_turns_and_resources_take_turns(void **state)
{
	struct desk d;
	char who[2] = "a";
	size_t seen[128] = { 0 };

	(void)state;
	desk_open(&d, NULL);
	for (who[0] = 'a'; who[0] <= 'h'; who[0]++)
		desk_add(&d, who, "q1");
	for (who[0] = 'i'; who[0] <= 'p'; who[0]++)
		desk_add(&d, who, "s1");
	for (who[0] = 'q'; who[0] <= 'x'; who[0]++)
		desk_add(&d, who, "t1");
	desk_send_all(&d, 8);
	for (size_t i = 0; i + 12 < d.text.n; i += 14)
		seen[(unsigned char)d.text.p[i + 11] & 127]++;
	assert_int_equal(seen['q'], 5);
	assert_int_equal(seen['s'], 2);
	assert_int_equal(seen['t'], 1);
	buf_clear(&d.text);
	desk_send_all(&d, 100);
	desk_expect(&d, "[     0] f q1\n[     0] g q1\n[     0] k s1\n[     0] h q1\n[     0] l s1\n[     0] m s1\n"
			"[     0] n s1\n[     0] r t1\n[     0] o s1\n[     0] p s1\n[     0] s t1\n[     0] t t1\n"
			"[     0] u t1\n[     0] v t1\n[     0] w t1\n[     0] x t1\n");
	desk_close(&d);
}

static void a_busy_resource_waits_for_the_others(void **state)
{
	struct outbox_options options = outbox_defaults;
	struct desk d;

	(void)state;
	options.window_events = 1;
	desk_open(&d, &options);
	desk_add(&d, "a", "o1");
	desk_add(&d, "a", "o2");
	desk_add(&d, "a", "o3");
	desk_add(&d, "b", "o1");
	desk_add(&d, "c", "o1");
	desk_send(&d);
	desk_ack(&d, "a", "o1");
	desk_send(&d);
	desk_ack(&d, "b", "o1");
	desk_send(&d);
	desk_ack(&d, "c", "o1");
	desk_send(&d);
	desk_ack(&d, "a", "o2");
	desk_send(&d);
	desk_expect(&d, "[     0] a o1\n[     0] b o1\n[     0] c o1\n[     0] a o2\n[     0] a o3\n");
	desk_close(&d);
}

static void what_changes_while_it_waits_keeps_its_turn(void **state)
{
	struct desk d;

	(void)state;
	desk_open(&d, NULL);
	desk_add(&d, "a", "s1");
	desk_add(&d, "b", "s1");
	desk_add(&d, "a", "s2");
	desk_send_all(&d, 10);
	desk_expect(&d, "[     0] a s2\n[     0] b s1\n");
	desk_close(&d);
}

static void a_command_pulls_the_spec_before_it_into_its_lane(void **state)
{
	struct outbox_options options = outbox_defaults;
	struct desk d;

	(void)state;
	options.window_events = 1;
	desk_open(&d, &options);
	desk_add(&d, "a", "s1");
	desk_add(&d, "b", "s1");
	desk_add(&d, "c", "s1");
	desk_add(&d, "c", "o2");
	desk_send(&d);
	desk_expect(&d, "[     0] c s1\n");
	desk_close(&d);
}

static void a_sending_and_its_rejection_are_one_failure(void **state)
{
	struct outbox_options options = outbox_defaults;
	struct desk d;

	(void)state;
	options.resend_floor_ms = options.resend_base_ms; /* the first wait is exact, the second far from it */
	options.resend_factor = 100;
	desk_open(&d, &options);
	desk_add(&d, "a", "s1");
	assert_true(desk_send(&d));
	assert_int_equal(desk_answer(&d, "a", "s1", DELIVERY_REJECTED, true, "busy"), OUTBOX_AGAIN);
	assert_int_equal(outbox_due(d.o, d.now), d.now + options.resend_base_ms);
	desk_close(&d);
}

static void a_retryable_rejection_comes_again_with_growing_waits(void **state)
{
	struct outbox_options options = outbox_defaults;
	struct desk d;
	uint64_t at[4];

	(void)state;
	options.resend_floor_ms = options.resend_cap_ms; /* always the cap: exact times */
	desk_open(&d, &options);
	desk_add(&d, "a", "s1");
	desk_add(&d, "b", "s1");
	desk_send_all(&d, 2);
	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		assert_int_equal(desk_answer(&d, "a", "s1", DELIVERY_REJECTED, true, "busy"), OUTBOX_AGAIN);
		assert_int_equal(desk_answer(&d, "a", "s1", DELIVERY_REJECTED, true, "busy"), OUTBOX_NOTHING);
		desk_ack(&d, "b", "s1");
		at[i] = d.now = outbox_due(d.o, d.now);
		assert_int_equal(at[i], (i + 1) * 120000);
		assert_true(desk_send(&d));
		assert_false(desk_send(&d));
	}
	desk_ack(&d, "a", "s1");
	assert_int_equal(desk_stats(&d).rejected_retryable, 4);
	assert_int_equal(desk_stats(&d).waiting + desk_stats(&d).in_flight, 0);
	desk_close(&d);
}

static void what_is_held_back_blocks_only_its_own_line(void **state)
{
	struct desk d;

	(void)state;
	desk_open(&d, NULL);
	desk_add(&d, "a", "s1");
	desk_send(&d);
	desk_answer(&d, "a", "s1", DELIVERY_REJECTED, true, "busy");
	desk_add(&d, "a", "o2");
	desk_add(&d, "b", "s1");
	assert_int_equal(desk_send_all(&d, 10), 1);
	desk_expect(&d, "[     0] a s1\n[     0] b s1\n");
	desk_reconnect(&d); /* nothing is held back on a new stream */
	desk_send_all(&d, 10);
	desk_expect(&d, "[     0] b s1\n[     0] a s1\n");
	desk_close(&d);
}

static void a_newer_version_of_what_was_refused_goes_at_once_and_a_newer_status_does_not(void **state)
{
	struct desk d;

	(void)state;
	desk_open(&d, NULL);
	desk_add(&d, "a", "s1");
	desk_add(&d, "b", "t1");
	desk_send_all(&d, 10);
	desk_answer(&d, "a", "s1", DELIVERY_REJECTED, true, "a label is missing");
	desk_answer(&d, "b", "t1", DELIVERY_REJECTED, true, "full");
	desk_add(&d, "a", "s2");
	desk_add(&d, "b", "t2");
	desk_send_all(&d, 10);
	desk_expect(&d, "[     0] a s1\n[     0] b t1\n[     0] a s2\n");
	assert_int_equal(desk_stats(&d).held_back, 1);
	desk_close(&d);
}

static void what_changed_while_the_older_was_on_its_way_is_not_held_back_with_it(void **state)
{
	struct desk d;

	(void)state;
	desk_open(&d, NULL);
	desk_add(&d, "a", "s1");
	desk_add(&d, "b", "t1");
	desk_send_all(&d, 10);
	desk_add(&d, "a", "s2");
	desk_add(&d, "b", "t2");
	desk_answer(&d, "a", "s1", DELIVERY_REJECTED, true, "a label is missing");
	desk_answer(&d, "b", "t1", DELIVERY_REJECTED, true, "full");
	desk_send_all(&d, 10);
	desk_expect(&d, "[     0] a s1\n[     0] b t1\n[     0] a s2\n");
	assert_int_equal(desk_stats(&d).held_back, 1);
	desk_answer(&d, "a", "s2", DELIVERY_REJECTED, true, "another one is missing"); /* it was refused itself */
	assert_false(desk_send(&d));
	assert_int_equal(desk_stats(&d).held_back, 2);
	desk_close(&d);
}

/* It is made as the object is by then. */
static void a_create_that_is_held_back_goes_at_once_when_its_object_changes(void **state)
{
	struct desk d;

	(void)state;
	desk_open(&d, NULL);
	desk_add(&d, "a", "c1");
	desk_send(&d);
	desk_answer(&d, "a", "c1", DELIVERY_REJECTED, true, "a label is missing");
	desk_add(&d, "a", "t1");
	desk_add(&d, "a", "o1");
	assert_false(desk_send(&d));
	desk_add(&d, "a", "s2");
	desk_send_all(&d, 10);
	desk_expect(&d, "[     0] a c1\n[     0] a c1\n");
	desk_answer(&d, "a", "c1", DELIVERY_REJECTED, true, "another one is missing");
	assert_false(desk_send(&d)); /* once for each change */
	desk_add(&d, "a", "s3");
	desk_send(&d);
	desk_ack(&d, "a", "c1");
	desk_send(&d);
	desk_ack(&d, "a", "t1");
	desk_send_all(&d, 10);
	desk_expect(&d, "[     0] a c1\n[     0] a t1\n[     0] a o1\n");
	desk_close(&d);
}

/* Of many that were refused one is taken: who refused can take again, and the rest need not wait for their time. */
static void what_is_taken_at_last_takes_two_more_along(void **state)
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "f" };
	struct outbox_options options = exact();
	struct desk d;

	(void)state;
	desk_open(&d, &options);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		desk_add(&d, names[i], "s1");
	desk_send_all(&d, 10);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		desk_answer(&d, names[i], "s1", DELIVERY_REJECTED, true, "full");
		d.now++;
	}
	desk_add(&d, "g", "s1");
	desk_send_all(&d, 10);
	desk_ack(&d, "g", "s1"); /* was never refused */
	assert_int_equal(outbox_due(d.o, d.now), 5000);
	d.now = 5000;
	desk_expect(&d, "[     0] a s1\n[     0] b s1\n[     0] c s1\n[     0] d s1\n[     0] e s1\n[     0] f s1\n[   "
			"  6] g s1\n");
	desk_send_all(&d, 10);
	desk_ack(&d, "a", "s1");
	desk_send_all(&d, 10);
	desk_answer(&d, "b", "s1", DELIVERY_REJECTED, true, "still full");
	desk_ack(&d, "c", "s1");
	desk_send_all(&d, 10);
	desk_expect(&d, "[  5000] a s1\n[  5000] b s1\n[  5000] c s1\n[  5000] d s1\n[  5000] e s1\n");
	assert_int_equal(desk_stats(&d).held_back, 2); /* f, and b once more */
	outbox_hurry(d.o, UINT64_MAX);
	desk_send_all(&d, 10);
	desk_expect(&d, "[  5000] f s1\n[  5000] b s1\n");
	desk_close(&d);
}

static void a_permanent_rejection_is_set_aside_until_a_newer_version_comes(void **state)
{
	struct outbox_quarantined q;
	const void *cursor = NULL;
	struct desk d;

	(void)state;
	desk_open(&d, NULL);
	desk_add(&d, "a", "s1");
	desk_add(&d, "a", "o1");
	desk_send(&d);
	d.now = 7;
	assert_int_equal(desk_answer(&d, "a", "s1", DELIVERY_REJECTED, false, "no such project"), OUTBOX_QUARANTINED);
	assert_true(outbox_quarantine_next(d.o, &cursor, &q));
	assert_int_equal(q.type, DELIVERY_SPEC);
	assert_true(str_is(q.resource_id, "a") && str_is(q.event_id, "s1") && str_is(q.reason, "no such project"));
	assert_int_equal(q.since_ms, 7);
	assert_false(outbox_quarantine_next(d.o, &cursor, &q));
	desk_send_all(&d, 10); /* the line goes on */
	desk_expect(&d, "[     0] a s1\n[     7] a o1\n");
	desk_ack(&d, "a", "o1");
	assert_int_equal(desk_add(&d, "a", "s1"), E_OK); /* the same version: it stays where it is */
	desk_reconnect(&d);
	assert_int_equal(outbox_due(d.o, d.now), UINT64_MAX);
	assert_int_equal(desk_stats(&d).quarantined, 1);
	assert_int_equal(desk_stats(&d).oldest_ms, UINT64_MAX);
	assert_int_equal(desk_add(&d, "a", "s2"), E_OK);
	assert_int_equal(desk_stats(&d).quarantined, 0);
	desk_send_all(&d, 10);
	desk_expect(&d, "[     7] a s2\n");
	desk_close(&d);
}

static void a_request_that_is_rejected_has_its_answer(void **state)
{
	struct desk d;

	(void)state;
	desk_open(&d, NULL);
	desk_add(&d, "a", "q1");
	desk_send(&d);
	assert_int_equal(desk_answer(&d, "a", "q1", DELIVERY_REJECTED, false, "no"), OUTBOX_REFUSED);
	assert_int_equal(desk_stats(&d).quarantined, 0);
	assert_int_equal(desk_stats(&d).rejected, 1);
	desk_close(&d);
}

/* As a site that deletes again and again what is not its own any more. */
static void deletions_that_are_refused_leave_room_for_the_rest(void **state)
{
	struct outbox_options options = outbox_defaults;
	struct desk d;
	char who[2] = "a";

	(void)state;
	options.entries_max = 8;
	desk_open(&d, &options);
	for (; who[0] <= 'z'; who[0]++) {
		assert_int_equal(desk_add(&d, who, "d1"), E_OK);
		desk_send(&d);
		assert_int_equal(desk_answer(&d, who, "d1", DELIVERY_REJECTED, false, "not yours"),
				 who[0] < 'e' ? OUTBOX_QUARANTINED : OUTBOX_REFUSED);
	}
	assert_int_equal(desk_stats(&d).quarantined, 4);
	assert_int_equal(desk_stats(&d).rejected, 26);
	desk_close(&d);
}

static void a_reason_is_bounded_and_keeps_whole_characters(void **state)
{
	char reason[400];
	const void *cursor = NULL;
	struct outbox_quarantined q;
	struct desk d;

	(void)state;
	memset(reason, 'x', sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = '\0';
	memcpy(reason + 255, "\xc3\xa9", 2); /* the 256th byte would be half of it */
	desk_open(&d, NULL);
	desk_add(&d, "a", "s1");
	desk_send(&d);
	desk_answer(&d, "a", "s1", DELIVERY_REJECTED, false, reason);
	assert_true(outbox_quarantine_next(d.o, &cursor, &q));
	assert_int_equal(q.reason.n, 255);
	desk_close(&d);
}

static void a_full_outbox_refuses_and_still_coalesces(void **state)
{
	struct outbox_options options = outbox_defaults;
	struct desk d;

	(void)state;
	options.entries_max = 3;
	options.bytes_max = 100;
	desk_open(&d, &options);
	assert_int_equal(desk_add_bytes(&d, "a", "s1", 40), E_OK);
	assert_int_equal(desk_add_bytes(&d, "b", "s1", 61), E_LIMIT);
	assert_int_equal(desk_add_bytes(&d, "b", "s1", 60), E_OK);
	assert_int_equal(desk_add_bytes(&d, "c", "o1", 1), E_LIMIT);
	assert_int_equal(desk_add_bytes(&d, "c", "o1", 0), E_OK);
	assert_int_equal(desk_add(&d, "e", "s1"), E_LIMIT);        /* three entries */
	assert_int_equal(desk_add(&d, "a", "o1"), E_LIMIT);        /* a command is never squeezed in */
	assert_int_equal(desk_add_bytes(&d, "a", "s2", 50), E_OK); /* a newer version is */
	assert_int_equal(desk_add(&d, "b", "d2"), E_OK);           /* so is a delete that makes room */
	assert_int_equal(desk_add(&d, "f", "d1"), E_LIMIT);
	assert_int_equal(desk_stats(&d).refused, 5);
	assert_int_equal(desk_stats(&d).bytes, 50);
	desk_send_all(&d, 10);
	desk_expect(&d, "[     0] c o1\n[     0] b d2\n[     0] a s2\n");
	desk_close(&d);
}

static void an_event_may_fill_the_outbox_to_the_last_byte(void **state)
{
	struct outbox_options options = outbox_defaults;
	struct desk d;

	(void)state;
	options.bytes_max = 100;
	desk_open(&d, &options);
	assert_int_equal(desk_add_bytes(&d, "a", "s1", 101), E_LIMIT);
	assert_int_equal(desk_add_bytes(&d, "a", "s1", 100), E_OK);
	assert_int_equal(desk_add_bytes(&d, "b", "s1", 1), E_LIMIT);
	assert_int_equal(desk_add_bytes(&d, "a", "s2", 1), E_OK);
	assert_int_equal(desk_stats(&d).coalesced, 1);
	desk_close(&d);
}

static void what_is_malformed_is_refused(void **state)
{
	static char longest[DELIVERY_TEXT_MAX + 1];
	struct delivery_event good = { .type = DELIVERY_SPEC, .resource_id = STR("a"), .event_id = STR("1") };
	struct delivery_event bad[] = { good, good, good, good, good, good, good, good, good };
	struct desk d;

	(void)state;
	memset(longest, 'x', sizeof(longest));
	bad[0].resource_id = (struct str){ 0 };
	bad[1].event_id = (struct str){ 0 };
	bad[2].resource_id = (struct str){ longest, sizeof(longest) };
	bad[3].event_id = (struct str){ longest, sizeof(longest) };
	bad[4].name = (struct str){ longest, sizeof(longest) - 2 };
	bad[5].namespace = (struct str){ "a\0b", 3 };
	bad[6].type = DELIVERY_TYPE_COUNT;
	bad[7].name = STR("other"); /* its resource waits under another key */
	bad[8].resource_id = STR("b");
	bad[8].kind = (struct str){ longest, DELIVERY_TEXT_MAX / 2 };
	bad[8].name = (struct str){ longest, DELIVERY_TEXT_MAX / 2 - 1 }; /* with what separates them */
	desk_open(&d, NULL);
	assert_int_equal(outbox_add(d.o, &good, 0), E_OK);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(outbox_add(d.o, &bad[i], 0), E_MALFORMED);
	assert_int_equal(desk_stats(&d).refused, ARRAY_LEN(bad));
	assert_int_equal(desk_stats(&d).waiting, 1);
	desk_close(&d);
}

static void without_memory_nothing_changes(void **state)
{
	long points;
	struct desk d;

	(void)state;
	desk_open(&d, NULL);
	desk_add(&d, "a", "s1");
	desk_add(&d, "a", "o1");
	mem_fail_at(0);
	assert_int_equal(desk_add_bytes(&d, "b", "s1", 1), E_OK);
	points = mem_count();
	desk_close(&d);
	for (long at = 1; at <= points; at++) {
		desk_open(&d, NULL);
		desk_add(&d, "a", "s1");
		desk_add(&d, "a", "o1");
		mem_fail_at(at);
		assert_int_equal(desk_add_bytes(&d, "b", "s1", 1), E_NOMEM);
		mem_fail_at(0);
		assert_int_equal(desk_stats(&d).waiting, 2);
		assert_int_equal(desk_stats(&d).bytes, 0);
		assert_int_equal(desk_add_bytes(&d, "b", "s1", 1), E_OK);
		assert_int_equal(desk_send_all(&d, 10), 2);
		desk_close(&d);
	}
	mem_fail_at(1);
	assert_null(outbox_new(&outbox_defaults, 0));
	mem_fail_at(0);
}

/* Names come and go for as long as the process lives. */
static void a_name_of_which_nothing_is_left_takes_no_memory(void **state)
{
	long counts[3];
	struct desk d;

	(void)state;
	desk_open(&d, NULL);
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		mem_fail_at(0);
		assert_int_equal(desk_add(&d, "a", "s1"), E_OK);
		counts[i] = mem_count();
		desk_send(&d);
		assert_int_equal(desk_ack(&d, "a", "s1"), OUTBOX_CONFIRMED);
	}
	mem_fail_at(0);
	assert_int_equal(desk_add(&d, "b", "s1"), E_OK);
	assert_int_equal(counts[1], counts[2]);
	assert_int_equal(counts[2], mem_count()); /* the name that was here begins like one that never was */
	desk_close(&d);
}

static void from_the_first_event_on_every_failed_allocation_is_survived(void **state)
{
	(void)state;
	for (long at = 1; at < 12; at++) {
		struct desk d;

		desk_open(&d, NULL);
		mem_fail_at(at);
		enum err err = desk_add(&d, "a", "s1");

		mem_fail_at(0);
		assert_true(err == E_OK || err == E_NOMEM);
		assert_int_equal(desk_stats(&d).waiting, err == E_OK);
		assert_int_equal(desk_add(&d, "a", "s2"), E_OK);
		assert_int_equal(desk_send_all(&d, 10), 1);
		desk_close(&d);
	}
}

static void the_quarantine_and_control_live_without_memory_too(void **state)
{
	CLEANUP(blob_unref_freep) struct blob *ack = blob_new(STR("ack"));
	struct outbox_quarantined q;
	const void *cursor = NULL;
	struct desk d;

	(void)state;
	desk_open(&d, NULL);
	mem_fail_at(1);
	assert_int_equal(outbox_control(d.o, ack), E_NOMEM);
	mem_fail_at(0);
	desk_add(&d, "a", "s1");
	desk_send(&d);
	mem_fail_at(1);
	assert_int_equal(desk_answer(&d, "a", "s1", DELIVERY_REJECTED, false, "why"), OUTBOX_QUARANTINED);
	mem_fail_at(0);
	assert_true(outbox_quarantine_next(d.o, &cursor, &q));
	assert_int_equal(q.reason.n, 0);
	outbox_free(NULL);
	desk_close(&d);
}

static void options_are_forced_into_their_ranges(void **state)
{
	struct outbox_options none = { 0 };
	struct desk d;

	(void)state;
	desk_open(&d, &none);
	assert_int_equal(desk_add(&d, "a", "s1"), E_OK);
	assert_int_equal(desk_add(&d, "b", "s1"), E_LIMIT);
	assert_true(desk_send(&d));
	assert_int_equal(outbox_due(d.o, 0), 1);
	desk_close(&d);
}

static void the_oldest_age_is_that_of_the_oldest_change(void **state)
{
	struct desk d;

	(void)state;
	desk_open(&d, NULL);
	d.now = 100;
	desk_add(&d, "a", "s1");
	d.now = 200;
	desk_add(&d, "b", "s1");
	d.now = 300;
	desk_add(&d, "a", "s2"); /* out of step since 100 all the same */
	assert_int_equal(desk_stats(&d).oldest_ms, 100);
	desk_send_all(&d, 10);
	desk_ack(&d, "a", "s2");
	assert_int_equal(desk_stats(&d).oldest_ms, 200);
	desk_ack(&d, "b", "s1");
	assert_int_equal(desk_stats(&d).oldest_ms, UINT64_MAX);
	d.now = 400;
	desk_add(&d, "a", "s3");
	d.now = 500;
	desk_add(&d, "A", "c1");
	d.now = 600;
	desk_add(&d, "a", "s4"); /* goes behind the create, out of step since 400 */
	assert_int_equal(desk_stats(&d).oldest_ms, 400);
	desk_close(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_is_sent_at_once_and_again_until_it_is_acked),
		cmocka_unit_test(how_long_an_event_waited_and_was_on_its_way_is_known),
		cmocka_unit_test(waits_are_drawn_between_the_floor_and_the_growing_step),
		cmocka_unit_test(the_timer_starts_when_the_bytes_have_left),
		cmocka_unit_test(what_has_not_left_yet_has_no_timer),
		cmocka_unit_test(what_leaves_together_does_not_come_again_together),
		cmocka_unit_test(a_crowd_of_timers_is_run_in_parts),
		cmocka_unit_test(received_stops_the_timer_and_the_outcome_frees),
		cmocka_unit_test(received_before_the_bytes_are_known_to_have_left_starts_no_timer),
		cmocka_unit_test(what_left_with_something_that_was_received_has_its_timer),
		cmocka_unit_test(an_answer_counts_only_for_what_was_sent),
		cmocka_unit_test(the_order_tells_a_command_from_the_state_with_the_same_ids),
		cmocka_unit_test(a_create_serves_for_the_spec_of_its_version),
		cmocka_unit_test(what_shares_its_id_with_what_was_set_aside_is_another_event),
		cmocka_unit_test(a_late_ack_of_what_waits_to_be_sent_again_counts),
		cmocka_unit_test(after_a_reconnect_what_was_in_flight_goes_again_at_once_and_first),
		cmocka_unit_test(after_a_reconnect_the_order_is_that_of_sending),
		cmocka_unit_test(after_a_reconnect_waits_begin_from_the_first_step),
		cmocka_unit_test(a_newer_stream_fences_the_older_without_a_goodbye),
		cmocka_unit_test(control_goes_first_and_leaves_no_residue),
		cmocka_unit_test(the_window_holds_back_by_count_and_by_bytes),
		cmocka_unit_test(an_event_larger_than_the_window_goes_alone),
		cmocka_unit_test(the_rate_spreads_what_goes_beyond_the_burst),
		cmocka_unit_test(lanes_get_at_least_their_turns_and_resources_take_turns),
		cmocka_unit_test(a_busy_resource_waits_for_the_others),
		cmocka_unit_test(what_changes_while_it_waits_keeps_its_turn),
		cmocka_unit_test(a_command_pulls_the_spec_before_it_into_its_lane),
		cmocka_unit_test(a_sending_and_its_rejection_are_one_failure),
		cmocka_unit_test(a_retryable_rejection_comes_again_with_growing_waits),
		cmocka_unit_test(what_is_held_back_blocks_only_its_own_line),
		cmocka_unit_test(a_newer_version_of_what_was_refused_goes_at_once_and_a_newer_status_does_not),
		cmocka_unit_test(what_changed_while_the_older_was_on_its_way_is_not_held_back_with_it),
		cmocka_unit_test(a_create_that_is_held_back_goes_at_once_when_its_object_changes),
		cmocka_unit_test(what_is_taken_at_last_takes_two_more_along),
		cmocka_unit_test(a_permanent_rejection_is_set_aside_until_a_newer_version_comes),
		cmocka_unit_test(a_request_that_is_rejected_has_its_answer),
		cmocka_unit_test(deletions_that_are_refused_leave_room_for_the_rest),
		cmocka_unit_test(a_reason_is_bounded_and_keeps_whole_characters),
		cmocka_unit_test(a_full_outbox_refuses_and_still_coalesces),
		cmocka_unit_test(an_event_may_fill_the_outbox_to_the_last_byte),
		cmocka_unit_test(what_is_malformed_is_refused),
		cmocka_unit_test(without_memory_nothing_changes),
		cmocka_unit_test(a_name_of_which_nothing_is_left_takes_no_memory),
		cmocka_unit_test(from_the_first_event_on_every_failed_allocation_is_survived),
		cmocka_unit_test(the_quarantine_and_control_live_without_memory_too),
		cmocka_unit_test(options_are_forced_into_their_ranges),
		cmocka_unit_test(the_oldest_age_is_that_of_the_oldest_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
