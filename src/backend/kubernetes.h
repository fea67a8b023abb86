/*
 * kubernetes.h -- objects in the API server of a Kubernetes cluster.
 *
 * Shape     a backend (backend.h). Lists once, then watches; goes on where it was after a cut, and lists anew when the server has
 *           forgotten that place (410 Gone). Writes are conditional on UID and version. What a write made is reported from its
 *           answer, right behind on_done, and not a second time when the watch brings it.
 *           While the server is away nothing counts as deleted, writes end with E_UNAVAILABLE, and it is asked again with
 *           exponential backoff, for ever.
 * Threads   the loop's alone.
 * Errors    of opening: E_NOMEM, E_CONFIG. Whether the server can be reached is no condition.
 * Source    docs/reference/kubernetes.md; Kubernetes "API concepts" (resource versions, watches, chunked lists), "API conventions"
 */
#pragma once

#include "backend/backend.h"
#include "backend/kubernetes_config.h"
#include "base/metrics.h"

struct kubernetes_options {
	struct kubernetes_config *config; /* the backend's from here on, whatever comes back */
	const char *namespace;            /* own one: projects, repositories and keys are there, and applications */
	const char *const *
		namespaces; /* of more applications: names, commas between several; with a pattern among them all are watched */
	size_t namespace_count;
	bool everywhere;                     /* watch the applications of all namespaces */
	bool create_namespaces;              /* that an application needs */
	const char *namespace_pattern;       /* regular expression: only of these names; NULL: all */
	const char *const *namespace_labels; /* of these: "KEY=VALUE", commas between several */
	size_t namespace_label_count;
	struct metrics *metrics;
};

enum err kubernetes_open(struct loop *loop, const struct kubernetes_options *options, struct why *why,
			 struct backend **ret_backend);
