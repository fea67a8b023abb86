/*
 * checksum.h -- what a resync compares: the list of resources, and the spec of one.
 *
 * Shape     SHA-256 over exactly the bytes that the Go program would hash. canonical.h makes them of a spec.
 * Errors    E_MALFORMED  not a JSON object, or the spec is none
 *           E_NOT_FOUND  the object has no spec (or a repository no data)
 *           E_LIMIT      nested deeper than CANONICAL_DEPTH_MAX
 *           E_NOMEM
 * Source    argocd-agent facts 2.10, 11.16, 11.17
 */
#pragma once

#include "wire/event.h"

#define WIRE_CHECKSUM 32

struct wire_listed {
	struct str kind; /* "Application" */
	struct str name;
	struct str uid;     /* at the source of truth */
	struct str version; /* that was applied last, in our dialect; empty: not known, or upstream's dialect */
};

/* Of `n` resources in any order. None: there is no checksum, `*ret_has` is false. */
enum err wire_list_checksum(const struct wire_listed *list, size_t n, bool *ret_has,
			    unsigned char ret_sum[static WIRE_CHECKSUM]);

/*
 * Of the whole object in `json`: its spec without `destination`; for repositories and GPG keys its data. `target` is that of a
 * kind.
 */
enum err wire_spec_checksum(enum wire_target target, struct str json, unsigned char ret_sum[static WIRE_CHECKSUM],
			    struct why *why);
