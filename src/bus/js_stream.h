/*
 * js_stream.h -- the stream `default`.
 *
 * Shape     blocking; for the supervisor's thread. Created only when it is absent; an existing one is used unchanged.
 * Errors    E_NOT_FOUND    js_stream_check(): there is none
 *           E_UNAVAILABLE  no JetStream, no answer, or the server refused
 * Source    facts argo-events 4.1 "Stream creation"; NATS ADR-1
 */
#pragma once

#include <nats/nats.h>

#include "bus/jetstream.h"
#include "bus/trouble.h"

/* `said`: what the server says against us meanwhile. */
enum err js_stream_check(natsConnection *nc, struct trouble *said, struct why *why);

/* Somebody else's creating it meanwhile is success. */
enum err js_stream_create(natsConnection *nc, const struct jetstream_config *config, struct trouble *said,
			  struct why *why);
