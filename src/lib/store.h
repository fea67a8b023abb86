/*
 * store.h -- what the files of a store's handle share.
 *
 * Shape     store.c opens, closes, reads and confirms; store_append.c stores.
 */
#pragma once

#include <pthread.h>
#include <sys/types.h>

#include "holdfast/store.h"
#include "lib/lib.h"
#include "store/store.h"

struct hf_store {
	struct store *writer; /* NULL: reads only */
	struct store_reader *reader;
	pid_t process; /* whose it is: a child of fork(2) has not its threads */
	pthread_mutex_t
		reading; /* a reader belongs to one thread at a time; recursive, for hf_store_last() in a callback */
	bool is_reading; /* under the lock */
	struct store_listener listener;
	void (*on_commit)(void *ctx, uint64_t last);
	void *ctx;
};

/* May `call` write with the handle? HF_BAD_ARGUMENT: there is none, or it is another process's. HF_UNSUPPORTED: it only reads. */
enum hf_error lib_store_use_writer(const struct hf_store *s, const char *call, struct hf_why *ret_why);
