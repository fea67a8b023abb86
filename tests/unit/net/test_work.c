#include "net/work.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dirent.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "base/mem.h"

struct job {
	struct work work;
	pthread_t ran_in;
	bool ran;
	enum err result;
	int done;
	unsigned place; /* the how manieth that was run, from 0 */
};

static struct loop loop;
static unsigned done, wanted;
static atomic_uint ran;
static sem_t gate, entered;

static void run(struct work *w)
{
	struct job *j = CONTAINER_OF(w, struct job, work);

	j->ran = true;
	j->place = atomic_fetch_add(&ran, 1);
	j->ran_in = pthread_self();
}

static void wait_at_the_gate(struct work *w)
{
	(void)sem_post(&entered);
	(void)sem_wait(&gate);
	run(w);
}

static void on_done(struct work *w, enum err err)
{
	struct job *j = CONTAINER_OF(w, struct job, work);

	j->result = err;
	j->done++;
	if (++done == wanted)
		loop_stop(&loop);
}

static int begin(void **state)
{
	(void)state;
	done = 0;
	ran = 0;
	(void)sem_init(&gate, 0, 0);
	(void)sem_init(&entered, 0, 0);
	return loop_init(&loop, NULL) == E_OK ? 0 : 1;
}

static void work_runs_elsewhere_and_ends_in_the_loop(void **state)
{
	struct job jobs[50] = { 0 };
	struct work_pool *pool;

	(void)state;
	wanted = ARRAY_LEN(jobs);
	assert_int_equal(E_OK, work_pool_new(3, 100, NULL, &pool));
	for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
		jobs[i].work = (struct work){ .run = run, .on_done = on_done };
		assert_int_equal(E_OK, work_start(pool, &loop, &jobs[i].work));
	}
	loop_run(&loop);
	work_pool_free(pool);
	loop_release(&loop);
	for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
		assert_true(jobs[i].ran);
		assert_int_equal(1, jobs[i].done);
		assert_int_equal(E_OK, jobs[i].result);
		assert_false(pthread_equal(pthread_self(), jobs[i].ran_in));
	}
}

static void a_full_queue_refuses_and_a_pool_that_ends_cancels(void **state)
{
	struct job jobs[4] = { 0 };
	struct work_pool *pool;

	(void)state;
	wanted = 0;
	assert_int_equal(E_OK, work_pool_new(1, 2, NULL, &pool));
	for (size_t i = 0; i < 4; i++)
		jobs[i].work = (struct work){ .run = i ? run : wait_at_the_gate, .on_done = on_done };
	assert_int_equal(E_OK, work_start(pool, &loop, &jobs[0].work));
	(void)sem_wait(&entered);
	assert_int_equal(E_OK, work_start(pool, &loop, &jobs[1].work));
	assert_int_equal(E_OK, work_start(pool, &loop, &jobs[2].work));
	assert_int_equal(E_BUSY, work_start(pool, &loop, &jobs[3].work));
	(void)sem_post(&gate);
	work_pool_free(pool);
	loop_release(&loop);
	assert_int_equal(3, done);
	assert_int_equal(E_OK, jobs[0].result);
	for (size_t i = 1; i < 3; i++) /* a worker may have been quicker than the end */
		assert_int_equal(jobs[i].ran ? E_OK : E_CANCELLED, jobs[i].result);
	assert_int_equal(0, jobs[3].done);
}

static void one_thread_works_in_order(void **state)
{
	struct job jobs[20] = { 0 };
	struct work_pool *pool;

	(void)state;
	wanted = ARRAY_LEN(jobs);
	assert_int_equal(E_OK, work_pool_new(1, ARRAY_LEN(jobs), NULL, &pool));
	for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
		jobs[i].work = (struct work){ .run = run, .on_done = on_done };
		assert_int_equal(E_OK, work_start(pool, &loop, &jobs[i].work));
	}
	loop_run(&loop);
	work_pool_free(pool);
	loop_release(&loop);
	for (unsigned i = 0; i < ARRAY_LEN(jobs); i++)
		assert_int_equal(i, jobs[i].place);
}

static int threads_of_this_process(void)
{
	DIR *tasks = opendir("/proc/self/task");
	int n = -2; /* "." and ".." */

	assert_non_null(tasks);
	while (readdir(tasks))
		n++;
	closedir(tasks);
	return n;
}

/* Every piece blocks until all run: with a thread less it would not end. */
static void threads_start_as_they_are_needed(void **state)
{
	struct job jobs[3] = { 0 };
	struct work_pool *pool;
	int before = threads_of_this_process();

	(void)state;
	wanted = ARRAY_LEN(jobs);
	assert_int_equal(E_OK, work_pool_new(ARRAY_LEN(jobs), 10, NULL, &pool));
	assert_true(threads_of_this_process() <=
		    before); /* one that was joined may be on its way out for a moment yet */
	for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
		jobs[i].work = (struct work){ .run = wait_at_the_gate, .on_done = on_done };
		assert_int_equal(E_OK, work_start(pool, &loop, &jobs[i].work));
	}
	for (size_t i = 0; i < ARRAY_LEN(jobs); i++)
		(void)sem_wait(&entered);
	for (size_t i = 0; i < ARRAY_LEN(jobs); i++)
		(void)sem_post(&gate);
	loop_run(&loop);
	work_pool_free(pool);
	loop_release(&loop);
}

static void without_memory_there_is_no_pool(void **state)
{
	struct work_pool *pool = NULL;

	(void)state;
	mem_fail_at(1);
	assert_int_equal(E_NOMEM, work_pool_new(1, 1, NULL, &pool));
	mem_fail_at(0);
	assert_null(pool);
	work_pool_free(NULL);
	loop_release(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(work_runs_elsewhere_and_ends_in_the_loop, begin),
		cmocka_unit_test_setup(a_full_queue_refuses_and_a_pool_that_ends_cancels, begin),
		cmocka_unit_test_setup(one_thread_works_in_order, begin),
		cmocka_unit_test_setup(threads_start_as_they_are_needed, begin),
		cmocka_unit_test_setup(without_memory_there_is_no_pool, begin),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
