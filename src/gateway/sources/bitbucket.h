/*
 * bitbucket.h -- what the manifest says of a `bitbucket` event (Bitbucket Cloud).
 *
 * Shape     read by the rows in bitbucket.c into route->settings; requests use `webhook_secret`, the rest is for the hooks
 *           at Bitbucket.
 * Source    facts argo-events 1.5
 */
#pragma once

#include "config/fields.h"

/* One item of `repositories`. */
struct bitbucket_repository {
	char *owner;
	char *slug;
};

struct bitbucket_settings {
	char *owner; /* with `repositorySlug`: one more of `repositories`, as it was written in earlier times */
	char *project_key;
	char *repository_slug;
	struct table_list repositories; /* struct bitbucket_repository */
	struct text_list events;
	struct {
		struct secret_ref username;
		struct secret_ref password;
	} basic; /* paths NULL: none */
	struct secret_ref oauth_token;
	struct secret_ref webhook_secret; /* ours: upstream verifies nothing */
	bool delete_hook_on_finish;
};
