/*
 * sns_case.h -- one message of Amazon SNS while it is judged: verified, then stored or confirmed.
 *
 * Shape     sns_case.c judges, sns_signature.c verifies, sns_confirm.c confirms subscriptions. Each answers, now or after an
 *           errand.
 * Owner     hangs on its exchange (x->own); what the errands' thread reads of it does not change while an errand runs.
 */
#pragma once

#include "gateway/exchange.h"
#include "gateway/sources/sns.h"
#include "gateway/sources/sns_message.h"

enum sns_secret { SNS_ACCESS_KEY, SNS_SECRET_KEY }; /* places in route->secrets */

struct sns_case {
	struct sns_message message;
	struct buf base; /* where SNS is */
	char *url;       /* what the errand asks for */
	struct buf form; /* what it posts there; empty: it gets it */
	struct buf access_key;
	struct buf secret_key;
	enum err err; /* how the errand ended */
	struct why why;
};

/* x->payload is complete up to its "body", the message. */
void sns_case_begin(struct exchange *x);

/* The message is believed: store it, or do what it asks for. */
void sns_case_proceed(struct exchange *x);

/* The errand failed: the other side may try again, or need not. */
void sns_case_refuse(struct exchange *x, const char *what);

/* Proceeds when the signature is right, else refuses. */
void sns_verify(struct exchange *x);

/* Confirms the subscription that the message asks for. */
void sns_confirm(struct exchange *x);

static inline const struct sns_settings *sns_settings_of(const struct exchange *x)
{
	return x->route->config->settings;
}
