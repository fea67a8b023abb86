#include "net/loop.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"

/* The clock is read once per turn, by libuv, right after the wait: CLOCK_MONOTONIC in ms, as clock_mono_ms(). */
void loop_tick(struct loop *loop)
{
	loop->now_ms = uv_now(&loop->uv);
}

static void run_tasks(struct loop *loop)
{
	struct mpsc_node *node = mpsc_take(&loop->tasks);

	while (node) {
		struct loop_task *task = CONTAINER_OF(node, struct loop_task, node);

		node = node->next; /* run() may free the task or post it again */
		task->run(task);
	}
}

/*
 * Not a uv_async: its receiver waits for the sender to leave uv_async_send(), spinning and yielding, and with a writer
 * thread beside each loop that happens at every hand-over.
 */
static void on_wake(uv_poll_t *wake, int status, int events)
{
	struct loop *loop = wake->data;
	uint64_t count;

	(void)status;
	(void)events;
	if (read(loop->wake_fd, &count, sizeof(count)) < 0) {
		/* Nothing was written: whoever did the reading runs the tasks. */
	}
	loop_tick(loop);
	run_tasks(loop);
}

static void on_timer(uv_timer_t *timer);

/* Wake up for the first timer. A wake-up that comes too early finds nothing due and arms again. */
static void arm(struct loop *loop, uint64_t least_ms)
{
	struct heap_node *first = heap_first(&loop->timers);
	uint64_t delay_ms = least_ms;

	if (!first)
		return;
	if (first->key > loop->now_ms + least_ms)
		delay_ms = first->key - loop->now_ms;
	uv_timer_start(&loop->timer, on_timer, delay_ms, 0);
}

/* Each timer that was due at the start runs once: one that restarts itself cannot hold the turn. */
static void on_timer(uv_timer_t *timer)
{
	struct loop *loop = timer->data;
	size_t bound = loop->timers.n;
	struct heap_node *first;

	loop_tick(loop);
	while (bound-- && (first = heap_first(&loop->timers)) && first->key <= loop->now_ms) {
		struct loop_timer *due = CONTAINER_OF(first, struct loop_timer, node);

		heap_remove(&loop->timers, first);
		due->on_due(due);
	}
	/* Not 0: libuv would run it again within this turn. */
	arm(loop, /* least_ms= */ 1);
}

enum err loop_init(struct loop *loop, struct why *why)
{
	int rc;

	*loop = (struct loop){ 0 };
	/* Writing to a connection that the client has closed is an error to handle, not a reason to die. */
	(void)signal(SIGPIPE, SIG_IGN);
	rc = uv_loop_init(&loop->uv);
	if (rc < 0)
		return why_set(why, E_UNAVAILABLE, "open an event loop: %s", uv_strerror(rc));
	loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->wake_fd < 0) {
		rc = errno;
		uv_loop_close(&loop->uv);
		return why_errno(why, E_UNAVAILABLE, rc, "open an event loop: wake-up");
	}
	rc = uv_poll_init(&loop->uv, &loop->wake, loop->wake_fd);
	assert(rc == 0); /* a descriptor of our own that is not watched yet */
	uv_poll_start(&loop->wake, UV_READABLE, on_wake);
	uv_timer_init(&loop->uv, &loop->timer);
	loop->wake.data = loop;
	loop->timer.data = loop;
	loop_tick(loop);
	return E_OK;
}

void loop_release(struct loop *loop)
{
	int rc;

	while (atomic_load_explicit(&loop->posting, memory_order_acquire))
		sched_yield();
	run_tasks(loop);
	uv_close((uv_handle_t *)&loop->wake, NULL);
	uv_close((uv_handle_t *)&loop->timer, NULL);
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	rc = uv_loop_close(&loop->uv);
	assert(rc == 0);
	(void)rc;
	close(loop->wake_fd);
	heap_release(&loop->timers);
}

void loop_run(struct loop *loop)
{
	uv_update_time(&loop->uv);
	loop_tick(loop);
	uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *loop)
{
	uv_stop(&loop->uv);
}

static void wake_up(struct loop *loop)
{
	uint64_t one = 1;

	if (write(loop->wake_fd, &one, sizeof(one)) < 0) {
		/* Full: it is readable, which is all that is wanted. */
	}
}

/*
 * Only the first task in an empty queue wakes the loop: the loop takes all there is in one go, so whoever comes after
 * that finds the queue empty again and wakes it itself. `posting` covers the gap between put and send, in which the loop
 * may already have run the task and gone on to its end.
 */
void loop_post(struct loop *loop, struct loop_task *task)
{
	atomic_fetch_add_explicit(&loop->posting, 1, memory_order_acquire);
	if (mpsc_put(&loop->tasks, &task->node))
		wake_up(loop);
	atomic_fetch_sub_explicit(&loop->posting, 1, memory_order_release);
}

enum err loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t delay_ms)
{
	uint64_t due_ms = delay_ms < UINT64_MAX - loop->now_ms ? loop->now_ms + delay_ms : UINT64_MAX;

	if (heap_holds(&timer->node))
		heap_move(&loop->timers, &timer->node, due_ms);
	else if (heap_put(&loop->timers, &timer->node, due_ms) != E_OK)
		return E_NOMEM;
	if (heap_first(&loop->timers) == &timer->node)
		arm(loop, /* least_ms= */ 0);
	return E_OK;
}

void loop_timer_stop(struct loop *loop, struct loop_timer *timer)
{
	heap_remove(&loop->timers, &timer->node);
}
