/*
 * tls_peer.h -- what a certificate says about its owner.
 *
 * Shape     subject and names as text. The subject is written as Go's pkix.Name prints it, because rules that people have are
 *           matched against that text: from the last of SERIALNUMBER, CN, POSTALCODE, STREET, ST, L, OU, O, C to the first, values of
 *           one type joined by '+', other types behind them as OID=#hex; so the certificate's own order does not show.
 * Owner     tls_peer_release(); a zeroed one is empty.
 * Source    RFC 2253; RFC 5280 4.2.1.6; facts argocd-agent 2.3
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define TLS_FINGERPRINT_MAX 65

struct x509_st;

struct tls_peer {
	char *subject;     /* "CN=agent-1,O=example" */
	char *common_name; /* the last CN; "" when there is none */
	char **uris;       /* URI names, in order */
	size_t uri_count;
	char fingerprint[TLS_FINGERPRINT_MAX]; /* SHA-256 of the certificate, upper-case hex */
};

/* E_NOMEM: `ret_peer` is untouched. E_MALFORMED: a name holds a zero byte or is no text. */
enum err tls_peer_read(struct tls_peer *ret_peer, const struct x509_st *cert);

void tls_peer_release(struct tls_peer *p);
