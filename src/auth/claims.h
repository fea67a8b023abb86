/*
 * claims.h -- the JSON inside of a token. Internal to jwt.
 *
 * Shape     members that are not known are skipped; one that is known comes once and is of its type.
 * Owner     texts point into `arena`, which the caller releases.
 * Errors    E_MALFORMED  not such JSON
 * Source    RFC 7519 4.1; facts argocd-agent 2.4
 */
#pragma once

#include "auth/jwt.h"

#define CLAIMS_NO_TIME (-1)

struct claims {
	struct str issuer, subject, id;
	struct str audience; /* the first one */
	size_t audiences;
	int64_t expires, not_before, issued; /* s since 1970, or CLAIMS_NO_TIME */
};

enum err claims_read(struct str json, struct buf *arena, struct claims *ret_claims);

/* The algorithm that the header names. */
enum err claims_read_alg(struct str json, struct buf *arena, struct str *ret_alg);

/* The subject is JSON text again. */
enum err claims_read_subject(struct str json, struct agent_name *ret_agent, enum agent_mode *ret_mode);
