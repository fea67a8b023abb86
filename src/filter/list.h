/* list.h -- a list that grows in the pool of a run. */
#pragma once

#include "filter/run.h"

struct list {
	struct value *items;
	size_t n;
	size_t room;
};

/* False: the run has failed. */
bool list_add(struct run *r, struct list *list, struct value v);

static inline struct value list_value(const struct list *list)
{
	return value_list(list->items, list->n);
}
