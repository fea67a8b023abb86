/*
 * memory_impl.h -- memory.c (the store) and memory_backend.c (a process' view of it) to each other.
 */
#pragma once

#include <stdio.h>

#include "backend/apply.h"
#include "backend/memory.h"
#include "base/map.h"
#include "base/mem.h"

struct memory_entry {
	struct object *object;
	char key[OBJECT_KEY_MAX];
};

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

struct memory_ids {
	char uid[64];
	char version[24];
};

/* Put `o` in, a reference of it. */
enum err memory_set(struct memory_store *s, struct object *o);

/* Take it out; the reference is the caller's. */
struct object *memory_take(struct memory_store *s, enum object_kind kind, const char *namespace, const char *name);

/* UID and version of the next object, which takes the place of `current`; s->version moves when it is really put. */
void memory_next_ids(struct memory_store *s, const struct object *current, struct memory_ids *ret_ids);

/* Tell who watches, after the clock's next step. */
enum err memory_report_later(struct memory_store *s, struct object *o, bool gone);
