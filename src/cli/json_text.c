#include "cli/json_text.h"

#include <json-c/json.h>

#define INDENT 2

static void add_value(struct buf *b, json_object *value, unsigned depth);

/* last_position becomes "last position": words for people. */
static void add_key(struct buf *b, const char *key)
{
	for (; *key; key++)
		buf_char(b, *key == '_' ? ' ' : *key);
}

static void add_object(struct buf *b, json_object *object, unsigned depth)
{
	json_object_object_foreach(object, key, value)
	{
		buf_addf(b, "%*s", (int)(depth * INDENT), "");
		add_key(b, key);
		buf_char(b, ':');
		add_value(b, value, depth + 1);
	}
}

static void add_array(struct buf *b, json_object *array, unsigned depth)
{
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		buf_addf(b, "%*s-", (int)(depth * INDENT), "");
		add_value(b, json_object_array_get_idx(array, i), depth + 1);
	}
}

static void add_scalar(struct buf *b, json_object *value)
{
	buf_char(b, ' ');
	if (json_object_is_type(value, json_type_boolean))
		buf_str(b, json_object_get_boolean(value) ? STR("yes") : STR("no"));
	else
		buf_str(b, value ? str_of(json_object_get_string(value)) : STR("-"));
	buf_char(b, '\n');
}

static void add_value(struct buf *b, json_object *value, unsigned depth)
{
	if (json_object_is_type(value, json_type_object) && json_object_object_length(value)) {
		buf_char(b, '\n');
		add_object(b, value, depth);
	} else if (json_object_is_type(value, json_type_array) && json_object_array_length(value)) {
		buf_char(b, '\n');
		add_array(b, value, depth);
	} else {
		add_scalar(b, value);
	}
}

enum err json_text(struct str json, struct buf *ret_text)
{
	json_tokener *tokener = json_tokener_new();
	json_object *object = tokener ? json_tokener_parse_ex(tokener, json.p, (int)json.n) : NULL;
	enum err err = E_MALFORMED;

	if (json_object_is_type(object, json_type_object)) {
		add_object(ret_text, object, 0);
		err = ret_text->err;
	}
	json_object_put(object);
	json_tokener_free(tokener);
	return err;
}
