/*
 * exchange_impl.h -- what the files of the exchange share: exchange.c (its life and the request), admission.c (the gates
 * before a body is read), exchange_errand.c (waiting for the world) and submit.c (store, then answer).
 */
#pragma once

#include "gateway/exchange.h"

/*
 * Answering may end the request inside the call, and with it the exchange: every way in goes through enter and leave,
 * and only the outermost leave releases.
 */
void exchange_enter(struct exchange *x);
void exchange_leave(struct exchange *x);

/* Answers unless it is answered, or nobody waits any more. `more` may be NULL. */
void exchange_answer(struct exchange *x, enum answer answer, const struct answer_more *more);

/* admission.c: the source's words for a body over maxPayloadSize. */
enum answer exchange_too_large(const struct exchange *x);

/* submit.c: success, in the source's words; `headers` as in struct answer_more. */
void exchange_answer_success(struct exchange *x, struct str headers);

/*
 * filtering.c: the route's filter judges the rows of `x`. Takes out what does not pass and marks what it fails on. False: it
 * is answered, because nothing is left or there is no memory.
 */
bool exchange_filter(struct exchange *x);

/* submit.c: the route's deadline counts from now, unless it does so already. False: no memory. */
bool exchange_start_deadline(struct exchange *x);

/* admission.c: passes all gates, or answers. */
bool exchange_admit(struct exchange *x);
