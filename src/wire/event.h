/*
 * event.h -- an event of the agent protocol: a CloudEvent in protobuf, inside the message `Event` of the stream.
 *
 * Shape     a value of borrowed strings. Type and target are rows of tables; what is in no table is kept as text. Read and
 *           written by hand, without an allocation: thousands a second go through here. A field that appears twice means
 *           what protobuf says: messages merge, of the rest the last counts; wire_event_stamp() lives on that.
 * Owner     decode() lends slices of its input; encode() borrows everything.
 * Errors    E_MALFORMED  no such message, a string that is not UTF-8 or has a NUL in it, an attribute of the wrong type, another version
 *           E_LIMIT, E_NOMEM  from the output buffer
 * Source    argocd-agent facts 1.2, 2.6, 2.7, 3.4, 11.1; CloudEvents 1.0.2 formats/protobuf-format.md; docs/reference/wire.md
 */
#pragma once

#include "base/buf.h"
#include "base/why.h"
#include "delivery/delivery.h"

#define WIRE_PREFIX         "io.argoproj.argocd-agent.event"

/* Bytes of all attributes of an event; ours have less than two KiB. They go back with each answer, which may have to wait. */
#define WIRE_ATTRIBUTES_MAX (16 << 10)

/* Fields of a message: more than so many attributes can be. 200 MiB may be a hundred million empty ones, packed in a thousandth of that. */
#define WIRE_FIELDS_MAX     WIRE_ATTRIBUTES_MAX

/* How the delivery treats a type. */
enum wire_role {
	WIRE_PAYLOAD, /* is delivered: held until it is answered */
	WIRE_CONTROL, /* is not: an answer or a sign of life */
};

/*    name                   text                                       role     delivered as */
#define WIRE_TYPES(X)                                                                         \
	X(PING, WIRE_PREFIX ".ping", CONTROL, REQUEST)                                        \
	X(PONG, WIRE_PREFIX ".pong", CONTROL, REQUEST)                                        \
	X(CREATE, WIRE_PREFIX ".create", PAYLOAD, CREATE)                                     \
	X(DELETE, WIRE_PREFIX ".delete", PAYLOAD, DELETE)                                     \
	X(SPEC_UPDATE, WIRE_PREFIX ".spec-update", PAYLOAD, SPEC)                             \
	X(STATUS_UPDATE, WIRE_PREFIX ".status-update", PAYLOAD, STATUS)                       \
	X(SET_OPERATION, WIRE_PREFIX ".set-operation", PAYLOAD, COMMAND)                      \
	X(TERMINATE_OPERATION, WIRE_PREFIX ".terminate-operation", PAYLOAD, COMMAND)          \
	X(PROCESSED, WIRE_PREFIX ".processed", CONTROL, REQUEST)                              \
	X(GET, WIRE_PREFIX ".get", PAYLOAD, REQUEST)                                          \
	X(RESPONSE, WIRE_PREFIX ".response", PAYLOAD, REQUEST)                                \
	X(REDIS_REQUEST, WIRE_PREFIX ".redis-request", PAYLOAD, REQUEST)                      \
	X(REDIS_RESPONSE, WIRE_PREFIX ".redis-response", PAYLOAD, REQUEST)                    \
	X(SYNCED_LIST_REQUEST, WIRE_PREFIX ".request-synced-resource-list", PAYLOAD, REQUEST) \
	X(SYNCED_RESOURCE, WIRE_PREFIX ".response-synced-resource", PAYLOAD, REQUEST)         \
	X(REQUEST_UPDATE, WIRE_PREFIX ".request-update", PAYLOAD, REQUEST)                    \
	X(RESOURCE_RESYNC, WIRE_PREFIX ".request-resource-resync", PAYLOAD, REQUEST)          \
	X(CACHE_INFO, WIRE_PREFIX ".cluster-cache-info-update", PAYLOAD, REQUEST)             \
	X(TERMINAL_REQUEST, WIRE_PREFIX ".terminal-request", PAYLOAD, REQUEST)                \
	X(ERROR, WIRE_PREFIX ".error", PAYLOAD, REQUEST)                                      \
	X(AGAIN, "io.holdfast.again", CONTROL, REQUEST) /* our dialect */                     \
	X(HTTP_GET, "GET", PAYLOAD, REQUEST)                                                  \
	X(HTTP_POST, "POST", PAYLOAD, REQUEST)                                                \
	X(HTTP_PATCH, "PATCH", PAYLOAD, REQUEST)                                              \
	X(HTTP_DELETE, "DELETE", PAYLOAD, REQUEST)

enum wire_type {
	WIRE_UNKNOWN_TYPE,
#define X(name, text, role, delivered) WIRE_##name,
	WIRE_TYPES(X)
#undef X
		WIRE_TYPE_COUNT,
};

/*    name              text (the attribute dataschema)  kind, in the payloads of a resync */
#define WIRE_TARGETS(X)                              \
	X(APPLICATION, "application", "Application") \
	X(APPPROJECT, "appproject", "AppProject")    \
	X(ACK, "eventProcessed", "")                 \
	X(RESOURCE, "resource", "")                  \
	X(REDIS, "redis", "")                        \
	X(RESYNC, "resourceResync", "")              \
	X(CACHE_INFO, "clusterCacheInfoUpdate", "")  \
	X(REPOSITORY, "repository", "Repository")    \
	X(GPGKEY, "gpgkey", "GPGKey")                \
	X(CONTAINERLOG, "containerlog", "")          \
	X(HEARTBEAT, "heartbeat", "")                \
	X(TERMINAL, "terminal", "")                  \
	X(APPLICATIONSET, "applicationset", "ApplicationSet")

enum wire_target {
	WIRE_UNKNOWN_TARGET,
#define X(name, text, kind) WIRE_TO_##name,
	WIRE_TARGETS(X)
#undef X
		WIRE_TARGET_COUNT,
};

/* What an answer says; anything but NONE is our own dialect. */
enum wire_outcome { WIRE_NO_OUTCOME, WIRE_RECEIVED, WIRE_APPLIED, WIRE_REJECTED };

struct wire_event {
	enum wire_type type;
	enum wire_target target;
	struct str type_text;   /* as it came; written when `type` is unknown */
	struct str target_text; /* the same for `target` */
	struct str source;      /* may be empty */
	struct str subject;     /* "<namespace>/<name>"; empty: absent, as all below */
	struct str resource_id; /* ids.h */
	struct str event_id;    /* ids.h */
	struct str sent_at;     /* RFC 3339, UTC */
	struct str principal_uid;
	struct str traceparent;
	struct str tracestate;
	struct str content_type; /* "application/json", or absent */
	struct str data;         /* JSON; may be empty */
	uint64_t order;          /* our dialect, from here on; 0: absent */
	enum wire_outcome outcome;
	bool retryable;
	struct str reason;
	bool bare;        /* of a create: its sender's object has neither status nor operation nor refresh */
	struct str bytes; /* set by decode(): all of it, for what must be copied unchanged */
};

/*
 * Read the message `Event` in `bytes`. `*ret_event` is set in any case, as far as it could be read, so that even an event
 * that fails can be answered when it has a resource id. A type or target in no table is no failure.
 */
enum err wire_event_decode(struct str bytes, struct wire_event *ret_event, struct why *why);

/*
 * Append the message `Event`; empty strings are left out, data is written even when it is empty. The fields of our dialect are
 * written when they are set: leave them at zero toward a peer that did not ask.
 */
enum err wire_event_encode(const struct wire_event *event, struct buf *ret_bytes);

/*
 * Append to an event that was encoded before what only the moment of sending knows: `sent_at` (empty: none) and the order
 * number (0: none). The result is the same event with these attributes.
 */
enum err wire_event_stamp(struct str sent_at, uint64_t order, struct buf *bytes);

/* "io.argoproj...", "application"; "" for the unknown. */
struct str wire_type_text(enum wire_type type);
struct str wire_target_text(enum wire_target target);

/* The last word of a type, for the log and metrics: "spec-update", "GET"; "unknown". Terminated. */
const char *wire_type_name(enum wire_type type);

enum wire_type wire_type_of(struct str text);
enum wire_target wire_target_of(struct str text);

enum wire_role wire_role_of(enum wire_type type);
enum delivery_type wire_delivered_as(enum wire_type type);

/* "Application" and so on, empty for targets that are no kind; and back. */
struct str wire_kind_of(enum wire_target target);
enum wire_target wire_target_of_kind(struct str kind);
