#include "rpc/call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "pair.h"

static struct pair pair;

static struct rpc_call *begin(const char *path)
{
	struct rpc_call *call = NULL;

	assert_int_equal(E_OK, pair_call(&pair, path, NULL, 0, false, &call));
	return call;
}

/* `limits` of the client; NULL: the usual. */
static void start(const struct rpc_limits *limits)
{
	assert_true(pair_start(&pair, NULL, limits));
	assert_true(pair_connect(&pair));
}

/* A call that has sent its first message. */
static struct rpc_call *ask(const char *path, struct str message)
{
	struct rpc_call *call = begin(path);

	assert_int_equal(E_OK, rpc_send(call, message));
	return call;
}

/* A call with one message, which is all. */
static void ask_once(const char *path, struct str message)
{
	rpc_half_close(ask(path, message));
}

static bool one_message_came(const struct pair *p)
{
	return p->server_messages > 0;
}

/* A call whose message is with the handler, which does not answer. */
static struct rpc_call *hang(void)
{
	struct rpc_call *call = ask("/t/Hang", STR("x"));

	pair_until(&pair, one_message_came);
	return call;
}

static void a_unary_call_brings_back_message_and_metadata(void **state)
{
	struct rpc_metadata m = { 0 };
	struct rpc_call *call;

	(void)state;
	start(NULL);
	rpc_metadata_add(&m, STR("x-a"), STR("meta"));
	assert_int_equal(E_OK, pair_call(&pair, "/t/Unary", &m, 60000, false, &call));
	assert_int_equal(E_OK, rpc_send(call, STR("hello")));
	rpc_half_close(call);
	pair_await(&pair, "head:meta msg:5:hello close:OK::meta ");
	rpc_metadata_release(&m);
	pair_end(&pair);
}

/* The server listens for both families: to IPv6 the caller is ::ffff:127.0.0.1, and all callers of IPv4 were of one network. */
static void a_caller_has_the_same_address_on_every_socket(void **state)
{
	(void)state;
	start(NULL);
	ask_once("/t/Address", STR("?"));
	pair_await(&pair, "msg:9:127.0.0.1 close:OK:: ");
	pair_end(&pair);
}

static void messages_of_a_stream_keep_their_order(void **state)
{
	struct rpc_call *call;

	(void)state;
	start(NULL);
	call = ask("/t/Echo", STR("one"));
	assert_int_equal(E_OK, rpc_send(call, (struct str){ 0 }));
	pair_await(&pair, "msg:3:one msg:0: ");
	assert_int_equal(E_OK, rpc_send(call, STR("three")));
	rpc_half_close(call);
	pair_await(&pair, "msg:5:three close:OK:: ");
	pair_end(&pair);
}

static void a_unary_method_takes_exactly_one_message(void **state)
{
	struct rpc_call *call;

	(void)state;
	start(NULL);
	rpc_half_close(begin("/t/Unary"));
	pair_await(&pair, "close:INTERNAL:no message");
	call = ask("/t/Unary", STR("one"));
	assert_int_equal(E_OK, rpc_send(call, STR("two")));
	pair_await(&pair, "close:INTERNAL:more than one message");
	pair_end(&pair);
}

static void the_deadline_ends_both_sides(void **state)
{
	struct rpc_call *call;

	(void)state;
	start(NULL);
	for (int i = 0; i < 100 && pair.server_messages == 0; i++) { /* it may be over before anything has left */
		pair.log.n = 0;
		assert_int_equal(E_OK, pair_call(&pair, "/t/Hang", NULL, 50, false, &call));
		assert_int_equal(E_OK, rpc_send(call, STR("x")));
		pair_await(&pair, "close:DEADLINE_EXCEEDED:");
	}
	pair_await(&pair, "cancel ");
	pair_end(&pair);
}

/* The page has this line. */
static void expect_metric(const char *line)
{
	struct buf page = { 0 }, whole = { 0 };

	metrics_write(pair.metrics, /* openmetrics= */ false, &page);
	buf_addf(&whole, "\n%s\n", line);
	if (!strstr(buf_cstr(&page), buf_cstr(&whole)))
		fail_msg("not on the page: %s", line);
	buf_release(&page);
	buf_release(&whole);
}

static void each_method_is_counted_at_both_ends(void **state)
{
	(void)state;
	pair.metrics = metrics_new();
	start(NULL);
	ask_once("/t/Unary", STR("one"));
	pair_await(&pair, "close:OK");
	rpc_half_close(begin("/t/Unary"));
	pair_await(&pair, "close:INTERNAL:no message");
	rpc_half_close(begin("/t/Nothing"));
	pair_await(&pair, "close:UNIMPLEMENTED");
#define UNARY "grpc_type=\"unary\",grpc_service=\"t\",grpc_method=\"Unary\""
	expect_metric("grpc_server_started_total{" UNARY "} 2");
	expect_metric("grpc_server_handled_total{" UNARY ",grpc_code=\"OK\"} 1");
	expect_metric("grpc_server_handled_total{" UNARY ",grpc_code=\"Internal\"} 1");
	expect_metric("grpc_server_msg_received_total{" UNARY "} 1");
	expect_metric("grpc_server_msg_sent_total{" UNARY "} 1");
	expect_metric("grpc_server_handling_seconds_count{" UNARY "} 2");
	expect_metric("grpc_client_started_total{" UNARY "} 2");
	expect_metric("grpc_client_msg_received_total{" UNARY "} 1");
	expect_metric("grpc_client_handled_total{" UNARY ",grpc_code=\"OK\"} 1");
#undef UNARY
	expect_metric("grpc_client_handled_total{grpc_type=\"unary\",grpc_service=\"t\",grpc_method=\"Nothing\",grpc_"
		      "code=\"Unimplemented\"} 1");
	pair_end(&pair);
}

static void a_cancel_is_heard_by_the_handler_and_not_by_us(void **state)
{
	struct rpc_call *call;

	(void)state;
	start(NULL);
	call = hang();
	rpc_cancel(call);
	pair_await(&pair, "cancel ");
	assert_false(pair_logged(&pair, "close:"));
	pair_end(&pair);
}

static void a_cancel_before_anything_was_sent_reaches_nobody(void **state)
{
	struct rpc_call *call;

	(void)state;
	start(NULL);
	rpc_cancel(begin("/t/Hang"));
	call = ask("/t/Echo", STR("x"));
	pair_await(&pair, "msg:1:x ");
	assert_false(pair_logged(&pair, "cancel"));
	rpc_cancel(call);
	pair_end(&pair);
}

static void the_queue_says_busy_at_its_mark_and_writable_later(void **state)
{
	struct rpc_limits limits = rpc_limits_default();
	struct rpc_call *call;
	char bytes[10000] = { 0 };
	size_t taken = 0;

	(void)state;
	limits.send_queue = 50000;
	start(&limits);
	call = begin("/t/Hang");
	while (rpc_send(call, (struct str){ bytes, sizeof(bytes) }) == E_OK)
		taken++;
	assert_int_equal(5, taken);
	assert_int_equal(5 * 10005, rpc_queued(call));
	pair_await(&pair, "writable ");
	assert_true(rpc_queued(call) <= 25000);
	rpc_cancel(call);
	pair_end(&pair);
}

/* The other one stands behind it in the connection's list, and nothing holds it but we. */
static void who_hears_of_room_may_cancel_another_call_that_has_ended(void **state)
{
	struct rpc_call *ended, *full;
	char bytes[10000] = { 0 };

	(void)state;
	start(NULL);
	ended = ask("/t/Echo", STR("x"));
	rpc_pause(ended);
	rpc_half_close(ended);
	ask_once("/t/Echo", STR("behind"));
	pair_await(&pair, "msg:6:behind close:OK:: ");
	full = begin("/t/Hang");
	rpc_set_user(full, ended);
	while (rpc_send(full, (struct str){ bytes, sizeof(bytes) }) == E_OK)
		;
	pair_await(&pair, "writable ");
	assert_null(rpc_user(full));
	rpc_cancel(full);
	pair_end(&pair);
}

static void a_message_over_the_limit_is_not_taken(void **state)
{
	struct rpc_limits limits = rpc_limits_default();
	struct rpc_call *call;
	char bytes[2001] = { 0 };

	(void)state;
	limits.message_max = 2000;
	start(&limits);
	call = begin("/t/Echo");
	assert_int_equal(E_LIMIT, rpc_send(call, (struct str){ bytes, 2001 }));
	assert_int_equal(E_OK, rpc_send(call, (struct str){ bytes, 2000 }));
	pair_await(&pair, "msg:2000: ");
	rpc_cancel(call);
	pair_end(&pair);
}

static void a_paused_call_hears_nothing_until_it_is_resumed(void **state)
{
	struct rpc_call *paused;

	(void)state;
	start(NULL);
	paused = begin("/t/Echo");
	rpc_pause(paused);
	assert_int_equal(E_OK, rpc_send(paused, STR("held")));
	rpc_half_close(paused);
	ask_once("/t/Echo", STR("beside"));
	pair_await(&pair, "msg:6:beside close:OK:: ");
	assert_false(pair_logged(&pair, "held"));
	rpc_resume(paused);
	assert_true(pair_logged(&pair, "msg:4:held close:OK:: "));
	pair_end(&pair);
}

static void the_connection_ends_with_all_its_calls(void **state)
{
	struct rpc_call *call;

	(void)state;
	start(NULL);
	call = hang();
	rpc_server_stop(pair.server, /* now= */ true, NULL, NULL);
	pair.server = NULL;
	pair_await(&pair, "close:UNAVAILABLE:");
	pair_await(&pair, "down:unavailable ");
	assert_true(pair_logged(&pair, "cancel "));
	assert_int_equal(E_UNAVAILABLE, pair_call(&pair, "/t/Echo", NULL, 0, false, &call));
	pair_end(&pair);
}

static void a_client_that_ends_its_connection_may_have_another(void **state)
{
	(void)state;
	start(NULL);
	(void)hang();
	rpc_channel_disconnect(pair.channel);
	pair_await(&pair, "close:CANCELLED:");
	pair_await(&pair, "down:unavailable ");
	assert_true(pair_logged(&pair, "cancel "));
	rpc_channel_disconnect(pair.channel);
	assert_int_equal(E_OK, rpc_channel_connect(pair.channel));
	pair_await(&pair, "down:unavailable up ");
	ask_once("/t/Echo", STR("again"));
	pair_await(&pair, "msg:5:again close:OK:: ");
	pair_end(&pair);
}

static void a_drain_ends_with_the_last_call(void **state)
{
	struct rpc_call *call;

	(void)state;
	start(NULL);
	call = ask("/t/Echo", STR("x"));
	pair_await(&pair, "msg:1:x ");
	rpc_server_stop(pair.server, /* now= */ false, NULL, NULL);
	pair.server = NULL;
	pair_await(&pair, "drain ");
	assert_int_equal(E_OK, rpc_send(call, STR("yet")));
	pair_await(&pair, "msg:3:yet ");
	rpc_half_close(call);
	pair_await(&pair, "close:OK:: ");
	pair_await(&pair, "down:unavailable ");
	pair_end(&pair);
}

static void messages_are_packed_both_ways_when_the_client_begins(void **state)
{
	struct rpc_call *call;
	char bytes[5000];

	(void)state;
	memset(bytes, 'z', sizeof(bytes));
	start(NULL);
	assert_int_equal(E_OK, pair_call(&pair, "/t/Echo", NULL, 0, true, &call));
	assert_int_equal(E_OK, rpc_send(call, (struct str){ bytes, sizeof(bytes) }));
	assert_true(rpc_queued(call) < 200);
	rpc_half_close(call);
	pair_await(&pair, "msg:5000: close:OK:: ");
	pair_end(&pair);
}

/* 30 KB that unpack to 32 MiB, at either end: a message behind them comes first. */
static void what_unpacks_to_very_much_holds_nobody_up(void **state)
{
	struct str zeros = { mem_alloc(32 << 20), 32 << 20 };
	struct rpc_call *big, *small;

	(void)state;
	start(NULL);
	assert_int_equal(E_OK, pair_call(&pair, "/t/Echo", NULL, 0, /* gzip= */ true, &big));
	assert_int_equal(E_OK, rpc_send(big, zeros));
	rpc_half_close(big);
	small = ask("/t/Echo", STR("small"));
	pair_await(&pair, "msg:5:small ");
	assert_int_equal(1, pair.server_messages);
	while (pair.server_messages == 1)
		uv_run(&pair.loop.uv, UV_RUN_ONCE);
	assert_int_equal(E_OK, rpc_send(small, STR("again")));
	pair_await(&pair, "msg:5:again ");
	assert_false(pair_logged(&pair, "msg:33554432:"));
	pair_await(&pair, "msg:33554432: close:OK");
	rpc_cancel(small);
	pair_end(&pair);
	mem_free((void *)(uintptr_t)zeros.p);
}

/* Whatever ends while it is unpacked leaves nothing behind. */
static void a_call_may_end_while_its_message_is_unpacked(void **state)
{
	struct str zeros = { mem_alloc(32 << 20), 32 << 20 };
	struct rpc_call *big;

	(void)state;
	start(NULL);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(E_OK, pair_call(&pair, "/t/Hang", NULL, 0, /* gzip= */ true, &big));
		assert_int_equal(E_OK, rpc_send(big, zeros));
		ask_once("/t/Unary", STR("x"));
		pair_await(&pair, "close:OK");
		assert_int_equal(1, pair.server_messages);
		pair.server_messages = pair.log.n = 0;
		if (i == 0) {
			rpc_cancel(big);
			pair_await(&pair, "cancel ");
		}
	}
	pair_end(&pair);
	mem_free((void *)(uintptr_t)zeros.p);
}

static void a_full_server_queue_goes_on_when_the_client_reads(void **state)
{
	(void)state;
	start(NULL);
	ask_once("/t/Full", STR("go"));
	pair_await(&pair, "close:OK:: ");
	assert_int_equal(27, pair.filled); /* 256 KiB of 10,005 bytes each, the last one over the mark */
	pair_end(&pair);
}

static void what_cannot_be_sent_is_refused_at_once(void **state)
{
	struct rpc_metadata m = { 0 };
	struct rpc_call *call;

	(void)state;
	assert_true(pair_start(&pair, NULL, NULL));
	assert_int_equal(E_UNAVAILABLE, pair_call(&pair, "/t/Echo", NULL, 0, false, &call));
	assert_true(pair_connect(&pair));
	assert_int_equal(E_MALFORMED, pair_call(&pair, "t/Echo", NULL, 0, false, &call));
	assert_int_equal(E_MALFORMED, pair_call(&pair, "/t\n", NULL, 0, false, &call));
	rpc_metadata_add(&m, STR("Bad"), STR(""));
	assert_int_equal(E_MALFORMED, pair_call(&pair, "/t/Echo", &m, 0, false, &call));
	rpc_metadata_release(&m);
	pair_end(&pair);
}

static void a_path_is_served_once(void **state)
{
	static const struct rpc_method twice[] = { { .path = "/a/B" }, { .path = "/a/B" } };
	static const struct rpc_service bad = { .name = "a", .methods = twice, .method_count = 2 };
	const struct rpc_service *const services[] = { &bad };
	struct rpc_server_options o = { .limits = rpc_limits_default(), .services = services, .service_count = 1 };
	struct rpc_server *server = NULL;
	struct why why;

	(void)state;
	start(NULL);
	assert_int_equal(E_EXISTS, rpc_server_start(&pair.loop, -1, &o, &why, &server));
	assert_null(server);
	pair_end(&pair);
}

/* The whole story, with every allocation failing once. */
static bool tell_story(void)
{
	struct rpc_metadata m = { 0 };
	struct rpc_call *call;
	bool ok = false;
	char bytes[3000];

	memset(bytes, 'z', sizeof(bytes));
	rpc_metadata_add(&m, STR("x-a"), STR("meta"));
	if (!pair_connect(&pair) || pair_call(&pair, "/t/Unary", &m, 60000, true, &call) != E_OK)
		goto out;
	if (rpc_send(call, (struct str){ bytes, sizeof(bytes) }) != E_OK) {
		rpc_cancel(call);
		goto out;
	}
	rpc_half_close(call);
	pair_await(&pair, "close:");
	ok = pair_logged(&pair, "head:meta msg:3000: close:OK::meta ");
out:
	rpc_metadata_release(&m);
	return ok;
}

static void no_missing_allocation_breaks_anything(void **state)
{
	long good = 0;
	long n;

	(void)state;
	for (n = 1; good < 2 && n < 2000; n++) {
		bool told = false;

		pair.fail_at = n;
		if (pair_start(&pair, NULL, NULL))
			told = tell_story();
		if (mem_count() < n)
			good += told; /* nothing failed any more */
		mem_fail_at(0);
		pair_end(&pair);
	}
	assert_in_range(n, 60, 1999);
	assert_int_equal(2, good);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_unary_call_brings_back_message_and_metadata),
		cmocka_unit_test(a_caller_has_the_same_address_on_every_socket),
		cmocka_unit_test(messages_of_a_stream_keep_their_order),
		cmocka_unit_test(a_unary_method_takes_exactly_one_message),
		cmocka_unit_test(the_deadline_ends_both_sides),
		cmocka_unit_test(each_method_is_counted_at_both_ends),
		cmocka_unit_test(a_cancel_is_heard_by_the_handler_and_not_by_us),
		cmocka_unit_test(a_cancel_before_anything_was_sent_reaches_nobody),
		cmocka_unit_test(the_queue_says_busy_at_its_mark_and_writable_later),
		cmocka_unit_test(who_hears_of_room_may_cancel_another_call_that_has_ended),
		cmocka_unit_test(a_message_over_the_limit_is_not_taken),
		cmocka_unit_test(a_paused_call_hears_nothing_until_it_is_resumed),
		cmocka_unit_test(the_connection_ends_with_all_its_calls),
		cmocka_unit_test(a_client_that_ends_its_connection_may_have_another),
		cmocka_unit_test(a_drain_ends_with_the_last_call),
		cmocka_unit_test(messages_are_packed_both_ways_when_the_client_begins),
		cmocka_unit_test(what_unpacks_to_very_much_holds_nobody_up),
		cmocka_unit_test(a_call_may_end_while_its_message_is_unpacked),
		cmocka_unit_test(a_full_server_queue_goes_on_when_the_client_reads),
		cmocka_unit_test(what_cannot_be_sent_is_refused_at_once),
		cmocka_unit_test(a_path_is_served_once),
		cmocka_unit_test(no_missing_allocation_breaks_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
