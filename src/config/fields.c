#include "config/fields.h"

#include <assert.h>

#include "base/mem.h"
#include "config/reading.h"

static void *at(const struct field *row, void *target)
{
	return (char *)target + row->offset;
}

static void read_map_node(const struct reading *r)
{
	if (r->node->kind != NODE_MAP)
		reading_wrong(r, r->row->type == FIELD_SECRET ? "write {name: ..., key: ...}"
							      : "write `key: value` lines below it");
	else if (r->row->type == FIELD_SECRET)
		(void)fields_read_secret(r->ctx, r->node, r->to);
	else if (r->row->type == FIELD_TABLE)
		(void)fields_read(r->ctx, r->row->table, r->node, r->node, r->to);
	else
		*(const struct node **)r->to = r->node;
}

static void read_row(const struct reading *r)
{
	switch (r->row->type) {
	case FIELD_ANY:
		break;
	case FIELD_LIST:
		reading_list(r);
		break;
	case FIELD_MAP:
		reading_map(r);
		break;
	case FIELD_TABLES:
		reading_tables(r);
		break;
	case FIELD_SECRETS:
		reading_secrets(r);
		break;
	case FIELD_SECRET:
	case FIELD_TABLE:
	case FIELD_NODE:
		read_map_node(r);
		break;
	default:
		reading_scalar(r);
	}
}

static bool key_is(const struct field_table *table, const struct field *row, struct str key)
{
	return table->any_case ? str_eq_nocase(key, str_of(row->key)) : str_is(key, row->key);
}

static const struct node *find(const struct field_table *table, const struct field *row, const struct node *map)
{
	for (const struct node *n = map ? map->first : NULL; n; n = n->next)
		if (key_is(table, row, n->key))
			return n;
	return NULL;
}

static void read_table(const struct fields_ctx *ctx, const struct fields_part *part, const struct node *map,
		       const struct node *parent)
{
	for (size_t i = 0; i < part->table->count; i++) {
		const struct field *row = &part->table->rows[i];
		const struct node *n = find(part->table, row, map);
		bool empty = !n || node_is_null(n) || (row->missing && n->kind == NODE_SCALAR && n->text.n == 0);

		if (empty && row->missing)
			problem_at(ctx->problems, ctx->file, n ? n : map ? map : parent, row->fix, "%s", row->missing);
		else if (!empty)
			read_row(&(struct reading){ ctx, row, n, at(row, part->target) });
	}
}

static bool is_known(const struct fields_part *parts, size_t count, struct str key)
{
	for (size_t p = 0; p < count; p++)
		for (size_t i = 0; i < parts[p].table->count; i++)
			if (key_is(parts[p].table, &parts[p].table->rows[i], key))
				return true;
	return false;
}

#define BEGINNING 5 /* so many letters of a key say which one was meant */

static const char *nearest(const struct fields_part *parts, size_t count, struct str key)
{
	unsigned least = (unsigned)(key.n < 9 ? key.n / 3 + 1 : 4); /* further away it is another word */
	const char *best = NULL;

	for (size_t p = 0; p < count; p++) {
		for (size_t i = 0; i < parts[p].table->count; i++) {
			const char *known = parts[p].table->rows[i].key;
			unsigned distance = str_distance(key, str_of(known));

			if (key.n >= BEGINNING && str_starts_nocase(str_of(known), key))
				distance = 0; /* `maxPayload` for `maxPayloadSize` */
			if (distance < least) {
				least = distance;
				best = known;
			}
		}
	}
	return best;
}

/* The table below that has the key; NULL: none. */
static const char *table_with(const struct fields_part *parts, size_t count, struct str key)
{
	for (size_t p = 0; p < count; p++) {
		for (size_t i = 0; i < parts[p].table->count; i++) {
			const struct field *row = &parts[p].table->rows[i];

			if (row->type != FIELD_TABLES && row->table &&
			    is_known(&(struct fields_part){ .table = row->table }, 1, key))
				return row->key;
		}
	}
	return NULL;
}

/* "write it below `x`", "did you mean `x`?", else all keys there are. */
static void write_fix(const struct fields_part *parts, size_t count, struct str key, struct buf *ret_fix)
{
	const char *below = table_with(parts, count, key);
	const char *best = below ? NULL : nearest(parts, count, key);
	const char *before = "known here: ";

	if (below)
		buf_addf(ret_fix, "write it below `%s`", below);
	if (best)
		buf_addf(ret_fix, "did you mean `%s`?", best);
	if (below || best)
		return;
	for (size_t p = 0; p < count; p++) {
		for (size_t i = 0; i < parts[p].table->count; i++) {
			buf_addf(ret_fix, "%s%s", before, parts[p].table->rows[i].key);
			before = ", ";
		}
	}
}

static void report_unknown(const struct fields_ctx *ctx, const struct fields_part *parts, size_t count,
			   const struct node *map)
{
	for (const struct node *n = map->first; n; n = n->next) {
		struct buf fix = { 0 };

		if (is_known(parts, count, n->key))
			continue;
		write_fix(parts, count, n->key, &fix);
		if (ctx->take_unknown)
			warning_at(ctx->problems, ctx->file, n, buf_cstr(&fix), "unknown key: it is not used");
		else
			problem_at(ctx->problems, ctx->file, n, buf_cstr(&fix), "unknown key");
		if (fix.err != E_OK)
			problem_nomem(ctx->problems);
		buf_release(&fix);
	}
}

enum err fields_read_parts(const struct fields_ctx *ctx, const struct fields_part *parts, size_t count,
			   const struct node *map, const struct node *parent)
{
	size_t before = ctx->problems->errors;

	if (node_is_null(map))
		map = NULL;
	if (map && map->kind != NODE_MAP) {
		problem_at(ctx->problems, ctx->file, map, "write `key: value` lines below it", "is not a map");
		return E_CONFIG;
	}
	for (size_t p = 0; p < count; p++)
		read_table(ctx, &parts[p], map, parent);
	if (map)
		report_unknown(ctx, parts, count, map);
	if (ctx->problems->lost)
		return E_NOMEM;
	return ctx->problems->errors != before ? E_CONFIG : E_OK;
}

enum err fields_read(const struct fields_ctx *ctx, const struct field_table *table, const struct node *map,
		     const struct node *parent, void *target)
{
	return fields_read_parts(ctx, &(struct fields_part){ table, target }, 1, map, parent);
}

static void set_default(const struct field *row, void *to)
{
	switch (row->type) {
	case FIELD_BOOL:
		*(bool *)to = row->dflt != 0;
		break;
	case FIELD_COUNT:
	case FIELD_SIZE:
	case FIELD_TIME:
	case FIELD_PORT:
		*(uint64_t *)to = row->dflt;
		break;
	case FIELD_INT:
		*(int64_t *)to = (int64_t)row->dflt;
		break;
	case FIELD_WORD:
		*(int *)to = (int)(int64_t)row->dflt;
		break;
	case FIELD_TABLE:
		fields_defaults(row->table, to);
		break;
	default:
		break;
	}
}

void fields_defaults(const struct field_table *table, void *target)
{
	for (size_t i = 0; i < table->count; i++)
		set_default(&table->rows[i], at(&table->rows[i], target));
}

static void release_row(const struct field *row, void *to)
{
	switch (row->type) {
	case FIELD_STRING:
	case FIELD_PATH:
		mem_free(TAKE(*(char **)to));
		break;
	case FIELD_SECRET:
		secret_release(to);
		break;
	case FIELD_SECRETS:
		secret_list_release(to);
		break;
	case FIELD_LIST:
		text_list_release(to);
		break;
	case FIELD_MAP:
		text_map_release(to);
		break;
	case FIELD_TABLE:
		fields_release(row->table, to);
		break;
	case FIELD_TABLES:
		table_list_release(row, to);
		break;
	default:
		break;
	}
}

static size_t size_of(const struct field *row)
{
	switch (row->type) {
	case FIELD_STRING:
	case FIELD_PATH:
		return sizeof(char *);
	case FIELD_BOOL:
		return sizeof(bool);
	case FIELD_WORD:
		return sizeof(int);
	case FIELD_SECRET:
		return sizeof(struct secret_ref);
	case FIELD_SECRETS:
		return sizeof(struct secret_list);
	case FIELD_TABLES:
		return sizeof(struct table_list);
	case FIELD_LIST:
		return sizeof(struct text_list);
	case FIELD_MAP:
		return sizeof(struct text_map);
	case FIELD_NODE:
		return sizeof(const struct node *);
	case FIELD_COUNT:
	case FIELD_INT:
	case FIELD_SIZE:
	case FIELD_TIME:
	case FIELD_PORT:
		return sizeof(uint64_t);
	default:
		return 0;
	}
}

void fields_release(const struct field_table *table, void *target)
{
	for (size_t i = 0; i < table->count; i++)
		release_row(&table->rows[i], at(&table->rows[i], target));
}

bool field_same(const struct field *row, const void *a, const void *b)
{
	switch (row->type) {
	case FIELD_STRING:
	case FIELD_PATH:
		return str_eq(str_of(*(char *const *)a), str_of(*(char *const *)b));
	case FIELD_BOOL:
		return *(const bool *)a == *(const bool *)b;
	case FIELD_WORD:
		return *(const int *)a == *(const int *)b;
	default:
		assert(size_of(row) == sizeof(uint64_t) && row->type != FIELD_NODE);
		return *(const uint64_t *)a == *(const uint64_t *)b;
	}
}

void field_move(const struct field *row, void *from, void *to)
{
	release_row(row, to);
	memcpy(to, from, size_of(row));
	memset(from, 0, size_of(row));
}
