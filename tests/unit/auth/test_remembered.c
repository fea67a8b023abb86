#include "auth/remembered.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/mem.h"

static void what_was_put_is_there_until_its_time(void **state)
{
	struct remembered *r = remembered_new(64);

	(void)state;
	remembered_put(r, STR("a"), STR("secret"), STR("line"), 100);
	assert_true(remembered_has(r, STR("a"), STR("secret"), STR("line"), 99));
	assert_false(remembered_has(r, STR("a"), STR("secret"), STR("line"), 100));
	remembered_put(r, STR("a"), STR("secret"), STR("line"), 200);
	assert_true(remembered_has(r, STR("a"), STR("secret"), STR("line"), 100));
	remembered_free(r);
}

static void anything_else_is_not(void **state)
{
	struct remembered *r = remembered_new(64);

	(void)state;
	remembered_put(r, STR("ab"), STR("c"), STR("line"), 100);
	assert_false(remembered_has(r, STR("a"), STR("bc"), STR("line"), 0));
	assert_false(remembered_has(r, STR("ab"), STR("cl"), STR("ine"), 0));
	assert_false(remembered_has(r, STR("ab"), STR(""), STR("line"), 0));
	assert_false(remembered_has(r, STR("ab"), STR("c"), STR("line2"), 0));
	assert_false(remembered_has(r, (struct str){ 0 }, (struct str){ 0 }, (struct str){ 0 }, 0));
	remembered_free(r);
}

static void the_table_does_not_grow_and_keeps_the_newest(void **state)
{
	struct remembered *r = remembered_new(4);
	char name[16];

	(void)state;
	for (unsigned i = 1; i <= 100; i++) {
		(void)snprintf(name, sizeof(name), "n%u", i);
		remembered_put(r, str_of(name), STR("p"), STR("l"), i);
	}
	for (unsigned i = 1; i <= 100; i++) {
		(void)snprintf(name, sizeof(name), "n%u", i);
		assert_int_equal(i > 96, remembered_has(r, str_of(name), STR("p"), STR("l"), 0));
	}
	remembered_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_put_is_there_until_its_time),
		cmocka_unit_test(anything_else_is_not),
		cmocka_unit_test(the_table_does_not_grow_and_keeps_the_newest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
