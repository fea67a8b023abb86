#include "filter/pool.h"

#include "base/mem.h"

#define ALIGN     16
#define BLOCK_MIN 4096

struct pool_block {
	struct pool_block *next;
	_Alignas(ALIGN) char bytes[];
};

void pool_init(struct pool *p, void *first, size_t n, size_t max)
{
	*p = (struct pool){ .at = first, .left = n, .max = max };
}

static bool add_block(struct pool *p, size_t n)
{
	size_t size = n > BLOCK_MIN ? n : BLOCK_MIN;
	struct pool_block *block = mem_alloc(sizeof(*block) + size);

	if (!block)
		return false;
	block->next = p->blocks;
	p->blocks = block;
	p->at = block->bytes;
	p->left = size;
	return true;
}

void *pool_alloc(struct pool *p, size_t n)
{
	size_t room = n > SIZE_MAX - ALIGN ? SIZE_MAX : (n + ALIGN - 1) / ALIGN * ALIGN;
	static _Alignas(ALIGN) char nothing;
	void *given;

	if (p->err != E_OK || n == 0)
		return p->err == E_OK ? &nothing : NULL;
	if (room > p->max - p->used) {
		p->err = E_LIMIT;
		return NULL;
	}
	if (room > p->left && !add_block(p, room)) {
		p->err = E_NOMEM;
		return NULL;
	}
	given = p->at;
	p->at += room;
	p->left -= room;
	p->used += room;
	memset(given, 0, n); /* the first block is the caller's, of any content */
	return given;
}

void *pool_array(struct pool *p, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		bytes = SIZE_MAX;
	return pool_alloc(p, bytes);
}

void pool_release(struct pool *p)
{
	while (p->blocks) {
		struct pool_block *next = p->blocks->next;

		mem_free(p->blocks);
		p->blocks = next;
	}
	*p = (struct pool){ .max = p->max };
}
