/*
 * event_impl.h -- numbers of the CloudEvent message, and its attributes. Internal to wire.
 *
 * Source    proto/cloudevents/v1/cloudevents.proto; argocd-agent facts 1.2
 */
#pragma once

#include "rpc/proto.h"
#include "wire/event.h"

enum { EVENT_EVENT = 1 };
enum {
	CE_ID = 1,
	CE_SOURCE = 2,
	CE_SPEC_VERSION = 3,
	CE_TYPE = 4,
	CE_ATTRIBUTE = 5,
	CE_BINARY = 6,
	CE_TEXT = 7,
	CE_PROTO = 8
};
enum { ENTRY_KEY = 1, ENTRY_VALUE = 2 };
enum member {
	MEMBER_NONE = 0,
	MEMBER_BOOLEAN = 1,
	MEMBER_STRING = 3,
	MEMBER_BYTES = 4,
	MEMBER_URI = 5,
	MEMBER_TIMESTAMP = 7,
};

/* One entry of the map, read or to be written. */
struct attribute {
	struct str key;
	enum member member;
	struct str text; /* of every member but BOOLEAN and INTEGER */
	uint64_t number; /* of those */
};

#define WIRE_SCHEMA "dataschema"

/* Strings of struct wire_event that are attributes, each a ce_string. */
/*    key                field          extension: goes back with an ACK */
#define WIRE_ATTRIBUTES(X)                     \
	X("subject", subject, false)           \
	X("resourceid", resource_id, true)     \
	X("eventid", event_id, true)           \
	X("sentat", sent_at, true)             \
	X("principaluid", principal_uid, true) \
	X("traceparent", traceparent, true)    \
	X("tracestate", tracestate, true)      \
	X("datacontenttype", content_type, false)

/* Our dialect's. */
#define WIRE_OUR_PREFIX "holdfast"
#define WIRE_ORDER      WIRE_OUR_PREFIX "order"
#define WIRE_OUTCOME    WIRE_OUR_PREFIX "outcome"
#define WIRE_RETRY      WIRE_OUR_PREFIX "retry"
#define WIRE_REASON     WIRE_OUR_PREFIX "reason"
#define WIRE_BARE       WIRE_OUR_PREFIX "bare"

/* Indexed by enum wire_outcome. */
extern const struct str wire_outcomes[WIRE_REJECTED + 1];

/* An entry of the map of attributes; false: not well-formed, or without a key or a value. */
bool attribute_read(struct str entry, struct attribute *ret_attribute);

/* Key and value are UTF-8 where they must be. */
bool attribute_is_text(const struct attribute *a);

/* It is one of WIRE_ATTRIBUTES, and must be a string. */
bool attribute_is_known(struct str key);

/*
 * Behind the last whole field of the message `Event`: what came of a CloudEvent that was cut off, which may still say who it was.
 * `f` is what proto_next() left.
 */
static inline struct str event_cut_off(const struct proto *m, const struct proto_field *f)
{
	if (!m->broken || f->number != EVENT_EVENT || f->type != PROTO_BYTES)
		return (struct str){ 0 };
	return (struct str){ (const char *)m->p, (size_t)(m->end - m->p) };
}

/* The entries of an event's map that go back with its ACK: whole fields, as they came in `bytes`. */
struct extension_walk {
	struct proto message;
	struct proto event;
	size_t attributes; /* bytes of them, up to here */
	size_t fields;     /* of the message, up to here */
};
void extensions(struct str bytes, struct extension_walk *ret_walk);
bool extension_next(struct extension_walk *w, struct str *ret_field);

/*
 * wire_event_encode() with the extensions of the message `original` among the attributes; they take the place of those that
 * `event` names itself.
 */
enum err event_encode_with(const struct wire_event *event, struct str original, struct buf *ret_bytes);
