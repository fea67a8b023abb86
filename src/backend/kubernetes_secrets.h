/*
 * kubernetes_secrets.h -- texts from Secrets of a cluster: keys and certificates; and names from ConfigMaps.
 *
 * Shape     each Secret is listed by its name and watched from there. Whatever the watch brings, or its end, has it listed again; so
 *           nothing is asked while nothing happens but that, each five to ten minutes.
 *           on_ready() comes once: all were read, or one of them cannot be, and that will not pass by itself. While the server cannot be
 *           reached it is asked again with exponential backoff. From then on what cannot be read is said in the log, and the texts stay.
 * Owner     `secrets` are the caller's, until on_closed(); what they point to lives as long. Texts change only right before
 *           on_change(). Answers and texts are wiped.
 * Threads   the loop's. No callback comes from inside a call.
 * Errors    in on_ready(): E_NOT_FOUND  a Secret is not there, or has not what is wanted; E_FORBIDDEN  it may not be read; E_CONFIG
 * Source    Kubernetes "API concepts" (watches), "RBAC" (list and watch of one name need a fieldSelector); facts argocd-agent 6.4
 */
#pragma once

#include "backend/kubernetes_config.h"
#include "net/loop.h"

#define KUBERNETES_SECRET_KEYS 2

/* An object that is wanted. */
struct kubernetes_secret {
	const char *name;
	const char *keys[KUBERNETES_SECRET_KEYS];
	bool any; /* one of these does; the texts of all that are there stand in texts[0], one behind the other */
	bool is_map; /* no Secret but a ConfigMap: the names of all its keys, a line for each, in texts[0]; without it none */
	bool optional;       /* it need not be there at the start: then its texts are empty until it is */
	const char *instead; /* what to do instead of making it: "name another with --tls-secret-name" */
	struct buf texts[KUBERNETES_SECRET_KEYS];
};

struct kubernetes_secrets_options {
	struct kubernetes_config *config; /* its own from here on, whatever comes back */
	const char *namespace;
	struct kubernetes_secret *secrets;
	size_t count;
	void (*on_ready)(void *ctx, const struct why *why); /* `why` has E_OK: all were read */
	void (*on_change)(void *ctx);                       /* later: a text is another */
	void *ctx;
};

struct kubernetes_secrets;

/* Begins to read. E_NOMEM, E_CONFIG */
enum err kubernetes_secrets_open(struct loop *loop, const struct kubernetes_secrets_options *options, struct why *why,
				 struct kubernetes_secrets **ret_secrets);
void kubernetes_secrets_close(struct kubernetes_secrets *k, void (*on_closed)(void *ctx), void *ctx);
