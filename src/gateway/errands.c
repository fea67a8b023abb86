#include "gateway/errands.h"

#include <signal.h>

void errands_init(struct errands *q)
{
	*q = (struct errands){ .last = NULL };
	q->last = &q->first;
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->more, NULL);
}

/* The next one, or NULL when it is over. Under the lock. */
static struct errand *wait_for_one(struct errands *q)
{
	struct errand *e;

	while (!q->first && !q->stopping)
		pthread_cond_wait(&q->more, &q->lock);
	e = q->first;
	if (!e)
		return NULL;
	q->first = e->next;
	if (!q->first)
		q->last = &q->first;
	q->waiting--;
	return e;
}

static void *errands_main(void *arg)
{
	struct errands *q = arg;
	struct errand *e;

	pthread_mutex_lock(&q->lock);
	while ((e = wait_for_one(q))) {
		pthread_mutex_unlock(&q->lock);
		e->run(e);
		loop_post(e->loop, &e->back);
		pthread_mutex_lock(&q->lock);
	}
	pthread_mutex_unlock(&q->lock);
	return NULL;
}

/* Signals are the main thread's. */
static bool start(struct errands *q)
{
	sigset_t all, before;

	if (q->started)
		return true;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	q->started = pthread_create(&q->thread, NULL, errands_main, q) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return q->started;
}

enum err errands_give(struct errands *q, struct errand *e)
{
	enum err err = E_OK;

	pthread_mutex_lock(&q->lock);
	if (q->waiting >= ERRANDS_MAX)
		err = E_BUSY;
	else if (!start(q))
		err = E_UNAVAILABLE;
	if (err == E_OK) {
		e->next = NULL;
		*q->last = e;
		q->last = &e->next;
		q->waiting++;
		pthread_cond_signal(&q->more);
	}
	pthread_mutex_unlock(&q->lock);
	return err;
}

void errands_release(struct errands *q)
{
	pthread_mutex_lock(&q->lock);
	q->stopping = true;
	pthread_cond_signal(&q->more);
	pthread_mutex_unlock(&q->lock);
	if (q->started)
		pthread_join(q->thread, NULL);
	pthread_cond_destroy(&q->more);
	pthread_mutex_destroy(&q->lock);
}
