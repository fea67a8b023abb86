#include <assert.h>
#include <stdlib.h>

#include "backend/object_yaml.h"
#include "base/mem.h"
#include "base/yaml_event.h"

/* An open map or list; a map holds the key whose value comes next. */
struct level {
	json_object *value; /* belongs to the level below, or is the root */
	char *key;
};

struct reader {
	yaml_parser_t parser;
	struct why *why;
	json_object *root;
	bool has_root;
	unsigned documents;
	struct level levels[OBJECT_DEPTH_MAX];
	unsigned depth;
	unsigned values;
};

static enum err refuse(struct reader *r, const yaml_event_t *at, const char *text)
{
	return why_set(r->why, E_MALFORMED, "line %zu: %s", at->start_mark.line + 1, text);
}

static enum err nomem(struct reader *r)
{
	return why_set(r->why, E_NOMEM, "YAML");
}

static enum err refuse_syntax(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;

	if (p->error == YAML_MEMORY_ERROR)
		return nomem(r);
	return why_set(r->why, E_MALFORMED, "line %zu: %s%s%s", p->problem_mark.line + 1,
		       p->problem ? p->problem : "not YAML", p->context ? " " : "", p->context ? p->context : "");
}

static struct level *top(struct reader *r)
{
	return r->depth ? &r->levels[r->depth - 1] : NULL;
}

static bool wants_key(struct reader *r)
{
	const struct level *l = top(r);

	return l && !l->key && json_object_is_type(l->value, json_type_object);
}

/* Put `value` where the reader stands; it is gone afterwards. */
static enum err place(struct reader *r, json_object *value)
{
	struct level *l = top(r);
	int rc = 0;

	if (++r->values > OBJECT_VALUES_MAX) {
		json_object_put(value);
		return why_set(r->why, E_LIMIT, "more than %d values", OBJECT_VALUES_MAX);
	}
	if (!l) {
		r->root = value;
		r->has_root = true;
	} else if (l->key) {
		rc = json_object_object_add(l->value, l->key, value);
		mem_free(TAKE(l->key));
	} else {
		rc = json_object_array_add(l->value, value);
	}
	if (rc == 0)
		return E_OK;
	json_object_put(value);
	return nomem(r);
}

static enum err take_key(struct reader *r, const yaml_event_t *event, struct str text)
{
	struct level *l = top(r);

	if (str_find(text, '\0') != text.n)
		return refuse(r, event, "a key with a NUL character");
	if (str_is(text, "<<") && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		return refuse(r, event, "merge keys (<<) are not allowed: write the values out");
	l->key = str_dup(text);
	if (!l->key)
		return nomem(r);
	if (!json_object_object_get_ex(l->value, l->key, NULL))
		return E_OK;
	return why_set(r->why, E_MALFORMED, "line %zu: the key \"%.60s\" stands twice", event->start_mark.line + 1,
		       l->key);
}

static json_object *number(struct str text)
{
	CLEANUP(mem_freep) char *copy = NULL;

	if (yaml_is_json_number(text))
		return tree_number(text);
	copy = str_dup(text); /* such as .5 or +1.: JSON has no such text */
	return copy ? json_object_new_double(strtod(copy, NULL)) : NULL;
}

static json_object *scalar_of(enum yaml_meaning meaning, struct str text, int64_t integer)
{
	switch (meaning) {
	case YAML_TRUE:
	case YAML_FALSE:
		return json_object_new_boolean(meaning == YAML_TRUE);
	case YAML_INT:
		return json_object_new_int64(integer);
	case YAML_NUMBER:
		return number(text);
	default:
		return json_object_new_string_len(text.n ? text.p : "", (int)text.n);
	}
}

static enum err on_scalar(struct reader *r, const yaml_event_t *event)
{
	struct str text = { (const char *)event->data.scalar.value, event->data.scalar.length };
	bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	int64_t integer = 0;
	enum yaml_meaning meaning = plain ? yaml_meaning(text, &integer) : YAML_STRING;
	json_object *value;

	if (wants_key(r))
		return take_key(r, event, text);
	if (meaning == YAML_NULL)
		return place(r, NULL);
	if (meaning == YAML_NO_NUMBER)
		return refuse(r, event, "JSON has no such number: put it in quotes");
	value = scalar_of(meaning, text, integer);
	return value ? place(r, value) : nomem(r);
}

static enum err on_open(struct reader *r, const yaml_event_t *event)
{
	bool is_map = event->type == YAML_MAPPING_START_EVENT;
	json_object *value;
	enum err err;

	if (wants_key(r))
		return refuse(r, event, "a key is a map or a list");
	if (r->depth == OBJECT_DEPTH_MAX)
		return why_set(r->why, E_LIMIT, "line %zu: nested deeper than %d levels", event->start_mark.line + 1,
			       OBJECT_DEPTH_MAX);
	value = is_map ? json_object_new_object() : json_object_new_array();
	if (!value)
		return nomem(r);
	err = place(r, value);
	if (err == E_OK)
		r->levels[r->depth++].value = value;
	return err;
}

static enum err on_event(struct reader *r, const yaml_event_t *event)
{
	if (yaml_event_has_anchor(event))
		return refuse(r, event, "anchors and aliases (& and *) are not allowed: write the value out");
	if (yaml_event_has_tag(event))
		return refuse(r, event, "tags (!) are not allowed");
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		return r->documents++ ? refuse(r, event, "a second document") : E_OK;
	case YAML_SCALAR_EVENT:
		return on_scalar(r, event);
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		return on_open(r, event);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		assert(r->depth);
		r->levels[--r->depth].value = NULL;
		return E_OK;
	default:
		return E_OK;
	}
}

static enum err read_events(struct reader *r)
{
	bool end = false;
	enum err err = E_OK;

	while (!end && err == E_OK) {
		yaml_event_t event;

		if (!yaml_parser_parse(&r->parser, &event))
			return refuse_syntax(r);
		end = event.type == YAML_STREAM_END_EVENT;
		err = on_event(r, &event);
		yaml_event_delete(&event);
	}
	if (err == E_OK && (!r->has_root || !r->root))
		return why_set(r->why, E_MALFORMED, "empty");
	return err;
}

enum err yaml_read(struct str text, struct why *why, json_object **ret_tree)
{
	CLEANUP(mem_freep) struct reader *r = mem_alloc(sizeof(*r));
	enum err err;

	if (text.n > OBJECT_MAX)
		return why_set(why, E_LIMIT, "larger than %u MiB", OBJECT_MAX >> 20);
	if (!r || !yaml_parser_initialize(&r->parser))
		return why_set(why, E_NOMEM, "YAML");
	r->why = why;
	/* said before the first byte, so that no other encoding is guessed */
	yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r->parser, (const unsigned char *)(text.n ? text.p : ""), text.n);
	err = read_events(r);
	yaml_parser_delete(&r->parser);
	while (r->depth)
		mem_free(r->levels[--r->depth].key);
	if (err == E_OK)
		*ret_tree = r->root;
	else
		json_object_put(r->root);
	return err;
}
