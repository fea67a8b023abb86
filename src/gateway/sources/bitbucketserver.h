/*
 * bitbucketserver.h -- what the manifest says of a `bitbucketserver` event (Bitbucket Data Center).
 *
 * Shape     read by the rows in bitbucketserver.c into route->settings; requests use `webhook_secret` and
 *           `one_event_per_change`, the rest is for the hooks at Bitbucket.
 * Source    facts argo-events 1.6
 */
#pragma once

#include "config/fields.h"

/* One item of `repositories`. */
struct bitbucketserver_repository {
	char *project_key;
	char *slug;
};

/* The places of its secrets in route->secrets. */
enum { BITBUCKETSERVER_WEBHOOK_SECRET, BITBUCKETSERVER_ACCESS_TOKEN };

struct bitbucketserver_settings {
	char *project_key; /* with `repositorySlug`: one more of `repositories`, as it was written in earlier times */
	char *repository_slug;
	struct text_list projects;
	struct table_list repositories; /* struct bitbucketserver_repository */
	struct text_list events;
	bool skip_on_open_pr;
	bool one_event_per_change;
	struct secret_ref access_token;
	struct secret_ref webhook_secret;
	char *base_url; /* with "/rest" at its end */
	bool delete_hook_on_finish;
	struct {
		struct secret_ref ca;
		struct secret_ref cert;
		struct secret_ref key;
		bool insecure;
		bool enabled;
	} tls; /* toward Bitbucket */
	uint64_t check_interval_ms;
};
