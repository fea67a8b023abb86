#include <string.h>

#include "backend/object.h"
#include "event/json_run.h"

/* The first byte that cannot stand in a string as it is, or `end`. */
static const char *plain_run(const char *p, const char *end)
{
	while (p < end && (unsigned char)*p >= ' ' && *p != '"' && *p != '\\')
		p++;
	return p;
}

static void write_escape(struct buf *b, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	static const char letters[] = {
		['"'] = '"', ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'
	};

	buf_char(b, '\\');
	if (letters[c]) {
		buf_char(b, letters[c]);
		return;
	}
	buf_lit(b, "u00");
	buf_char(b, hex[c >> 4]);
	buf_char(b, hex[c & 0xf]);
}

/* In quotes; without an escape, as nearly all are, in one piece. */
static void write_string(struct buf *b, const char *p, size_t n)
{
	const char *end = p + n, *stop = plain_run(json_run(p, end), end);
	char *to = buf_reserve(b, n + 2);

	if (!to)
		return;
	*to = '"';
	memcpy(to + 1, p, (size_t)(stop - p));
	b->n += (size_t)(stop - p) + 1;
	while (stop < end) {
		write_escape(b, (unsigned char)*stop);
		p = stop + 1;
		stop = plain_run(p, end);
		buf_add(b, p, (size_t)(stop - p));
	}
	buf_char(b, '"');
}

static void write_integer(struct buf *b, json_object *value)
{
	int64_t number = json_object_get_int64(value);

	if (number < 0) {
		buf_char(b, '-');
		buf_u64(b, (uint64_t)0 - (uint64_t)number);
	} else {
		buf_u64(b, json_object_get_uint64(value));
	}
}

/* A number that came as text keeps it (tree_number()). */
static void write_double(struct buf *b, json_object *value)
{
	const char *text = json_object_get_userdata(value);

	if (!text)
		text = json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN);
	if (!text && b->err == E_OK)
		b->err = E_NOMEM;
	buf_str(b, str_of(text));
}

/* Where to, and how many values there are. */
struct writer {
	struct buf *text;
	unsigned values;
};

static bool write_value(struct writer *w, json_object *value, unsigned levels);

static bool write_object(struct writer *w, json_object *object, unsigned levels)
{
	struct buf *b = w->text;
	bool ok = levels > 0, first = true;

	buf_char(b, '{');
	json_object_object_foreach(object, key, value)
	{
		if (!ok)
			continue;
		if (!first)
			buf_char(b, ',');
		first = false;
		write_string(b, key, strlen(key));
		buf_char(b, ':');
		ok = write_value(w, value, levels - 1);
	}
	buf_char(b, '}');
	return ok;
}

static bool write_array(struct writer *w, json_object *array, unsigned levels)
{
	struct buf *b = w->text;
	size_t n = json_object_array_length(array);
	bool ok = levels > 0;

	buf_char(b, '[');
	for (size_t i = 0; i < n && ok; i++) {
		if (i)
			buf_char(b, ',');
		ok = write_value(w, json_object_array_get_idx(array, i), levels - 1);
	}
	buf_char(b, ']');
	return ok;
}

/* False: more levels than these. */
static bool write_value(struct writer *w, json_object *value, unsigned levels)
{
	struct buf *b = w->text;

	w->values++;
	switch (json_object_get_type(value)) {
	case json_type_object:
		return write_object(w, value, levels);
	case json_type_array:
		return write_array(w, value, levels);
	case json_type_string:
		write_string(b, json_object_get_string(value), (size_t)json_object_get_string_len(value));
		break;
	case json_type_double:
		write_double(b, value);
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
	return true;
}

enum err tree_write(json_object *tree, struct buf *ret_text, struct why *why)
{
	struct writer w = { .text = ret_text };
	size_t from = ret_text->n;

	(void)buf_reserve(ret_text, 1024);
	if (!write_value(&w, tree, OBJECT_DEPTH_MAX))
		return why_set(why, E_LIMIT, "nested deeper than %d levels", OBJECT_DEPTH_MAX);
	if (ret_text->err != E_OK)
		return why_set(why, ret_text->err, "JSON");
	if (w.values > OBJECT_VALUES_MAX)
		return why_set(why, E_LIMIT, "more than %d values", OBJECT_VALUES_MAX);
	if (ret_text->n - from > OBJECT_MAX)
		return why_set(why, E_LIMIT, "larger than %u MiB", OBJECT_MAX >> 20);
	return E_OK;
}
