#include "agent/outage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"

static void each_way_to_fail_is_news_once_and_again_in_the_next_outage(void **state)
{
	static const struct {
		const char *step, *reason;
		bool news;
	} failures[] = {
		{ "the stream ended", "the peer closed the connection", true },
		{ "connection", "connection refused", true },
		{ "connection", "connection refused", false },
		{ "connection", "connection refused", false },
		{ "Authenticate", "version mismatch", true },
		{ "connection", "connection refused", false },
		{ "Authenticate", "version mismatch", false },
		{ "connection", "version mismatch", true },
		{ "connection", "", true },
	};
	struct outage o = { 0 };

	(void)state;
	for (int outage = 0; outage < 2; outage++) {
		for (size_t i = 0; i < ARRAY_LEN(failures); i++)
			assert_int_equal(outage_failed(&o, failures[i].step, str_of(failures[i].reason)),
					 failures[i].news);
		assert_int_equal(outage_end(&o), ARRAY_LEN(failures));
	}
	assert_int_equal(outage_end(&o), 0);
}

static void reasons_without_end_do_not_fill_the_log(void **state)
{
	struct outage o = { 0 };
	char reason[32];
	size_t news = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(reason, sizeof(reason), "port %d", i);
		news += outage_failed(&o, "connection", str_of(reason));
	}
	assert_int_equal(news, OUTAGE_WAYS);
	assert_int_equal(outage_end(&o), 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_way_to_fail_is_news_once_and_again_in_the_next_outage),
		cmocka_unit_test(reasons_without_end_do_not_fill_the_log),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
