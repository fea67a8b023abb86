/*
 * standard_webhooks.h -- requests signed as Standard Webhooks says: HMAC-SHA256 and ed25519, any of several secrets.
 *
 * Shape     fields `webhook-id`, `webhook-timestamp`, `webhook-signature`; the same with `svix-` in front, as the first sender
 *           of this form names them. Secrets are `whsec_<base64>` (or the base64 alone) and `whpk_<base64>`.
 * Units     seconds.
 * Source    Standard Webhooks 1.0.0 (peers-and-standards 4.8)
 */
#pragma once

#include "gateway/exchange.h"
#include "gateway/sources/claims.h"

/* The signature fields: for `masked`. */
#define STANDARD_WEBHOOKS_MASKED "Webhook-Signature", "Svix-Signature"

/*
 * Is the request, whose body is x->body, signed with a secret of place `secret` in ops->secrets, and not too long ago? Else
 * refuses. `ret_id` is the sender's id of the event.
 */
bool standard_webhooks_verify(struct exchange *x, size_t secret, uint64_t tolerance_s, struct str *ret_id);

/* What is compared: for secret_file_match(). */
struct standard_webhook {
	const struct claims *claims;
	struct str body;
};

/* E_CONFIG: `secret` is no key of this kind. */
enum err standard_webhook_check(void *webhook, struct str secret);
