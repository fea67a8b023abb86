#include "auth/turns.h"

#include <arpa/inet.h>
#include <assert.h>

#include "base/mem.h"

#define KEY_MAX INET6_ADDRSTRLEN

struct turns_line {
	struct turns_line *prev, *next; /* a ring */
	struct turns_waiter *first, *last;
	size_t n;
	size_t key_n;
	char key[KEY_MAX];
};

void turns_init(struct turns *t, size_t max)
{
	*t = (struct turns){ .max = max };
}

void turns_release(struct turns *t)
{
	assert(t->n == 0);
	map_release(&t->lines);
}

/* The network of an IPv6 address; any other text as it is. */
static struct str key_of(const char *address, unsigned char room[static sizeof(struct in6_addr)])
{
	if (inet_pton(AF_INET6, address, room) == 1)
		return (struct str){ (const char *)room, 8 };
	return str_sub(str_of(address), 0, KEY_MAX);
}

/* At the end of the ring: its turn comes after all others'. */
static void join_ring(struct turns *t, struct turns_line *line)
{
	struct turns_line *next = t->next ? t->next : line;

	line->next = next;
	line->prev = t->next ? next->prev : line;
	line->prev->next = line;
	next->prev = line;
	t->next = next;
}

static void line_end(struct turns *t, struct turns_line *line)
{
	if (t->next == line)
		t->next = line->next == line ? NULL : line->next;
	line->prev->next = line->next;
	line->next->prev = line->prev;
	map_remove(&t->lines, (struct str){ line->key, line->key_n });
	mem_free(line);
}

static struct turns_line *line_begin(struct turns *t, struct str key)
{
	struct turns_line *line = mem_alloc(sizeof(*line));

	if (!line)
		return NULL;
	if (key.n)
		memcpy(line->key, key.p, key.n);
	line->key_n = key.n;
	if (map_put(&t->lines, (struct str){ line->key, line->key_n }, line) != E_OK) {
		mem_free(line);
		return NULL;
	}
	join_ring(t, line);
	return line;
}

static struct turns_waiter *last_of_longest(const struct turns *t)
{
	const struct turns_line *longest = t->next;

	for (const struct turns_line *line = t->next->next; line != t->next; line = line->next)
		if (line->n > longest->n)
			longest = line;
	return longest->last;
}

enum err turns_put(struct turns *t, const char *address, struct turns_waiter *w, struct turns_waiter **ret_dropped)
{
	unsigned char room[sizeof(struct in6_addr)];
	struct str key = key_of(address, room);
	struct turns_line *line = map_get(&t->lines, key);

	assert(!w->line);
	line = line ? line : line_begin(t, key);
	if (!line)
		return E_NOMEM;
	*w = (struct turns_waiter){ .prev = line->last, .line = line };
	if (line->last)
		line->last->next = w;
	else
		line->first = w;
	line->last = w;
	line->n++;
	t->n++;
	*ret_dropped = t->n > t->max ? last_of_longest(t) : NULL;
	turns_remove(t, *ret_dropped);
	return E_OK;
}

void turns_remove(struct turns *t, struct turns_waiter *w)
{
	struct turns_line *line = w ? w->line : NULL;

	if (!line)
		return;
	if (w->next)
		w->next->prev = w->prev;
	else
		line->last = w->prev;
	if (w->prev)
		w->prev->next = w->next;
	else
		line->first = w->next;
	*w = (struct turns_waiter){ 0 };
	t->n--;
	if (--line->n == 0)
		line_end(t, line);
}

struct turns_waiter *turns_take(struct turns *t)
{
	struct turns_line *line = t->next;
	struct turns_waiter *w = line ? line->first : NULL;

	if (line)
		t->next = line->next;
	turns_remove(t, w);
	return w;
}
