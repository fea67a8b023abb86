/*
 * kubernetes_config.h -- which API server, and as whom: from a kubeconfig file, or from what a pod is given.
 *
 * Shape     read once; files that it names (token, certificates) are read again when they are used, since they are renewed.
 *           Order: `path`; $KUBECONFIG; a pod's service account; ~/.kube/config.
 * Owner     kubernetes_config_load/kubernetes_config_free. What is secret is wiped.
 * Errors    E_CONFIG with file, line and what to do: not there, not a kubeconfig, no such context, cluster or user, credentials that
 *           are not served (exec, auth-provider, user name and password)
 * Source    https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/, https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
 */
#pragma once

#include "base/buf.h"
#include "base/why.h"

struct kubernetes_config {
	char *server; /* "https://host:port", with a path or without, no slash at its end */
	char *tls_server_name;
	char *proxy;
	bool insecure;
	char *ca_file; /* at most one of each pair */
	struct buf ca;
	char *cert_file;
	struct buf cert;
	char *key_file;
	struct buf key;
	char *token_file;
	struct buf token;
	char *namespace; /* of the context or of the pod; "default" */
	char *origin; /* where it comes from, for the log: "/etc/k.conf, context prod", "the pod's service account" */
};

/* `path` and `context` may be NULL. */
enum err kubernetes_config_load(const char *path, const char *context, struct why *why,
				struct kubernetes_config **ret_config);

/* What a pod is given in `dir`, and in its variables. */
enum err kubernetes_config_pod(const char *dir, struct why *why, struct kubernetes_config **ret_config);

/* Appends the token of now; nothing: there is none. E_NOT_FOUND, E_IO, E_CONFIG  its file has none */
enum err kubernetes_config_token(const struct kubernetes_config *c, struct why *why, struct buf *ret_token);

void kubernetes_config_free(struct kubernetes_config *c); /* takes NULL */
