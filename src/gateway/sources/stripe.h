/*
 * stripe.h -- what the manifest says of a `stripe` event.
 *
 * Shape     read by the rows in stripe.c into route->settings; requests use the filter, the signing secrets and the
 *           tolerance, the rest is for the webhook endpoint at Stripe.
 * Source    facts argo-events 1.10
 */
#pragma once

#include "config/fields.h"

struct stripe_settings {
	bool create_webhook;
	struct secret_ref api_key;
	struct text_list event_filter; /* types that are wanted; none: all */
	/* Ours, under `holdfast`. */
	struct secret_list signing_secrets;
	uint64_t tolerance_ms;
};
