/*
 * pki.h -- an authority of one's own, the certificates that it issues, and the key of the tokens.
 *
 * Shape     everything is PEM in memory; files are the caller's. Keys are PKCS#8. An agent's certificate is for clients,
 *           a server's for servers, and neither can issue others.
 * Units     wall clock in ms since 1970; validity in days, 1 to PKI_DAYS_MAX.
 * Errors    E_CONFIG     a name is not one, a file is no certificate or key, or they do not belong together; the authority
 *                        is over
 *           E_NOT_FOUND  a file is not there
 * Source    RFC 5280 4.1, 4.2; facts argocd-agent 2.3, 2.4
 */
#pragma once

#include "base/buf.h"
#include "base/why.h"
#include "net/pem.h"

#define PKI_DAYS_MAX     36500
#define PKI_SKEW_S       300 /* a certificate is valid from this much before it is made: clocks differ */
#define PKI_SERIAL_BYTES 16

enum pki_role { PKI_AUTHORITY, PKI_SERVER, PKI_AGENT };

enum pki_kind { PKI_EC, PKI_RSA }; /* P-256; 3072 bits */

/* What is wanted. */
struct pki_request {
	enum pki_role role;
	enum pki_kind kind;
	const char *name;        /* the common name; an agent's is its name (agent.h) */
	const char *const *sans; /* "dns:NAME", "ip:ADDRESS", "uri:URI", or without the word where it is clear */
	size_t san_count;
	const char *renews; /* path of a certificate whose names it takes over when there are no `sans`; NULL: none */
	unsigned days;
	unsigned char serial[PKI_SERIAL_BYTES]; /* random */
};

/* What came of it. Zeroed before; release wipes the key. */
struct pki_pair {
	struct buf cert;
	struct buf key;
	int64_t expires_ms;
};

void pki_pair_release(struct pki_pair *pair);

/* A certificate that has signed itself. */
enum err pki_make_authority(const struct pki_request *request, int64_t now_ms, struct why *why,
			    struct pki_pair *ret_pair);

struct pki_authority;

/* Checks that it may issue, that the key is its own, and that it is not over. */
enum err pki_authority_open(const char *cert_path, const char *key_path, int64_t now_ms, struct why *why,
			    struct pki_authority **ret_authority);
void pki_authority_free(struct pki_authority *a);

/*
 * A server's certificate is also for its name, where that is a DNS name or an address. It ends with the authority's at
 * the latest. `key_pem`: the key that it has already; empty: a new one. `ret_pair->key` is that key.
 */
enum err pki_issue(const struct pki_authority *a, const struct pki_request *request, struct str key_pem, int64_t now_ms,
		   struct why *why, struct pki_pair *ret_pair);

/* An RSA key for tokens (jwt.h): 2048, 3072 or 4096 bits. */
enum err pki_make_rsa(unsigned bits, struct why *why, struct buf *ret_pem);

/* When this certificate is over. */
enum err pki_expiry(const struct pem *from, struct why *why, int64_t *ret_expires_ms);
