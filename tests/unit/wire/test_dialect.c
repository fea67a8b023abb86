#include "wire/dialect.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/mem.h"

static struct rpc_metadata metadata(const char *dialect, const char *window)
{
	struct rpc_metadata m = { 0 };

	if (dialect)
		rpc_metadata_add(&m, STR(WIRE_DIALECT_KEY), str_of(dialect));
	if (window)
		rpc_metadata_add(&m, STR(WIRE_WINDOW_KEY), str_of(window));
	assert_int_equal(m.err, E_OK);
	return m;
}

static const struct {
	const char *dialect, *window;
	unsigned accepted, agreed; /* at a server; at a client that asked for 1 */
	uint32_t events;
	uint64_t bytes;
} rows[] = {
	{ NULL, NULL, 0, 0, 0, 0 },
	{ NULL, "1,2", 0, 0, 0, 0 },
	{ "0", "1,2", 0, 0, 0, 0 },
	{ "1", NULL, 1, 1, 0, 0 },
	{ "1", "256,16777216", 1, 1, 256, 16777216 },
	{ "1", "256 , 16777216", 1, 1, 256, 16777216 },
	{ "1", "4294967295,18446744073709551615", 1, 1, UINT32_MAX, UINT64_MAX },
	{ "1", "256", 1, 1, 0, 0 },
	{ "1", "0,5", 1, 1, 0, 0 },
	{ "1", "5,0", 1, 1, 0, 0 },
	{ "1", "4294967296,1", 1, 1, 0, 0 },
	{ "1", "-1,1", 1, 1, 0, 0 },
	{ "1", "1,2,3", 1, 1, 0, 0 },
	{ "7", "3,4", 1, 0, 3, 4 },
	{ "one", "1,2", 0, 0, 0, 0 },
	{ "-1", NULL, 0, 0, 0, 0 },
	{ "99999999999", NULL, 0, 0, 0, 0 },
};

static void both_ends_find_the_dialect_that_both_speak(void **state)
{
	const struct wire_dialect asked = { .version = WIRE_TWO_STEPS };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rpc_metadata m = metadata(rows[i].dialect, rows[i].window);
		struct wire_dialect d = wire_dialect_accept(&m);

		assert_int_equal(d.version, rows[i].accepted);
		assert_int_equal(d.window_events, rows[i].events);
		assert_int_equal(d.window_bytes, rows[i].bytes);
		d = wire_dialect_agreed(&m, &asked);
		assert_int_equal(d.version, rows[i].agreed);
		rpc_metadata_release(&m);
	}
}

static void what_is_written_is_read(void **state)
{
	const struct wire_dialect ours = { WIRE_TWO_STEPS, 12, 3456, 7890, WIRE_MAPPING_DESTINATION };
	struct rpc_metadata m = { 0 };
	struct wire_dialect d;

	(void)state;
	wire_dialect_write(&ours, &m);
	assert_int_equal(m.n, 4);
	d = wire_dialect_accept(&m);
	assert_int_equal(d.version, WIRE_TWO_STEPS);
	assert_int_equal(d.window_events, 12);
	assert_int_equal(d.window_bytes, 3456);
	assert_int_equal(d.message_max, 7890);
	assert_int_equal(d.mapping, WIRE_MAPPING_DESTINATION);
	rpc_metadata_release(&m);
}

static void upstreams_dialect_is_not_spoken_of(void **state)
{
	const struct wire_dialect upstream = { WIRE_UPSTREAM, 12, 3456, 7890, WIRE_MAPPING_NAMESPACE },
				  silent = { WIRE_TWO_STEPS, 0, 1, 0, WIRE_MAPPING_UNSAID };
	struct rpc_metadata m = { 0 };

	(void)state;
	wire_dialect_write(&upstream, &m);
	assert_int_equal(m.n, 0);
	wire_dialect_write(&silent, &m);
	assert_int_equal(m.n, 1);
	rpc_metadata_release(&m);
}

static void a_client_that_did_not_ask_agrees_to_nothing(void **state)
{
	const struct wire_dialect asked = { .version = WIRE_UPSTREAM };
	struct rpc_metadata m = metadata("1", "1,1");
	struct wire_dialect d = wire_dialect_agreed(&m, &asked);

	(void)state;
	assert_int_equal(d.version, WIRE_UPSTREAM);
	assert_int_equal(d.window_events, 0);
	d = wire_dialect_agreed(NULL, &asked);
	assert_int_equal(d.version, WIRE_UPSTREAM);
	rpc_metadata_release(&m);
}

static void another_way_to_map_is_none(void **state)
{
	struct rpc_metadata m = metadata("1", NULL);

	(void)state;
	rpc_metadata_add(&m, STR(WIRE_MAPPING_KEY), (struct str)STR("label"));
	assert_int_equal(wire_dialect_accept(&m).mapping, WIRE_MAPPING_UNSAID);
	rpc_metadata_release(&m);
}

static void a_limit_is_a_number_of_our_dialect(void **state)
{
	static const struct {
		const char *dialect, *text;
		uint64_t limit;
	} limits[] = {
		{ "1", "65536", 65536 },
		{ "1", "18446744073709551615", UINT64_MAX },
		{ "7", "65536", 65536 },
		{ "0", "65536", 0 },
		{ NULL, "65536", 0 },
		{ "1", NULL, 0 },
		{ "1", "", 0 },
		{ "1", "0", 0 },
		{ "1", "-1", 0 },
		{ "1", "64KiB", 0 },
		{ "1", "18446744073709551616", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		struct rpc_metadata m = metadata(limits[i].dialect, "3,4");
		struct wire_dialect d;

		if (limits[i].text)
			rpc_metadata_add(&m, (struct str)STR(WIRE_MESSAGE_MAX_KEY), str_of(limits[i].text));
		d = wire_dialect_accept(&m);
		assert_int_equal(d.message_max, limits[i].limit);
		assert_int_equal(d.window_events, d.version ? 3 : 0);
		rpc_metadata_release(&m);
	}
}

static void a_limit_is_found_in_what_other_libraries_say(void **state)
{
	static const struct {
		const char *text;
		uint64_t limit;
	} texts[] = {
		{ "grpc: received message larger than max (100339 vs. 65536)", 65536 },
		{ "Received message larger than max (100339 vs. 65536)", 65536 },
		{ "SERVER: Received message larger than max (4518352 vs. 4194304)", 4194304 },
		{ "rpc error: grpc: received message larger than max (65537 vs. 65536): again", 65536 },
		{ "grpc: received message larger than max (65536 vs. 65535)", 0 },
		{ "grpc: received message larger than max (2 vs. 1)", 0 },
		{ "grpc: received message larger than max (65536 vs. 100339)", 0 },
		{ "grpc: received message larger than max (70000 vs. 70000)", 0 },
		{ "grpc: received message larger than max (5 vs. 0)", 0 },
		{ "grpc: received message larger than max length allowed on current machine (80000 vs. 70000)", 0 },
		{ "grpc: received message larger than max (80000 vs. )", 0 },
		{ "grpc: received message larger than max (5 vs", 0 },
		{ "grpc: received message larger than max (-5 vs. -6)", 0 },
		{ "grpc: received message larger than max (99999999999999999999 vs. 70000)", 0 },
		{ "grpc: received message larger than max (", 0 },
		{ "the connection uses too much", 0 },
		{ "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_int_equal(wire_message_max_told(str_of(texts[i].text)), texts[i].limit);
	assert_int_equal(wire_message_max_told((struct str){ 0 }), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ends_find_the_dialect_that_both_speak),
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(upstreams_dialect_is_not_spoken_of),
		cmocka_unit_test(a_client_that_did_not_ask_agrees_to_nothing),
		cmocka_unit_test(another_way_to_map_is_none),
		cmocka_unit_test(a_limit_is_a_number_of_our_dialect),
		cmocka_unit_test(a_limit_is_found_in_what_other_libraries_say),
	};

	return cmocka_run_group_tests_name("wire dialect", tests, NULL, NULL);
}
