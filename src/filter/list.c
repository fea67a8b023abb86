#include "filter/list.h"

bool list_add(struct run *r, struct list *list, struct value v)
{
	size_t room = list->room ? 2 * list->room : 8;
	struct value *items;

	if (list->n == list->room) {
		items = run_array(r, room, sizeof(*items));
		if (!items)
			return false;
		if (list->n)
			memcpy(items, list->items, list->n * sizeof(*items));
		list->items = items;
		list->room = room;
	}
	list->items[list->n++] = v;
	return r->err == E_OK;
}
