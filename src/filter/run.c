#include "filter/run.h"

#include <stdarg.h>
#include <stdio.h>

#include "filter/limits.h"

enum err run_fail(struct run *r, enum err err, const char *format, ...)
{
	char text[320];
	va_list args;

	if (r->err != E_OK)
		return r->err;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	r->err = filter_say(r->filter->text, r->at, r->why, err, "%s", text);
	return r->err;
}

bool run_step(struct run *r, uint64_t steps)
{
	if (r->err != E_OK)
		return false;
	if (steps <= *r->steps) {
		*r->steps -= steps;
		return true;
	}
	*r->steps = 0;
	(void)run_fail(r, E_LIMIT, "the expression takes more than %d steps on this event", FILTER_STEPS_MAX);
	return false;
}

bool run_depth(struct run *r, unsigned depth)
{
	if (depth > FILTER_DEPTH_MAX)
		(void)run_fail(r, E_LIMIT, "a value is nested deeper than %d levels", FILTER_DEPTH_MAX);
	return r->err == E_OK;
}

static void no_memory(struct run *r)
{
	if (r->pool->err == E_LIMIT)
		(void)run_fail(r, E_LIMIT, "the expression takes more than %d bytes on this event", FILTER_MEMORY_MAX);
	else
		(void)run_fail(r, E_NOMEM, "no memory");
}

void *run_alloc(struct run *r, size_t n)
{
	void *p = r->err == E_OK ? pool_alloc(r->pool, n) : NULL;

	if (!p)
		no_memory(r);
	return p;
}

void *run_array(struct run *r, size_t n, size_t size)
{
	void *p = r->err == E_OK ? pool_array(r->pool, n, size) : NULL;

	if (!p)
		no_memory(r);
	return p;
}

struct buf run_buf(const struct run *r)
{
	size_t left = r->pool->max - r->pool->used;

	return (struct buf){ .max = left ? left : 1 };
}

struct str run_keep(struct run *r, struct buf *b)
{
	char *p;
	struct str kept = { 0 };

	if (b->err != E_OK)
		r->pool->err = r->pool->err != E_OK ? r->pool->err : b->err;
	p = run_alloc(r, b->n);
	if (p && run_look(r, b->n)) {
		if (b->n)
			memcpy(p, b->p, b->n);
		kept = (struct str){ p, b->n };
	}
	buf_release(b);
	return kept;
}

/* ---- sorting ---------------------------------------------------------------------------------------------------------- */

struct sorting {
	struct run *run;
	size_t size;
	int (*compare)(const void *a, const void *b, void *ctx);
	void *ctx;
};

/* Two sorted runs of `from`, [a, b) and [b, end), into one of `to`. */
static void merge(const struct sorting *s, const char *from, char *to, size_t a, size_t b, size_t end)
{
	size_t left = a, right = b;

	for (size_t i = a; i < end; i++) {
		bool take_left = left < b && (right >= end ||
					      s->compare(from + left * s->size, from + right * s->size, s->ctx) <= 0);
		size_t at = take_left ? left++ : right++;

		memcpy(to + i * s->size, from + at * s->size, s->size);
	}
}

void run_sort(struct run *r, void *items, size_t n, size_t size,
	      int (*compare)(const void *a, const void *b, void *ctx), void *ctx)
{
	struct sorting s = { r, size, compare, ctx };
	char *from = items, *to, *swap;

	if (n < 2)
		return;
	to = run_array(r, n, size);
	for (size_t width = 1; to && width < n && run_step(r, n); width *= 2) {
		for (size_t a = 0; a < n; a += 2 * width) {
			size_t b = a + width < n ? a + width : n, end = a + 2 * width < n ? a + 2 * width : n;

			merge(&s, from, to, a, b, end);
		}
		swap = from;
		from = to;
		to = swap;
	}
	if (to && from != items)
		memcpy(items, from, n * size);
}
