#include "base/heap.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/mem.h"

#define NODES 200

/* xorshift64: the same steps in every run. */
static uint64_t next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static uint64_t least_key(const struct heap_node *nodes)
{
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; i < NODES; i++)
		if (heap_holds(&nodes[i]) && nodes[i].key < least)
			least = nodes[i].key;
	return least;
}

static size_t held(const struct heap_node *nodes)
{
	size_t n = 0;

	for (size_t i = 0; i < NODES; i++)
		n += heap_holds(&nodes[i]);
	return n;
}

static void the_first_is_always_the_least_of_those_that_are_in(void **state)
{
	struct heap_node nodes[NODES] = { 0 };
	struct heap h = { 0 };
	uint64_t seed = 88172645463325252;

	(void)state;
	assert_null(heap_first(&h));
	for (int step = 0; step < 20000; step++) {
		struct heap_node *node = &nodes[next(&seed) % NODES];
		uint64_t key = next(&seed) % 50; /* many equal ones */

		if (!heap_holds(node))
			assert_int_equal(heap_put(&h, node, key), E_OK);
		else if (next(&seed) % 2)
			heap_move(&h, node, key);
		else
			heap_remove(&h, node);
		assert_int_equal(h.n, held(nodes));
		if (h.n)
			assert_int_equal(heap_first(&h)->key, least_key(nodes));
		else
			assert_null(heap_first(&h));
	}
	heap_release(&h);
}

static void taking_the_first_again_and_again_gives_rising_keys(void **state)
{
	struct heap_node nodes[NODES] = { 0 };
	struct heap h = { 0 };
	uint64_t seed = 1, last = 0;

	(void)state;
	for (size_t i = 0; i < NODES; i++)
		assert_int_equal(heap_put(&h, &nodes[i], next(&seed)), E_OK);
	for (size_t i = 0; i < NODES; i++) {
		struct heap_node *first = heap_first(&h);

		assert_true(first->key >= last);
		last = first->key;
		heap_remove(&h, first);
		assert_false(heap_holds(first));
		heap_remove(&h, first); /* of a node that is in no heap nothing happens */
	}
	assert_int_equal(h.n, 0);
	heap_release(&h);
}

static void without_memory_the_heap_stays_as_it_was(void **state)
{
	struct heap_node nodes[17] = { 0 };
	struct heap h = { 0 };

	(void)state;
	mem_fail_at(1);
	assert_int_equal(heap_put(&h, &nodes[0], 1), E_NOMEM);
	mem_fail_at(0);
	assert_false(heap_holds(&nodes[0]));
	for (size_t i = 0; i < 16; i++)
		assert_int_equal(heap_put(&h, &nodes[i], 16 - i), E_OK);
	mem_fail_at(1);
	assert_int_equal(heap_put(&h, &nodes[16], 0), E_NOMEM);
	mem_fail_at(0);
	assert_false(heap_holds(&nodes[16]));
	assert_ptr_equal(heap_first(&h), &nodes[15]);
	heap_release(&h);
}

static void what_was_reserved_can_be_put_without_memory(void **state)
{
	struct heap h = { 0 };
	struct heap_node nodes[40] = { 0 };

	(void)state;
	mem_fail_at(1);
	assert_int_equal(heap_reserve(&h, 40), E_NOMEM);
	mem_fail_at(0);
	assert_int_equal(heap_reserve(&h, 40), E_OK);
	for (size_t i = 0; i < 40; i++) {
		mem_fail_at(1);
		assert_int_equal(heap_put(&h, &nodes[i], 40 - i), E_OK);
	}
	mem_fail_at(0);
	assert_ptr_equal(heap_first(&h), &nodes[39]);
	heap_release(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_reserved_can_be_put_without_memory),
		cmocka_unit_test(the_first_is_always_the_least_of_those_that_are_in),
		cmocka_unit_test(taking_the_first_again_and_again_gives_rising_keys),
		cmocka_unit_test(without_memory_the_heap_stays_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
