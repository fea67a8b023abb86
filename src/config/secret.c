#include "base/mem.h"
#include "config/reading.h"

#define SECRET_AT(member) offsetof(struct secret_ref, member)

static const struct field secret_rows[] = {
	{ .key = "name",
	  .type = FIELD_STRING,
	  .offset = SECRET_AT(name),
	  .meaning = "The directory under secretsDir.",
	  .missing = "the name of the secret is missing",
	  .fix = "add `name: ` with the secret's name" },
	{ .key = "key",
	  .type = FIELD_STRING,
	  .offset = SECRET_AT(key),
	  .meaning = "The file in it.",
	  .missing = "the key of the secret is missing",
	  .fix = "add `key: ` with the key in the secret" },
	{ .key = "optional", .type = FIELD_ANY, .meaning = "Accepted; a missing file is told when it is needed." },
};
static const struct field_table secret_table = { .rows = secret_rows, .count = ARRAY_LEN(secret_rows) };

void secret_release(struct secret_ref *s)
{
	mem_free(s->path);
	mem_free(s->name);
	mem_free(s->key);
	*s = (struct secret_ref){ 0 };
}

/* One step of a path: it can lead nowhere else. */
static bool is_file_name(const char *s)
{
	return *s && !strchr(s, '/') && strcmp(s, ".") != 0 && strcmp(s, "..") != 0;
}

enum err fields_read_secret(const struct fields_ctx *ctx, const struct node *map, struct secret_ref *ret_secret)
{
	struct secret_ref secret = { 0 };
	struct buf path = { 0 };
	enum err err = fields_read(ctx, &secret_table, map, map, &secret);

	if (err == E_OK && (!is_file_name(secret.name) || !is_file_name(secret.key))) {
		problem_at(ctx->problems, ctx->file, map, "write the plain name and key of the secret",
			   "a secret's name and key are single file names");
		err = E_CONFIG;
	}
	if (err == E_OK) {
		buf_addf(&path, "%s/%s/%s", ctx->secrets_dir, secret.name, secret.key);
		secret.path = path.err == E_OK ? str_dup(buf_view(&path)) : NULL;
		err = secret.path ? E_OK : problem_nomem(ctx->problems);
	}
	buf_release(&path);
	if (err != E_OK) {
		secret_release(&secret);
		return err;
	}
	secret_release(ret_secret);
	*ret_secret = secret;
	return E_OK;
}

void secret_list_release(struct secret_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		secret_release(&list->items[i]);
	mem_free(list->items);
	*list = (struct secret_list){ 0 };
}

static bool read_selectors(const struct reading *r, struct secret_list *list)
{
	bool ok = true;

	for (const struct node *n = r->node->first; n; n = n->next) {
		if (n->kind == NODE_MAP) {
			ok = fields_read_secret(r->ctx, n, &list->items[list->count++]) == E_OK && ok;
			continue;
		}
		problem_at(r->ctx->problems, r->ctx->file, n, "write {name: ..., key: ...}", "is not a secret");
		ok = false;
	}
	return ok;
}

void reading_secrets(const struct reading *r)
{
	struct secret_list list = { 0 };

	if (r->node->kind != NODE_LIST) {
		reading_wrong(r, "write a list: [{name: ..., key: ...}]");
		return;
	}
	list.items = mem_array(r->node->count, sizeof(*list.items));
	if (!list.items)
		problem_nomem(r->ctx->problems);
	else if (read_selectors(r, &list)) {
		secret_list_release(r->to);
		*(struct secret_list *)r->to = list;
		return;
	}
	secret_list_release(&list);
}
