/*
 * credentials.h -- what a process proves itself with, and whom it believes or not: files, or objects of its cluster.
 *
 * Shape     read at the start, which waits for that, and again by on_reload(): what a Secret has become is asked for like SIGHUP.
 * Owner     embedded; credentials_close() in the loop, then credentials_release(). Options are borrowed until then. PEM is lent as long.
 * Source    facts argocd-agent 2.4, 6.4
 */
#pragma once

#include "backend/kubernetes_secrets.h"
#include "backend/open.h"
#include "daemon/daemon.h"
#include "net/pem.h"

/* A Secret; `name` NULL: none. */
struct credentials_secret {
	const char *name;
	const char *instead; /* of creating it, for people: "name another with --tls-secret-name" */
	bool optional;
};

/* Files, or the Secret instead of them. */
struct credentials_options {
	const char *cert, *key; /* NULL: none */
	const char *ca;
	const char *jwt_key;
	struct credentials_secret tls_secret; /* tls.crt, tls.key */
	struct credentials_secret ca_secret;  /* tls.crt, ca.crt */
	struct credentials_secret jwt_secret; /* jwt.key */
	const char *blocklist_map;            /* a ConfigMap with a fingerprint as each key; NULL: none */
};

#define CREDENTIALS_SECRETS 4

struct credentials {
	struct pem cert, key, ca, jwt_key;
	const char *blocklist_name;  /* NULL: none; else for people */
	const struct buf *blocklist; /* a line for each fingerprint */
	struct daemon *daemon;
	struct kubernetes_secrets *secrets; /* NULL: none are wanted */
	struct kubernetes_secret wanted[CREDENTIALS_SECRETS];
	struct buf names[CREDENTIALS_SECRETS];
	size_t count;
	struct why outcome; /* of the first reading */
};

/* Into a zeroed one. Runs the loop until Secrets are read, for as long as the API server cannot be reached. After an error the process ends. */
enum err credentials_open(struct credentials *c, const struct credentials_options *options,
			  const struct backend_options *cluster, struct daemon *daemon, struct why *why);

/* on_closed() may come from inside. */
void credentials_close(struct credentials *c, void (*on_closed)(void *ctx), void *ctx);
void credentials_release(struct credentials *c);
