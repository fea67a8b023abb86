#include <yaml.h>

#include "backend/object_yaml.h"

struct writer {
	yaml_emitter_t emitter;
	struct buf *out;
};

static int on_bytes(void *ctx, unsigned char *p, size_t n)
{
	struct writer *w = ctx;

	buf_add(w->out, p, n);
	return w->out->err == E_OK;
}

static bool emit(struct writer *w, yaml_event_t *event, int initialized)
{
	return initialized && yaml_emitter_emit(&w->emitter, event);
}

/* Line breaks of YAML that are none of JSON, and what cannot be seen: U+0085, U+00A0, U+2028, U+2029, U+FEFF. */
static bool is_odd(struct str s, size_t at)
{
	const unsigned char *p = (const unsigned char *)s.p + at;
	size_t left = s.n - at;

	if (p[0] < 0x20 || p[0] == 0x7f)
		return p[0] != '\n';
	if (left >= 2 && p[0] == 0xc2)
		return p[1] <= 0xa0;
	if (left >= 3 && p[0] == 0xe2 && p[1] == 0x80)
		return p[2] == 0xa8 || p[2] == 0xa9;
	return left >= 3 && p[0] == 0xef && (p[1] == 0xbb || p[1] == 0xbf);
}

/* A block keeps its lines as they are, so none may end or begin in a way that cannot be seen. */
static bool fits_block(struct str s)
{
	if (s.p[0] == ' ' || s.p[0] == '\n' || s.p[s.n - 1] == ' ')
		return false;
	for (size_t i = 1; i < s.n; i++)
		if (s.p[i] == '\n' && s.p[i - 1] == ' ')
			return false;
	return true;
}

static yaml_scalar_style_t style_of(struct str s)
{
	int64_t integer;
	bool lines = false;

	for (size_t i = 0; i < s.n; i++) {
		if (is_odd(s, i))
			return YAML_DOUBLE_QUOTED_SCALAR_STYLE;
		lines |= s.p[i] == '\n';
	}
	if (lines)
		return fits_block(s) ? YAML_LITERAL_SCALAR_STYLE : YAML_DOUBLE_QUOTED_SCALAR_STYLE;
	if (yaml_meaning(s, &integer) != YAML_STRING || str_is(s, "<<"))
		return YAML_SINGLE_QUOTED_SCALAR_STYLE;
	return YAML_PLAIN_SCALAR_STYLE; /* quoted by the emitter where YAML needs it */
}

static bool emit_text(struct writer *w, struct str s, yaml_scalar_style_t style)
{
	yaml_event_t event;

	return emit(w, &event,
		    yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)(s.n ? s.p : ""), (int)s.n, 1,
						 1, style));
}

static bool emit_string(struct writer *w, struct str s, bool is_key)
{
	yaml_scalar_style_t style = style_of(s);

	if (is_key && style == YAML_LITERAL_SCALAR_STYLE)
		style = YAML_DOUBLE_QUOTED_SCALAR_STYLE;
	return emit_text(w, s, style);
}

static bool emit_value(struct writer *w, json_object *value);

static bool emit_map(struct writer *w, json_object *map)
{
	yaml_event_t event;
	bool ok = emit(w, &event, yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE));

	json_object_object_foreach(map, key, value)
	{
		ok = ok && emit_string(w, str_of(key), /* is_key= */ true) && emit_value(w, value);
	}
	return ok && emit(w, &event, yaml_mapping_end_event_initialize(&event));
}

static bool emit_list(struct writer *w, json_object *list)
{
	yaml_event_t event;
	bool ok = emit(w, &event,
		       yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_SEQUENCE_STYLE));

	for (size_t i = 0; ok && i < json_object_array_length(list); i++)
		ok = emit_value(w, json_object_array_get_idx(list, i));
	return ok && emit(w, &event, yaml_sequence_end_event_initialize(&event));
}

static bool emit_value(struct writer *w, json_object *value)
{
	switch (json_object_get_type(value)) {
	case json_type_object:
		return emit_map(w, value);
	case json_type_array:
		return emit_list(w, value);
	case json_type_string:
		return emit_string(
			w, (struct str){ json_object_get_string(value), (size_t)json_object_get_string_len(value) },
			/* is_key= */ false);
	case json_type_null:
		return emit_text(w, STR("null"), YAML_PLAIN_SCALAR_STYLE);
	default:
		return emit_text(w, str_of(json_object_to_json_string(value)), YAML_PLAIN_SCALAR_STYLE);
	}
}

static bool emit_document(struct writer *w, json_object *tree)
{
	yaml_event_t event;

	return emit(w, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING)) &&
	       emit(w, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1)) &&
	       emit_value(w, tree) && emit(w, &event, yaml_document_end_event_initialize(&event, 1)) &&
	       emit(w, &event, yaml_stream_end_event_initialize(&event));
}

enum err yaml_write(json_object *tree, struct buf *ret_text, struct why *why)
{
	struct writer w = { .out = ret_text };
	bool ok;

	if (!yaml_emitter_initialize(&w.emitter))
		return why_set(why, E_NOMEM, "YAML");
	yaml_emitter_set_output(&w.emitter, on_bytes, &w);
	yaml_emitter_set_unicode(&w.emitter, 1);
	yaml_emitter_set_width(&w.emitter, -1); /* lines are not folded */
	yaml_emitter_set_indent(&w.emitter, 2);
	ok = emit_document(&w, tree) && yaml_emitter_flush(&w.emitter);
	yaml_emitter_delete(&w.emitter);
	if (ok)
		return E_OK;
	return why_set(why, ret_text->err == E_LIMIT ? E_LIMIT : E_NOMEM, "YAML");
}
