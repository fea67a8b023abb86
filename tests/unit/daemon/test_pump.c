#include "daemon/pump.h"

#include <stdio.h>

#include "base/mem.h"
#include "pair.h"
#include "stage.h"
#include "wire/ack.h"

/* A session, and a call that says everything back. */
struct desk {
	struct stage st;
	struct pair pair;
	struct pump pump;
	unsigned echoed;
	struct buf first; /* what came back first */
};

static struct desk *current;

static void on_message(struct rpc_call *call, struct str message)
{
	(void)call;
	if (current->echoed++ == 0)
		buf_str(&current->first, message);
}

static void on_writable(struct rpc_call *call)
{
	(void)call;
	pump_write(&current->pump);
}

static void on_close(struct rpc_call *call, const struct rpc_status *status, const struct rpc_metadata *trailing)
{
	(void)call, (void)status, (void)trailing;
	current->pump.call = NULL;
}

static void on_ready(struct pump *p)
{
	pump_write(p);
}

static void put(struct desk *d, unsigned number)
{
	char json[128];

	(void)snprintf(json, sizeof(json), "{'metadata':{'name':'app-%u','namespace':'a1','uid':'u%u'},'spec':{}}",
		       number, number);
	stage_put(&d->st, json);
}

/* The session of `end` with so many applications of ours, and a call that is up; the pump is not open yet. */
static void desk_begin(struct desk *d, enum role_end end, unsigned apps, const struct rpc_limits *limits)
{
	const struct rpc_call_options options = {
		.path = "/t/Echo", .on_message = on_message, .on_writable = on_writable, .on_close = on_close
	};

	*d = (struct desk){ 0 };
	current = d;
	assert_true(pair_start(&d->pair, NULL, limits) && pair_connect(&d->pair));
	stage_begin(&d->st, end, WIRE_TWO_STEPS);
	session_close(d->st.session, d->st.epoch);
	d->st.g.now = d->pair.loop.now_ms;
	for (unsigned i = 0; i < apps; i++)
		put(d, i);
	stage_run(&d->st, 10);
	d->pump = (struct pump){ .loop = &d->pair.loop, .session = d->st.session, .on_ready = on_ready };
	assert_int_equal(rpc_start(d->pair.channel, &options, &d->pump.call), E_OK);
}

static void desk_open(struct desk *d)
{
	const struct wire_dialect agreed = { .version = WIRE_TWO_STEPS };

	assert_int_equal(pump_open(&d->pump, 100, &agreed), E_OK);
}

static void desk_end(struct desk *d)
{
	pump_close(&d->pump);
	if (d->pump.call)
		rpc_cancel(TAKE(d->pump.call));
	pair_end(&d->pair);
	stage_end(&d->st);
	buf_release(&d->first);
}

static uint64_t due(struct desk *d)
{
	return session_due(d->st.session, d->pair.loop.now_ms);
}

static bool all_echoed(const struct pair *p)
{
	(void)p;
	return current->echoed == current->st.g.row_count;
}

/* ---- what goes ---------------------------------------------------------------------------------------------------- */

static bool has_left(const struct pair *p)
{
	(void)p;
	return current->pump.order == 0;
}

static void the_time_of_sending_begins_when_the_message_has_left(void **state)
{
	struct desk d;

	(void)state;
	desk_begin(&d, ROLE_PRINCIPAL_OF_MANAGED, 1, NULL);
	desk_open(&d);
	pump_write(&d.pump);
	assert_int_equal(due(&d), UINT64_MAX);
	pair_until(&d.pair, has_left);
	assert_true(due(&d) < UINT64_MAX);
	pair_until(&d.pair, all_echoed);
	desk_end(&d);
}

static void what_the_call_has_no_room_for_goes_when_it_has(void **state)
{
	struct rpc_limits limits = rpc_limits_default();
	struct desk d;

	(void)state;
	limits.send_queue = 1024;
	desk_begin(&d, ROLE_PRINCIPAL_OF_MANAGED, 40, &limits);
	desk_open(&d);
	pump_write(&d.pump);
	assert_true(d.pump.message.n > 0);
	pair_until(&d.pair, all_echoed);
	assert_int_equal(d.pump.message.n, 0);
	desk_end(&d);
}

/* Nothing else happens that could bring the session's turn: the pump asks for it. */
static void what_there_was_no_memory_for_goes_later_and_has_not_left_before(void **state)
{
	unsigned kept = 0;
	long n = 1, count;

	(void)state;
	do {
		struct desk d;

		desk_begin(&d, ROLE_PRINCIPAL_OF_MANAGED, 1, NULL);
		desk_open(&d);
		mem_fail_at(n);
		pump_write(&d.pump);
		count = mem_count();
		mem_fail_at(0);
		if (d.pump.message.n) {
			kept++;
			assert_int_equal(due(&d), UINT64_MAX);
			pair_until(&d.pair, all_echoed);
		}
		desk_end(&d);
	} while (n++ <= count);
	assert_true(kept > 0);
}

/* ---- what comes --------------------------------------------------------------------------------------------------- */

/* The deletion of what is not here: it leaves nothing behind. */
static void hear(struct desk *d, unsigned number)
{
	char id[32], version[40], json[128];
	struct buf bytes = { 0 };

	(void)snprintf(id, sizeof(id), "app-%u_u", number);
	(void)snprintf(version, sizeof(version), "%s_1", id);
	(void)snprintf(json, sizeof(json),
		       "{\"metadata\":{\"name\":\"app-%u\",\"namespace\":\"a1\",\"uid\":\"u\"},\"spec\":{}}", number);
	assert_int_equal(wire_event_encode(&(struct wire_event){ .type = WIRE_DELETE,
								 .target = WIRE_TO_APPLICATION,
								 .resource_id = str_of(id),
								 .event_id = str_of(version),
								 .data = str_of(json) },
					   &bytes),
			 E_OK);
	pump_receive(&d->pump, buf_view(&bytes));
	buf_release(&bytes);
}

static void a_session_that_is_full_is_sent_nothing_more_until_it_has_room(void **state)
{
	struct desk d;

	(void)state;
	desk_begin(&d, ROLE_MANAGED_AGENT, 0, NULL);
	desk_open(&d);
	for (unsigned i = 0; i < inbox_defaults.window_events; i++) {
		assert_false(d.pump.paused);
		hear(&d, i);
	}
	assert_true(d.pump.paused);
	pump_write(&d.pump);
	assert_true(d.pump.paused);
	session_work(d.st.session, d.pair.loop.now_ms, /* wall_ns= */ 0);
	pump_write(&d.pump);
	assert_false(d.pump.paused);
	desk_end(&d);
}

static void a_pump_without_a_stream_takes_and_gives_nothing(void **state)
{
	struct desk d;

	(void)state;
	desk_begin(&d, ROLE_MANAGED_AGENT, 0, NULL);
	desk_open(&d);
	hear(&d, 0);
	assert_int_equal(peer_came(session_peer(d.st.session)), 1);
	pump_close(&d.pump);
	hear(&d, 1);
	pump_write(&d.pump);
	assert_int_equal(peer_came(session_peer(d.st.session)), 1);
	assert_int_equal(session_epoch(d.st.session), 0);
	desk_end(&d);
}

static uint64_t in_flight(struct desk *d)
{
	struct outbox_stats stats;

	outbox_stats(peer_outbox(session_peer(d->st.session)), &stats);
	return stats.in_flight;
}

/* Who was told "received" waits for the outcome, and whoever sent that does not say it again. */
static void an_answer_needs_no_memory(void **state)
{
	const struct wire_dialect dialect = { .version = WIRE_TWO_STEPS };
	struct buf bytes = { 0 };
	struct wire_event e;
	struct why why;
	struct desk d;

	(void)state;
	desk_begin(&d, ROLE_PRINCIPAL_OF_MANAGED, 1, NULL);
	desk_open(&d);
	pump_write(&d.pump);
	pair_until(&d.pair, all_echoed);
	assert_int_equal(in_flight(&d), 1);
	assert_int_equal(wire_event_decode(buf_view(&d.first), &e, &why), E_OK);
	assert_int_equal(wire_ack_encode(&(struct delivery_answer){ .outcome = DELIVERY_APPLIED,
								    .resource_id = e.resource_id,
								    .event_id = e.event_id,
								    .order = e.order },
					 &dialect, (struct str){ 0 }, &bytes),
			 E_OK);
	mem_fail_at(1);
	pump_receive(&d.pump, buf_view(&bytes));
	mem_fail_at(0);
	assert_int_equal(in_flight(&d), 0);
	buf_release(&bytes);
	desk_end(&d);
}

/* ---- open --------------------------------------------------------------------------------------------------------- */

static void opening_fails_whole(void **state)
{
	const struct wire_dialect agreed = { .version = WIRE_TWO_STEPS };
	enum err err;
	struct desk d;
	long n = 1;

	(void)state;
	desk_begin(&d, ROLE_PRINCIPAL_OF_MANAGED, 1, NULL);
	do {
		mem_fail_at(n++);
		err = pump_open(&d.pump, 100, &agreed);
		mem_fail_at(0);
		assert_true(err == E_OK || err == E_NOMEM);
		assert_int_equal(d.pump.epoch, err == E_OK ? 100 : 0);
		assert_int_equal(heap_holds(&d.pump.again.node), err == E_OK);
	} while (err != E_OK);
	pump_close(&d.pump);
	assert_int_equal(pump_open(&d.pump, 99, &agreed), E_CANCELLED);
	assert_false(heap_holds(&d.pump.again.node));
	desk_end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_time_of_sending_begins_when_the_message_has_left),
		cmocka_unit_test(what_the_call_has_no_room_for_goes_when_it_has),
		cmocka_unit_test(what_there_was_no_memory_for_goes_later_and_has_not_left_before),
		cmocka_unit_test(a_session_that_is_full_is_sent_nothing_more_until_it_has_room),
		cmocka_unit_test(a_pump_without_a_stream_takes_and_gives_nothing),
		cmocka_unit_test(an_answer_needs_no_memory),
		cmocka_unit_test(opening_fails_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
