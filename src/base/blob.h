/*
 * blob.h -- bytes that many hold and nobody changes.
 *
 * Shape     a length and the bytes behind it, with a count of holders: one copy for any number of readers.
 * Owner     shared: whoever keeps it takes a reference and gives it back; the last one frees.
 * Threads   references are counted atomically; the bytes never change.
 * Errors    NULL without memory.
 */
#pragma once

#include <stdatomic.h>

#include "base/mem.h"
#include "base/str.h"

struct blob {
	_Atomic size_t refs;
	size_t n;
	char p[];
};

/* A copy of `bytes` with one reference. */
struct blob *blob_new(struct str bytes);

/* One more holder; returns `b`. Takes NULL. */
struct blob *blob_ref(struct blob *b);

/* One holder less. Takes NULL. */
void blob_unref(struct blob *b);

DEFINE_FREEP(blob_unref, struct blob, blob_unref)

/* The bytes, borrowed as long as a reference is held; empty for NULL. */
static inline struct str blob_view(const struct blob *b)
{
	return b ? (struct str){ b->p, b->n } : (struct str){ 0 };
}
