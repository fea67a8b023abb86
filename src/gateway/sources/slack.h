/*
 * slack.h -- the parts of a request of Slack: slack.c verifies, slack_form.c and slack_event.c read.
 *
 * Shape     each reads x->body, whole and verified, and answers or stores.
 * Source    facts argo-events 1.8
 */
#pragma once

#include "gateway/exchange.h"
#include "gateway/sources/claims.h"

enum slack_secret { SLACK_SIGNING_SECRET, SLACK_TOKEN }; /* places in route->secrets */

enum slack_mode { SLACK_EVENT, SLACK_FORM }; /* x->mode */

/* A slash command or an interaction. */
void slack_form(struct exchange *x, const struct claims *claims);

/* What the Events API sends. */
void slack_event(struct exchange *x);

/* How to refuse: 400, of `compat: strict` 500, which upstream answers to whatever it cannot read. */
enum answer slack_refusal(const struct exchange *x);

/* What provider_match() found: true for E_OK, else refuses; `strict` are upstream's words for E_UNAUTHENTICATED. */
bool slack_judge(struct exchange *x, enum err err, const char *strict);
