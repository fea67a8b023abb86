/*
 * tls_suites.h -- cipher suites by the names that IANA gives them. Internal to net.
 *
 * Shape     what OpenSSL takes in two lists: the suites of TLS 1.2, by its own names, and those of TLS 1.3.
 * Source    RFC 8446 B.4; RFC 5289; RFC 7905; argocd-agent facts 6.4
 */
#pragma once

#include "base/buf.h"
#include "net/tls.h"

struct ssl_ctx_st;

/*
 * Let a context use the suites of a list only (NULL: all), in this range of versions. E_CONFIG: a name is unknown, or the list and
 * the range do not go together.
 */
enum err tls_suites_use(struct ssl_ctx_st *ctx, const char *list, enum tls_version min, enum tls_version max,
			struct why *why);
