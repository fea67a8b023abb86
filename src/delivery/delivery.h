/*
 * delivery.h -- what both ends of a delivery talk about: events, and the answers to them.
 *
 * Shape     values of borrowed strings. The ordering key (kind, namespace, name) says what must stay in order; the
 *           resource id says what replaces what; the event id is the version. A resource id belongs to one ordering key.
 * Units     `order`: numbers that rise with each sending, from 1; 0: the peer's dialect has none.
 * Source    argocd-agent facts 2.6, 2.7, 3.2; docs/delivery.md
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/blob.h"
#include "base/str.h"

/* Most urgent first. */
enum delivery_lane { LANE_COMMAND, LANE_STATE, LANE_STATUS, LANE_COUNT };

/*    name     text       lane     meaning */
#define DELIVERY_TYPES(X)                                                                                    \
	X(COMMAND, "command", COMMAND, "an operation (set-operation, terminate-operation): never coalesced") \
	X(REQUEST, "request", COMMAND,                                                                       \
	  "a request or response of another kind: never coalesced, never removed by a delete")               \
	X(DELETE, "delete", COMMAND, "the resource is gone: removes what it makes pointless")                \
	X(CREATE, "create", STATE, "the resource is new: kept beside what follows")                          \
	X(SPEC, "spec", STATE, "the desired state: the newest replaces the older unsent one")                \
	X(STATUS, "status", STATUS, "the observed state: the newest replaces the older unsent one")

enum delivery_type {
#define X(name, text, lane, meaning) DELIVERY_##name,
	DELIVERY_TYPES(X)
#undef X
		DELIVERY_TYPE_COUNT,
};

/* Commands of a resource whose ids a receiver remembers: who sends them has no more on the way that it might say again. */
#define DELIVERY_COMMANDS   8

/* The longest ordering key, resource id and event id in bytes; the longest reason kept. */
#define DELIVERY_TEXT_MAX   1024
#define DELIVERY_REASON_MAX 256

struct delivery_event {
	enum delivery_type type;
	struct str kind; /* these three together: the ordering key; no zero byte in any */
	struct str namespace;
	struct str name;
	struct str resource_id; /* not empty */
	struct str event_id;    /* not empty */
	uint64_t order;
	bool versionless;   /* what has this id later is another event */
	struct blob *bytes; /* the event as it goes over the wire; NULL: none */
	/* Of what came, in ms of the receiver's clock, for metrics; 0: not known. */
	uint64_t came_ms;
	uint64_t begun_ms; /* since when it is being dealt with */
	int64_t sent_ns;   /* by the sender's wall clock; 0: not known */
};

/* How long what is under way has been so. */
struct delivery_progress {
	uint64_t sum_ms;
	uint64_t longest_ms;
};

static inline void delivery_progress_add(struct delivery_progress *p, uint64_t since_ms, uint64_t now_ms)
{
	uint64_t ms = since_ms < now_ms ? now_ms - since_ms : 0;

	p->sum_ms += ms;
	p->longest_ms = ms > p->longest_ms ? ms : p->longest_ms;
}

enum delivery_outcome {
	DELIVERY_RECEIVED, /* the peer has it and will say how it went: no need to send again */
	DELIVERY_APPLIED,  /* done; upstream: "processed" */
	DELIVERY_REJECTED,
};

struct delivery_answer {
	enum delivery_outcome outcome;
	bool retryable; /* of a rejection: the same event may succeed later */
	struct str resource_id;
	struct str event_id;
	struct str reason; /* of a rejection, for people */
	uint64_t order;
};

/* "command", "delete", ... Never NULL. */
const char *delivery_type_name(enum delivery_type type);

enum delivery_lane delivery_lane_of(enum delivery_type type);

/* Not empty where it must not be, not too long, no zero byte in the ordering key. */
bool delivery_event_ok(const struct delivery_event *e);

/* The first bytes of a reason, at most DELIVERY_REASON_MAX, whole characters. */
struct str delivery_reason_cut(struct str reason);

/* The ordering key as one text into `ret_key` (DELIVERY_TEXT_MAX bytes; the event is ok). */
struct str delivery_key(const struct delivery_event *e, char *ret_key);
