/*
 * tls_ctx.h -- an OpenSSL context that can be replaced while sessions use it. Internal to net.
 *
 * Threads   reload from any thread; tls_ctx_ssl() too.
 */
#pragma once

#include <openssl/ssl.h>
#include <pthread.h>

#include "net/tls.h"

struct tls_ctx {
	pthread_mutex_t lock; /* of ctx */
	SSL_CTX *ctx;
	struct pem cert, key; /* names are ours */
	struct pem ca;        /* none: the system's */
	enum tls_verify verify;
	enum tls_version min, max;
	char *suites; /* NULL: all */
	bool client;
	unsigned char alpn[64]; /* as on the wire: length, name, and so on */
	unsigned alpn_n;        /* bytes; 0: none */
};

/* Zeroed before; release it also after an error. */
enum err tls_ctx_init(struct tls_ctx *t, const struct tls_options *o, bool client, struct why *why);
void tls_ctx_release(struct tls_ctx *t);

/* Read certificate, key and authorities again. */
enum err tls_ctx_reload(struct tls_ctx *t, struct why *why);

/* A connection object with the certificate of this moment; NULL without memory. */
SSL *tls_ctx_ssl(struct tls_ctx *t);

struct tls_server {
	struct tls_ctx ctx;
};

struct tls_client {
	struct tls_ctx ctx;
};
