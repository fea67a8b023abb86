#include "base/mem.h"
#include "wire/event_impl.h"

/* What is being read, and the first thing that was wrong with it: the rest is read all the same, for the ids. */
struct decode {
	struct wire_event *event;
	struct str spec_version;
	struct why *why;
	enum err err;
	size_t attributes; /* bytes of them */
	size_t fields;
};

static void bad(struct decode *d, const char *what, struct str which)
{
	if (d->err == E_OK)
		d->err = why_set(d->why, E_MALFORMED, "%s%.*s", what, STR_ARG(str_sub(which, 0, 64)));
}

static const struct row {
	struct str key;
	size_t offset; /* of a struct str */
} rows[] = {
#define X(key, field, extension) { { key, sizeof(key) - 1 }, offsetof(struct wire_event, field) },
	WIRE_ATTRIBUTES(X)
#undef X
};

static const struct row *row_of(struct str key)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (str_eq(key, rows[i].key))
			return &rows[i];
	return NULL;
}

bool attribute_is_known(struct str key)
{
	return row_of(key) != NULL;
}

static struct str *field_of(struct wire_event *e, struct str key)
{
	const struct row *row = row_of(key);

	if (row)
		return (struct str *)(void *)((char *)e + row->offset);
	if (str_is(key, WIRE_REASON))
		return &e->reason;
	return NULL;
}

/* Members of the value, one of which is to be there; a second one replaces the first. */
static bool read_value(struct str value, struct attribute *a)
{
	struct proto m = proto(value);
	struct proto_field f;

	while (proto_next(&m, &f)) {
		if (f.number > MEMBER_TIMESTAMP)
			continue;
		if (f.type != (f.number < MEMBER_STRING ? PROTO_VARINT : PROTO_BYTES))
			return false;
		a->member = (enum member)f.number;
		a->text = f.type == PROTO_BYTES ? f.bytes : (struct str){ 0 };
		a->number = f.value;
	}
	return !m.broken;
}

bool attribute_read(struct str entry, struct attribute *ret_attribute)
{
	struct proto m = proto(entry);
	struct proto_field f;

	*ret_attribute = (struct attribute){ 0 };
	while (proto_next(&m, &f)) {
		if ((f.number == ENTRY_KEY || f.number == ENTRY_VALUE) && f.type != PROTO_BYTES)
			return false;
		if (f.number == ENTRY_KEY)
			ret_attribute->key = f.bytes;
		else if (f.number == ENTRY_VALUE && !read_value(f.bytes, ret_attribute))
			return false;
	}
	return !m.broken && ret_attribute->key.n && ret_attribute->member != MEMBER_NONE;
}

bool attribute_is_text(const struct attribute *a)
{
	bool binary = a->member == MEMBER_BYTES || a->member == MEMBER_TIMESTAMP;

	return str_is_text(a->key) && (binary || str_is_text(a->text));
}

static enum wire_outcome outcome_of(struct str text)
{
	for (int i = WIRE_RECEIVED; i <= WIRE_REJECTED; i++)
		if (str_eq(text, wire_outcomes[i]))
			return (enum wire_outcome)i;
	return WIRE_NO_OUTCOME;
}

/* The rest of our dialect; false: none of it. */
static bool our_attribute(struct decode *d, const struct attribute *a)
{
	bool ok;

	if (str_is(a->key, WIRE_ORDER)) {
		ok = a->member == MEMBER_STRING && str_to_u64(a->text, UINT64_MAX, &d->event->order);
	} else if (str_is(a->key, WIRE_OUTCOME)) {
		d->event->outcome = outcome_of(a->text);
		ok = a->member == MEMBER_STRING && d->event->outcome != WIRE_NO_OUTCOME;
	} else if (str_is(a->key, WIRE_RETRY)) {
		d->event->retryable = a->number != 0;
		ok = a->member == MEMBER_BOOLEAN;
	} else if (str_is(a->key, WIRE_BARE)) {
		d->event->bare = a->number != 0;
		ok = a->member == MEMBER_BOOLEAN;
	} else {
		return false;
	}
	if (!ok)
		bad(d, "bad value of attribute ", a->key);
	return true;
}

/* Older SDKs wrote the schema as a string. */
static void read_schema(struct decode *d, const struct attribute *a)
{
	if (a->member != MEMBER_URI && a->member != MEMBER_STRING) {
		bad(d, "not a URI: attribute ", a->key);
		return;
	}
	d->event->target_text = a->text;
	d->event->target = wire_target_of(a->text);
}

static void read_attribute(struct decode *d, struct str entry)
{
	struct attribute a;
	struct str *field;

	if (!attribute_read(entry, &a)) {
		bad(d, "attribute without a key or a value: ", a.key);
		return;
	}
	if (!attribute_is_text(&a)) {
		bad(d, "an attribute is not UTF-8, or has a NUL in it", (struct str){ 0 });
		return;
	}
	field = field_of(d->event, a.key);
	if (field && a.member == MEMBER_STRING)
		*field = a.text;
	else if (field)
		bad(d, "not a string: attribute ", a.key);
	else if (str_is(a.key, WIRE_SCHEMA))
		read_schema(d, &a);
	else
		(void)our_attribute(d, &a);
}

static void read_text(struct decode *d, const char *name, struct str text, struct str *ret_text)
{
	if (str_is_text(text))
		*ret_text = text;
	else
		bad(d, "not UTF-8, or with a NUL in it: ", str_of(name));
}

/* What each event has besides its attributes; a log says it. */
static void read_name(struct decode *d, const char *name, struct str text, struct str *ret_text)
{
	if (text.n <= WIRE_ATTRIBUTES_MAX)
		read_text(d, name, text, ret_text);
	else
		bad(d, "too long: ", str_of(name));
}

static void read_field(struct decode *d, const struct proto_field *f)
{
	struct wire_event *e = d->event;
	struct str id; /* nobody looks at it */

	if (f->number == 0 || f->number > CE_PROTO)
		return;
	if (f->type != PROTO_BYTES) {
		bad(d, "a field of the CloudEvent has the wrong type", (struct str){ 0 });
		return;
	}
	switch (f->number) {
	case CE_ID:
		read_name(d, "id", f->bytes, &id);
		break;
	case CE_SOURCE:
		read_name(d, "source", f->bytes, &e->source);
		break;
	case CE_SPEC_VERSION:
		read_name(d, "spec_version", f->bytes, &d->spec_version);
		break;
	case CE_TYPE:
		read_name(d, "type", f->bytes, &e->type_text);
		break;
	case CE_ATTRIBUTE:
		d->attributes += f->entire.n;
		if (d->attributes > WIRE_ATTRIBUTES_MAX)
			bad(d, "its attributes are too large", (struct str){ 0 });
		else
			read_attribute(d, f->bytes);
		break;
	case CE_BINARY:
		e->data = f->bytes;
		break;
	case CE_TEXT:
		read_text(d, "text_data", f->bytes, &e->data);
		break;
	case CE_PROTO:
		bad(d, "its data is a protobuf message", (struct str){ 0 });
		break;
	default:
		break;
	}
}

static bool next_field(struct decode *d, struct proto *m, struct proto_field *ret_field)
{
	if (d->fields++ < WIRE_FIELDS_MAX)
		return proto_next(m, ret_field);
	bad(d, "it has too many fields", (struct str){ 0 });
	return false;
}

static void read_cloud_event(struct decode *d, struct str message)
{
	struct proto m = proto(message);
	struct proto_field f;

	while (d->attributes <= WIRE_ATTRIBUTES_MAX && next_field(d, &m, &f))
		read_field(d, &f);
	if (m.broken)
		bad(d, "the CloudEvent is cut off or no protobuf", (struct str){ 0 });
}

static void read_event(struct decode *d, struct str message)
{
	struct proto m = proto(message);
	struct proto_field f = { 0 };

	while (next_field(d, &m, &f)) {
		if (f.number != EVENT_EVENT)
			continue;
		if (f.type == PROTO_BYTES)
			read_cloud_event(d, f.bytes);
		else
			bad(d, "the event has the wrong type", (struct str){ 0 });
	}
	if (!m.broken)
		return;
	read_cloud_event(d, event_cut_off(&m, &f));
	bad(d, "the message is cut off or no protobuf", (struct str){ 0 });
}

enum err wire_event_decode(struct str bytes, struct wire_event *ret_event, struct why *why)
{
	struct decode d = { .event = ret_event, .why = why };

	*ret_event = (struct wire_event){ .bytes = bytes };
	read_event(&d, bytes);
	ret_event->type = wire_type_of(ret_event->type_text);
	if (!str_is(d.spec_version, "1.0"))
		bad(&d, "not version 1.0 of CloudEvents: ", d.spec_version);
	return d.err;
}
