#include "base/mem.h"
#include "wire/event_impl.h"

/* Attributes that CloudEvents itself defines are no extensions (1.0.2 spec.md "Context Attributes"); ours are written anew. */
static bool goes_back(struct str key)
{
	static const char *const defined[] = { "datacontenttype", WIRE_SCHEMA,   "subject", "time", "id",
					       "source",          "specversion", "type" };

	for (size_t i = 0; i < ARRAY_LEN(defined); i++)
		if (str_is(key, defined[i]))
			return false;
	return !str_starts(key, STR(WIRE_OUR_PREFIX));
}

static bool next_field(struct extension_walk *w, struct proto *m, struct proto_field *ret_field)
{
	return w->fields++ < WIRE_FIELDS_MAX && proto_next(m, ret_field);
}

/* The next CloudEvent of the message: there may be several, which mean one. */
static bool next_event(struct extension_walk *w)
{
	struct proto_field f = { 0 };

	while (next_field(w, &w->message, &f)) {
		if (f.number == EVENT_EVENT && f.type == PROTO_BYTES) {
			w->event = proto(f.bytes);
			return true;
		}
	}
	w->event = proto(event_cut_off(&w->message, &f));
	w->message.p = w->message.end;
	return w->event.p < w->event.end;
}

/* What is malformed does not go back: the answer must be readable. */
static bool is_extension(const struct proto_field *f)
{
	struct attribute a;

	if (f->number != CE_ATTRIBUTE || f->type != PROTO_BYTES || !attribute_read(f->bytes, &a))
		return false;
	if (a.member != MEMBER_STRING && attribute_is_known(a.key))
		return false;
	return attribute_is_text(&a) && goes_back(a.key);
}

void extensions(struct str bytes, struct extension_walk *ret_walk)
{
	*ret_walk = (struct extension_walk){ .message = proto(bytes), .event = proto((struct str){ 0 }) };
}

bool extension_next(struct extension_walk *w, struct str *ret_field)
{
	struct proto_field f;

	do {
		while (next_field(w, &w->event, &f)) {
			w->attributes += f.number == CE_ATTRIBUTE ? f.entire.n : 0;
			if (w->attributes > WIRE_ATTRIBUTES_MAX)
				return false;
			if (is_extension(&f)) {
				*ret_field = f.entire;
				return true;
			}
		}
	} while (next_event(w));
	return false;
}
