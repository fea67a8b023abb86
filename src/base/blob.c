#include "base/blob.h"

#include <assert.h>

struct blob *blob_new(struct str bytes)
{
	size_t size;
	struct blob *b = __builtin_add_overflow(sizeof(*b), bytes.n, &size) ? NULL : mem_alloc(size);

	if (!b)
		return NULL;
	atomic_init(&b->refs, 1);
	b->n = bytes.n;
	if (bytes.n)
		memcpy(b->p, bytes.p, bytes.n);
	return b;
}

struct blob *blob_ref(struct blob *b)
{
	if (b)
		atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	return b;
}

void blob_unref(struct blob *b)
{
	size_t before;

	if (!b)
		return;
	before = atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel);
	assert(before > 0);
	if (before == 1)
		mem_free(b);
}
