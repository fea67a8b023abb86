/*
 * event.h -- the CloudEvent in memory.
 *
 * Shape     a value of borrowed strings: parsers point into their input or into an arena; nothing here is owned.
 *           For storage and sending an event splits into `meta`, the JSON object of its context attributes, and `data`,
 *           its bytes as they came: the two are joined to any form without being parsed again.
 * Source    CloudEvents 1.0.2 (spec.md, formats/json-format.md, bindings/http-protocol-binding.md);
 *           the upstream wire form: facts argo-events 3.1.
 */
#pragma once

#include "base/buf.h"
#include "base/str.h"
#include "base/why.h"

/* The CloudEvents type system (spec.md, "Type System"). Attribute values keep their canonical text. */
enum event_attr_type {
	EVENT_ATTR_STRING,
	EVENT_ATTR_BOOLEAN, /* "true" or "false" */
	EVENT_ATTR_INTEGER, /* -2147483648 .. 2147483647 */
	EVENT_ATTR_BINARY,  /* base64 (RFC 4648 4) */
	EVENT_ATTR_URI,
	EVENT_ATTR_URI_REF,
	EVENT_ATTR_TIMESTAMP, /* RFC 3339 */
};

struct event_attr {
	struct str name; /* [a-z0-9]+, never "data" */
	struct str text;
	enum event_attr_type type;
};

/* What the bytes of `data` are. The values are stored: never renumber. */
enum event_data {
	EVENT_DATA_NONE = 0,
	EVENT_DATA_JSON = 1,   /* one valid JSON text: stands as "data": in JSON form */
	EVENT_DATA_TEXT = 2,   /* UTF-8: stands as a JSON string */
	EVENT_DATA_BINARY = 3, /* anything: stands as "data_base64": */
};

#define EVENT_EXTENSIONS_MAX 64

struct event {
	struct str id;     /* required, not empty; so are source and type */
	struct str source; /* URI-reference */
	struct str type;
	struct str subject; /* absent when empty, as all below */
	struct str datacontenttype;
	struct str dataschema; /* absolute URI */
	struct str time;       /* RFC 3339, as it came */
	struct event_attr extensions[EVENT_EXTENSIONS_MAX];
	size_t extension_count;
	enum event_data data_kind;
	struct str data;
};

/* Checks the event against the specification. E_MALFORMED: `why` names the attribute and the rule. */
enum err event_check(const struct event *event, struct why *why);

/* The name any attribute may have: [a-z0-9]+. */
bool event_name_ok(struct str name);

/* The name an extension may have: [a-z0-9]+, not "data", not a core attribute. */
bool event_extension_name_ok(struct str name);

/*
 * Sets the attribute `name`, for parsers: a core attribute of its own place, else one more extension of `type`; checks the
 * name, not yet the text. E_MALFORMED: it has a value already, may not have this name, or "specversion" is not "1.0".
 * E_LIMIT: more than EVENT_EXTENSIONS_MAX extensions.
 */
enum err event_set(struct event *event, struct str name, struct str text, enum event_attr_type type, struct why *why);

/* The media type is JSON: application/json, text/json, or ends in +json, parameters aside. */
bool event_type_is_json(struct str datacontenttype);

/*
 * The kind of bytes that came as they are: JSON when the content type says so (or says nothing) and they are one JSON text
 * in UTF-8; TEXT for text types in UTF-8; else BINARY. NONE when empty.
 */
enum event_data event_data_kind(struct str datacontenttype, struct str data);

/*
 * Appends `meta`: {"specversion":"1.0","id":..,"source":..,"type":..,"subject":..,"datacontenttype":..,"dataschema":..,
 * "time":..,<extensions in order>}, absent attributes left out, strings escaped as Go's encoding/json does with HTML
 * escaping on (facts argo-events 3.1). Errors are sticky in `ret_meta`.
 */
void event_write_meta(const struct event *event, struct buf *ret_meta);

/*
 * The same for one of many events that differ in id and time only, without extensions: what they share is appended once
 * to `ret_shared`, and each is written around it.
 */
void event_write_shared(const struct event *event, struct buf *ret_shared);
void event_write_meta_around(struct str shared, struct str id, struct str time, struct buf *ret_meta);

enum event_json_form {
	EVENT_JSON_UPSTREAM, /* data always as "data_base64": facts argo-events 3.1, byte for byte */
	EVENT_JSON_NATIVE,   /* JSON data in UTF-8 as a JSON value, text as a string, the rest as base64 */
};

/*
 * Appends the whole event in JSON, in one line, from its stored parts. Sticky E_CORRUPT: `meta` is not an object, or
 * `kind` is none of the above.
 */
void event_write_json(struct str meta, enum event_data kind, struct str data, enum event_json_form form,
		      struct buf *ret_json);
