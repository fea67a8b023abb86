/*
 * gerrit.h -- what the manifest says of a `gerrit` event.
 *
 * Shape     read by the rows in gerrit.c into route->settings, for the hooks at Gerrit; requests use none of it.
 * Source    facts argo-events 1.7
 */
#pragma once

#include "config/fields.h"

struct gerrit_settings {
	char *hook_name;
	struct text_list projects;
	struct text_list events;
	struct {
		struct secret_ref username;
		struct secret_ref password;
	} auth;
	char *base_url;
	bool delete_hook_on_finish;
	bool ssl_verify;
	int64_t max_tries;
};
