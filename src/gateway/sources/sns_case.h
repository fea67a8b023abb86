/*
 * sns_case.h -- one message of Amazon SNS while it is judged: verified, then stored or confirmed.
 *
 * Owner     hangs on its exchange (x->own); what the errands' thread reads of it does not change while an errand runs.
 */
#pragma once

#include "gateway/exchange.h"

enum sns_secret { SNS_ACCESS_KEY, SNS_SECRET_KEY }; /* places in route->secrets */

/* x->payload is complete up to its "body", the message. Answers now or later. */
void sns_case_begin(struct exchange *x);
