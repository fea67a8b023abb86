/*
 * map.h -- from a key of bytes to a pointer.
 *
 * Shape     open addressing with linear probing over a SipHash-2-4 with a random key: strangers may choose the keys.
 * Owner     keys are borrowed and must live as long as their entry (usually they lie in the value); values are the
 *           caller's. A zeroed struct map is empty. A key has less than 4 GiB.
 * Errors    E_NOMEM from map_put() only.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

/* There are a million of them, half of them free: no larger than they must be. */
struct map_entry {
	const char *key;
	void *value; /* never NULL in a used entry */
	uint32_t key_n;
	uint32_t hash; /* the lower half: a table has fewer slots */
};

struct map {
	struct map_entry *entries;
	size_t n;   /* entries in use */
	size_t cap; /* a power of two, or 0 */
	uint64_t seed[2];
};

/* The value, or NULL. */
void *map_get(const struct map *m, struct str key);

/* Put `value` (not NULL) under `key`; replaces the entry, key included. */
enum err map_put(struct map *m, struct str key, void *value);

/* Take the entry out; returns its value, or NULL when there was none. */
void *map_remove(struct map *m, struct str key);

/* Walk all entries in no particular order: start with *at = 0, ends with NULL. Do not change the map meanwhile. */
const struct map_entry *map_next(const struct map *m, size_t *at);

void map_release(struct map *m);

/* SipHash-2-4 of `s` under `key` (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012). */
uint64_t siphash(const uint64_t key[2], struct str s);
