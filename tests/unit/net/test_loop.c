#include "net/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

#define POSTS   20000
#define THREADS 3

static struct loop loop;

static int set_up(void **state)
{
	struct why why;

	(void)state;
	return loop_init(&loop, &why) == E_OK ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	loop_release(&loop);
	return 0;
}

struct numbered {
	struct loop_task task;
	int thread;
	int number;
};

static int next_number[THREADS];
static int arrived;

static void on_numbered(struct loop_task *task)
{
	struct numbered *n = CONTAINER_OF(task, struct numbered, task);

	assert_int_equal(next_number[n->thread], n->number);
	next_number[n->thread]++;
	mem_free(n);
	if (++arrived == THREADS * POSTS)
		loop_stop(&loop);
}

static void *post_many(void *arg)
{
	int thread = *(const int *)arg;

	for (int i = 0; i < POSTS; i++) {
		struct numbered *n = mem_alloc(sizeof(*n));

		*n = (struct numbered){ { .run = on_numbered }, thread, i };
		loop_post(&loop, &n->task);
	}
	return NULL;
}

static void tasks_of_many_threads_all_run_and_each_threads_in_order(void **state)
{
	pthread_t threads[THREADS];
	int ids[THREADS];

	(void)state;
	for (int i = 0; i < THREADS; i++) {
		ids[i] = i;
		assert_int_equal(0, pthread_create(&threads[i], NULL, post_many, &ids[i]));
	}
	loop_run(&loop);
	assert_int_equal(THREADS * POSTS, arrived);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

struct again {
	struct loop_task task;
	int left;
};

static void on_again(struct loop_task *task)
{
	struct again *a = CONTAINER_OF(task, struct again, task);

	if (--a->left == 0)
		loop_stop(&loop);
	else
		loop_post(&loop, task);
}

static void a_task_may_post_itself_again(void **state)
{
	struct again a = { { .run = on_again }, 100 };

	(void)state;
	loop_post(&loop, &a.task);
	loop_run(&loop);
	assert_int_equal(0, a.left);
}

static void *post_once(void *arg)
{
	loop_post(&loop, arg);
	return NULL;
}

static void on_last(struct loop_task *task)
{
	(void)task;
	loop_stop(&loop);
}

/* The task may end the loop before loop_post() has returned in the other thread: nothing may be touched after that. */
static void the_loop_may_go_away_as_soon_as_the_task_has_run(void **state)
{
	(void)state;
	for (int i = 0; i < 300; i++) {
		struct loop_task task = { .run = on_last };
		struct why why;
		pthread_t thread;

		assert_int_equal(0, pthread_create(&thread, NULL, post_once, &task));
		loop_run(&loop);
		loop_release(&loop);
		memset(&loop.wake, 0xee, sizeof(loop.wake));
		pthread_join(thread, NULL);
		assert_int_equal(E_OK, loop_init(&loop, &why));
	}
}

static atomic_bool posted;

/* As in loop_post() between the task, which the loop has run by now, and the write. */
static void *leave_post(void *arg)
{
	uint64_t one = 1;

	(void)arg;
	for (int i = 0; i < 1000; i++)
		sched_yield();
	atomic_store(&posted, true);
	assert_int_equal(sizeof(one), write(loop.wake_fd, &one, sizeof(one)));
	return NULL;
}

/* The gap in the test above is too short to be hit at will: here a thread stays in it. */
static void the_release_waits_for_a_thread_that_is_still_posting(void **state)
{
	struct why why;
	pthread_t thread;

	(void)state;
	loop.wakes++;
	assert_int_equal(0, pthread_create(&thread, NULL, leave_post, NULL));
	loop_release(&loop);
	assert_true(atomic_load(&posted));
	pthread_join(thread, NULL);
	assert_int_equal(E_OK, loop_init(&loop, &why));
}

static uint64_t wakes(void)
{
	uint64_t count = 0;

	return read(loop.wake_fd, &count, sizeof(count)) < 0 ? 0 : count;
}

static void on_more(struct loop_task *task)
{
	static struct loop_task last = { .run = on_last };

	(void)task;
	loop_post(&loop, &last);
}

static void a_loop_that_does_not_sleep_is_not_woken(void **state)
{
	struct loop_task first = { .run = on_more };

	(void)state;
	loop_post(&loop, &first);
	assert_int_equal(0, wakes());
	loop_run(&loop); /* the first task posts the second one: neither may need a wake-up */
	assert_int_equal(0, wakes());
	assert_int_equal(0, loop.wakes);
}

struct turns {
	uv_prepare_t prepare;
	struct loop_timer timer;
	int count;
};

static void count_turn(uv_prepare_t *prepare)
{
	CONTAINER_OF(prepare, struct turns, prepare)->count++;
}

static void on_time(struct loop_timer *timer)
{
	(void)timer;
	loop_stop(&loop);
}

static void on_stayed(struct loop_task *task)
{
	(void)task;
}

static void *post_nothing(void *arg)
{
	static struct loop_task task = { .run = on_stayed };

	(void)arg;
	loop_post(&loop, &task);
	return NULL;
}

/* A wake-up that stayed readable would turn the loop for ever. */
static void a_loop_that_was_woken_sleeps_again(void **state)
{
	struct turns t = { .timer.on_due = on_time };
	pthread_t thread;

	(void)state;
	uv_prepare_init(&loop.uv, &t.prepare);
	uv_prepare_start(&t.prepare, count_turn);
	assert_int_equal(E_OK, loop_timer_start(&loop, &t.timer, 60));
	assert_int_equal(0, pthread_create(&thread, NULL, post_nothing, NULL));
	loop_run(&loop);
	pthread_join(thread, NULL);
	assert_in_range(t.count, 1, 20);
	uv_close((uv_handle_t *)&t.prepare, NULL);
	uv_run(&loop.uv, UV_RUN_NOWAIT);
}

static int ran;

static void on_ran(struct loop_task *task)
{
	(void)task;
	ran++;
}

static void what_was_posted_before_the_release_still_runs(void **state)
{
	struct loop_task tasks[2] = { { .run = on_ran }, { .run = on_ran } };
	struct why why;

	(void)state;
	ran = 0;
	loop_post(&loop, &tasks[0]);
	loop_post(&loop, &tasks[1]);
	loop_release(&loop);
	assert_int_equal(2, ran);
	assert_int_equal(E_OK, loop_init(&loop, &why));
}

struct noted {
	struct loop_timer timer;
	int id;
	uint64_t delay_ms;
	uint64_t start_ms;
};

static int order[8];
static size_t order_count;

static void on_noted(struct loop_timer *timer)
{
	struct noted *n = CONTAINER_OF(timer, struct noted, timer);

	assert_true(loop.now_ms >= n->start_ms + n->delay_ms);
	order[order_count++] = n->id;
	if (n->id == 9)
		loop_stop(&loop);
}

static void start_noted(struct noted *n)
{
	n->timer.on_due = on_noted;
	n->start_ms = loop.now_ms;
	assert_int_equal(E_OK, loop_timer_start(&loop, &n->timer, n->delay_ms));
}

static void timers_run_in_order_of_time_and_never_early(void **state)
{
	struct noted noted[] = { { .id = 9, .delay_ms = 30 },
				 { .id = 1, .delay_ms = 5 },
				 { .id = 3, .delay_ms = 20 },
				 { .id = 2, .delay_ms = 10 },
				 { .id = 7, .delay_ms = 15 } };

	(void)state;
	order_count = 0;
	for (size_t i = 0; i < ARRAY_LEN(noted); i++)
		start_noted(&noted[i]);
	loop_timer_stop(&loop, &noted[4].timer);
	loop_timer_stop(&loop, &noted[4].timer);
	loop_run(&loop);
	assert_int_equal(4, order_count);
	assert_int_equal(1, order[0]);
	assert_int_equal(2, order[1]);
	assert_int_equal(3, order[2]);
	assert_int_equal(9, order[3]);
}

static void a_running_timer_is_moved(void **state)
{
	struct noted far = { .id = 1, .delay_ms = 3600000 };
	struct noted last = { .id = 9, .delay_ms = 10 };

	(void)state;
	order_count = 0;
	start_noted(&far);
	start_noted(&last);
	far.delay_ms = 2;
	start_noted(&far);
	loop_run(&loop);
	assert_int_equal(2, order_count);
	assert_int_equal(1, order[0]);
}

static int again_count;

static void on_due_again(struct loop_timer *timer)
{
	again_count++;
	assert_int_equal(E_OK, loop_timer_start(&loop, timer, 0));
}

static void a_timer_that_restarts_itself_lets_others_run(void **state)
{
	struct loop_timer busy = { .on_due = on_due_again };
	struct noted last = { .id = 9, .delay_ms = 20 };

	(void)state;
	order_count = 0;
	again_count = 0;
	start_noted(&last);
	assert_int_equal(E_OK, loop_timer_start(&loop, &busy, 0));
	loop_run(&loop);
	loop_timer_stop(&loop, &busy);
	assert_in_range(again_count, 1, 1000); /* on a busy machine all the 20 ms may be over before the first turn */
}

static void the_loops_time_is_the_monotonic_clock(void **state)
{
	struct noted last = { .id = 9, .delay_ms = 1 };
	uint64_t before = clock_mono_ms();

	(void)state;
	order_count = 0;
	start_noted(&last);
	loop_run(&loop);
	assert_true(loop.now_ms >= before && loop.now_ms <= clock_mono_ms());
}

static void a_timer_without_memory_is_an_error(void **state)
{
	struct loop_timer timer = { .on_due = on_due_again };

	(void)state;
	mem_fail_at(1);
	assert_int_equal(E_NOMEM, loop_timer_start(&loop, &timer, 0));
	mem_fail_at(0);
	assert_false(heap_holds(&timer.node));
	assert_int_equal(E_OK, loop_timer_start(&loop, &timer, UINT64_MAX));
	loop_timer_stop(&loop, &timer);
}

#define loop_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		loop_test(tasks_of_many_threads_all_run_and_each_threads_in_order),
		loop_test(a_task_may_post_itself_again),
		loop_test(the_loop_may_go_away_as_soon_as_the_task_has_run),
		loop_test(the_release_waits_for_a_thread_that_is_still_posting),
		loop_test(a_loop_that_does_not_sleep_is_not_woken),
		loop_test(a_loop_that_was_woken_sleeps_again),
		loop_test(what_was_posted_before_the_release_still_runs),
		loop_test(timers_run_in_order_of_time_and_never_early),
		loop_test(a_running_timer_is_moved),
		loop_test(a_timer_that_restarts_itself_lets_others_run),
		loop_test(the_loops_time_is_the_monotonic_clock),
		loop_test(a_timer_without_memory_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
