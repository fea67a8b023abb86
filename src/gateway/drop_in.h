/*
 * drop_in.h -- the environment that the Argo Events controller gives to its event source process, as manifests.
 *
 * Shape     two texts of JSON: an EventSource and an EventBus. What the controller does not know of ours comes in variables of our
 *           own and is put under spec.holdfast.
 * Errors    E_CONFIG  a variable is missing, or does not hold what it should; no secret is ever in the text
 * Source    facts argo-events 0 (variables and their encoding), 4.0 (BusConfig, auth.yaml), 5 (where secrets are mounted)
 */
#pragma once

#include "base/buf.h"
#include "base/why.h"

struct drop_in {
	const char *object;     /* EVENTSOURCE_OBJECT: base64 of the JSON of the EventSource */
	const char *bus_config; /* EVENTBUS_CONFIG: base64 of the JSON of the BusConfig */
	const char *options;    /* HOLDFAST_SPEC: JSON of what belongs under spec.holdfast; NULL: nothing */
	const char *data_dir;   /* HOLDFAST_DATA_DIR; NULL: none, so `ack: bus` */
	const char *root;       /* in front of /argo-events/secrets and /etc/eventbus; "" as a rule */
};

/* Appends both texts. NULL in `object` and `bus_config` is a variable that is not set. */
enum err drop_in_read(const struct drop_in *in, struct why *why, struct buf *ret_source, struct buf *ret_bus);
