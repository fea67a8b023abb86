#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sync/room.h"

struct told {
	unsigned times;
	bool full;
};

static void on_full(void *ctx, const struct room *room)
{
	struct told *told = ctx;

	told->times++;
	told->full = room->full;
}

static void what_does_not_fit_is_refused_and_counted(void **state)
{
	static const struct {
		struct room_share before, next; /* of one thing; others take 4 objects and 60 bytes */
		bool fits;
	} rows[] = {
		{ { 0, 0 }, { 1, 40 }, true },   { { 0, 0 }, { 1, 41 }, false },  { { 1, 10 }, { 1, 40 }, true },
		{ { 1, 10 }, { 1, 41 }, false }, { { 0, 0 }, { 2, 0 }, false },   { { 0, 0 }, { 0, 40 }, true },
		{ { 0, 10 }, { 1, 10 }, true },  { { 1, 90 }, { 1, 80 }, true },  { { 1, 90 }, { 1, 90 }, true },
		{ { 3, 10 }, { 2, 10 }, true },  { { 3, 10 }, { 3, 10 }, true },  { { 1, 90 }, { 1, 91 }, false },
		{ { 3, 10 }, { 4, 9 }, false },  { { 1, 90 }, { 0, 91 }, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct room_share others = { 0 }, share = { 0 };
		struct room r = { 0 };

		room_set(&r, &others, (struct room_share){ 4, 60 });
		room_set(&r, &share, rows[i].before);
		r.objects_max = 5;
		r.bytes_max = 100;
		assert_int_equal(room_take(&r, &share, rows[i].next), rows[i].fits);
		assert_int_equal(r.refused, !rows[i].fits);
		assert_int_equal(r.objects, 4 + (rows[i].fits ? rows[i].next : rows[i].before).objects);
		assert_int_equal(r.bytes, 60 + (rows[i].fits ? rows[i].next : rows[i].before).bytes);
	}
}

static void what_is_too_much_for_all_is_refused_to_whoever_asks_next(void **state)
{
	struct room_share a = { 0 }, b = { 0 }, c = { 0 };
	struct room all = { .bytes_max = 110, .object_bytes = 5 };
	struct told told = { 0 };
	struct room first = { .all = &all },
		    second = { .bytes_max = 95, .all = &all, .on_full = on_full, .ctx = &told };

	(void)state;
	assert_true(room_take(&first, &a, (struct room_share){ 1, 80 }));
	assert_false(room_take(&second, &b, (struct room_share){ 1, 21 }));
	assert_int_equal(all.bytes, 85);
	assert_true(told.full);
	assert_true(room_take(&second, &b, (struct room_share){ 1, 20 }));
	assert_true(told.full); /* it has room of its own; all together have none */
	assert_false(room_take(&first, &c, (struct room_share){ 1, 1 }));
	assert_int_equal(all.bytes, 110);
	assert_int_equal(all.objects, 2);
	room_set(&first, &a, (struct room_share){ 0 });
	assert_true(room_take(&second, &c, (struct room_share){ 1, 60 }));
	assert_false(told.full);
	assert_int_equal(all.bytes, 90);
	assert_false(room_take(&second, &a, (struct room_share){ 0, 16 })); /* its own limit holds beside that of all */
}

static void without_limits_everything_fits(void **state)
{
	struct room_share share = { 0 };
	struct room r = { 0 };

	(void)state;
	assert_true(room_take(&r, &share, (struct room_share){ 1 << 30, 1UL << 40 }));
	room_set(&r, &share, (struct room_share){ 0 });
	assert_int_equal(r.objects + r.bytes, 0);
}

static void it_is_full_from_the_first_refusal_until_a_tenth_is_free(void **state)
{
	struct room_share shares[21] = { 0 };
	struct told told = { 0 };
	struct room r = { .objects_max = 20, .on_full = on_full, .ctx = &told };

	(void)state;
	for (size_t i = 0; i < 20; i++)
		assert_true(room_take(&r, &shares[i], (struct room_share){ 1, 100 }));
	assert_int_equal(told.times, 0);
	for (size_t i = 0; i < 3; i++)
		assert_false(room_take(&r, &shares[20], (struct room_share){ 1, 100 }));
	assert_true(told.times == 1 && told.full && r.refused == 3);
	room_set(&r, &shares[0], (struct room_share){ 0 });
	assert_true(room_take(&r, &shares[0], (struct room_share){ 1, 100 }));
	room_set(&r, &shares[0], (struct room_share){ 0 });
	assert_int_equal(told.times, 1);
	room_set(&r, &shares[1], (struct room_share){ 0 });
	assert_true(told.times == 2 && !told.full);
}

static void one_of_one_is_full_while_it_is_there(void **state)
{
	struct room_share one = { 0 }, other = { 0 };
	struct told told = { 0 };
	struct room r = { .objects_max = 1, .on_full = on_full, .ctx = &told };

	(void)state;
	assert_true(room_take(&r, &one, (struct room_share){ 1, 0 }));
	assert_false(room_take(&r, &other, (struct room_share){ 1, 0 }));
	room_set(&r, &one, (struct room_share){ 1, 10 });
	assert_true(told.full);
	room_set(&r, &one, (struct room_share){ 0 });
	assert_false(told.full);
	assert_true(room_take(&r, &other, (struct room_share){ 1, 0 }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_does_not_fit_is_refused_and_counted),
		cmocka_unit_test(what_is_too_much_for_all_is_refused_to_whoever_asks_next),
		cmocka_unit_test(without_limits_everything_fits),
		cmocka_unit_test(it_is_full_from_the_first_refusal_until_a_tenth_is_free),
		cmocka_unit_test(one_of_one_is_full_while_it_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
