/*
 * kubeconfig.h -- kubeconfig files as texts, and what one context of them says.
 *
 * Shape     of several files the first that has a context, a cluster or a user of that name counts, with all that it says of it; so
 *           does the first that names a current context. Files that they name are not looked at.
 * Limits    those of object_yaml.h: anchors, tags and keys that stand twice are refused.
 * Owner     kubeconfig_release(). What is secret is wiped.
 * Errors    E_CONFIG, E_NOMEM
 * Source    https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/; client-go: tools/clientcmd
 */
#pragma once

#include "backend/kubernetes_config.h"
#include "base/str.h"

struct kubeconfig {
	struct kubeconfig_file *files;
	size_t n;
};

/* Add the text of `path`, behind those that are there. */
enum err kubeconfig_add(struct kubeconfig *k, const char *path, struct str text, struct why *why);

/*
 * What `context` (NULL: the current one) says, into a zeroed `ret_config`, which the caller frees in any case. `*ret_secrets`: the
 * file that has secrets of its user itself, borrowed; NULL: none does.
 */
enum err kubeconfig_choose(const struct kubeconfig *k, const char *context, struct why *why,
			   struct kubernetes_config *ret_config, const char **ret_secrets);

void kubeconfig_release(struct kubeconfig *k);
