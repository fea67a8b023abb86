/*
 * github.h -- what the manifest says of a `github` event.
 *
 * Shape     read by the rows in github.c into route->settings; requests use `webhook_secret`, the rest is for the hooks
 *           at GitHub.
 * Source    facts argo-events 1.3
 */
#pragma once

#include "config/fields.h"

/* One item of `repositories`. */
struct github_repository {
	char *owner;
	struct text_list names;
};

struct github_settings {
	char *owner; /* with `repository`: one more of `repositories`, as it was written in earlier times */
	char *repository;
	struct table_list repositories; /* struct github_repository */
	struct text_list organizations;
	struct text_list events; /* GitHub's names, or "*" */
	struct secret_ref api_token;
	struct {
		struct secret_ref private_key; /* path NULL: no app */
		int64_t app_id;
		int64_t installation_id;
	} app;
	struct secret_ref webhook_secret;
	bool insecure; /* the hook does not verify the certificate */
	bool active;
	char *content_type; /* "json", "form", or NULL */
	char *base_url;     /* NULL: github.com */
	char *upload_url;
	bool delete_hook_on_finish;
};
