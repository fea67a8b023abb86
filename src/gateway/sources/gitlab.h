/*
 * gitlab.h -- what the manifest says of a `gitlab` event.
 *
 * Shape     read by the rows in gitlab.c into route->settings; requests use `secret_token` and `signing_token`, the rest is for the hooks at
 *           GitLab.
 * Source    facts argo-events 1.4
 */
#pragma once

#include "config/fields.h"

struct gitlab_settings {
	char *project_id; /* one more of `projects`, as it was written in earlier times */
	struct text_list projects;
	struct text_list groups;
	struct text_list events; /* "PushEvents" .. */
	struct secret_ref access_token;
	struct secret_ref secret_token;
	struct secret_ref signing_token; /* ours: upstream does not know it */
	char *base_url;
	bool enable_ssl_verification;
	bool delete_hook_on_finish;
};
