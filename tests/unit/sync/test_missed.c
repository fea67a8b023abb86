/* missed.h: what had no memory is looked at again, each as often as the others. */
#include "sync/missed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"

static struct object *object(const char *name)
{
	CLEANUP(buf_release) struct buf json = { 0 };
	struct object *o = NULL;

	buf_addf(&json, "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"site-1\"}}", name);
	assert_int_equal(object_new(OBJECT_APPLICATION, buf_view(&json), NULL, &o), E_OK);
	return o;
}

static void add(struct missed *m, const char *name, uint64_t now_ms)
{
	struct object *o = object(name);

	missed_add(m, o, now_ms);
	object_unref(o);
}

/* What is due now, with one letter each; `again` has no memory this time either. */
static const char *round_of(struct missed *m, char again, uint64_t now_ms)
{
	static char taken[16];
	struct object *o;
	size_t n = 0;

	for (size_t due = missed_begin(m, now_ms); due && (o = missed_take(m)); due--) {
		taken[n++] = o->name[0];
		if (o->name[0] == again)
			missed_add(m, o, now_ms);
		object_unref(o);
	}
	taken[n] = '\0';
	return taken;
}

static void each_is_looked_at_once_when_its_time_has_come(void **state)
{
	struct missed m = { 0 };

	(void)state;
	assert_string_equal(round_of(&m, 0, UINT64_MAX - 1), "");
	add(&m, "a", 0);
	add(&m, "b", 900);
	assert_int_equal(missed_due(&m), 1000);
	assert_string_equal(round_of(&m, 0, 999), "");
	assert_string_equal(round_of(&m, 0, 1000), "ab");
	assert_int_equal(missed_due(&m), UINT64_MAX);
	missed_release(&m);
}

static void one_that_never_has_memory_holds_up_no_other(void **state)
{
	struct missed m = { 0 };

	(void)state;
	add(&m, "a", 0);
	add(&m, "b", 0);
	add(&m, "c", 0);
	assert_string_equal(round_of(&m, 'c', 1000), "abc");
	assert_string_equal(round_of(&m, 'c', 1000), "");
	add(&m, "d", 1999);
	assert_string_equal(round_of(&m, 'c', 2000), "cd");
	assert_string_equal(round_of(&m, 'c', 3000), "c");
	missed_release(&m);
}

static void those_that_never_have_memory_are_looked_at_once_a_second(void **state)
{
	struct missed m = { 0 };
	struct object *o;

	(void)state;
	add(&m, "a", 0);
	add(&m, "b", 0);
	for (size_t n = missed_begin(&m, 1000); n; n--) {
		o = missed_take(&m);
		missed_add(&m, o, 1000);
		object_unref(o);
	}
	assert_int_equal(missed_due(&m), 2000);
	missed_release(&m);
}

static void what_is_newer_takes_the_place_of_what_was_missed(void **state)
{
	static const char *const names[] = { "a", "b", "c" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct missed m = { 0 };
		struct object *newer = object(names[i]);
		char rest[4] = "abc";

		for (size_t n = 0; n < 3; n++)
			add(&m, names[n], 0);
		missed_forget(&m, newer);
		missed_forget(&m, newer);
		missed_add(&m, newer, 500);
		memmove(rest + i, rest + i + 1, 3 - i);
		rest[2] = names[i][0];
		assert_string_equal(round_of(&m, 0, 1000), rest);
		missed_release(&m);
		object_unref(newer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_looked_at_once_when_its_time_has_come),
		cmocka_unit_test(one_that_never_has_memory_holds_up_no_other),
		cmocka_unit_test(those_that_never_have_memory_are_looked_at_once_a_second),
		cmocka_unit_test(what_is_newer_takes_the_place_of_what_was_missed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
