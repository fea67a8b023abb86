#include "append.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "flushed_file.h"

static struct {
	struct mpsc queue;
	pthread_mutex_t lock;
	pthread_cond_t come;
	int fd;
	size_t at;
} append = { .lock = PTHREAD_MUTEX_INITIALIZER, .come = PTHREAD_COND_INITIALIZER };

static void fail(const char *what)
{
	(void)fprintf(stderr, "append: %s: ", what);
	perror(NULL);
	exit(1);
}

static struct append_item *item_of(struct mpsc_node *node)
{
	return (struct append_item *)node; /* its first member */
}

static void write_all(const struct iovec *bytes, int n, size_t total)
{
	if (append.at + total > FLUSHED_FILE_SIZE)
		append.at = 0;
	if (pwritev(append.fd, bytes, n, (off_t)append.at) != (ssize_t)total)
		fail("pwritev");
	if (fdatasync(append.fd) != 0)
		fail("fdatasync");
	append.at += total;
}

/* Writes and flushes as many items as one call takes; what is left. */
static struct mpsc_node *flush(struct mpsc_node *first)
{
	struct iovec bytes[IOV_MAX];
	struct mpsc_node *end = first;
	size_t total = 0;
	int n = 0;

	for (; end && n < IOV_MAX; end = end->next) {
		bytes[n] = item_of(end)->bytes;
		total += bytes[n++].iov_len;
	}
	write_all(bytes, n, total);
	while (first != end) {
		struct append_item *item = item_of(first);

		first = first->next; /* before the call: the item is its owner's again */
		item->on_flushed(item);
	}
	return end;
}

static struct mpsc_node *wait_for_items(void)
{
	struct mpsc_node *items = mpsc_take(&append.queue);

	if (items)
		return items;
	pthread_mutex_lock(&append.lock);
	while (!(items = mpsc_take(&append.queue)))
		pthread_cond_wait(&append.come, &append.lock);
	pthread_mutex_unlock(&append.lock);
	return items;
}

static void *run(void *unused)
{
	(void)unused;
	for (;;) {
		struct mpsc_node *items = wait_for_items();

		while (items)
			items = flush(items);
	}
	return NULL;
}

void append_start(const char *path)
{
	pthread_t thread;

	append.fd = flushed_file(path);
	if (append.fd < 0)
		fail(path);
	errno = pthread_create(&thread, NULL, run, NULL);
	if (errno)
		fail("thread");
}

void append_put(struct append_item *item)
{
	if (!mpsc_put(&append.queue, &item->node))
		return; /* whoever put the first wakes the thread */
	pthread_mutex_lock(&append.lock);
	pthread_mutex_unlock(&append.lock);
	pthread_cond_signal(&append.come);
}
