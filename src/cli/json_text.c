#include "cli/json_text.h"

#include <json-c/json.h>

#include "base/progress.h"

#define INDENT 2

static void add_value(struct buf *b, const char *key, json_object *value, unsigned depth);

static void add_indent(struct buf *b, unsigned depth)
{
	buf_addf(b, "%*s", (int)(depth * INDENT), "");
}

/* last_position becomes "last position": words for people. */
static void add_key(struct buf *b, const char *key)
{
	for (; *key; key++)
		buf_char(b, *key == '_' ? ' ' : *key);
	buf_char(b, ':');
}

/* `begun`: the first line has its indentation already. */
static void add_object(struct buf *b, json_object *object, unsigned depth, bool begun)
{
	json_object_object_foreach(object, key, value)
	{
		if (!begun)
			add_indent(b, depth);
		begun = false;
		add_key(b, key);
		add_value(b, key, value, depth + 1);
	}
}

static bool is_full_object(json_object *value)
{
	return json_object_is_type(value, json_type_object) && json_object_object_length(value);
}

static bool is_full_array(json_object *value)
{
	return json_object_is_type(value, json_type_array) && json_object_array_length(value);
}

static void add_array(struct buf *b, json_object *array, unsigned depth)
{
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		json_object *item = json_object_array_get_idx(array, i);

		add_indent(b, depth);
		buf_char(b, '-');
		if (is_full_object(item)) {
			buf_char(b, ' ');
			add_object(b, item, depth + 1, /* begun= */ true);
		} else {
			add_value(b, "", item, depth + 1);
		}
	}
}

/* Sizes stand in units for people; their keys end in "bytes". */
static void add_scalar(struct buf *b, const char *key, json_object *value)
{
	bool size = str_ends(str_of(key), STR("bytes")) && json_object_is_type(value, json_type_int);

	buf_char(b, ' ');
	if (size)
		progress_amount(b, "bytes", json_object_get_uint64(value));
	else if (json_object_is_type(value, json_type_boolean))
		buf_str(b, json_object_get_boolean(value) ? STR("yes") : STR("no"));
	else if (json_object_is_type(value, json_type_object) || json_object_is_type(value, json_type_array))
		buf_lit(b, "none");
	else
		buf_str(b, value ? str_of(json_object_get_string(value)) : STR("-"));
	buf_char(b, '\n');
}

static void add_value(struct buf *b, const char *key, json_object *value, unsigned depth)
{
	if (is_full_object(value)) {
		buf_char(b, '\n');
		add_object(b, value, depth, /* begun= */ false);
	} else if (is_full_array(value)) {
		buf_char(b, '\n');
		add_array(b, value, depth);
	} else {
		add_scalar(b, key, value);
	}
}

enum err json_text(struct str json, struct buf *ret_text)
{
	json_tokener *tokener = json_tokener_new();
	json_object *object = tokener ? json_tokener_parse_ex(tokener, json.p, (int)json.n) : NULL;
	enum err err = E_MALFORMED;

	if (json_object_is_type(object, json_type_object)) {
		add_object(ret_text, object, 0, /* begun= */ false);
		err = ret_text->err;
	}
	json_object_put(object);
	json_tokener_free(tokener);
	return err;
}
