#include "base/mem.h"
#include "config/reading.h"

void table_list_release(const struct field *row, struct table_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		fields_release(row->table, (char *)list->items + i * row->item_size);
	mem_free(list->items);
	*list = (struct table_list){ 0 };
}

/* Items that are wrong are reported, and the list is as long as it was written. */
void reading_tables(const struct reading *r)
{
	struct table_list list = { .count = r->node->count };
	char *item;

	if (r->node->kind != NODE_LIST) {
		reading_wrong(r, "write a list, each item with `- ` in front");
		return;
	}
	item = list.items = mem_array(list.count, r->row->item_size);
	if (!item) {
		problem_nomem(r->ctx->problems);
		return;
	}
	for (const struct node *n = r->node->first; n; n = n->next, item += r->row->item_size) {
		fields_defaults(r->row->table, item);
		(void)fields_read(r->ctx, r->row->table, n, n, item);
	}
	table_list_release(r->row, r->to);
	*(struct table_list *)r->to = list;
}
