/*
 * tls.h -- TLS of a listener or of a client: certificate, key, authorities, and their replacement while it runs.
 *
 * Shape     an OpenSSL context behind a reference; a reload swaps it, connections keep the one they began with.
 * Threads   reload from any thread; sessions in their loop's.
 * Errors    E_CONFIG  a file is missing or does not parse, or key and certificate do not belong together; what was
 *                     there before stays in use
 * Source    RFC 8446, RFC 5246; TLS 1.2 is the least (facts argo-events 2.2)
 */
#pragma once

#include "base/buf.h"
#include "base/why.h"
#include "net/pem.h"
#include "net/tls_peer.h"

/* What is asked of the other side's certificate. */
enum tls_verify {
	TLS_VERIFY_NONE,     /* server: none is asked for; client: anybody may answer ("insecure") */
	TLS_VERIFY_IF_GIVEN, /* server: none, or a good one */
	TLS_VERIFY_REQUIRED, /* a good one; for a client it also carries the server's name */
};

enum tls_version {
	TLS_ANY, /* as least: 1.2; as most: the newest */
	TLS_1_2,
	TLS_1_3,
};

/* Strings are copied; texts of PEM are borrowed, and looked at again by a reload. */
struct tls_options {
	struct pem cert; /* our certificate, with its chain; none: a client without one */
	struct pem key;
	struct pem ca; /* who may have signed the other's; none: the system's authorities */
	/* "h2"; a server takes the first of a list ("http/1.1,http/1.0") that is offered; NULL: no ALPN */
	const char *alpn;
	enum tls_verify verify;
	enum tls_version min, max;
	const char *suites; /* names as IANA has them, separated by commas; NULL: all of tls_suites() */
};

/* "tls1.2", "tls1.3"; false for another word. TLS 1.1 is not served. */
bool tls_version_parse(struct str word, enum tls_version *ret_version);

/* The names of all cipher suites that there are: with forward secrecy and authenticated encryption. Newest version first. */
void tls_suites(struct buf *ret_lines);

struct tls_server;

enum err tls_server_open(const struct tls_options *options, struct why *why, struct tls_server **ret_tls);

/* The same without client certificates. */
enum err tls_server_new(const char *cert_path, const char *key_path, const char *alpn, struct why *why,
			struct tls_server **ret_tls);
void tls_server_free(struct tls_server *t);

/* Reads certificate, key and authorities again. */
enum err tls_server_reload(struct tls_server *t, struct why *why);

struct tls_client;

enum err tls_client_open(const struct tls_options *options, struct why *why, struct tls_client **ret_tls);
void tls_client_free(struct tls_client *t);

/* Reads certificate, key and authorities again. */
enum err tls_client_reload(struct tls_client *t, struct why *why);

/*
 * One connection's session, without sockets: bytes from the wire go in, bytes for the wire come out.
 *
 *     tls_session_feed(s, from_wire);
 *     while ((result = tls_session_read(s, plain, sizeof(plain), &n)) == TLS_DATA)
 *             use(plain, n);
 *     send(tls_session_output(s));
 */
struct tls_session;

enum tls_result {
	TLS_MORE,   /* all input is used; more is needed */
	TLS_DATA,   /* plain bytes came out */
	TLS_CLOSED, /* the peer has said that it sends no more */
	TLS_FAILED, /* the peer broke the protocol, or no common version or cipher; what to tell it is in the output */
};

/* The server's side, with the certificate of this moment. NULL without memory. */
struct tls_session *tls_session_new(struct tls_server *t);

/* The client's side. `name`: the server's, a DNS name or an address, as its certificate must say it. NULL without memory. */
struct tls_session *tls_session_new_client(struct tls_client *t, const char *name);

void tls_session_free(struct tls_session *s);

/* Bytes from the wire; borrowed until tls_session_read() has returned something else than TLS_DATA. */
void tls_session_feed(struct tls_session *s, struct str from_wire);
enum tls_result tls_session_read(struct tls_session *s, char *p, size_t n, size_t *ret_n);

/* The handshake is done: data may be written. */
bool tls_session_established(const struct tls_session *s);

/* Encrypt all of `plain` into the output. E_IO: the session has failed. */
enum err tls_session_write(struct tls_session *s, struct str plain);

/* Say that nothing more will be sent; once, however often it is called. */
void tls_session_close(struct tls_session *s);

/* Bytes for the wire; the caller sends and then clears (or releases) them. A sticky error means that some are missing. */
struct buf *tls_session_output(struct tls_session *s);

/* What the other side's verified certificate says; once established. E_NOT_FOUND: it showed none. E_NOMEM. */
enum err tls_session_peer(const struct tls_session *s, struct tls_peer *ret_peer);

/* After TLS_FAILED: what was wrong, for people. Never NULL. */
const char *tls_session_problem(const struct tls_session *s);

/* Was this protocol agreed on by ALPN? */
bool tls_session_speaks(const struct tls_session *s, const char *alpn);
