/*
 * kubeconfig_impl.h -- one context, cluster or user of a kubeconfig, and what it says.
 *
 * Owner     an entry borrows from its file. What is taken goes into the configuration, also before an error.
 * Errors    E_CONFIG with file and name, E_NOMEM
 */
#pragma once

#include <json-c/json.h>

#include "backend/kubernetes_config.h"

struct kubeconfig_entry {
	const char *path, *what, *name; /* "/etc/kubeconfig", "cluster", "prod" */
	json_object *value;             /* NULL: empty */
};

/* E_CONFIG: "PATH: the WHAT NAME: KEY TEXT", without the key where it is NULL. */
enum err kubeconfig_refuse(const struct kubeconfig_entry *e, const char *key, struct why *why, const char *text);

/* A text, borrowed, or copied. NULL: not there, or empty. */
enum err kubeconfig_text(const struct kubeconfig_entry *e, const char *key, struct why *why, const char **ret_text);
enum err kubeconfig_copy(const struct kubeconfig_entry *e, const char *key, struct why *why, char **ret_copy);

enum err kubeconfig_cluster(const struct kubeconfig_entry *e, struct why *why, struct kubernetes_config *c);
enum err kubeconfig_user(const struct kubeconfig_entry *e, struct why *why, struct kubernetes_config *c);

/* No token of `c` goes to a server on another machine in clear text. */
enum err kubeconfig_check_clear(const struct kubeconfig_entry *cluster, struct why *why,
				const struct kubernetes_config *c);
