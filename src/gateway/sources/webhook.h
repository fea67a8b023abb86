/*
 * webhook.h -- the switches of ours on a `webhook` event: who must have signed it, and where its id stands.
 *
 * Shape     read by the rows in webhook_signature.c from the event's `holdfast` into route->settings.
 * Source    Standard Webhooks 1.0.0; RFC 2104
 */
#pragma once

#include "config/fields.h"
#include "gateway/exchange.h"
#include "gateway/sources/source.h"

enum webhook_signature { WEBHOOK_UNSIGNED, WEBHOOK_STANDARD, WEBHOOK_HMAC };

struct webhook_settings {
	int signature; /* enum webhook_signature */
	struct secret_list signing_secrets;
	uint64_t tolerance_ms;
	struct {
		char *header;
		int hash;     /* enum signature_hash */
		int encoding; /* 0: hex, 1: base64 */
		char *prefix; /* stands before the signature in the field; NULL: nothing */
	} hmac;
	char *id_header; /* NULL: none */
};

extern const struct field_table webhook_own_settings;
extern const struct source_secret webhook_secrets[];

/* What must go together: reports through `m`. */
void webhook_signature_check(const struct fields_ctx *m, const struct node *event, const struct route_config *route);

/* Does a request of this route have to be signed? Then its body is collected as it came. */
bool webhook_is_signed(const struct exchange *x);

/* Is it, with the whole body in x->body? Else refuses. `ret_id` is the sender's id of the event, or empty. */
bool webhook_verify(struct exchange *x, struct str *ret_id);

/* Fields with signatures, which events do not show: at most WEBHOOK_MASKED_MAX with the NULL at their end. */
#define WEBHOOK_MASKED_MAX 4
void webhook_masked(const struct exchange *x, const char *ret_names[static WEBHOOK_MASKED_MAX]);
