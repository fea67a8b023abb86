/*
 * source.h -- the table that a provider fills: one file, one row.
 *
 * Shape     the manifest half is rows of keys plus what rows cannot say; the request half turns one HTTP request into an
 *           event. config_route.c reads a manifest through the table, exchange.c drives a request through it.
 * Owner     tables are static. route->settings is the snapshot's: allocated, filled, released by the reader of manifests
 *           from `settings` and `holdfast`.
 * Threads   on_*() run in a loop's thread and never block; the table and route->settings are read only.
 * Source    facts argo-events 1.0 (cross-source table), 2.1
 */
#pragma once

#include "config/fields.h"
#include "gateway/answer.h"
#include "gateway/config.h"

struct exchange; /* gateway/exchange.h: one request on its way to an answer */

/* What requests are checked against: a struct secret_ref, or with `list` a struct secret_list, there in the settings. */
struct source_secret {
	const char *key; /* in the event, or in its `holdfast` */
	size_t offset;
	bool list;
};

/* The refs at that place: `*ret_count` of them, 0 when not configured. */
const struct secret_ref *source_secret_refs(const struct source_secret *s, const void *settings, size_t *ret_count);

struct source_ops {
	const char *kind;    /* the key under spec, and of holdfast's own ones under spec.holdfast */
	const char *type;    /* the CloudEvents type */
	bool own;            /* not upstream's: stands under spec.holdfast */
	bool token_in_query; /* authSecret is also taken from the access_token parameter */
	bool native;         /* the sender's own CloudEvents: a filter sees their attributes and `data` */
	bool own_filter;     /* `filter` is a key of its own, not an expression */
	bool inlined;        /* the webhook context's keys stand in the event itself, not under "webhook" */

	/* The source's own keys beside the context, read into `settings_size` bytes at route->settings. NULL: none. */
	const struct field_table *settings;
	size_t settings_size;

	/* Keys of ours that upstream does not know, read from the event's `holdfast` into the same settings. NULL: none. */
	const struct field_table *holdfast;

	/* What requests are checked against, in the order of route->secrets; ended by a key of NULL. NULL: none. */
	const struct source_secret *secrets;

	/* Header fields with tokens or signatures, masked in events unless the route says otherwise; ended by NULL. */
	const char *const *masked;

	const char *head_key; /* of the payload, for the request's header fields; NULL: "headers" */
	const char *
		not_json; /* upstream's words for a body that is no JSON; NULL: its parser's alone; "...: " goes before them */

	uint32_t deadline_ms; /* 80 % of what the provider waits for an answer; 0: the gateway's own default */

	/* Which answer says this, where upstream has different words for it. 0: TOO_LARGE. */
	enum answer too_large;

	/* What rows cannot say: reports through `m`. The route is complete otherwise. NULL: nothing to check. */
	void (*check)(const struct fields_ctx *m, const struct node *event, const struct route_config *route);

	/* Before authentication: true when it was a handshake and is answered. NULL: there is none. */
	bool (*handshake)(struct exchange *x);

	/* The request: head, body in chunks, end; each may answer. */
	void (*on_head)(struct exchange *x);
	void (*on_body)(struct exchange *x, struct str chunk);
	void (*on_end)(struct exchange *x);

	/*
	 * What the sender of a stored event is told, when it is not "success": sets body and media type. What the body
	 * points to lives as long as the exchange; x->body is free for it. NULL: "success".
	 */
	void (*on_stored)(struct exchange *x, struct http_response *response);
};

/* Every source of this version, ended by NULL. */
extern const struct source_ops *const sources[];

extern const struct source_ops source_bitbucket;
extern const struct source_ops source_bitbucketserver;
extern const struct source_ops source_gerrit;
extern const struct source_ops source_github;
extern const struct source_ops source_gitlab;
extern const struct source_ops source_slack;
extern const struct source_ops source_sns;
extern const struct source_ops source_storagegrid;
extern const struct source_ops source_stripe;
extern const struct source_ops source_webhook;
extern const struct source_ops source_cloudevents;

/* The source with this key under spec (`own` false) or spec.holdfast (`own` true), or NULL. */
const struct source_ops *source_find(struct str kind, bool own);

/* Does upstream have an event source type of this name, served here or not? */
bool source_is_upstream(struct str kind);

/* The upstream type nearest to a misspelt name, or NULL. */
const char *source_nearest(struct str kind);
