/*
 * memory_impl.h -- memory.c (the store, and what a write does to it) and memory_backend.c (a process' view of it) to each other.
 */
#pragma once

#include "backend/apply.h"
#include "backend/memory.h"
#include "base/map.h"
#include "base/mem.h"

struct memory_store {
	struct map entries; /* key to struct memory_entry */
	uint64_t seed;
	uint64_t ids;     /* given so far */
	uint64_t version; /* the newest given */
	uint64_t delay_ms;
	enum err fail_err;
	unsigned fail_times;
	struct memory_backend *backend; /* open on it */
};

struct memory_outcome {
	bool changed;
	bool gone;             /* it is not there any more */
	struct object *object; /* a reference: what is there, or was there last */
};

enum err memory_perform(struct memory_store *s, struct backend_write *w, struct memory_outcome *ret_outcome);

/* Tell who watches, after the clock's next step. */
enum err memory_report_later(struct memory_store *s, struct object *o, bool gone);
