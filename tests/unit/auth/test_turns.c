#include "auth/turns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/mem.h"

#define A "192.0.2.1"
#define B "192.0.2.2"
#define C "2001:db8::1"

/* A waiter with a name. */
struct guest {
	struct turns_waiter waiter;
	char name;
};

static struct guest guests[64];

/* The guest of this name comes from `address`; who gave way, ' ' when nobody did. */
static char comes(struct turns *t, char name, const char *address)
{
	struct guest *g = &guests[name - 'A'];
	struct turns_waiter *dropped;

	*g = (struct guest){ .name = name };
	assert_int_equal(E_OK, turns_put(t, address, &g->waiter, &dropped));
	return dropped ? CONTAINER_OF(dropped, struct guest, waiter)->name : ' ';
}

/* Those who wait, in the order in which they come up. */
static void expect(struct turns *t, const char *names)
{
	struct turns_waiter *w;

	for (; (w = turns_take(t)); names++)
		assert_int_equal(*names, CONTAINER_OF(w, struct guest, waiter)->name);
	assert_int_equal('\0', *names);
	assert_int_equal(0, t->n);
	turns_release(t);
}

static void one_address_is_served_in_its_order(void **state)
{
	struct turns t;

	(void)state;
	turns_init(&t, 10);
	for (char name = 'A'; name <= 'E'; name++)
		assert_int_equal(' ', comes(&t, name, A));
	expect(&t, "ABCDE");
}

static void who_asks_much_waits_behind_itself(void **state)
{
	struct turns t;

	(void)state;
	turns_init(&t, 10);
	for (char name = 'A'; name <= 'E'; name++)
		comes(&t, name, A);
	comes(&t, 'X', B);
	comes(&t, 'Y', B);
	comes(&t, 'Z', C);
	expect(&t, "AXZBYCDE");
}

static void a_line_that_comes_back_is_behind_the_others(void **state)
{
	struct turns t;

	(void)state;
	turns_init(&t, 10);
	comes(&t, 'A', A);
	comes(&t, 'X', B);
	comes(&t, 'Y', B);
	assert_ptr_equal(&guests[0].waiter, turns_take(&t));
	comes(&t, 'B', A);
	expect(&t, "XBY");
}

static void a_network_of_ipv6_is_one_address(void **state)
{
	struct turns t;

	(void)state;
	turns_init(&t, 10);
	comes(&t, 'A', "2001:db8::1");
	comes(&t, 'B', "2001:db8::ffff:2");
	comes(&t, 'X', "2001:db8:0:1::1");
	comes(&t, 'Y', "");
	expect(&t, "AXYB");
}

static void past_the_limit_the_last_of_the_longest_line_gives_way(void **state)
{
	struct turns t;

	(void)state;
	turns_init(&t, 4);
	for (char name = 'A'; name <= 'D'; name++)
		comes(&t, name, A);
	assert_int_equal('E', comes(&t, 'E', A));
	assert_int_equal('D', comes(&t, 'X', B));
	assert_int_equal('C', comes(&t, 'Y', B));
	assert_null(guests['D' - 'A'].waiter.line);
	expect(&t, "AXBY");
}

static void who_goes_away_is_not_served(void **state)
{
	struct turns t;

	(void)state;
	turns_init(&t, 10);
	for (char name = 'A'; name <= 'C'; name++)
		comes(&t, name, A);
	comes(&t, 'X', B);
	turns_remove(&t, &guests['B' - 'A'].waiter);
	turns_remove(&t, &guests['B' - 'A'].waiter);
	turns_remove(&t, &guests['X' - 'A'].waiter);
	turns_remove(&t, NULL);
	expect(&t, "AC");
}

static void without_memory_nobody_waits(void **state)
{
	struct turns_waiter *dropped;
	enum err err = E_NOMEM;

	(void)state;
	for (size_t failing = 1; err != E_OK; failing++) {
		struct guest g = { 0 };
		struct turns t;

		turns_init(&t, 10);
		mem_fail_at(failing);
		err = turns_put(&t, A, &g.waiter, &dropped);
		mem_fail_at(0);
		assert_true(err == E_OK || (err == E_NOMEM && !g.waiter.line && t.n == 0));
		turns_remove(&t, &g.waiter);
		turns_release(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_address_is_served_in_its_order),
		cmocka_unit_test(who_asks_much_waits_behind_itself),
		cmocka_unit_test(a_line_that_comes_back_is_behind_the_others),
		cmocka_unit_test(a_network_of_ipv6_is_one_address),
		cmocka_unit_test(past_the_limit_the_last_of_the_longest_line_gives_way),
		cmocka_unit_test(who_goes_away_is_not_served),
		cmocka_unit_test(without_memory_nobody_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
