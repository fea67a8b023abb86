#include "base/mem.h"
#include "config/doc.h"

struct node *node_get(const struct node *map, const char *key)
{
	if (!map || map->kind != NODE_MAP)
		return NULL;
	for (struct node *n = map->first; n; n = n->next)
		if (str_is(n->key, key))
			return n;
	return NULL;
}

bool node_is_null(const struct node *n)
{
	static const char *const words[] = { "", "~", "null", "Null", "NULL" };

	if (!n)
		return true;
	if (n->kind != NODE_SCALAR || n->quoted)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (str_is(n->text, words[i]))
			return true;
	return false;
}

static size_t place_in(const struct node *list, const struct node *child)
{
	size_t at = 0;

	for (const struct node *n = list->first; n && n != child; n = n->next)
		at++;
	return at;
}

void node_path(const struct node *n, struct buf *ret_path)
{
	const struct node *way[DOC_DEPTH_MAX + 1] = { NULL };
	size_t depth = 0;

	for (; n->parent && depth < ARRAY_LEN(way); n = n->parent)
		way[depth++] = n;
	while (depth--) {
		n = way[depth];
		if (n->parent->kind == NODE_LIST) {
			buf_addf(ret_path, "[%zu]", place_in(n->parent, n));
			continue;
		}
		if (n->parent->parent)
			buf_char(ret_path, '.');
		buf_str(ret_path, n->key);
	}
}
