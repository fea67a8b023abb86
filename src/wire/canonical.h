/*
 * canonical.h -- JSON as Go's encoding/json writes it after Kubernetes has read it.
 *
 * Shape     keys in the order of their bytes, the last of equal keys, no white space, < > & U+2028 U+2029 escaped; integers of 64
 *           bits as they are, every other number as the shortest text of its double; bytes that are not UTF-8, and half
 *           surrogates, as U+FFFD.
 * Errors    E_MALFORMED  not JSON, or a number outside the range of a double
 *           E_LIMIT      nested deeper than TAPE_DEPTH_MAX, or from the output buffer
 *           E_NOMEM
 * Source    Go: encoding/json (Marshal), strconv; sigs.k8s.io/json preserves integers; argocd-agent facts 11.16
 */
#pragma once

#include "wire/tape.h"

/* Append the canonical form of node `node`; an object there goes without its member `without` (empty: with all). */
enum err canonical_node(const struct tape *t, size_t node, struct str without, struct buf *ret_text, struct why *why);

/* The same of a whole text. */
enum err canonical_write(struct str json, struct buf *ret_text, struct why *why);
