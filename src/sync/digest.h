/*
 * digest.h -- short texts that are equal when two objects have the same content.
 *
 * Shape     128 bits of SHA-256 over a canonical form, as 32 hex digits; "" when the part is not there. The order of keys
 *           does not matter, null is the same as absent, 1.0 the same as 1; empty labels, annotations and finalizers and an
 *           empty status are absent. The digests are stored: this form must not change without a new ledger schema.
 * Errors    E_NOMEM, E_LIMIT (deeper than a backend lets in), E_INTERNAL (the crypto library failed)
 * Source    argocd-agent facts 4.5, 10 (#840); docs/delivery.md
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <string.h>

#include "base/err.h"

#define DIGEST_SIZE 33 /* with the terminating zero */

struct digest {
	char text[DIGEST_SIZE];
};

static inline bool digest_eq(const struct digest *a, const struct digest *b)
{
	return strcmp(a->text, b->text) == 0;
}

static inline bool digest_is_empty(const struct digest *d)
{
	return d->text[0] == 0;
}

enum digest_part {
	/*
	 * What a peer should have: everything outside metadata, status and operation, and of metadata the labels, the
	 * annotations that are not ours (marks.h), the finalizers, and whether it is being deleted.
	 */
	DIGEST_DESIRED,
	DIGEST_STATUS,
	DIGEST_OPERATION, /* {} is an operation, null is none */
	DIGEST_WHOLE,     /* the three above: what an autonomous agent sends in one event */
};

/* Of NULL every part is "". */
enum err digest_of(json_object *tree, enum digest_part part, struct digest *ret_digest);
