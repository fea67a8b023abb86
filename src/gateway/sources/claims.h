/*
 * claims.h -- what the header fields of a signed request say: who signed it and when. Nothing is believed yet.
 *
 * Shape     one function for each form of header; the signatures in it are bytes afterwards, in the order they stand
 *           there. Schemes that are not known are passed over, so that a sender can bring in a new one.
 * Units     times in seconds since 1970.
 * Owner     the texts point into the fields.
 * Errors    false: no such claim; what is missing or wrong is all the same to a forger
 * Source    facts argo-events 1.8 (Slack v0), 1.10 (Stripe); Standard Webhooks 1.0.0 (peers-and-standards 4.8)
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "gateway/signature.h"

#define CLAIMS_MAX       16 /* signatures of one kind; more are passed over */
#define CLAIMS_ED25519   64 /* bytes */
#define CLAIMS_ID_MAX    256
#define CLAIMS_TOLERANCE 300 /* seconds, as all three of them ask for */

struct claims {
	struct str id;   /* Standard Webhooks only */
	struct str time; /* as written: it is part of what was signed */
	int64_t time_s;
	struct signature hmac[CLAIMS_MAX]; /* SHA-256 */
	size_t hmac_count;
	struct signature ed25519[CLAIMS_MAX]; /* Standard Webhooks only */
	size_t ed25519_count;
};

/* "v0=<hex>" and "<seconds>". */
bool claims_slack(struct str signature, struct str time, struct claims *ret_claims);

/* "t=<seconds>,v1=<hex>[,v1=<hex>]...". */
bool claims_stripe(struct str header, struct claims *ret_claims);

/* "<id>", "<seconds>", "v1,<base64>[ v1a,<base64>]...". */
bool claims_standard(struct str id, struct str time, struct str signatures, struct claims *ret_claims);

/* Signed within the last or the next `tolerance_s`? */
bool claims_fresh(const struct claims *c, int64_t now_s, uint64_t tolerance_s);
