#include "event/event_http.h"

#include "base/hex.h"

#define PREFIX STR("ce-")

enum event_http_mode event_http_mode(struct str content_type)
{
	struct str rest = content_type, type = str_trim(str_cut(&rest, ';'));

	/* The batch type begins as the structured one does. */
	if (str_starts_nocase(type, STR("application/cloudevents-batch")))
		return str_eq_nocase(type, STR(EVENT_HTTP_BATCH_TYPE)) ? EVENT_HTTP_BATCH : EVENT_HTTP_UNKNOWN;
	if (str_starts_nocase(type, STR("application/cloudevents")))
		return str_eq_nocase(type, STR(EVENT_HTTP_JSON_TYPE)) ? EVENT_HTTP_STRUCTURED : EVENT_HTTP_UNKNOWN;
	return EVENT_HTTP_BINARY;
}

bool event_http_is_binary(const struct event_field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (str_starts_nocase(fields[i].name, PREFIX))
			return true;
	return false;
}

/* ---- in -------------------------------------------------------------------------------------------------------- */

static struct str add_lower(struct buf *arena, struct str name)
{
	size_t from = arena->n;

	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		buf_char(arena, c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c);
	}
	return str_sub(buf_view(arena), from, arena->n);
}

static bool is_quoted(struct str s)
{
	return s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"';
}

/* One byte of what the sender escaped, by '\' in quotes and then by '%'; *at moves past it. -1: not well-formed. */
static int unquoted(struct str s, bool quoted, size_t *at)
{
	char c = s.p[(*at)++];

	if (!quoted)
		return (unsigned char)c;
	if (c == '"' || (c == '\\' && *at == s.n))
		return -1;
	return (unsigned char)(c == '\\' ? s.p[(*at)++] : c);
}

static const char *decode_value(struct str value, struct buf *arena, struct str *ret_text)
{
	static const char bad_quotes[] = "has a stray quote or backslash inside quotes";
	bool quoted = is_quoted(value);
	struct str s = quoted ? str_sub(value, 1, value.n - 2) : value;
	size_t from = arena->n;

	for (size_t at = 0; at < s.n;) {
		int c = unquoted(s, quoted, &at), high, low;

		if (c == '%') {
			high = at < s.n ? hex_value((char)unquoted(s, quoted, &at)) : -1;
			low = at < s.n ? hex_value((char)unquoted(s, quoted, &at)) : -1;
			if (high < 0 || low < 0)
				return "has a '%' without two hexadecimal digits behind it; write %25";
			c = high << 4 | low;
		}
		if (c < 0)
			return bad_quotes;
		buf_char(arena, (char)c);
	}
	*ret_text = str_sub(buf_view(arena), from, arena->n);
	return str_is_utf8(*ret_text) ? NULL : "is not UTF-8";
}

static enum err read_attribute(struct event *event, const struct event_field *field, struct buf *arena,
			       bool *ret_version, struct why *why)
{
	struct str name = add_lower(arena, str_sub(field->name, PREFIX.n, field->name.n)), text = { 0 };
	struct str shown = event_name_ok(name) ? str_sub(name, 0, 40) : STR("?");
	const char *problem = decode_value(field->value, arena, &text);

	if (problem)
		return why_set(why, E_MALFORMED, "ce-%.*s: %s", STR_ARG(shown), problem);
	if (str_is(name, "datacontenttype"))
		return why_set(why, E_MALFORMED, "ce-datacontenttype: belongs into Content-Type");
	if (str_is(name, "specversion")) {
		if (*ret_version)
			return why_set(why, E_MALFORMED, "specversion: given twice");
		*ret_version = true;
	}
	return event_set(event, name, text, EVENT_ATTR_STRING, why);
}

static enum err read_field(struct event *event, const struct event_field *field, struct buf *arena, bool *ret_version,
			   struct why *why)
{
	if (str_starts_nocase(field->name, PREFIX))
		return read_attribute(event, field, arena, ret_version, why);
	if (str_eq_nocase(field->name, STR("content-type")))
		return event_set(event, STR("datacontenttype"), field->value, EVENT_ATTR_STRING, why);
	return E_OK;
}

/* Room for all names and values at once, so that nothing that was handed out moves. */
static enum err make_room(const struct event_field *fields, size_t count, struct buf *arena)
{
	size_t need = 0;

	for (size_t i = 0; i < count; i++)
		if (str_starts_nocase(fields[i].name, PREFIX))
			need += fields[i].name.n + fields[i].value.n;
	buf_clear(arena);
	(void)buf_reserve(arena, need);
	return arena->err;
}

enum err event_http_read(const struct event_field *fields, size_t count, struct str body, struct buf *arena,
			 struct event *ret_event, struct why *why)
{
	bool version = false;
	enum err err = make_room(fields, count, arena);

	*ret_event = (struct event){ 0 };
	if (err != E_OK)
		return why_set(why, err, "read the ce- fields: %s", err_text(err));
	for (size_t i = 0; i < count; i++) {
		err = read_field(ret_event, &fields[i], arena, &version, why);
		if (err != E_OK)
			return err;
	}
	if (!version)
		return why_set(why, E_MALFORMED, "specversion: is missing (send ce-specversion: 1.0)");
	ret_event->data = body;
	ret_event->data_kind = event_data_kind(ret_event->datacontenttype, body);
	return event_check(ret_event, why);
}

/* ---- out ------------------------------------------------------------------------------------------------------- */

static void write_field(struct buf *b, struct str name, struct str text)
{
	static const char hex[] = "0123456789ABCDEF";

	buf_str(b, PREFIX);
	buf_str(b, name);
	buf_lit(b, ": ");
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c > 0x20 && c < 0x7f && c != '"' && c != '%') {
			buf_char(b, (char)c);
			continue;
		}
		buf_add(b, (const char[]){ '%', hex[c >> 4], hex[c & 0xf] }, 3);
	}
	buf_lit(b, "\r\n");
}

static void write_optional(struct buf *b, struct str name, struct str text)
{
	if (text.n)
		write_field(b, name, text);
}

enum err event_http_write(const struct event *event, struct buf *ret_fields, struct str *ret_content_type,
			  struct why *why)
{
	enum err err = event_check(event, why);

	if (err != E_OK)
		return err;
	write_field(ret_fields, STR("specversion"), STR("1.0"));
	write_field(ret_fields, STR("id"), event->id);
	write_field(ret_fields, STR("source"), event->source);
	write_field(ret_fields, STR("type"), event->type);
	write_optional(ret_fields, STR("subject"), event->subject);
	write_optional(ret_fields, STR("dataschema"), event->dataschema);
	write_optional(ret_fields, STR("time"), event->time);
	for (size_t i = 0; i < event->extension_count; i++)
		write_field(ret_fields, event->extensions[i].name, event->extensions[i].text);
	if (ret_fields->err != E_OK)
		return why_set(why, ret_fields->err, "write the ce- fields: %s", err_text(ret_fields->err));
	/* The JSON format lets an absent type mean JSON; no other mode does (json-format.md 3.1). */
	*ret_content_type = event->datacontenttype;
	if (event->datacontenttype.n == 0 && event->data_kind == EVENT_DATA_JSON)
		*ret_content_type = STR("application/json");
	return E_OK;
}
