/*
 * tls_client.h -- TLS toward a bus: what a manifest says about it.
 *
 * Source    facts argo-events 4.5: insecureSkipVerify wins over the rest, a CA replaces the system's roots
 */
#pragma once

#include <stdbool.h>

#include "base/why.h"

/* Paths of PEM files, read at each connect; NULL: not configured. */
struct tls_client_config {
	bool configured;           /* a tls block is there: TLS is required */
	bool insecure_skip_verify; /* wins over the rest */
	char *ca_path;             /* replaces the system's roots */
	char *cert_path;
	char *key_path;
};

/* libnats would ask for a key's password on the terminal, and wait for whoever sits there; librdkafka only fails. */
enum err tls_client_check_key(const char *path, struct why *why);
