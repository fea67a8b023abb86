#include "rpc/gzip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"

static struct buf pack(struct gzip *g, struct str plain)
{
	struct buf packed = { 0 };

	assert_int_equal(E_OK, gzip_pack(g, plain, &packed));
	return packed;
}

/* In one step. */
static enum err unpack(struct gzip *g, struct str packed, struct buf *ret_plain)
{
	struct gunzip *unpacking = NULL;
	enum err err = gzip_unpack(g, &unpacking, packed, SIZE_MAX, ret_plain);

	assert_null(unpacking);
	return err;
}

static void messages_of_all_sizes_come_back(void **state)
{
	static const size_t sizes[] = { 0, 1, 2, 255, 16383, 16384, 16385, 100000, 1000000 };
	struct gzip g = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		char *bytes = mem_alloc(sizes[i]);
		struct buf packed, plain = { .max = sizes[i] + 1 };

		for (size_t k = 0; k < sizes[i]; k++)
			bytes[k] = (char)(k * k >> 3);
		packed = pack(&g, (struct str){ bytes, sizes[i] });
		assert_int_equal(E_OK, unpack(&g, buf_view(&packed), &plain));
		assert_true(str_eq((struct str){ bytes, sizes[i] }, buf_view(&plain)));
		buf_release(&plain);
		buf_release(&packed);
		mem_free(bytes);
	}
	gzip_release(&g);
}

static void a_bomb_is_held_at_the_ceiling(void **state)
{
	struct gzip g = { 0 };
	char *zeros = mem_alloc(10 << 20);
	struct buf bomb = pack(&g, (struct str){ zeros, 10 << 20 });
	struct buf plain = { .max = 100000 };

	(void)state;
	assert_true(bomb.n < 100000);
	assert_int_equal(E_LIMIT, unpack(&g, buf_view(&bomb), &plain));
	assert_true(plain.cap <= 100000);
	buf_release(&plain);
	buf_release(&bomb);
	gzip_release(&g);
	mem_free(zeros);
}

static void exactly_the_ceiling_is_no_bomb(void **state)
{
	struct gzip g = { 0 };
	char *zeros = mem_alloc(50000);

	(void)state;
	for (size_t n = 49990; n <= 50000; n++) {
		struct buf packed = pack(&g, (struct str){ zeros, n });
		struct buf plain = { .max = 49995 };

		assert_int_equal(n <= 49995 ? E_OK : E_LIMIT, unpack(&g, buf_view(&packed), &plain));
		buf_release(&plain);
		buf_release(&packed);
	}
	gzip_release(&g);
	mem_free(zeros);
}

static void every_flipped_bit_and_every_cut_is_seen(void **state)
{
	struct gzip g = { 0 };
	struct buf packed = pack(&g, STR("some text, some text, some other text"));
	struct buf plain = { .max = 1000 };

	(void)state;
	for (size_t n = 0; n < packed.n; n++) {
		buf_clear(&plain);
		assert_int_equal(E_MALFORMED, unpack(&g, (struct str){ packed.p, n }, &plain));
	}
	/* From byte 8 on: the flags and the time in front are nobody's promise. */
	for (size_t bit = 10 * 8; bit < packed.n * 8; bit++) {
		packed.p[bit / 8] = (char)(packed.p[bit / 8] ^ 1 << bit % 8);
		buf_clear(&plain);
		assert_int_equal(E_MALFORMED, unpack(&g, buf_view(&packed), &plain));
		packed.p[bit / 8] = (char)(packed.p[bit / 8] ^ 1 << bit % 8);
	}
	buf_char(&packed, 'x');
	buf_clear(&plain);
	assert_int_equal(E_MALFORMED, unpack(&g, buf_view(&packed), &plain));
	buf_release(&plain);
	buf_release(&packed);
	gzip_release(&g);
}

/* Two messages at a time, and one that nobody wants to the end. */
static void a_message_is_unpacked_in_as_many_steps_as_one_likes(void **state)
{
	struct gzip g = { 0 };
	struct gunzip *unpacking = NULL, *dropped = NULL;
	char *zeros = mem_alloc(1 << 20);
	struct buf packed = pack(&g, (struct str){ zeros, 1 << 20 });
	struct buf plain = { .max = 2 << 20 }, other = { .max = 2 << 20 };
	size_t steps = 1;

	(void)state;
	assert_int_equal(E_BUSY, gzip_unpack(&g, &dropped, buf_view(&packed), 1, &other));
	while (gzip_unpack(&g, &unpacking, buf_view(&packed), 100000, &plain) == E_BUSY) {
		assert_in_range(plain.n, steps * 100000, steps * 120000);
		steps++;
	}
	assert_int_equal(10, steps);
	assert_null(unpacking);
	assert_true(str_eq((struct str){ zeros, 1 << 20 }, buf_view(&plain)));
	gzip_unpack_stop(&g, &dropped);
	assert_null(dropped);
	buf_release(&other);
	buf_release(&plain);
	buf_release(&packed);
	gzip_release(&g);
	mem_free(zeros);
}

static void what_gets_no_smaller_is_not_packed(void **state)
{
	struct gzip g = { 0 };
	struct buf packed = { .max = 10 };

	(void)state;
	assert_int_equal(E_LIMIT, gzip_pack(&g, STR("0123456789"), &packed));
	buf_release(&packed);
	gzip_release(&g);
}

static void a_missing_allocation_is_an_error_and_the_next_message_works(void **state)
{
	struct gzip g = { 0 };

	(void)state;
	for (long n = 1; n < 100; n++) {
		struct buf packed = { 0 }, plain = { .max = 1000 };
		enum err err;

		mem_fail_at(n);
		err = gzip_pack(&g, STR("text text text text"), &packed);
		if (err == E_OK)
			err = unpack(&g, buf_view(&packed), &plain);
		mem_fail_at(0);
		buf_release(&packed);
		buf_release(&plain);
		gzip_release(&g);
		if (err == E_OK) {
			assert_true(n > 4);
			return;
		}
		assert_int_equal(E_NOMEM, err);
	}
	fail_msg("it never worked");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_of_all_sizes_come_back),
		cmocka_unit_test(a_bomb_is_held_at_the_ceiling),
		cmocka_unit_test(exactly_the_ceiling_is_no_bomb),
		cmocka_unit_test(every_flipped_bit_and_every_cut_is_seen),
		cmocka_unit_test(a_message_is_unpacked_in_as_many_steps_as_one_likes),
		cmocka_unit_test(what_gets_no_smaller_is_not_packed),
		cmocka_unit_test(a_missing_allocation_is_an_error_and_the_next_message_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
