#include "net/http_quota.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"

static const unsigned char one[16] = { 1 }, two[16] = { 2 };

static void places_are_counted_in_all_and_per_address(void **state)
{
	struct http_addr *held[3] = { 0 }, *more = NULL;
	struct http_quota q;

	(void)state;
	http_quota_init(&q);
	assert_int_equal(E_OK, http_quota_take(&q, one, 3, 2, &held[0]));
	assert_int_equal(E_OK, http_quota_take(&q, one, 3, 2, &held[1]));
	assert_int_equal(E_LIMIT, http_quota_take(&q, one, 3, 2, &more));
	assert_int_equal(E_OK, http_quota_take(&q, two, 3, 2, &held[2]));
	assert_int_equal(E_LIMIT, http_quota_take(&q, two, 3, 2, &more));
	assert_null(more);
	http_quota_give(&q, held[0]);
	assert_int_equal(E_OK, http_quota_take(&q, one, 3, 2, &held[0]));
	for (size_t i = 0; i < 3; i++)
		http_quota_give(&q, held[i]);
	http_quota_give(&q, NULL);
	assert_int_equal(0, q.conns);
	assert_int_equal(0, q.addrs.n);
	http_quota_release(&q);
}

static void without_a_limit_one_address_may_have_all(void **state)
{
	struct http_addr *held[100];
	struct http_quota q;

	(void)state;
	http_quota_init(&q);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(E_OK, http_quota_take(&q, one, 100, 0, &held[i]));
	for (size_t i = 0; i < 100; i++)
		http_quota_give(&q, held[i]);
	http_quota_release(&q);
}

static void without_memory_no_place_is_taken(void **state)
{
	(void)state;
	for (long at = 1;; at++) {
		struct http_addr *held = NULL;
		struct http_quota q;
		enum err err;

		http_quota_init(&q);
		mem_fail_at(at);
		err = http_quota_take(&q, one, 3, 2, &held);
		mem_fail_at(0);
		assert_int_equal(err == E_OK, q.conns);
		http_quota_give(&q, held);
		assert_int_equal(0, q.addrs.n);
		http_quota_release(&q);
		if (err == E_OK)
			break;
		assert_int_equal(E_NOMEM, err);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places_are_counted_in_all_and_per_address),
		cmocka_unit_test(without_a_limit_one_address_may_have_all),
		cmocka_unit_test(without_memory_no_place_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
