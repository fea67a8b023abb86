#include "bus/window.h"

#include <assert.h>
#include <stdio.h>

#include "base/mem.h"

enum err window_init(struct window *w, size_t cap)
{
	assert(cap > 0 && cap <= UINT32_MAX);
	*w = (struct window){ .cap = cap };
	w->slots = mem_array(cap, sizeof(*w->slots));
	if (!w->slots)
		return E_NOMEM;
	for (size_t i = cap; i-- > 0;) {
		w->slots[i].next = w->free;
		w->free = &w->slots[i];
	}
	return E_OK;
}

void window_release(struct window *w)
{
	assert(w->used == 0);
	heap_release(&w->deadlines);
	mem_free(w->slots);
	*w = (struct window){ 0 };
}

static void list_add(struct window_list *list, struct window_slot *slot)
{
	slot->next = NULL;
	slot->prev = list->last;
	if (list->last)
		list->last->next = slot;
	else
		list->first = slot;
	list->last = slot;
}

static void list_remove(struct window_list *list, struct window_slot *slot)
{
	if (slot->prev)
		slot->prev->next = slot->next;
	else
		list->first = slot->next;
	if (slot->next)
		slot->next->prev = slot->prev;
	else
		list->last = slot->prev;
	slot->prev = slot->next = NULL;
}

static struct window_list *list_of(struct window *w, const struct window_slot *slot)
{
	return slot->sent ? &w->sent : &w->unsent[slot->publish->may_wait != NULL];
}

enum err window_add(struct window *w, struct bus_publish *p, uint64_t now_ms)
{
	struct window_slot *slot = w->free;
	enum err err;

	if (!slot)
		return E_UNAVAILABLE;
	err = heap_put(&w->deadlines, &slot->deadline, now_ms + p->timeout_ms);
	if (err)
		return err;
	w->free = slot->next;
	w->used++;
	slot->publish = p;
	slot->sent = false;
	slot->use++;
	list_add(list_of(w, slot), slot);
	return E_OK;
}

void window_mark_sent(struct window *w, struct window_slot *slot, uint64_t now_ns)
{
	assert(slot->publish && !slot->sent);
	list_remove(list_of(w, slot), slot);
	slot->sent = true;
	list_add(list_of(w, slot), slot);
	slot->sent_ns = now_ns;
	slot->number = ++w->sent_n;
	w->turn = !slot->publish->may_wait;
}

void window_postpone(struct window *w, struct window_slot *slot, uint64_t until_ms)
{
	heap_move(&w->deadlines, &slot->deadline, until_ms);
}

struct bus_publish *window_take(struct window *w, struct window_slot *slot)
{
	struct bus_publish *p = slot->publish;

	assert(p);
	list_remove(list_of(w, slot), slot);
	heap_remove(&w->deadlines, &slot->deadline);
	slot->publish = NULL;
	slot->next = w->free;
	w->free = slot;
	w->used--;
	return p;
}

static void write_hex(uint32_t value, char *ret_text)
{
	for (int i = 7; i >= 0; i--, value >>= 4)
		ret_text[i] = "0123456789abcdef"[value & 15];
}

void window_token(const struct window *w, const struct window_slot *slot, char ret_token[static WINDOW_TOKEN_MAX])
{
	write_hex((uint32_t)(slot - w->slots), ret_token);
	write_hex(slot->use, ret_token + 8);
	ret_token[16] = 0;
}

static bool read_hex(struct str s, uint32_t *ret_value)
{
	uint32_t value = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c >= '0' && c <= '9')
			value = value << 4 | (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (uint32_t)(c - 'a' + 10);
		else
			return false;
	}
	*ret_value = value;
	return true;
}

struct window_slot *window_find(const struct window *w, struct str token)
{
	uint32_t at;
	uint32_t use;

	if (token.n != WINDOW_TOKEN_MAX - 1 || !read_hex(str_sub(token, 0, 8), &at) ||
	    !read_hex(str_sub(token, 8, 8), &use))
		return NULL;
	if (at >= w->cap || !w->slots[at].publish || !w->slots[at].sent || w->slots[at].use != use)
		return NULL;
	return &w->slots[at];
}

struct window_slot *window_due(const struct window *w, uint64_t now_ms)
{
	struct heap_node *first = heap_first(&w->deadlines);

	return first && first->key <= now_ms ? CONTAINER_OF(first, struct window_slot, deadline) : NULL;
}
