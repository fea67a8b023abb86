/* clang-format off */
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "base/mem.h"
#include "bus/monitor.h"
#include "bus/servers.h"

static void urls_are_taken_apart_and_never_shown_with_their_user(void **state)
{
	static const struct {
		const char *list;
		const char *shown; /* NULL: refused */
		const char *host;
	} rows[] = {
		{ "nats://nats:4222", "nats://nats:4222", "nats" },
		{ "nats", "nats://nats:4222", "nats" },
		{ "tls://u:p@ss@h:1/", "tls://h:1", "h" },
		{ "u:secret@h", "nats://h:4222", "h" },
		{ "nats://[::1]:4333", "nats://[::1]:4333", "::1" },
		{ " nats://a:1 ,, nats://b:2 ", "nats://a:1", "a" },
		{ "", NULL, NULL },
		{ " , ", NULL, NULL },
		{ "http://h:1", NULL, NULL },
		{ "nats://", NULL, NULL },
		{ "nats://h:0", NULL, NULL },
		{ "nats://h:65536", NULL, NULL },
		{ "nats://secret@h:x", NULL, NULL },
		{ "nats://a b", NULL, NULL },
		{ "nats://good:1,nats://:2", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct servers s = { 0 };
		struct why why = { 0 };
		enum err err = servers_parse(rows[i].list, &s, &why);

		assert_int_equal(err, rows[i].shown ? E_OK : E_CONFIG);
		assert_null(strstr(why.text, "secret"));
		if (err)
			continue;
		assert_string_equal(s.list[0].shown, rows[i].shown);
		assert_string_equal(s.list[0].host, rows[i].host);
		servers_release(&s);
	}
}

static uint64_t always_zero(void)
{
	return 0;
}

static void a_shuffle_keeps_every_server(void **state)
{
	struct servers s = { 0 };
	char seen[4] = "";

	(void)state;
	assert_int_equal(servers_parse("a,b,c", &s, NULL), E_OK);
	servers_shuffle(&s, always_zero);
	for (size_t i = 0; i < s.n; i++)
		seen[i] = s.list[i].host[0];
	assert_string_equal(seen, "bca");
	servers_release(&s);
}

static void no_memory_is_an_error_like_any_other(void **state)
{
	(void)state;
	for (long at = 1;; at++) {
		struct servers s = { 0 };

		mem_fail_at(at);
		enum err err = servers_parse("nats://u:p@h:1,b", &s, NULL);

		mem_fail_at(0);
		servers_release(&s);
		if (!err)
			break;
		assert_int_equal(err, E_NOMEM);
	}
}

static void monitoring_urls_are_checked(void **state)
{
	(void)state;
	assert_int_equal(monitor_check("http://h:8222", NULL), E_OK);
	assert_int_equal(monitor_check("http://h/prefix/", NULL), E_OK);
	assert_int_equal(monitor_check("https://h", NULL), E_CONFIG);
	assert_int_equal(monitor_check("http://", NULL), E_CONFIG);
	assert_int_equal(monitor_check("http://h:99999", NULL), E_CONFIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls_are_taken_apart_and_never_shown_with_their_user),
		cmocka_unit_test(a_shuffle_keeps_every_server),
		cmocka_unit_test(no_memory_is_an_error_like_any_other),
		cmocka_unit_test(monitoring_urls_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
