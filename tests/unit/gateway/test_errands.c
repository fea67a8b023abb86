#include "gateway/errands.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"

struct job {
	struct errand errand;
	int number;
	bool ran;
	bool came_back;
};

static struct loop loop;
static struct errands queue;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static int order[2 * ERRANDS_MAX];
static int ran, left;

static void run(struct errand *e)
{
	struct job *j = CONTAINER_OF(e, struct job, errand);

	pthread_mutex_lock(&gate);
	order[ran++] = j->number;
	j->ran = true;
	pthread_mutex_unlock(&gate);
}

static void back(struct loop_task *task)
{
	struct job *j = CONTAINER_OF(task, struct job, errand.back);

	assert_true(j->ran);
	j->came_back = true;
	if (--left == 0)
		loop_stop(&loop);
}

static enum err give(struct job *j, int number)
{
	*j = (struct job){ .errand = { .run = run, .loop = &loop, .back = { .run = back } }, .number = number };
	return errands_give(&queue, &j->errand);
}

static void begin(void)
{
	assert_int_equal(loop_init(&loop, NULL), E_OK);
	errands_init(&queue);
	ran = 0;
}

static void errands_run_in_order_and_come_back_to_their_loop(void **state)
{
	struct job jobs[20];

	(void)state;
	begin();
	left = ARRAY_LEN(jobs);
	for (int i = 0; i < left; i++)
		assert_int_equal(give(&jobs[i], i), E_OK);
	loop_run(&loop);
	for (int i = 0; i < (int)ARRAY_LEN(jobs); i++) {
		assert_true(jobs[i].came_back);
		assert_int_equal(order[i], i);
	}
	errands_release(&queue);
	loop_release(&loop);
}

static void too_many_are_refused(void **state)
{
	static struct job jobs[ERRANDS_MAX + 2];
	int given = 0;

	(void)state;
	begin();
	pthread_mutex_lock(&gate); /* the first one cannot end */
	while (given < (int)ARRAY_LEN(jobs) && give(&jobs[given], given) == E_OK)
		given++;
	assert_in_range(given, ERRANDS_MAX, ERRANDS_MAX + 1); /* one may have been taken out already */
	left = given;
	pthread_mutex_unlock(&gate);
	loop_run(&loop);
	assert_int_equal(ran, given);
	errands_release(&queue);
	loop_release(&loop);
}

static void what_was_given_is_run_before_the_end(void **state)
{
	struct job jobs[5];

	(void)state;
	begin();
	left = 1000; /* loop_release() runs what came back */
	for (int i = 0; i < (int)ARRAY_LEN(jobs); i++)
		assert_int_equal(give(&jobs[i], i), E_OK);
	errands_release(&queue);
	loop_release(&loop);
	for (size_t i = 0; i < ARRAY_LEN(jobs); i++)
		assert_true(jobs[i].came_back);
}

static void without_an_errand_there_is_no_thread(void **state)
{
	(void)state;
	begin();
	assert_false(queue.started);
	errands_release(&queue);
	loop_release(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errands_run_in_order_and_come_back_to_their_loop),
		cmocka_unit_test(too_many_are_refused),
		cmocka_unit_test(what_was_given_is_run_before_the_end),
		cmocka_unit_test(without_an_errand_there_is_no_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
