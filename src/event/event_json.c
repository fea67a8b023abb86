#include "event/event_json.h"

#include <assert.h>

#include "base/base64.h"
#include "event/json_text.h"

/* The two members that are not attributes, raw; empty: absent. */
struct payload {
	struct str data;
	struct str base64;
};

/* Room for all that can ever be decoded, once: nothing that was handed out moves. */
static bool have_room(struct event_json *j)
{
	return j->strings.p || buf_reserve(&j->strings, j->text.n);
}

static enum err decode(struct event_json *j, struct str what, struct str raw, struct str *ret_text, struct why *why)
{
	if (str_find(raw, '\\') < raw.n && !have_room(j))
		return why_set(why, E_NOMEM, "%.*s: %s", STR_ARG(what), err_text(E_NOMEM));
	if (!json_decode(raw, &j->strings, ret_text))
		return why_set(why, E_MALFORMED, "%.*s: has half of a surrogate pair", STR_ARG(what));
	return E_OK;
}

static enum err read_attribute(struct event_json *j, struct event *event, struct str name, struct str raw,
			       struct why *why)
{
	struct str text = raw, shown = event_name_ok(name) ? str_sub(name, 0, 40) : STR("an attribute");
	enum event_attr_type type = EVENT_ATTR_INTEGER;
	char first = raw.p[0];

	if (first == '{' || first == '[')
		return why_set(why, E_MALFORMED, "%.*s: is not a string, a boolean or a number", STR_ARG(shown));
	if (first == 't' || first == 'f')
		type = EVENT_ATTR_BOOLEAN;
	if (first == '"') {
		enum err err = decode(j, shown, raw, &text, why);

		if (err != E_OK)
			return err;
		type = EVENT_ATTR_STRING;
	}
	return event_set(event, name, text, type, why);
}

static enum err set_once(struct str *place, struct str raw, const char *name, struct why *why)
{
	if (place->n)
		return why_set(why, E_MALFORMED, "%s: given twice", name);
	*place = raw;
	return E_OK;
}

static enum err read_member(struct event_json *j, struct event *event, struct payload *payload, bool *ret_version,
			    struct why *why)
{
	struct str name = { 0 }, raw;
	enum err err = decode(j, STR("an attribute name"), json_walk_key(&j->at), &name, why);

	if (err != E_OK)
		return err;
	raw = json_walk_value(&j->at);
	if (str_is(raw, "null"))
		return E_OK;
	if (str_is(name, "data"))
		return set_once(&payload->data, raw, "data", why);
	if (str_is(name, "data_base64"))
		return set_once(&payload->base64, raw, "data_base64", why);
	if (str_is(name, "specversion")) {
		if (*ret_version)
			return why_set(why, E_MALFORMED, "specversion: given twice");
		*ret_version = true;
	}
	return read_attribute(j, event, name, raw, why);
}

static enum err read_base64(struct event_json *j, struct event *event, struct str raw, struct why *why)
{
	size_t from = j->strings.n;
	struct str text;
	enum err err;

	if (raw.p[0] != '"')
		return why_set(why, E_MALFORMED, "data_base64: is not a string");
	if (!have_room(j))
		return why_set(why, E_NOMEM, "data_base64: %s", err_text(E_NOMEM));
	err = decode(j, STR("data_base64"), raw, &text, why);
	if (err != E_OK)
		return err;
	/* Over the text itself when that had escapes and lies there: the bytes are shorter and never overtake it. */
	j->strings.n = from;
	if (!base64_read(text, &j->strings))
		return why_set(why, E_MALFORMED, "data_base64: is not base64 (RFC 4648 section 4)");
	event->data = str_sub(buf_view(&j->strings), from, j->strings.n);
	event->data_kind = event->data.n ? EVENT_DATA_BINARY : EVENT_DATA_NONE;
	return E_OK;
}

static enum err read_payload(struct event_json *j, struct event *event, const struct payload *payload, struct why *why)
{
	struct str type = event->datacontenttype, raw = payload->data;

	if (raw.n && payload->base64.n)
		return why_set(why, E_MALFORMED, "data and data_base64: only one of them may be given");
	if (payload->base64.n)
		return read_base64(j, event, payload->base64, why);
	if (raw.n == 0)
		return E_OK;
	event->data_kind = EVENT_DATA_JSON;
	event->data = raw;
	if (type.n == 0 || event_type_is_json(type) || raw.p[0] != '"')
		return E_OK;
	event->data_kind = EVENT_DATA_TEXT;
	return decode(j, STR("data"), raw, &event->data, why);
}

/* The object that is next. */
static enum err read_event(struct event_json *j, struct event *event, struct why *why)
{
	struct payload payload = { 0 };
	bool version = false;
	enum err err = E_OK;

	*event = (struct event){ 0 };
	if (json_walk_peek(&j->at) != '{')
		return why_set(why, E_MALFORMED, "is not a JSON object");
	for (json_walk_enter(&j->at); err == E_OK && json_walk_next(&j->at);)
		err = read_member(j, event, &payload, &version, why);
	if (err == E_OK && !version)
		err = why_set(why, E_MALFORMED, "specversion: is missing");
	if (err == E_OK)
		err = read_payload(j, event, &payload, why);
	return err == E_OK ? event_check(event, why) : err;
}

/* To the next event, or false behind the last. */
static bool advance(struct event_json *j)
{
	if (j->batch)
		return json_walk_next(&j->at);
	if (j->done)
		return false;
	j->done = true;
	return true;
}

static void rewind_to_first(struct event_json *j)
{
	j->at = json_walk(buf_view(&j->text));
	j->done = false;
	j->strings.n = 0;
	if (j->batch)
		json_walk_enter(&j->at);
}

static enum err check_all(struct event_json *j, struct why *why)
{
	struct event event;

	if (j->batch && json_walk_peek(&(struct json_walk){ j->text.p, j->text.p + j->text.n }) != '[')
		return why_set(why, E_MALFORMED, "the batch is not a JSON array");
	for (rewind_to_first(j); advance(j); j->count++) {
		enum err err = read_event(j, &event, why);

		if (err != E_OK)
			return why_add(why, "event %zu", j->count), err;
	}
	rewind_to_first(j);
	return E_OK;
}

enum err event_json_open(struct event_json *j, struct str input, bool batch, struct why *why)
{
	enum err err;

	*j = (struct event_json){ .batch = batch };
	if (!str_is_utf8(input))
		return why_set(why, E_MALFORMED, "the event is not UTF-8");
	err = json_compact(input, /* plain= */ true, &j->text, why);
	if (err == E_OK)
		err = check_all(j, why);
	if (err != E_OK)
		event_json_release(j);
	return err;
}

bool event_json_next(struct event_json *j, struct event *ret_event)
{
	enum err err;

	if (!j->text.p || !advance(j))
		return false;
	err = read_event(j, ret_event, NULL);
	assert(err == E_OK); /* open() has read the same bytes */
	return err == E_OK;
}

void event_json_release(struct event_json *j)
{
	buf_release(&j->text);
	buf_release(&j->strings);
	*j = (struct event_json){ 0 };
}
