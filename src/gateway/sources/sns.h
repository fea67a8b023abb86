/*
 * sns.h -- what the manifest says of an `sns` event.
 *
 * Shape     read by the rows in sns.c into route->settings.
 * Source    facts argo-events 1.2
 */
#pragma once

#include "base/buf.h"
#include "config/fields.h"

struct sns_settings {
	char *topic_arn;
	struct secret_ref access_key;
	struct secret_ref secret_key;
	char *region;
	char *role_arn;
	bool validate_signature;
	char *endpoint; /* in place of Amazon's; NULL: Amazon's of the region */
	/* Ours, under `holdfast`. */
	char *endpoint_ca;
	struct text_list more_topics;
};

/* Where this region's SNS is, without a slash at its end: the endpoint, or Amazon's. */
void sns_write_base(const struct sns_settings *s, struct buf *ret_base);
