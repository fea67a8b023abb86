/*
 * request_log.h -- what became of each request, at debug: for who looks for one of them.
 *
 * Shape     a line for each event that was stored, given to the bus or kept back by its filter, with its event_id; and one for each
 *           request that was refused, with the words of its answer. Of the request itself they hold the client's address,
 *           and the path where no endpoint has it: a query, a field or a body may be secret.
 * Threads   the worker's loop.
 */
#pragma once

#include "gateway/exchange.h"
#include "gateway/listener.h"

/* All events of `x` are in the store, or the bus has confirmed them. */
void request_log_stored(const struct exchange *x);

/* The event of this row does not pass the filter of its route. */
void request_log_filtered(const struct exchange *x, const struct store_row *row);

/* `x` is answered so, if its client is still there. */
void request_log_refused(const struct exchange *x, enum answer answer, const struct answer_more *more);

/* No endpoint of the listener has the path of `r`. */
void request_log_no_route(const struct listener *l, const struct http_request *r);

/* The server itself refused something on the listener, with `status`; 0: a connection beyond the limits. */
void request_log_malformed(const struct listener *l, unsigned status);

/* A client at the address `peer` came with something else than TLS as we speak it, or does not trust our certificate. */
void request_log_tls_failed(const struct listener *l, const char *peer, const char *problem);
