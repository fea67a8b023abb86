/*
 * dialect.h -- upstream's dialect or ours: agreed on in the metadata of Subscribe.
 *
 * Shape     a client that speaks more than upstream says so in its request, a server that agrees in its headers. Who says
 *           nothing, or something else, gets upstream's dialect and never sees an extension. Upstream peers ignore metadata
 *           that they do not know.
 *
 *               > holdfast-dialect: 1          the highest that the client speaks
 *               > holdfast-window: 256,16777216    events and bytes that it takes before it answers them
 *               > holdfast-message-max: 209715200  bytes of the largest message that it takes
 *               > holdfast-mapping: namespace      how it maps applications; a managed agent and its principal say it
 *               < holdfast-dialect: 1          the highest that both speak
 *               < holdfast-window: 256,16777216    the same for the server
 *               < holdfast-message-max: 209715200
 *               < holdfast-mapping: namespace
 *
 * Units     bytes.
 * Source    docs/reference/wire.md
 */
#pragma once

#include "rpc/metadata.h"

#define WIRE_DIALECT_KEY     "holdfast-dialect"
#define WIRE_WINDOW_KEY      "holdfast-window"
#define WIRE_MESSAGE_MAX_KEY "holdfast-message-max"
#define WIRE_MAPPING_KEY     "holdfast-mapping"

#define WIRE_UPSTREAM        0 /* one answer: processed */
#define WIRE_TWO_STEPS       1 /* received, then applied or rejected; order numbers; windows */
#define WIRE_NEWEST          WIRE_TWO_STEPS

/* How applications of a principal and a managed agent find each other: at both ends alike, or they do not. */
enum wire_mapping { WIRE_MAPPING_UNSAID, WIRE_MAPPING_NAMESPACE, WIRE_MAPPING_DESTINATION, WIRE_MAPPING_COUNT };

struct wire_dialect {
	unsigned version;       /* WIRE_UPSTREAM.. */
	uint32_t window_events; /* what the one who says it takes; 0: it does not say */
	uint64_t window_bytes;
	uint64_t message_max; /* of the one who says it; 0: it does not say */
	enum wire_mapping mapping;
};

/* Add what we speak, or what was agreed, to metadata; nothing for upstream's dialect. Errors are sticky in the list. */
void wire_dialect_write(const struct wire_dialect *ours, struct rpc_metadata *metadata);

/*
 * What the peer says, with its window and its limit. At a server: the highest dialect that both speak. At a client: what the
 * server agreed to; a higher number than was asked for is no agreement.
 */
struct wire_dialect wire_dialect_accept(const struct rpc_metadata *request);
struct wire_dialect wire_dialect_agreed(const struct rpc_metadata *response, const struct wire_dialect *asked);

/*
 * The limit of who ended a call with RESOURCE_EXHAUSTED over a message, as the gRPC libraries of upstream's programs name it in
 * the text of the status: "grpc: received message larger than max (5000000 vs. 4194304)". 0: the text is about something else, or
 * not to be believed.
 */
uint64_t wire_message_max_told(struct str status);
