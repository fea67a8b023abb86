/*
 * remembered.h -- credentials that were right a short while ago, without the credentials.
 *
 * Shape     a fixed table of keyed hashes (HMAC-SHA-256 under a key that only this process knows): nothing in it helps
 *           anybody who reads it. Four places for each hash; the one that is over first gives way.
 * Threads   any: a lock inside.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

struct remembered;

/* NULL without memory. Room for `max` entries, a multiple of 4 that is a power of two. */
struct remembered *remembered_new(size_t max);
void remembered_free(struct remembered *r);

/* Until `until_ms`. `line` is what the credentials were checked against: another line, another entry. */
void remembered_put(struct remembered *r, struct str name, struct str password, struct str line, uint64_t until_ms);
bool remembered_has(struct remembered *r, struct str name, struct str password, struct str line, uint64_t now_ms);
