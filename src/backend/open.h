/*
 * open.h -- a backend by its name, as --backend says it.
 *
 * Shape     "directory:PATH" (directory.h), "kubernetes" (kubernetes.h), "memory:" (memory.h; for benches: everything is gone with the process).
 * Errors    E_CONFIG  no such backend; and those of opening it
 */
#pragma once

#include "backend/backend.h"
#include "store/ledger.h"

#define BACKEND_KUBERNETES "kubernetes"

/* Borrowed until backend_open() returns. What is not of the backend that `name` says counts for nothing. */
struct backend_options {
	const char *name;              /* as in --backend */
	const char *kubeconfig;        /* NULL: $KUBECONFIG, or what a pod is given (kubernetes_config.h) */
	const char *kubecontext;       /* NULL: the kubeconfig's current one */
	const char *namespace;         /* this end's own */
	const char *const *namespaces; /* names and patterns of others (--allowed-namespaces), commas between several */
	size_t namespace_count;
	bool everywhere;                     /* of any others */
	bool create_namespaces;              /* that are missing for an object to be written */
	const char *namespace_pattern;       /* regular expression: only of these names; NULL: all */
	const char *const *namespace_labels; /* of these: "KEY=VALUE", commas between several */
	size_t namespace_label_count;
};

enum err backend_open(const struct backend_options *options, struct loop *loop, struct ledger *ledger,
		      struct metrics *metrics, struct why *why, struct backend **ret_backend);
