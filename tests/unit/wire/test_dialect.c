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
	const struct wire_dialect ours = { WIRE_TWO_STEPS, 12, 3456 };
	struct rpc_metadata m = { 0 };
	struct wire_dialect d;

	(void)state;
	wire_dialect_write(&ours, &m);
	assert_int_equal(m.n, 2);
	d = wire_dialect_accept(&m);
	assert_int_equal(d.version, WIRE_TWO_STEPS);
	assert_int_equal(d.window_events, 12);
	assert_int_equal(d.window_bytes, 3456);
	rpc_metadata_release(&m);
}

static void upstreams_dialect_is_not_spoken_of(void **state)
{
	const struct wire_dialect upstream = { WIRE_UPSTREAM, 12, 3456 }, silent = { WIRE_TWO_STEPS, 0, 1 };
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ends_find_the_dialect_that_both_speak),
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(upstreams_dialect_is_not_spoken_of),
		cmocka_unit_test(a_client_that_did_not_ask_agrees_to_nothing),
	};

	return cmocka_run_group_tests_name("wire dialect", tests, NULL, NULL);
}
