#include <stdlib.h>

#include "base/mem.h"
#include "config/reading.h"

void text_list_release(struct text_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		mem_free(list->items[i]);
	mem_free(list->items);
	*list = (struct text_list){ 0 };
}

void text_map_release(struct text_map *map)
{
	for (size_t i = 0; i < map->count; i++) {
		mem_free(map->items[i].key);
		mem_free(map->items[i].value);
	}
	mem_free(map->items);
	*map = (struct text_map){ 0 };
}

static bool only_texts(const struct reading *r)
{
	bool ok = true;

	for (const struct node *n = r->node->first; n; n = n->next) {
		if (n->kind == NODE_SCALAR && !node_is_null(n))
			continue;
		problem_at(r->ctx->problems, r->ctx->file, n, "write a string, in quotes when in doubt",
			   "is not a string");
		ok = false;
	}
	return ok;
}

void reading_list(const struct reading *r)
{
	struct text_list list = { 0 };

	if (r->node->kind != NODE_LIST) {
		reading_wrong(r, "write a list: [a, b]");
		return;
	}
	if (!only_texts(r))
		return;
	list.items = mem_array(r->node->count, sizeof(*list.items));
	for (const struct node *n = r->node->first; n && list.items; n = n->next) {
		list.items[list.count] = str_dup(n->text);
		if (!list.items[list.count++])
			break;
	}
	if (!list.items || (list.count && !list.items[list.count - 1])) {
		problem_nomem(r->ctx->problems);
		text_list_release(&list);
		return;
	}
	text_list_release(r->to);
	*(struct text_list *)r->to = list;
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct text_pair *)a)->key, ((const struct text_pair *)b)->key);
}

static bool copy_pairs(const struct node *from, struct text_map *to)
{
	to->items = mem_array(from->count, sizeof(*to->items));
	for (const struct node *n = from->first; n && to->items; n = n->next) {
		struct text_pair *pair = &to->items[to->count++];

		pair->key = str_dup(n->key);
		pair->value = str_dup(n->text);
		if (!pair->key || !pair->value)
			return false;
	}
	return to->items != NULL;
}

void reading_map(const struct reading *r)
{
	struct text_map map = { 0 };

	if (r->node->kind != NODE_MAP) {
		reading_wrong(r, "write a map: {key: value}");
		return;
	}
	if (!only_texts(r))
		return;
	if (!copy_pairs(r->node, &map)) {
		problem_nomem(r->ctx->problems);
		text_map_release(&map);
		return;
	}
	qsort(map.items, map.count, sizeof(*map.items), by_key);
	text_map_release(r->to);
	*(struct text_map *)r->to = map;
}
