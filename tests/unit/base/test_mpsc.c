#include "base/mpsc.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define THREADS 4
#define EACH    20000

struct item {
	struct mpsc_node node; /* first: an item is its node */
	int thread;
	int number;
};

static struct item items[THREADS][EACH];
static struct mpsc queue;
static atomic_int wakeups;

static void *produce(void *arg)
{
	int thread = (int)(intptr_t)arg;

	for (int i = 0; i < EACH; i++) {
		items[thread][i].thread = thread;
		items[thread][i].number = i;
		if (mpsc_put(&queue, &items[thread][i].node))
			atomic_fetch_add(&wakeups, 1);
	}
	return NULL;
}

static void what_many_threads_put_one_takes_in_each_ones_order(void **state)
{
	pthread_t threads[THREADS];
	int seen[THREADS] = { 0 }, taken = 0, batches = 0;

	(void)state;
	for (intptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, produce, (void *)i), 0);
	while (taken < THREADS * EACH) {
		struct mpsc_node *node = mpsc_take(&queue);

		batches += node != NULL;
		if (!node)
			sched_yield();
		for (; node; node = node->next) {
			const struct item *item = (const struct item *)node;

			assert_int_equal(item->number, seen[item->thread]++);
			taken++;
		}
	}
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_null(mpsc_take(&queue));
	/* Each batch was begun by exactly one put that found the queue empty: no wake-up is lost, none is needless. */
	assert_int_equal(atomic_load(&wakeups), batches);
}

static void only_the_first_put_needs_a_wake_up(void **state)
{
	struct mpsc q = { NULL };
	struct mpsc_node a, b;

	(void)state;
	assert_null(mpsc_take(&q));
	assert_true(mpsc_put(&q, &a));
	assert_false(mpsc_put(&q, &b));
	assert_ptr_equal(mpsc_take(&q), &a);
	assert_ptr_equal(a.next, &b);
	assert_null(b.next);
	assert_true(mpsc_put(&q, &a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_first_put_needs_a_wake_up),
		cmocka_unit_test(what_many_threads_put_one_takes_in_each_ones_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
