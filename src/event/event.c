#include "event/event.h"

#include "base/base64.h"
#include "base/mem.h"
#include "event/attr.h"
#include "event/json_text.h"

/* The core attributes that have a value of their own, in the order in which they are written: the id first, the time last. */
static const struct core {
	const char *name;
	size_t offset;
	bool required;
	enum event_attr_type type;
} cores[] = {
	{ "id", offsetof(struct event, id), true, EVENT_ATTR_STRING },
	{ "source", offsetof(struct event, source), true, EVENT_ATTR_URI_REF },
	{ "type", offsetof(struct event, type), true, EVENT_ATTR_STRING },
	{ "subject", offsetof(struct event, subject), false, EVENT_ATTR_STRING },
	{ "datacontenttype", offsetof(struct event, datacontenttype), false, EVENT_ATTR_STRING },
	{ "dataschema", offsetof(struct event, dataschema), false, EVENT_ATTR_URI },
	{ "time", offsetof(struct event, time), false, EVENT_ATTR_TIMESTAMP },
};
#define CORES_END (cores + ARRAY_LEN(cores))

static struct str core_text(const struct event *event, const struct core *core)
{
	return *(const struct str *)(const void *)((const char *)event + core->offset);
}

static const struct core *core_find(struct str name)
{
	for (const struct core *c = cores; c < CORES_END; c++)
		if (str_is(name, c->name))
			return c;
	return NULL;
}

bool event_name_ok(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!(name.p[i] >= 'a' && name.p[i] <= 'z') && !(name.p[i] >= '0' && name.p[i] <= '9'))
			return false;
	return name.n > 0;
}

bool event_extension_name_ok(struct str name)
{
	return event_name_ok(name) && !str_is(name, "data") && !str_is(name, "specversion") && !core_find(name);
}

static bool has_extension(const struct event *event, struct str name)
{
	for (size_t i = 0; i < event->extension_count; i++)
		if (str_eq(event->extensions[i].name, name))
			return true;
	return false;
}

static enum err set_extension(struct event *event, const struct event_attr *attr, struct why *why)
{
	if (!event_name_ok(attr->name))
		return why_set(why, E_MALFORMED, "an attribute name has other characters than a-z and 0-9");
	if (!event_extension_name_ok(attr->name))
		return why_set(why, E_MALFORMED, "%.*s: is not allowed here", STR_ARG(str_sub(attr->name, 0, 40)));
	if (has_extension(event, attr->name))
		return why_set(why, E_MALFORMED, "%.*s: given twice", STR_ARG(str_sub(attr->name, 0, 40)));
	if (event->extension_count == EVENT_EXTENSIONS_MAX)
		return why_set(why, E_LIMIT, "more than %d extensions", EVENT_EXTENSIONS_MAX);
	event->extensions[event->extension_count++] = *attr;
	return E_OK;
}

enum err event_set(struct event *event, struct str name, struct str text, enum event_attr_type type, struct why *why)
{
	const struct core *core = core_find(name);
	struct str *place;

	if (str_is(name, "specversion"))
		return type == EVENT_ATTR_STRING && str_is(text, "1.0")
			       ? E_OK
			       : why_set(why, E_MALFORMED, "specversion: is not \"1.0\"");
	if (!core)
		return set_extension(event, &(struct event_attr){ name, text, type }, why);
	place = (struct str *)(void *)((char *)event + core->offset);
	if (place->p)
		return why_set(why, E_MALFORMED, "%s: given twice", core->name);
	if (type != EVENT_ATTR_STRING)
		return why_set(why, E_MALFORMED, "%s: is not a string", core->name);
	*place = text.n ? text : STR(""); /* given, if empty */
	return E_OK;
}

static enum err check_core(const struct event *event, const struct core *core, struct why *why)
{
	struct str text = core_text(event, core);
	const char *problem;

	if (text.n == 0)
		return core->required ? why_set(why, E_MALFORMED, "%s: is missing or empty", core->name) : E_OK;
	problem = attr_problem(core->type, text);
	return problem ? why_set(why, E_MALFORMED, "%s: %s", core->name, problem) : E_OK;
}

static enum err check_extension(const struct event_attr *attr, struct why *why)
{
	struct str shown = str_sub(attr->name, 0, 40);
	const char *problem = attr_problem(attr->type, attr->text);

	if (!event_extension_name_ok(attr->name))
		return why_set(why, E_MALFORMED, "an extension has a name that the specification does not allow");
	return problem ? why_set(why, E_MALFORMED, "%.*s: %s", STR_ARG(shown), problem) : E_OK;
}

enum err event_check(const struct event *event, struct why *why)
{
	for (const struct core *c = cores; c < CORES_END; c++) {
		enum err err = check_core(event, c, why);

		if (err != E_OK)
			return err;
	}
	if (event->datacontenttype.n && !attr_is_media_type(event->datacontenttype))
		return why_set(why, E_MALFORMED, "datacontenttype: is not a media type (RFC 2045)");
	for (size_t i = 0; i < event->extension_count; i++) {
		enum err err = check_extension(&event->extensions[i], why);

		if (err != E_OK)
			return err;
	}
	return E_OK;
}

static struct str media_type(struct str datacontenttype)
{
	return str_trim(str_cut(&datacontenttype, ';'));
}

bool event_type_is_json(struct str datacontenttype)
{
	struct str type = media_type(datacontenttype);

	return str_eq_nocase(type, STR("application/json")) || str_eq_nocase(type, STR("text/json")) ||
	       (type.n > 5 && str_eq_nocase(str_sub(type, type.n - 5, 5), STR("+json")));
}

/* Another charset than UTF-8 is declared: the bytes are not the text that they spell in UTF-8. */
static bool is_foreign_charset(struct str datacontenttype)
{
	struct str rest = datacontenttype;

	for ((void)str_cut(&rest, ';'); rest.n;) {
		struct str parameter = str_trim(str_cut(&rest, ';'));
		struct str name = str_cut(&parameter, '=');

		if (str_eq_nocase(name, STR("charset")))
			return !str_eq_nocase(parameter, STR("utf-8")) && !str_eq_nocase(parameter, STR("\"utf-8\"")) &&
			       !str_eq_nocase(parameter, STR("us-ascii"));
	}
	return false;
}

enum event_data event_data_kind(struct str datacontenttype, struct str data)
{
	bool json = datacontenttype.n == 0 || event_type_is_json(datacontenttype);

	if (data.n == 0)
		return EVENT_DATA_NONE;
	if (json && str_is_utf8(data) && json_valid(data))
		return EVENT_DATA_JSON;
	if (!json && str_starts_nocase(media_type(datacontenttype), STR("text/")) &&
	    !is_foreign_charset(datacontenttype) && str_is_utf8(data))
		return EVENT_DATA_TEXT;
	return EVENT_DATA_BINARY;
}

static void write_member(struct buf *b, struct str name, struct str text, bool bare)
{
	buf_lit(b, ",\"");
	buf_str(b, name);
	buf_lit(b, "\":");
	if (bare)
		buf_str(b, text);
	else
		json_write_string(b, text);
}

static void write_cores(struct buf *b, const struct event *event, const struct core *from, const struct core *to)
{
	for (const struct core *c = from; c < to; c++) {
		struct str text = core_text(event, c);

		if (text.n)
			write_member(b, str_of(c->name), text, /* bare= */ false);
	}
}

void event_write_shared(const struct event *event, struct buf *ret_shared)
{
	write_cores(ret_shared, event, cores + 1, CORES_END - 1);
}

void event_write_meta_around(struct str shared, struct str id, struct str time, struct buf *ret_meta)
{
	buf_lit(ret_meta, "{\"specversion\":\"1.0\",\"id\":");
	json_write_string(ret_meta, id);
	buf_str(ret_meta, shared);
	buf_lit(ret_meta, ",\"time\":");
	json_write_string(ret_meta, time);
	buf_char(ret_meta, '}');
}

void event_write_meta(const struct event *event, struct buf *ret_meta)
{
	buf_lit(ret_meta, "{\"specversion\":\"1.0\"");
	write_cores(ret_meta, event, cores, CORES_END);
	for (size_t i = 0; i < event->extension_count; i++) {
		const struct event_attr *a = &event->extensions[i];

		write_member(ret_meta, a->name, a->text,
			     /* bare= */ a->type == EVENT_ATTR_BOOLEAN || a->type == EVENT_ATTR_INTEGER);
	}
	buf_char(ret_meta, '}');
}

/* White space between tokens may hold line ends, and only there: a JSON form is one line. */
static void write_json_data(struct buf *b, struct str data)
{
	buf_lit(b, ",\"data\":");
	if (str_find(data, '\n') == data.n && str_find(data, '\r') == data.n)
		buf_str(b, data);
	else if (json_compact(data, /* plain= */ true, b, NULL) == E_MALFORMED)
		b->err = E_CORRUPT;
}

static void write_data(struct buf *b, enum event_data kind, struct str data)
{
	switch (kind) {
	case EVENT_DATA_NONE:
		return;
	case EVENT_DATA_JSON:
		write_json_data(b, data);
		return;
	case EVENT_DATA_TEXT:
		buf_lit(b, ",\"data\":");
		json_write_string(b, data);
		return;
	case EVENT_DATA_BINARY:
		buf_lit(b, ",\"data_base64\":\"");
		base64_write(data, b);
		buf_char(b, '"');
		return;
	}
	b->err = b->err == E_OK ? E_CORRUPT : b->err;
}

/* Webhook bodies pass with bytes that are not UTF-8, as at upstream; a JSON text may hold none (RFC 8259 8.1). */
static bool is_foreign_json(enum event_data kind, struct str data)
{
	return kind == EVENT_DATA_JSON && !str_is_utf8(data);
}

void event_write_json(struct str meta, enum event_data kind, struct str data, enum event_json_form form,
		      struct buf *ret_json)
{
	if ((form == EVENT_JSON_UPSTREAM && kind != EVENT_DATA_NONE) || is_foreign_json(kind, data))
		kind = EVENT_DATA_BINARY;
	if (meta.n < 2 || meta.p[meta.n - 1] != '}') {
		ret_json->err = ret_json->err == E_OK ? E_CORRUPT : ret_json->err;
		return;
	}
	buf_str(ret_json, str_sub(meta, 0, meta.n - 1));
	write_data(ret_json, kind, data);
	buf_char(ret_json, '}');
}
