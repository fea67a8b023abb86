/*
 * c11threads.c -- C11 threads on top of POSIX threads, for the thread sanitizer alone.
 *
 * librdkafka uses C11 threads. The sanitizer does not know glibc's and ends with a crash in the first thread made so; these take
 * their place in a program that is linked with it, and it sees locks and threads as they are.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

#pragma GCC visibility push(default) /* so that the library finds them */

struct start {
	thrd_start_t run;
	void *arg;
};

static void *run(void *arg)
{
	struct start start = *(struct start *)arg;

	free(arg);
	return (void *)(intptr_t)start.run(start.arg);
}

int thrd_create(thrd_t *ret_thread, thrd_start_t func, void *arg)
{
	struct start *start = malloc(sizeof(*start));

	if (!start)
		return thrd_nomem;
	*start = (struct start){ func, arg };
	if (pthread_create(ret_thread, NULL, run, start) == 0)
		return thrd_success;
	free(start);
	return thrd_error;
}

int thrd_join(thrd_t thread, int *ret_result)
{
	void *result;

	if (pthread_join(thread, &result))
		return thrd_error;
	if (ret_result)
		*ret_result = (int)(intptr_t)result;
	return thrd_success;
}

static int outcome(int error)
{
	return error == 0 ? thrd_success : error == EBUSY ? thrd_busy : error == ETIMEDOUT ? thrd_timedout : thrd_error;
}

/* The types of both have one size in glibc, and the C11 ones are the POSIX ones inside. */
static pthread_mutex_t *mutex_of(mtx_t *m)
{
	return (pthread_mutex_t *)(void *)m;
}

static pthread_cond_t *cond_of(cnd_t *c)
{
	return (pthread_cond_t *)(void *)c;
}

_Static_assert(sizeof(mtx_t) == sizeof(pthread_mutex_t) && sizeof(cnd_t) == sizeof(pthread_cond_t), "glibc");

int mtx_init(mtx_t *m, int type)
{
	pthread_mutexattr_t attr;
	int error;

	pthread_mutexattr_init(&attr);
	if (type & mtx_recursive)
		pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	error = pthread_mutex_init(mutex_of(m), &attr);
	pthread_mutexattr_destroy(&attr);
	return outcome(error);
}

int mtx_lock(mtx_t *m)
{
	return outcome(pthread_mutex_lock(mutex_of(m)));
}

int mtx_trylock(mtx_t *m)
{
	return outcome(pthread_mutex_trylock(mutex_of(m)));
}

int mtx_unlock(mtx_t *m)
{
	return outcome(pthread_mutex_unlock(mutex_of(m)));
}

void mtx_destroy(mtx_t *m)
{
	(void)pthread_mutex_destroy(mutex_of(m));
}

int cnd_init(cnd_t *c)
{
	return outcome(pthread_cond_init(cond_of(c), NULL));
}

int cnd_signal(cnd_t *c)
{
	return outcome(pthread_cond_signal(cond_of(c)));
}

int cnd_broadcast(cnd_t *c)
{
	return outcome(pthread_cond_broadcast(cond_of(c)));
}

int cnd_wait(cnd_t *c, mtx_t *m)
{
	return outcome(pthread_cond_wait(cond_of(c), mutex_of(m)));
}

int cnd_timedwait(cnd_t *c, mtx_t *m, const struct timespec *until)
{
	return outcome(pthread_cond_timedwait(cond_of(c), mutex_of(m), until));
}

void cnd_destroy(cnd_t *c)
{
	(void)pthread_cond_destroy(cond_of(c));
}
