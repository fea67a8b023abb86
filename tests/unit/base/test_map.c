#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"

#define KEYS 300

static uint64_t next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void it_answers_as_a_plain_array_does(void **state)
{
	char names[KEYS][8];
	void *expected[KEYS] = { 0 };
	struct map m = { 0 };
	uint64_t seed = 88172645463325252;
	size_t n = 0;

	(void)state;
	for (int i = 0; i < KEYS; i++)
		(void)snprintf(names[i], sizeof(names[i]), "key%d", i);
	for (int step = 0; step < 50000; step++) {
		size_t i = next(&seed) % KEYS;
		struct str key = str_of(names[i]);

		if (next(&seed) % 100 < 55) {
			void *value = &names[next(&seed) % KEYS];

			n += expected[i] == NULL;
			expected[i] = value;
			assert_int_equal(map_put(&m, key, value), E_OK);
		} else {
			n -= expected[i] != NULL;
			assert_ptr_equal(map_remove(&m, key), expected[i]);
			expected[i] = NULL;
		}
		assert_int_equal(m.n, n);
		i = next(&seed) % KEYS;
		assert_ptr_equal(map_get(&m, str_of(names[i])), expected[i]);
	}
	for (int i = 0; i < KEYS; i++)
		assert_ptr_equal(map_get(&m, str_of(names[i])), expected[i]);
	map_release(&m);
}

static void a_walk_meets_every_entry_once(void **state)
{
	char names[KEYS][8];
	int met[KEYS] = { 0 };
	struct map m = { 0 };
	const struct map_entry *e;
	size_t at = 0;

	(void)state;
	assert_null(map_next(&m, &at));
	for (int i = 0; i < KEYS; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "%d", i);
		assert_int_equal(map_put(&m, str_of(names[i]), &met[i]), E_OK);
	}
	at = 0;
	while ((e = map_next(&m, &at)))
		++*(int *)e->value;
	for (int i = 0; i < KEYS; i++)
		assert_int_equal(met[i], 1);
	map_release(&m);
}

static void keys_are_bytes_and_may_be_empty(void **state)
{
	struct map m = { 0 };
	int a, b, c;

	(void)state;
	assert_null(map_get(&m, STR("")));
	assert_null(map_remove(&m, STR("")));
	assert_int_equal(map_put(&m, STR(""), &a), E_OK);
	assert_int_equal(map_put(&m, STR("x\0y"), &b), E_OK);
	assert_int_equal(map_put(&m, STR("x"), &c), E_OK);
	assert_ptr_equal(map_get(&m, (struct str){ 0 }), &a);
	assert_ptr_equal(map_get(&m, STR("x\0y")), &b);
	assert_ptr_equal(map_get(&m, STR("x")), &c);
	assert_null(map_get(&m, STR("x\0z")));
	map_release(&m);
}

static void an_entry_that_is_replaced_takes_the_new_key_too(void **state)
{
	char first[] = "k", second[] = "k";
	struct map m = { 0 };
	size_t at = 0;
	int a, b;

	(void)state;
	assert_int_equal(map_put(&m, str_of(first), &a), E_OK);
	assert_int_equal(map_put(&m, str_of(second), &b), E_OK);
	first[0] = 'x'; /* the first key may go */
	assert_int_equal(m.n, 1);
	assert_ptr_equal(map_next(&m, &at)->key, second);
	assert_ptr_equal(map_get(&m, STR("k")), &b);
	map_release(&m);
}

static void without_memory_the_map_stays_as_it_was(void **state)
{
	char names[13][4];
	struct map m = { 0 };

	(void)state;
	mem_fail_at(1);
	assert_int_equal(map_put(&m, STR("a"), &m), E_NOMEM);
	mem_fail_at(0);
	assert_null(map_get(&m, STR("a")));
	for (int i = 0; i < 13; i++)
		(void)snprintf(names[i], sizeof(names[i]), "%d", i);
	for (int i = 0; i < 12; i++)
		assert_int_equal(map_put(&m, str_of(names[i]), &names[i]), E_OK);
	mem_fail_at(1);
	assert_int_equal(map_put(&m, str_of(names[12]), &names[12]), E_NOMEM);
	mem_fail_at(0);
	assert_int_equal(m.n, 12);
	for (int i = 0; i < 12; i++)
		assert_ptr_equal(map_get(&m, str_of(names[i])), &names[i]);
	map_release(&m);
}

/* Appendix A of the paper: key 00..0f, input 00..0e; and the reference program's first and second vectors. */
static void siphash_gives_the_published_values(void **state)
{
	static const uint64_t key[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };
	static const char input[] = "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e";

	(void)state;
	assert_true(siphash(key, (struct str){ input, 15 }) == 0xa129ca6149be45e5);
	assert_true(siphash(key, (struct str){ input, 0 }) == 0x726fdb47dd0e0e31);
	assert_true(siphash(key, (struct str){ input, 1 }) == 0x74f839c593dc67fd);
	assert_true(siphash(key, (struct str){ input, 8 }) == 0x93f5f5799a932462);
}

static void two_maps_have_different_seeds(void **state)
{
	struct map a = { 0 }, b = { 0 };

	(void)state;
	assert_int_equal(map_put(&a, STR("k"), &a), E_OK);
	assert_int_equal(map_put(&b, STR("k"), &b), E_OK);
	assert_true(a.seed[0] != b.seed[0] && a.seed[1] != b.seed[1]);
	map_release(&a);
	map_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_answers_as_a_plain_array_does),
		cmocka_unit_test(a_walk_meets_every_entry_once),
		cmocka_unit_test(keys_are_bytes_and_may_be_empty),
		cmocka_unit_test(an_entry_that_is_replaced_takes_the_new_key_too),
		cmocka_unit_test(without_memory_the_map_stays_as_it_was),
		cmocka_unit_test(siphash_gives_the_published_values),
		cmocka_unit_test(two_maps_have_different_seeds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
