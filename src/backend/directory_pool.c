#include "backend/directory_pool.h"

#include <stdio.h>

#include "backend/directory_scan.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/thread.h"

static bool is_scan(const struct directory_job *job)
{
	return job->what == JOB_SCAN;
}

/* Under the lock: a fair share of what waits. A scan is done alone: it may take long. */
static struct directory_job *take(struct directory_pool *p)
{
	size_t share = (p->waiting + p->count - 1) / p->count;
	struct directory_job *first = p->first;
	struct directory_job **end = &p->first;
	size_t n = 0;

	if (share > JOB_BATCH)
		share = JOB_BATCH;
	while (*end && n < share && !(n > 0 && (is_scan(*end) || is_scan(first)))) {
		end = &(*end)->next;
		n++;
	}
	p->first = *end;
	*end = NULL;
	if (!p->first)
		p->last = &p->first;
	p->waiting -= n;
	return first;
}

/* Move the writes of the list, in their order, to the list that is returned. */
static struct directory_job *cut_writes(struct directory_job **list)
{
	struct directory_job *writes = NULL;
	struct directory_job **last = &writes;

	while (*list) {
		struct directory_job *job = *list;

		if (job->what != JOB_WRITE) {
			list = &job->next;
			continue;
		}
		*list = job->next;
		job->next = NULL;
		*last = job;
		last = &job->next;
	}
	return writes;
}

/* The job is the loop's from the post on. */
static void post_all(struct directory_pool *p, struct directory_job *list)
{
	while (list) {
		struct directory_job *job = list;

		list = job->next;
		loop_post(p->loop, &job->task);
	}
}

static void work(struct directory_pool *p, struct directory_job *list)
{
	struct directory_job *writes = cut_writes(&list);

	if (writes)
		job_write_batch(writes, p->root, p->path, p->token);
	post_all(p, writes);
	while (list) {
		struct directory_job *job = list;

		list = job->next;
		if (is_scan(job))
			directory_scan_run(job->scan);
		else
			job_read(job, p->root, p->path);
		loop_post(p->loop, &job->task);
	}
}

static void *pool_main(void *pool)
{
	struct directory_pool *p = pool;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		struct directory_job *list;

		while (!p->first && !p->stopping)
			pthread_cond_wait(&p->more, &p->lock);
		if (!p->first)
			break;
		list = take(p);
		pthread_mutex_unlock(&p->lock);
		work(p, list);
		pthread_mutex_lock(&p->lock);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

enum err directory_pool_init(struct directory_pool *p, struct loop *loop, int root, const char *path, unsigned threads,
			     struct why *why)
{
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->more, NULL);
	p->last = &p->first;
	p->loop = loop;
	p->root = root;
	p->path = path;
	(void)snprintf(p->token, sizeof(p->token), "%016llx", (unsigned long long)rand_u64());
	p->threads = mem_array(threads, sizeof(*p->threads));
	if (!p->threads)
		return why_set(why, E_NOMEM, "threads");
	for (; p->count < threads; p->count++)
		if (thread_start("directory", pool_main, p, why, &p->threads[p->count]) != E_OK)
			return E_UNAVAILABLE;
	return E_OK;
}

void directory_pool_release(struct directory_pool *p)
{
	pthread_mutex_lock(&p->lock);
	p->stopping = true;
	pthread_cond_broadcast(&p->more);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->count; i++)
		pthread_join(p->threads[i], NULL);
	mem_free(p->threads);
	pthread_cond_destroy(&p->more);
	pthread_mutex_destroy(&p->lock);
}

void pool_put(struct directory_pool *p, struct directory_job *job)
{
	job->next = NULL;
	pthread_mutex_lock(&p->lock);
	*p->last = job;
	p->last = &job->next;
	p->waiting++;
	pthread_cond_signal(&p->more);
	pthread_mutex_unlock(&p->lock);
}
