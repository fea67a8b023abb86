#include <stdarg.h>
#include <stdlib.h>

#include "backend/object.h"
#include "base/mem.h"
#include "event/json_text.h"
#include "event/json_walk.h"

/* ---- from text ------------------------------------------------------------------------------------------------------ */

/* Building a tree from text that was validated and compacted. */
struct parse {
	struct json_walk walk;
	struct buf strings; /* where strings with escapes are decoded */
	struct buf keys;    /* of the members that are being read, terminated, behind each other */
	unsigned depth;
	unsigned values;
	bool own; /* tree_write() wrote it: no key stands twice */
	struct why *why;
};

static enum err parse_value(struct parse *p, json_object **ret_value);

static enum err nomem(struct parse *p)
{
	return why_set(p->why, E_NOMEM, "JSON");
}

/* What a raw string says, lent until the next one. */
static enum err text_of(struct parse *p, struct str raw, struct str *ret_text)
{
	if (!memchr(raw.p, '\\', raw.n)) {
		*ret_text = (struct str){ raw.p + 1, raw.n - 2 };
		return E_OK;
	}
	buf_clear(&p->strings);
	if (!buf_reserve(&p->strings, raw.n))
		return nomem(p);
	if (!json_decode(raw, &p->strings, ret_text))
		return why_set(p->why, E_MALFORMED, "half of a surrogate pair in %.*s", raw.n < 60 ? (int)raw.n : 60,
			       raw.p);
	return E_OK;
}

static enum err parse_string(struct parse *p, json_object **ret_value)
{
	struct str text = { 0 };
	enum err err = text_of(p, json_walk_value(&p->walk), &text);

	if (err != E_OK)
		return err;
	*ret_value = json_object_new_string_len(text.n ? text.p : "", (int)text.n);
	return *ret_value ? E_OK : nomem(p);
}

/* A key is a C string to json-c: put behind those of the levels above, from where its value's cannot push it away. */
static enum err parse_key(struct parse *p)
{
	struct str text = { 0 };
	enum err err = text_of(p, json_walk_key(&p->walk), &text);

	if (err != E_OK)
		return err;
	if (memchr(text.p, '\0', text.n))
		return why_set(p->why, E_MALFORMED, "a key with a NUL character");
	buf_str(&p->keys, text);
	buf_char(&p->keys, '\0');
	return p->keys.err == E_OK ? E_OK : nomem(p);
}

/* Takes over the value. */
static enum err add_member(struct parse *p, json_object *object, const char *key, json_object *value)
{
	int before = json_object_object_length(object);

	if ((p->own ? tree_put_new : tree_put)(object, key, value) != 0) {
		json_object_put(value);
		return nomem(p);
	}
	if (json_object_object_length(object) == before) /* the other one is gone */
		return why_set(p->why, E_MALFORMED, "the key \"%.60s\" stands twice", key);
	return E_OK;
}

static enum err parse_member(struct parse *p, json_object *object)
{
	size_t from = p->keys.n;
	json_object *value = NULL;
	enum err err = parse_key(p);

	if (err == E_OK)
		err = parse_value(p, &value);
	if (err == E_OK)
		err = add_member(p, object, p->keys.p + from, value);
	p->keys.n = from;
	return err;
}

static enum err parse_element(struct parse *p, json_object *array)
{
	json_object *value = NULL;
	enum err err = parse_value(p, &value);

	if (err == E_OK && json_object_array_add(array, value) != 0) {
		json_object_put(value);
		err = nomem(p);
	}
	return err;
}

static enum err parse_inside(struct parse *p, bool is_object, json_object **ret_value)
{
	json_object *value = is_object ? json_object_new_object() : json_object_new_array();
	enum err err = value ? E_OK : nomem(p);

	if (err == E_OK && ++p->depth > OBJECT_DEPTH_MAX)
		err = why_set(p->why, E_LIMIT, "nested deeper than %d levels", OBJECT_DEPTH_MAX);
	if (err == E_OK)
		json_walk_enter(&p->walk);
	while (err == E_OK && json_walk_next(&p->walk))
		err = is_object ? parse_member(p, value) : parse_element(p, value);
	p->depth--;
	if (err != E_OK)
		json_object_put(value);
	else
		*ret_value = value;
	return err;
}

json_object *tree_number(struct str text)
{
	CLEANUP(mem_freep) char *copy = NULL;
	bool negative = text.n && text.p[0] == '-';
	uint64_t value;

	if (str_to_u64(str_sub(text, negative, text.n), UINT64_MAX, &value)) {
		if (!negative)
			return value <= INT64_MAX ? json_object_new_int64((int64_t)value)
						  : json_object_new_uint64(value);
		if (value && value <= (uint64_t)INT64_MAX + 1)
			return json_object_new_int64(-1 - (int64_t)(value - 1));
	}
	copy = str_dup(text);
	return copy ? json_object_new_double_s(strtod(copy, NULL), copy) : NULL;
}

static enum err parse_scalar(struct parse *p, char first, json_object **ret_value)
{
	struct str raw = json_walk_value(&p->walk);

	if (first == 'n') {
		*ret_value = NULL;
		return E_OK;
	}
	*ret_value = first == 't' || first == 'f' ? json_object_new_boolean(first == 't') : tree_number(raw);
	return *ret_value ? E_OK : nomem(p);
}

static enum err parse_value(struct parse *p, json_object **ret_value)
{
	char first = json_walk_peek(&p->walk);

	if (++p->values > OBJECT_VALUES_MAX)
		return why_set(p->why, E_LIMIT, "more than %d values", OBJECT_VALUES_MAX);
	if (first == '{' || first == '[')
		return parse_inside(p, first == '{', ret_value);
	if (first == '"')
		return parse_string(p, ret_value);
	return parse_scalar(p, first, ret_value);
}

static enum err build(struct str compact, bool own, struct why *why, json_object **ret_tree)
{
	struct parse p = { .walk = json_walk(compact), .own = own, .why = why };
	enum err err = parse_value(&p, ret_tree);

	buf_release(&p.strings);
	buf_release(&p.keys);
	return err;
}

enum err tree_parse(struct str json, struct why *why, json_object **ret_tree)
{
	CLEANUP(buf_release) struct buf compact = { 0 };
	enum err err;

	if (json.n > OBJECT_MAX)
		return why_set(why, E_LIMIT, "larger than %u MiB", OBJECT_MAX >> 20);
	if (!str_is_utf8(json))
		return why_set(why, E_MALFORMED, "not UTF-8");
	err = json_compact(json, /* plain= */ true, &compact, why);
	return err == E_OK ? build(buf_view(&compact), /* own= */ false, why, ret_tree) : err;
}

json_object *tree_again(struct str written)
{
	json_object *tree = NULL;

	return build(written, /* own= */ true, NULL, &tree) == E_OK ? tree : NULL;
}

/* ---- copies --------------------------------------------------------------------------------------------------------- */

/* Its members, shared, in a new object; NULL without memory. */
static json_object *level_of(json_object *from)
{
	json_object *to = json_object_new_object();

	json_object_object_foreach(from, key, value)
	{
		if (!to || tree_put_new(to, key, json_object_get(value)) == 0)
			continue;
		json_object_put(value);
		json_object_put(to);
		to = NULL;
	}
	return to;
}

json_object *tree_fork(json_object *tree)
{
	json_object *fork = level_of(tree), *metadata = tree_get(tree, "metadata", NULL);

	if (!fork || !json_object_is_type(metadata, json_type_object))
		return fork;
	metadata = level_of(metadata);
	if (metadata && tree_put(fork, "metadata", metadata) == 0)
		return fork;
	json_object_put(metadata);
	json_object_put(fork);
	return NULL;
}

/* ---- members -------------------------------------------------------------------------------------------------------- */

json_object *tree_get(json_object *tree, ...)
{
	va_list keys;
	const char *key;

	va_start(keys, tree);
	while (tree && (key = va_arg(keys, const char *)))
		tree = tree_member(tree, key);
	va_end(keys);
	return tree;
}

static const char *text_or_empty(json_object *value)
{
	return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
}

const char *tree_meta(json_object *tree, const char *key)
{
	return text_or_empty(tree_member(tree_member(tree, "metadata"), key));
}

/* The object under `key`, made when there is none. NULL: no memory, or something else stands there. */
static enum err object_in(json_object *tree, const char *key, json_object **ret_object)
{
	json_object *object = tree_member(tree, key);

	if (object) {
		*ret_object = object;
		return json_object_is_type(object, json_type_object) ? E_OK : E_MALFORMED;
	}
	object = json_object_new_object();
	if (!object || tree_put(tree, key, object) != 0) {
		json_object_put(object);
		return E_NOMEM;
	}
	*ret_object = object;
	return E_OK;
}

static enum err set_text(json_object *object, const char *key, const char *value)
{
	json_object *text = json_object_new_string(value);

	if (text && tree_put(object, key, text) == 0)
		return E_OK;
	json_object_put(text);
	return E_NOMEM;
}

enum err tree_meta_set(json_object *tree, const char *key, const char *value)
{
	json_object *metadata;
	enum err err;

	if (!json_object_is_type(tree, json_type_object))
		return E_MALFORMED;
	if (!value) {
		if (json_object_is_type(tree_member(tree, "metadata"), json_type_object))
			json_object_object_del(tree_member(tree, "metadata"), key);
		return E_OK;
	}
	err = object_in(tree, "metadata", &metadata);
	return err == E_OK ? set_text(metadata, key, value) : err;
}

const char *tree_mark(json_object *tree, const char *map, const char *key)
{
	return text_or_empty(tree_member(tree_member(tree_member(tree, "metadata"), map), key));
}

/* The map of marks as the tree's own, made when there is none: a fork shares it with others. */
static enum err own_marks(json_object *metadata, const char *map, json_object **ret_marks)
{
	json_object *marks = tree_member(metadata, map);

	if (marks && !json_object_is_type(marks, json_type_object))
		return E_MALFORMED;
	marks = marks ? level_of(marks) : json_object_new_object();
	if (!marks || tree_put(metadata, map, marks) != 0) {
		json_object_put(marks);
		return E_NOMEM;
	}
	*ret_marks = marks;
	return E_OK;
}

/* Without the last mark its map goes too. */
static enum err remove_mark(json_object *metadata, const char *map, const char *key)
{
	json_object *marks = tree_member(metadata, map);
	enum err err;

	if (!json_object_is_type(marks, json_type_object) || !json_object_object_get_ex(marks, key, NULL))
		return E_OK;
	err = own_marks(metadata, map, &marks);
	if (err != E_OK)
		return err;
	json_object_object_del(marks, key);
	if (json_object_object_length(marks) == 0)
		json_object_object_del(metadata, map);
	return E_OK;
}

enum err tree_mark_set(json_object *tree, const char *map, const char *key, const char *value)
{
	json_object *metadata;
	json_object *marks;
	enum err err;

	if (!json_object_is_type(tree, json_type_object))
		return E_MALFORMED;
	if (!value)
		return remove_mark(tree_member(tree, "metadata"), map, key);
	err = object_in(tree, "metadata", &metadata);
	if (err == E_OK)
		err = own_marks(metadata, map, &marks);
	return err == E_OK ? set_text(marks, key, value) : err;
}
