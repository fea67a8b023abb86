#include "gateway/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "manifest.h"

#define HEAD   "apiVersion: argoproj.io/v1alpha1\nkind: EventSource\nmetadata: {name: web}\nspec:\n"
#define SOURCE HEAD "  holdfast: {dataDir: d}\n  webhook:\n"

/* The table alone keeps its configuration alive. */
static struct route_table *table_of(const char *manifest, struct metrics *metrics)
{
	struct gateway_config *config = manifest_load(manifest);
	struct route_table *table = NULL;
	struct why why = { 0 };

	assert_int_equal(route_table_new(config, metrics, &why, &table), E_OK);
	gateway_config_unref(config);
	return table;
}

static const char *name_of(const struct route_table *t, uint16_t port, const char *path)
{
	const struct route_port *p = route_table_port(t, port);
	const struct route *r = p ? route_find(p, str_of(path)) : NULL;

	return r ? r->config->event_name : "none";
}

static void the_first_route_that_matches_wins(void **state)
{
	static const char manifest[] = SOURCE "    literal: {port: \"1\", endpoint: /a/b, method: POST}\n"
					      "    any: {port: \"1\", endpoint: \"/a/{x}\", method: POST}\n"
					      "    later: {port: \"1\", endpoint: /a/c, method: POST}\n"
					      "    digits: {port: \"1\", endpoint: \"/n/{x:[0-9]+}\", method: POST}\n"
					      "    rest: {port: \"1\", endpoint: \"/n/{x:.*}\", method: POST}\n"
					      "    space: {port: \"1\", endpoint: \"/!a\", method: POST}\n";
	static const struct {
		const char *path, *name;
	} rows[] = {
		{ "/a/b", "literal" }, { "/a/x", "any" },  { "/a/c", "any" },    { "/a/b/", "none" },
		{ "/a/", "none" },     { "/a", "none" },   { "/n/1", "digits" }, { "/n/1x", "rest" },
		{ "/n/", "rest" },     { "/n", "none" },   { "/!a", "space" },   { "/", "none" },
		{ "", "none" },        { "/A/b", "none" }, { "/a/\xff", "any" }, { "/n/1\xe9", "rest" },
		{ "x/a/b", "none" },
	};
	struct metrics *metrics = metrics_new();
	struct route_table *t = table_of(manifest, metrics);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(name_of(t, 1, rows[i].path), rows[i].name);
	route_table_unref(t);
	metrics_free(metrics);
}

static void each_port_has_its_own_routes(void **state)
{
	static const char manifest[] = SOURCE "    one: {port: \"1\", endpoint: /a, method: POST}\n"
					      "    two: {port: \"2\", endpoint: /a, method: POST}\n"
					      "    three: {port: \"1\", endpoint: /b, method: POST}\n";
	struct metrics *metrics = metrics_new();
	struct route_table *t = table_of(manifest, metrics);

	(void)state;
	assert_int_equal(t->port_count, 2);
	assert_string_equal(name_of(t, 1, "/a"), "one");
	assert_string_equal(name_of(t, 2, "/a"), "two");
	assert_string_equal(name_of(t, 1, "/b"), "three");
	assert_string_equal(name_of(t, 2, "/b"), "none");
	assert_null(route_table_port(t, 3));
	assert_null(route_table_port(t, 1)->tls);
	route_table_unref(t);
	metrics_free(metrics);
}

static void a_rate_lets_its_burst_pass_and_says_when_the_next_may(void **state)
{
	static const char manifest[] = SOURCE
		"    slow: {port: \"1\", endpoint: /a, method: POST, holdfast: {rate: 60, burst: 2}}\n"
		"    free: {port: \"1\", endpoint: /b, method: POST}\n";
	struct metrics *metrics = metrics_new();
	struct route_table *t = table_of(manifest, metrics);
	uint64_t wait_ms = 0;

	(void)state;
	assert_true(route_take_rate(&t->routes[0], 1000, &wait_ms));
	assert_true(route_take_rate(&t->routes[0], 1000, &wait_ms));
	assert_false(route_take_rate(&t->routes[0], 1000, &wait_ms));
	assert_int_equal(wait_ms, 1000);
	assert_true(route_take_rate(&t->routes[0], 2000, &wait_ms));
	/* another loop, which has not looked at the clock since, and the first again: no time has passed */
	assert_false(route_take_rate(&t->routes[0], 1000, &wait_ms));
	assert_false(route_take_rate(&t->routes[0], 2000, &wait_ms));
	for (int i = 0; i < 100; i++)
		assert_true(route_take_rate(&t->routes[1], 1000, &wait_ms));
	route_table_unref(t);
	metrics_free(metrics);
}

static void a_table_in_use_outlives_its_owner(void **state)
{
	struct metrics *metrics = metrics_new();
	struct route_table *t = table_of(SOURCE "    e: {port: \"1\", endpoint: /a, method: POST}\n", metrics);
	struct route_table *used = route_table_ref(t);

	(void)state;
	route_table_unref(t);
	assert_string_equal(name_of(used, 1, "/a"), "e");
	route_table_unref(used);
	route_table_unref(NULL);
	metrics_free(metrics);
}

/* Also metrics ask for memory; those do without. */
static void without_memory_there_is_no_table_or_a_whole_one(void **state)
{
	struct gateway_config *config = manifest_load(
		SOURCE "    a: {port: \"1\", endpoint: /a, method: POST}\n"
		       "    b: {port: \"2\", endpoint: \"/{b}\", method: POST}\n"
		       "  github:\n"
		       "    g: {organizations: [o], webhook: {endpoint: /g, port: \"1\"}, "
		       "webhookSecret: {name: s, key: k}}\n");
	bool refused = false;
	long at = 0, allocations;

	(void)state;
	do {
		struct metrics *metrics = metrics_new();
		struct route_table *t = NULL;
		struct why why = { 0 };
		enum err err;

		mem_fail_at(++at);
		err = route_table_new(config, metrics, &why, &t);
		allocations = mem_count();
		mem_fail_at(0);
		if (err == E_OK) {
			assert_string_equal(name_of(t, 1, "/a"), "a");
			assert_string_equal(name_of(t, 2, "/x"), "b");
		} else {
			assert_int_equal(err, E_NOMEM);
			assert_null(t);
			refused = true;
		}
		route_table_unref(t);
		metrics_free(metrics);
	} while (at <= allocations);
	assert_true(refused && at > 5);
	gateway_config_unref(config);
}

static void put_secret(const char *text)
{
	FILE *f = fopen("s/new", "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(rename("s/new", "s/k"), 0);
}

/* A reload builds a new table: it must not end the time in which an old secret is right. */
static void a_new_table_knows_the_secrets_of_the_one_before(void **state)
{
	const char *one = HEAD
		"  holdfast: {dataDir: d, secretsDir: .}\n  webhook:\n"
		"    w: {port: \"1\", endpoint: /w, method: POST}\n"
		"  github:\n"
		"    g: {organizations: [o], webhook: {endpoint: /g, port: \"1\"}, webhookSecret: {name: s, key: k}}\n";
	const char *other = HEAD
		"  holdfast: {dataDir: d, secretsDir: .}\n  github:\n"
		"    h: {organizations: [o], webhook: {endpoint: /h, port: \"2\"}, webhookSecret: {name: s, key: k}}\n"
		"    i: {organizations: [o], webhook: {endpoint: /i, port: \"2\"}}\n";
	struct metrics *metrics = metrics_new();
	struct route_table *before, *after;
	uint64_t now_ms;

	(void)state;
	assert_int_equal(mkdir("s", 0700), 0);
	put_secret("old");
	before = table_of(one, metrics);
	now_ms = clock_mono_ms(); /* it has looked at its files before this */
	assert_int_equal(before->routes[1].secrets[0].count, 1);
	put_secret("newer");
	assert_int_equal(secret_file_check(&before->routes[1].secrets[0].files[0], STR("old"), now_ms + 2000), E_OK);
	after = table_of(other, metrics);
	assert_int_equal(after->routes[1].secrets[0].count, 0);
	assert_int_equal(secret_file_check(&after->routes[0].secrets[0].files[0], STR("old"), now_ms),
			 E_UNAUTHENTICATED);
	route_table_inherit(after, before);
	route_table_unref(before);
	assert_int_equal(secret_file_check(&after->routes[0].secrets[0].files[0], STR("old"), now_ms + 2000), E_OK);
	assert_int_equal(secret_file_check(&after->routes[0].secrets[0].files[0], STR("newer"), now_ms + 2000), E_OK);
	route_table_unref(after);
	metrics_free(metrics);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_route_that_matches_wins),
		cmocka_unit_test(each_port_has_its_own_routes),
		cmocka_unit_test(a_rate_lets_its_burst_pass_and_says_when_the_next_may),
		cmocka_unit_test(a_table_in_use_outlives_its_owner),
		cmocka_unit_test(without_memory_there_is_no_table_or_a_whole_one),
		cmocka_unit_test(a_new_table_knows_the_secrets_of_the_one_before),
	};

	return cmocka_run_group_tests(tests, manifest_begin, manifest_end);
}
