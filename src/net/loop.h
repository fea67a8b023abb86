/*
 * loop.h -- one event loop per thread.
 *
 * Shape     a libuv loop, a queue of tasks from other threads, and timers in a heap behind one uv_timer.
 *           A turn: wait, handle what is ready, run tasks, run due timers. With tasks at hand it does not wait.
 * Owner     loop_init/loop_release embedded; tasks and timers belong to whoever embeds them.
 * Threads   loop_post() from any thread, everything else in the loop's own.
 */
#pragma once

#include <uv.h>

#include "base/heap.h"
#include "base/mpsc.h"
#include "base/why.h"

struct loop {
	uv_loop_t uv;
	uv_poll_t wake;
	int wake_fd; /* an eventfd: written by the first task that meets the loop asleep */
	uv_timer_t timer;
	uv_prepare_t rest;
	uv_check_t waited;
	uv_idle_t restless; /* runs while there are tasks at the start of the wait */
	struct mpsc tasks;
	struct mpsc_node asleep; /* alone in `tasks`: the loop sleeps, or is about to */
	bool rests;              /* it was put there before this wait */
	uint64_t wakes;          /* sleeps that a task has ended and whose write to wake_fd was not read yet */
	struct heap timers;
	uint64_t now_ms; /* monotonic; right in tasks, timers and the callbacks of net, see loop_tick() */
};

struct loop_task {
	struct mpsc_node node;
	void (*run)(struct loop_task *task);
};

struct loop_timer {
	struct heap_node node;
	void (*on_due)(struct loop_timer *timer);
};

enum err loop_init(struct loop *loop, struct why *why);

/*
 * All handles must be closed or closing. Runs what was posted before; nobody may post any more, but a thread whose task
 * has run and that is still inside loop_post() is waited for.
 */
void loop_release(struct loop *loop);

/* Runs until loop_stop(), which ends the turn it is called in. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* The first thing in a libuv callback: takes over the time that libuv read when this turn's wait ended. */
void loop_tick(struct loop *loop);

/* Run `task` in the loop's thread. Tasks posted by one thread run in order. */
void loop_post(struct loop *loop, struct loop_task *task);

/*
 * Due `delay_ms` from now; a running timer is moved. E_NOMEM, never for a running timer. A timer that starts itself
 * again from on_due() waits for the next turn at least.
 */
enum err loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t delay_ms);
void loop_timer_stop(struct loop *loop, struct loop_timer *timer);
