/*
 * plan.h -- which hooks a route wants, where, and as whom: what a provider's file makes of a manifest.
 *
 * Shape     one row for each kind of source that can have hooks. `plan` says nothing when the manifest does not ask for any.
 * Owner     a plan owns its texts, hook_plan_release(); secrets and settings are borrowed from the route.
 * Source    facts argo-events 1.2-1.10 "Hook management"
 */
#pragma once

#include "gateway/hooks/hook.h"

enum login_kind {
	LOGIN_BEARER,        /* Authorization: Bearer <first> */
	LOGIN_PRIVATE_TOKEN, /* PRIVATE-TOKEN: <first> */
	LOGIN_BASIC,         /* <first>:<second> */
	LOGIN_AWS,           /* AWS Signature Version 4 with <first> and <second> */
	LOGIN_ROLE,          /* the same with keys of a role, which <first> and <second> take on */
	LOGIN_APP,           /* GitHub App: <first> is its private key */
};

/* Where requests go and as whom. */
struct login {
	enum login_kind kind;
	struct buf base; /* "https://api.github.com": no slash at the end */
	const struct secret_ref *first;
	const struct secret_ref *second; /* NULL: none */
	int64_t app_id;
	int64_t installation_id;
	const char *region;   /* LOGIN_AWS, LOGIN_ROLE */
	const char *role_arn; /* LOGIN_ROLE */
	bool named;           /* the base is not the provider's own: the manifest names it */
	const char *ca_path;  /* NULL: the system's */
	const char *cert_path;
	const char *key_path;
	bool insecure; /* the operator said so */
};

struct hook_plan_place {
	const struct hook_provider *provider;
	char *path;
	char *place;
};

struct hook_plan {
	struct login login;
	const struct secret_ref *secret; /* NULL, or path NULL: none */
	bool delete_on_finish;
	uint64_t interval_ms; /* of the source's own keys; 0: none */
	struct hook_plan_place *places;
	size_t count;
	const char *problem; /* why no hook can be made; NULL: it can */
	enum err err;        /* E_NOMEM */
};

struct hook_kind {
	const char *kind; /* the source's */
	void (*plan)(const struct route_config *route, struct hook_plan *ret_plan);
};

/* Of a kind of source; NULL: it has no hooks. */
const struct hook_kind *hook_kind_find(const char *kind);

/*
 * For plan(): one more place. Each `*` of `path` is the next name, percent-encoded, and each of `place` as it is. Nothing is
 * added where a name that `path` wants is NULL: the manifest says half of it.
 */
void hook_plan_add(struct hook_plan *p, const struct hook_provider *provider, const char *path, const char *place,
		   const char *first, const char *second);

/* Appends `pattern` in the same way; `encode`: names are percent-encoded. */
void hook_plan_fill(struct buf *b, const char *pattern, const struct str names[static 2], bool encode);

/* For plan(): `base` without slashes at its end. */
void hook_plan_base(struct hook_plan *p, const char *base);

void hook_plan_release(struct hook_plan *p);

/* What the route wants. With count 0 nothing, unless `problem` is set. */
void hook_plan_route(const struct route_config *route, struct hook_plan *ret_plan);

/* The address that the hook has: facts argo-events 1.3 "target URL". False: the endpoint is no address, or no memory. */
bool hook_plan_url(const struct route_config *route, struct buf *ret_url);

extern const struct hook_kind hook_kind_bitbucket;
extern const struct hook_kind hook_kind_bitbucketserver;
extern const struct hook_kind hook_kind_gerrit;
extern const struct hook_kind hook_kind_github;
extern const struct hook_kind hook_kind_gitlab;
extern const struct hook_kind hook_kind_sns;
extern const struct hook_kind hook_kind_storagegrid;
extern const struct hook_kind hook_kind_stripe;
