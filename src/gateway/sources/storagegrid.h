/*
 * storagegrid.h -- what the manifest says of a `storageGrid` event.
 *
 * Shape     read by the rows in storagegrid.c into route->settings; requests use the filter, the rest is for the
 *           notification at StorageGRID.
 * Source    facts argo-events 1.9
 */
#pragma once

#include "config/fields.h"

struct storagegrid_settings {
	struct text_list events;
	struct {
		char *prefix; /* of an object's key; NULL: any */
		char *suffix;
	} filter;
	char *topic_arn;
	char *bucket;
	char *region;
	struct secret_ref auth_token;
	char *api_url;
	struct {
		struct secret_ref ca;
		struct secret_ref cert;
		struct secret_ref key;
		bool insecure;
	} tls; /* toward that API */
};
