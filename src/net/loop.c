#include "net/loop.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"

/* The clock is read once per turn, by libuv, right after the wait: CLOCK_MONOTONIC in ms, as clock_mono_ms(). */
void loop_tick(struct loop *loop)
{
	loop->now_ms = uv_now(&loop->uv);
}

/* The loop's own node at the head of the queue says that it sleeps: whoever puts a task there instead writes to the wake_fd. */
static void run_tasks(struct loop *loop)
{
	struct mpsc_node *node = mpsc_take(&loop->tasks);

	if (node == &loop->asleep)
		node = NULL;
	else
		loop->wakes += loop->rests;
	loop->rests = false;
	while (node) {
		struct loop_task *task = CONTAINER_OF(node, struct loop_task, node);

		node = node->next; /* run() may free the task or post it again */
		task->run(task);
	}
}

/* After the wait: what was posted before it, and what has woken the loop. */
static void on_waited(uv_check_t *check)
{
	struct loop *loop = check->data;

	loop_tick(loop);
	run_tasks(loop);
}

/* An idle handle without work to do: with one that is active libuv polls and does not wait. */
static void on_idle(uv_idle_t *idle)
{
	(void)idle;
}

/* Before the wait: who posts from here on has to wake the loop. What was posted already lets it not sleep at all. */
static void on_rest(uv_prepare_t *prepare)
{
	struct loop *loop = prepare->data;
	struct mpsc_node *none = NULL;

	loop->rests = atomic_compare_exchange_strong_explicit(&loop->tasks.head, &none, &loop->asleep,
							      memory_order_acq_rel, memory_order_relaxed);
	if (loop->rests)
		uv_idle_stop(&loop->restless);
	else
		uv_idle_start(&loop->restless, on_idle);
}

/* The write may be told before the task is found, and then `wakes` is below zero for a moment, round the corner. */
static void take_wakes(struct loop *loop)
{
	uint64_t count;

	if (read(loop->wake_fd, &count, sizeof(count)) == sizeof(count))
		loop->wakes -= count;
}

/*
 * Not a uv_async: its receiver waits for the sender to leave uv_async_send(), spinning and yielding, and with a writer
 * thread beside each loop that happens at every hand-over.
 */
static void on_wake(uv_poll_t *wake, int status, int events)
{
	(void)status;
	(void)events;
	take_wakes(wake->data);
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

static void start_handles(struct loop *loop)
{
	int rc = uv_poll_init(&loop->uv, &loop->wake, loop->wake_fd);

	assert(rc == 0); /* a descriptor of our own that is not watched yet */
	(void)rc;
	uv_poll_start(&loop->wake, UV_READABLE, on_wake);
	uv_timer_init(&loop->uv, &loop->timer);
	uv_prepare_init(&loop->uv, &loop->rest);
	uv_prepare_start(&loop->rest, on_rest);
	uv_check_init(&loop->uv, &loop->waited);
	uv_check_start(&loop->waited, on_waited);
	uv_idle_init(&loop->uv, &loop->restless);
	loop->wake.data = loop->timer.data = loop->rest.data = loop->waited.data = loop;
}

static void stop_handles(struct loop *loop)
{
	uv_handle_t *handles[] = { (uv_handle_t *)&loop->wake, (uv_handle_t *)&loop->timer, (uv_handle_t *)&loop->rest,
				   (uv_handle_t *)&loop->waited, (uv_handle_t *)&loop->restless };
	int rc;

	for (size_t i = 0; i < ARRAY_LEN(handles); i++)
		uv_close(handles[i], NULL);
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	rc = uv_loop_close(&loop->uv);
	assert(rc == 0);
	(void)rc;
	close(loop->wake_fd);
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
	start_handles(loop);
	loop_tick(loop);
	return E_OK;
}

/* Each sleep that a task has ended is answered by one write, from a thread that may be on its way to it yet. */
static void await_wakes(struct loop *loop)
{
	struct pollfd fd = { .fd = loop->wake_fd, .events = POLLIN };

	while (loop->wakes) {
		(void)poll(&fd, 1, -1);
		take_wakes(loop);
	}
}

void loop_release(struct loop *loop)
{
	run_tasks(loop);
	await_wakes(loop);
	stop_handles(loop);
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

/* Only the first task that meets a sleeping loop wakes it; nothing of the loop is touched after that. */
void loop_post(struct loop *loop, struct loop_task *task)
{
	struct mpsc_node *head = atomic_load_explicit(&loop->tasks.head, memory_order_relaxed);

	do {
		task->node.next = head == &loop->asleep ? NULL : head;
	} while (!atomic_compare_exchange_weak_explicit(&loop->tasks.head, &head, &task->node, memory_order_acq_rel,
							memory_order_relaxed));
	if (head == &loop->asleep)
		wake_up(loop);
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
