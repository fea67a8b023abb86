/*
 * list.h -- a doubly linked ring of embedded links.
 *
 * Shape     a list is one link that is its own neighbour when empty; a link in no list has NULL neighbours.
 * Owner     nobody: links belong to whoever embeds them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct link {
	struct link *prev;
	struct link *next;
};

static inline void list_init(struct link *list)
{
	list->prev = list->next = list;
}

static inline bool list_empty(const struct link *list)
{
	return list->next == list;
}

static inline bool link_held(const struct link *l)
{
	return l->next != NULL;
}

/* Put `l` (in no list) behind `before`; behind the list itself: as its first. */
static inline void list_put_behind(struct link *before, struct link *l)
{
	l->prev = before;
	l->next = before->next;
	before->next->prev = l;
	before->next = l;
}

static inline void list_put_last(struct link *list, struct link *l)
{
	list_put_behind(list->prev, l);
}

/* Take `l` out; nothing happens when it is in no list. */
static inline void list_remove(struct link *l)
{
	if (!link_held(l))
		return;
	l->prev->next = l->next;
	l->next->prev = l->prev;
	l->prev = l->next = NULL;
}

/* The first link, or NULL. */
static inline struct link *list_first(const struct link *list)
{
	return list_empty(list) ? NULL : list->next;
}
