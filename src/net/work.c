#include "net/work.h"

#include <assert.h>

#include "base/mem.h"
#include "base/thread.h"

struct work_pool {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct work *first, *last; /* waiting */
	unsigned waiting;
	unsigned waiting_max;
	bool stop;
	unsigned idle; /* threads that wait for work */
	unsigned started;
	unsigned threads_max;
	pthread_t threads[];
};

static void in_loop(struct loop_task *task)
{
	struct work *w = CONTAINER_OF(task, struct work, task);

	w->on_done(w, w->err);
}

static void hand_back(struct work *w, enum err err)
{
	w->err = err;
	w->task.run = in_loop;
	loop_post(w->loop, &w->task);
}

/* With the lock held. NULL: the pool ends. */
static struct work *take(struct work_pool *p)
{
	struct work *w;

	p->idle++;
	while (!p->first && !p->stop)
		(void)pthread_cond_wait(&p->changed, &p->lock);
	p->idle--;
	w = p->stop ? NULL : p->first;
	if (w) {
		p->first = w->next;
		p->waiting--;
	}
	return w;
}

static void *worker(void *arg)
{
	struct work_pool *p = arg;
	struct work *w;

	(void)pthread_mutex_lock(&p->lock);
	while ((w = take(p))) {
		(void)pthread_mutex_unlock(&p->lock);
		w->run(w);
		hand_back(w, E_OK);
		(void)pthread_mutex_lock(&p->lock);
	}
	(void)pthread_mutex_unlock(&p->lock);
	return NULL;
}

enum err work_pool_new(unsigned threads, unsigned queue_max, struct why *why, struct work_pool **ret_pool)
{
	struct work_pool *p = mem_alloc(sizeof(*p) + threads * sizeof(p->threads[0]));

	if (!p)
		return why_set(why, E_NOMEM, "start workers");
	p->waiting_max = queue_max;
	p->threads_max = threads;
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_cond_init(&p->changed, NULL);
	*ret_pool = p;
	return E_OK;
}

/* With the lock held: nobody takes anything any more. */
static struct work *stop(struct work_pool *p)
{
	struct work *rest = TAKE(p->first);

	p->stop = true;
	p->waiting = 0;
	(void)pthread_cond_broadcast(&p->changed);
	return rest;
}

void work_pool_free(struct work_pool *p)
{
	struct work *w, *next;

	if (!p)
		return;
	(void)pthread_mutex_lock(&p->lock);
	w = stop(p);
	(void)pthread_mutex_unlock(&p->lock);
	for (; w; w = next) {
		next = w->next;
		hand_back(w, E_CANCELLED);
	}
	for (unsigned i = 0; i < p->started; i++)
		(void)pthread_join(p->threads[i], NULL);
	(void)pthread_cond_destroy(&p->changed);
	(void)pthread_mutex_destroy(&p->lock);
	mem_free(p);
}

static enum err append(struct work_pool *p, struct work *w)
{
	if (p->waiting >= p->waiting_max)
		return E_BUSY;
	if (p->idle <= p->waiting && p->started < p->threads_max &&
	    thread_start("worker", worker, p, NULL, &p->threads[p->started]) == E_OK)
		p->started++;
	if (!p->started)
		return E_UNAVAILABLE;
	w->next = NULL;
	if (p->first)
		p->last->next = w;
	else
		p->first = w;
	p->last = w;
	p->waiting++;
	(void)pthread_cond_signal(&p->changed);
	return E_OK;
}

enum err work_start(struct work_pool *pool, struct loop *loop, struct work *work)
{
	enum err err;

	assert(work->run && work->on_done);
	work->loop = loop;
	(void)pthread_mutex_lock(&pool->lock);
	assert(!pool->stop);
	err = append(pool, work);
	(void)pthread_mutex_unlock(&pool->lock);
	return err;
}
