#include "base/mem.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static _Atomic bool armed; /* a test counts or fails allocations; else the counter is never touched */
static _Atomic long count;
static _Atomic long fail_at;

void mem_fail_at(long n)
{
	atomic_store(&count, 0);
	atomic_store(&fail_at, n);
	atomic_store(&armed, true);
}

long mem_count(void)
{
	return atomic_load(&count);
}

static bool must_fail(void)
{
	if (!atomic_load_explicit(&armed, memory_order_relaxed))
		return false;
	return atomic_fetch_add(&count, 1) + 1 == atomic_load(&fail_at);
}

void *mem_alloc(size_t size)
{
	return must_fail() ? NULL : calloc(1, size ? size : 1);
}

void *mem_array(size_t n, size_t size)
{
	size_t total;

	return __builtin_mul_overflow(n, size, &total) ? NULL : mem_alloc(total);
}

void *mem_realloc(void *p, size_t size)
{
	return must_fail() ? NULL : realloc(p, size ? size : 1);
}

char *mem_dup(const char *p, size_t n)
{
	char *copy = must_fail() || n == SIZE_MAX ? NULL : malloc(n + 1);

	if (!copy)
		return NULL;
	if (n)
		memcpy(copy, p, n);
	copy[n] = '\0';
	return copy;
}

void mem_free(void *p)
{
	free(p);
}

void mem_freep(void *pp)
{
	free(*(void **)pp);
}

void mem_configure(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, MEM_LARGE);
}

void mem_give_back(void)
{
	(void)malloc_trim(0);
}
