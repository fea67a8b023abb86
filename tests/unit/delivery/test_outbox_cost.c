/*
 * The cost of an event in steps, not in time: this test is built with its own copy of the delivery core, the map and the
 * heap, and the compiler calls us at the start of every basic block.
 */
/* clang-format off */
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include <stdio.h>

#include "delivery/outbox.h"

#ifdef SANITIZED
#define MOST 100000
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MOST 100000
#endif
#endif
#ifndef MOST
#define MOST 1000000
#endif

#define EVENTS 2000

static uint64_t steps;

void __sanitizer_cov_trace_pc(void);

void __sanitizer_cov_trace_pc(void)
{
	steps++;
}

static void add(struct outbox *o, unsigned i, unsigned version)
{
	char name[16], id[24], event_id[32];
	struct delivery_event e = { .type = DELIVERY_SPEC, .kind = STR("Application"), .namespace = STR("argocd") };

	e.name = (struct str){ name, (size_t)snprintf(name, sizeof(name), "app-%u", i) };
	e.resource_id = (struct str){ id, (size_t)snprintf(id, sizeof(id), "app-%u_uid", i) };
	e.event_id = (struct str){ event_id,
				   (size_t)snprintf(event_id, sizeof(event_id), "app-%u_uid_%u", i, version) };
	assert_int_equal(outbox_add(o, &e, 0), E_OK);
}

static void send_and_confirm(struct outbox *o)
{
	struct delivery_answer a = { .outcome = DELIVERY_APPLIED };
	struct outbox_frame f;

	assert_true(outbox_take(o, 0, &f));
	outbox_sent(o, f.order, 0, 1);
	a.resource_id = f.resource_id;
	a.event_id = f.event_id;
	a.order = f.order;
	assert_int_equal(outbox_answer(o, 1, &a, 0, 1, NULL), OUTBOX_CONFIRMED);
}

struct cost {
	double add, replace, deliver, due;
};

/* Steps of each kind of operation with `n` resources waiting. */
static struct cost cost_with(unsigned n)
{
	struct outbox_options options = outbox_defaults;
	struct outbox *o;
	struct cost c;

	options.entries_max = 2 * MOST;
	o = outbox_new(&options, 0);
	assert_non_null(o);
	assert_int_equal(outbox_connected(o, 1), E_OK);
	for (unsigned i = 0; i < n; i++)
		add(o, i, 1);
	steps = 0;
	for (unsigned i = 0; i < EVENTS; i++)
		add(o, n + i, 1);
	c.add = (double)steps / EVENTS;
	steps = 0;
	for (unsigned i = 0; i < EVENTS; i++)
		add(o, (unsigned)(i * 7919ULL % n), 2 + i);
	c.replace = (double)steps / EVENTS;
	steps = 0;
	for (unsigned i = 0; i < EVENTS / 2; i++)
		send_and_confirm(o);
	c.deliver = (double)steps / (EVENTS / 2);
	steps = 0;
	for (unsigned i = 0; i < EVENTS; i++)
		(void)outbox_due(o, 0);
	c.due = (double)steps / EVENTS;
	outbox_free(o);
	return c;
}

static void nothing_costs_more_because_more_waits(void **state)
{
	struct cost small = cost_with(1000);

	(void)state;
	for (unsigned n = 100000; n <= MOST; n *= 10) {
		struct cost c = cost_with(n);

		print_message("%u waiting: add %.0f, replace %.0f, deliver %.0f, due %.0f steps\n", n, c.add, c.replace,
			      c.deliver, c.due);
		/* A map that has just grown and one that is about to differ in the length of their probes. */
		assert_true(c.add < 1.5 * small.add + 20);
		assert_true(c.replace < 1.5 * small.replace + 20);
		assert_true(c.deliver < 1.5 * small.deliver + 20);
		assert_true(c.due <= small.due);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(nothing_costs_more_because_more_waits) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
