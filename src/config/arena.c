#include "config/arena.h"

#include <stddef.h>

#include "base/mem.h"

#define CHUNK 65536

struct doc_arena {
	struct doc_arena *next;
	size_t used;
	size_t size;
	_Alignas(max_align_t) char bytes[];
};

void *doc_arena_alloc(struct doc_arena **arena, size_t n)
{
	size_t rounded = (n + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);
	struct doc_arena *a = *arena;
	void *p;

	if (!a || a->size - a->used < rounded) {
		size_t size = rounded > CHUNK ? rounded : CHUNK;

		a = mem_alloc(sizeof(*a) + size);
		if (!a)
			return NULL;
		a->size = size;
		a->next = *arena;
		*arena = a;
	}
	p = a->bytes + a->used;
	a->used += rounded;
	return p;
}

bool doc_arena_copy(struct doc_arena **arena, struct str s, struct str *ret_copy)
{
	char *p = doc_arena_alloc(arena, s.n + 1);

	if (!p)
		return false;
	if (s.n)
		memcpy(p, s.p, s.n);
	*ret_copy = (struct str){ p, s.n };
	return true;
}

void doc_arena_free(struct doc_arena *arena)
{
	while (arena) {
		struct doc_arena *next = arena->next;

		mem_free(arena);
		arena = next;
	}
}
