/*
 * tls.h -- TLS of one listener: certificate, key, and their replacement while it runs.
 *
 * Shape     an OpenSSL context behind a reference; tls_server_reload() swaps it, connections keep the one they began with.
 * Threads   reload from any thread; sessions in their loop's.
 * Errors    E_CONFIG  a file is missing or does not parse, or key and certificate do not belong together; what was
 *                     there before stays in use
 * Source    RFC 8446, RFC 5246; TLS 1.2 is the least (facts argo-events 2.2)
 */
#pragma once

#include "base/why.h"

struct tls_server;

/* Reads PEM files. ALPN offers `alpn` ("http/1.1"; NULL: none). */
enum err tls_server_new(const char *cert_path, const char *key_path, const char *alpn, struct why *why,
			struct tls_server **ret_tls);
void tls_server_free(struct tls_server *t);

/* Reads the files again. */
enum err tls_server_reload(struct tls_server *t, struct why *why);
