/*
 * mem.h -- allocation through one function, so that tests can make it fail.
 *
 * Owner     CLEANUP(x_freep) frees a local on every way out; TAKE() hands it over instead:
 *
 *               CLEANUP(spool_freep) struct spool *s = mem_alloc(sizeof(*s));
 *               ...
 *               *ret_spool = TAKE(s);
 *
 * Errors    NULL means no memory; callers answer E_NOMEM and go on living.
 */
#pragma once

#include <stddef.h>

#define CLEANUP(freep) __attribute__((cleanup(freep)))

#define TAKE(p)                             \
	__extension__({                     \
		__typeof__(p) taken_ = (p); \
		(p) = NULL;                 \
		taken_;                     \
	})

/* Defines the `name_freep` that CLEANUP wants, from `free_function(type *)`. */
#define DEFINE_FREEP(name, type, free_function)   \
	static inline void name##_freep(type **p) \
	{                                         \
		free_function(*p);                \
	}

#define ARRAY_LEN(a)                    (sizeof(a) / sizeof((a)[0]))

#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* `size` zeroed bytes, or NULL. Free with mem_free(). */
void *mem_alloc(size_t size);

/* `n` times `size` zeroed bytes, checked for overflow, or NULL. */
void *mem_array(size_t n, size_t size);

/* As realloc(3): on NULL the old block is untouched. New bytes are not zeroed. */
void *mem_realloc(void *p, size_t size);

/* A terminated copy of `n` bytes, or NULL. */
char *mem_dup(const char *p, size_t n);

/* Takes NULL. */
void mem_free(void *p);

/*
 * Bytes from which on a block is large: hardly a webhook and no page of a database, so that they stay with malloc. It is pages of its
 * own, of which those take memory that were written to.
 */
#define MEM_LARGE (256 << 10)

/*
 * At the start of a program: large blocks are the system's again when they are freed. Once it has freed one, malloc takes what
 * is as large (up to 32 MB) from its heaps, where it stays: a gateway held 2.5 times the bytes of its bodies.
 */
void mem_configure(void);

/* What is free goes back to the system: malloc keeps it between two blocks that are in use. Some ms for each 100 MB. */
void mem_give_back(void);

void mem_freep(void *pp);

/*
 * Fault injection for tests. The n-th allocation from now fails (1 = the next), once; 0 turns it off.
 * mem_count() is the number of allocations since the last call of mem_fail_at().
 */
void mem_fail_at(long n);
long mem_count(void);
