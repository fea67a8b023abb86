#include "base/rand.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/uuid.h"

#define IDS 20000

static int by_value(const void *a, const void *b)
{
	return memcmp(a, b, 33);
}

static void ids_are_uuids_of_version_4_and_never_the_same(void **state)
{
	static char ids[IDS][33];

	(void)state;
	for (size_t i = 0; i < IDS; i++) {
		rand_uuid_hex(ids[i]);
		assert_int_equal(strlen(ids[i]), 32);
		assert_int_equal(strspn(ids[i], "0123456789abcdef"), 32);
		assert_int_equal(ids[i][12], '4');
		assert_non_null(strchr("89ab", ids[i][16]));
	}
	qsort(ids, IDS, sizeof(ids[0]), by_value);
	for (size_t i = 1; i < IDS; i++)
		assert_string_not_equal(ids[i - 1], ids[i]);
}

static void every_size_is_filled_whole(void **state)
{
	static const size_t sizes[] = { 1, 7, 1023, 1024, 1025, 4096, 70000 };
	static unsigned char block[70001];

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		bool last_changed = false;

		for (int tries = 0; tries < 20; tries++) {
			memset(block, 0, sizeof(block));
			rand_bytes(block, sizes[i]);
			last_changed |= block[sizes[i] - 1] != 0;
			assert_int_equal(block[sizes[i]], 0); /* and not a byte more */
		}
		assert_true(last_changed);
	}
}

/* Each bit is set about half of the time: 10 standard deviations of 100,000 throws are 1,581. */
static void bits_are_even(void **state)
{
	int set[64] = { 0 };

	(void)state;
	for (int i = 0; i < 100000; i++) {
		uint64_t value = rand_u64();

		for (int bit = 0; bit < 64; bit++)
			set[bit] += (int)(value >> bit & 1);
	}
	for (int bit = 0; bit < 64; bit++)
		assert_in_range(set[bit], 50000 - 1581, 50000 + 1581);
}

static void *first_number(void *ret_value)
{
	*(uint64_t *)ret_value = rand_u64();
	return NULL;
}

static void a_uuid_is_version_four_of_its_random_bytes(void **state)
{
	static const unsigned char zero[16],
		ones[16] = { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255 };
	char uuid[UUID_MAX];

	(void)state;
	uuid_write(zero, uuid);
	assert_string_equal(uuid, "00000000-0000-4000-8000-000000000000");
	uuid_write(ones, uuid);
	assert_string_equal(uuid, "ffffffff-ffff-4fff-bfff-ffffffffffff");
}

static void threads_do_not_share_numbers(void **state)
{
	pthread_t a, b;
	uint64_t x, y;

	(void)state;
	assert_int_equal(pthread_create(&a, NULL, first_number, &x), 0);
	assert_int_equal(pthread_create(&b, NULL, first_number, &y), 0);
	assert_int_equal(pthread_join(a, NULL), 0);
	assert_int_equal(pthread_join(b, NULL), 0);
	assert_true(x != y);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_are_uuids_of_version_4_and_never_the_same),
		cmocka_unit_test(every_size_is_filled_whole),
		cmocka_unit_test(bits_are_even),
		cmocka_unit_test(a_uuid_is_version_four_of_its_random_bytes),
		cmocka_unit_test(threads_do_not_share_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
