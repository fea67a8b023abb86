/*
 * thread.h -- a thread beside the program's own.
 *
 * Shape     all signals are blocked in it and in what it starts: they are the main thread's.
 * Owner     whoever starts one joins it with pthread_join().
 */
#pragma once

#include <pthread.h>

#include "base/why.h"

#define THREAD_NAME_MAX 15 /* bytes: what the kernel keeps */

/* `name` is seen in ps and top. E_UNAVAILABLE: the system gives no more threads. */
enum err thread_start(const char *name, void *(*run)(void *arg), void *arg, struct why *why, pthread_t *ret_thread);
