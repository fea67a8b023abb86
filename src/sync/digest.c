#include "sync/digest.h"

#include <stdlib.h>

#include <openssl/evp.h>

#include "base/buf.h"
#include "base/hex.h"
#include "base/mem.h"
#include "sync/graft.h"
#include "sync/marks.h"

#define DEPTH_MAX 512
#define FEW       16 /* members that need no memory of their own */

static void write_value(struct buf *b, json_object *value, unsigned depth);

/* Integers and what is one: the same text, whichever end wrote 1 and which 1.0. */
static void write_double(struct buf *b, double value)
{
	if (value >= -9007199254740992.0 && value <= 9007199254740992.0 && value == (double)(int64_t)value)
		buf_addf(b, "%lld", (long long)value);
	else
		buf_addf(b, "%.17g", value);
}

static void write_integer(struct buf *b, json_object *value)
{
	int64_t number = json_object_get_int64(value);

	if (number < 0)
		buf_addf(b, "%lld", (long long)number);
	else
		buf_u64(b, json_object_get_uint64(value));
}

static void write_text(struct buf *b, json_object *value)
{
	buf_json(b, (struct str){ json_object_get_string(value), (size_t)json_object_get_string_len(value) });
}

static void write_array(struct buf *b, json_object *array, unsigned depth)
{
	size_t n = json_object_array_length(array);

	buf_char(b, '[');
	for (size_t i = 0; i < n; i++) {
		write_value(b, json_object_array_get_idx(array, i), depth);
		buf_char(b, ',');
	}
	buf_char(b, ']');
}

struct member {
	const char *key;
	json_object *value;
};

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct member *)a)->key, ((const struct member *)b)->key);
}

/* Objects are small, and often in order already. */
static void sort(struct member *members, size_t n)
{
	if (n > FEW) {
		qsort(members, n, sizeof(*members), by_key);
		return;
	}
	for (size_t i = 1; i < n; i++) {
		struct member m = members[i];
		size_t at = i;

		for (; at > 0 && by_key(&members[at - 1], &m) > 0; at--)
			members[at] = members[at - 1];
		members[at] = m;
	}
}

typedef bool keep_fn(const char *key);

static size_t gather(json_object *object, keep_fn *keep, struct member *ret_members)
{
	size_t n = 0;

	json_object_object_foreach(object, key, value)
	{
		if (value && (!keep || keep(key)))
			ret_members[n++] = (struct member){ key, value };
	}
	return n;
}

static void write_members(struct buf *b, struct member *members, size_t n, unsigned depth)
{
	sort(members, n);
	for (size_t i = 0; i < n; i++) {
		buf_json(b, str_of(members[i].key));
		buf_char(b, ':');
		write_value(b, members[i].value, depth);
		buf_char(b, ',');
	}
}

/* The members that `keep` wants (NULL: all). Returns how many there were. */
static size_t write_object(struct buf *b, json_object *object, keep_fn *keep, unsigned depth)
{
	struct member few[FEW], *members = few;
	size_t n = (size_t)json_object_object_length(object);

	if (n > ARRAY_LEN(few))
		members = mem_array(n, sizeof(*members));
	if (!members) {
		b->err = E_NOMEM;
		return 0;
	}
	buf_char(b, '{');
	n = gather(object, keep, members);
	write_members(b, members, n, depth);
	buf_char(b, '}');
	if (members != few)
		mem_free(members);
	return n;
}

static void write_value(struct buf *b, json_object *value, unsigned depth)
{
	if (depth == DEPTH_MAX && b->err == E_OK)
		b->err = E_LIMIT;
	if (b->err != E_OK)
		return;
	switch (json_object_get_type(value)) {
	case json_type_object:
		(void)write_object(b, value, /* keep= */ NULL, depth + 1);
		break;
	case json_type_array:
		write_array(b, value, depth + 1);
		break;
	case json_type_string:
		write_text(b, value);
		break;
	case json_type_double:
		write_double(b, json_object_get_double(value));
		break;
	case json_type_int:
		write_integer(b, value);
		break;
	case json_type_boolean:
		buf_str(b, json_object_get_boolean(value) ? STR("true") : STR("false"));
		break;
	case json_type_null:
		buf_lit(b, "null");
		break;
	}
}

static void write_named(struct buf *b, const char *name, json_object *value)
{
	if (graft_is_empty(value))
		return;
	buf_str(b, str_of(name));
	buf_char(b, '=');
	write_value(b, value, 0);
	buf_char(b, '\n');
}

/* Those members of an object that `keep` wants; when there is none, nothing. */
static void write_kept(struct buf *b, const char *name, json_object *object, keep_fn *keep)
{
	size_t before = b->n;

	if (!json_object_is_type(object, json_type_object))
		return;
	buf_str(b, str_of(name));
	buf_char(b, '=');
	if (write_object(b, object, keep, 1) == 0 && b->err == E_OK)
		b->n = before;
	else
		buf_char(b, '\n');
}

static bool is_not_ours(const char *key)
{
	return !mark_is_ours(key);
}

static void write_desired(struct buf *b, json_object *tree)
{
	json_object *metadata = graft_member(tree, "metadata");

	write_kept(b, "annotations", graft_member(metadata, "annotations"), is_not_ours);
	write_named(b, "labels", graft_member(metadata, "labels"));
	write_named(b, "finalizers", graft_member(metadata, "finalizers"));
	if (graft_member(metadata, "deletionTimestamp"))
		buf_lit(b, "deleting\n");
	write_kept(b, "content", tree, member_is_content);
}

static void write_operation(struct buf *b, json_object *tree)
{
	json_object *operation = graft_member(tree, "operation");

	if (!operation)
		return;
	buf_lit(b, "operation=");
	write_value(b, operation, 0);
	buf_char(b, '\n');
}

static void write_part(struct buf *b, json_object *tree, enum digest_part part)
{
	if (!json_object_is_type(tree, json_type_object))
		return;
	if (part == DIGEST_DESIRED || part == DIGEST_WHOLE)
		write_desired(b, tree);
	if (part == DIGEST_STATUS || part == DIGEST_WHOLE)
		write_named(b, "status", graft_member(tree, "status"));
	if (part == DIGEST_OPERATION || part == DIGEST_WHOLE)
		write_operation(b, tree);
}

static enum err to_hex(struct str text, struct digest *ret_digest)
{
	unsigned char sum[EVP_MAX_MD_SIZE];

	if (EVP_Digest(text.p, text.n, sum, NULL, EVP_sha256(), NULL) != 1)
		return E_INTERNAL;
	hex_write(sum, (DIGEST_SIZE - 1) / 2, ret_digest->text);
	ret_digest->text[DIGEST_SIZE - 1] = '\0';
	return E_OK;
}

enum err digest_of(json_object *tree, enum digest_part part, struct digest *ret_digest)
{
	struct buf b = { 0 };
	enum err err;

	write_part(&b, tree, part);
	err = b.err;
	if (err == E_OK && b.n)
		err = to_hex(buf_view(&b), ret_digest);
	else if (err == E_OK)
		*ret_digest = (struct digest){ "" };
	buf_release(&b);
	return err;
}
