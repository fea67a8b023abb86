/*
 * append.h -- the least that "stored, then answered" takes: one thread writes everything that waits, and flushes once.
 *
 * Shape     a queue that any thread puts to; the thread takes all of it, writes it with one pwritev(2) and one fdatasync(2)
 *           to a file that is allocated beforehand, and tells each owner. Nothing can be found again in that file.
 * Owner     an item is its owner's; `bytes` stay valid until `on_flushed`.
 * Threads   append_put() from any; `on_flushed` runs in the thread that writes.
 */
#pragma once

#include <sys/uio.h>

#include "base/mpsc.h"

struct append_item {
	struct mpsc_node node;
	struct iovec bytes;
	void (*on_flushed)(struct append_item *item);
};

/* Makes the file and starts the thread, once in a process; ends the process with a message when that fails. */
void append_start(const char *path);

void append_put(struct append_item *item);
