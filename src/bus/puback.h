/*
 * puback.h -- what JetStream answered to a publish.
 *
 * Shape     pure: {"stream":"default","seq":N,"duplicate":true} or {"error":{"code","err_code","description"}}.
 * Errors    E_OK           stored
 *           E_LIMIT        never: larger than the stream takes
 *           E_UNAVAILABLE  not now: worth sending again
 * Source    facts argo-events 4.1; NATS ADR-1; the error codes in nats-server's server/errors.json
 */
#pragma once

#include "base/str.h"
#include "base/why.h"

struct puback {
	bool duplicate;
	bool stream_gone; /* the error says that the stream does not exist */
	uint64_t seq;
};

/* Anything that is not a well-formed ack of a stored message is an error: a promise is never read into rubbish. */
enum err puback_parse(struct str json, struct puback *ret_ack, struct why *why);
