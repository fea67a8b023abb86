/*
 * cloudevents.h -- settings of the `cloudevents` source (spec.holdfast.cloudevents.<event>).
 *
 * Source    CloudEvents 1.0.2: HTTP protocol binding; HTTP 1.1 Web Hooks for event delivery 4 (abuse protection)
 */
#pragma once

#include "config/fields.h"

struct cloudevents_settings {
	struct text_list allowed_origins; /* "*" allows every origin; empty: the handshake is refused */
	uint64_t allowed_rate;            /* requests per minute that the handshake grants; 0: no limit ("*") */
	uint64_t max_batch;               /* events in one batch; more answers 413 */
};
