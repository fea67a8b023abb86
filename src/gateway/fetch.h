/*
 * fetch.h -- one HTTP request to somebody else's server, bounded in time and size.
 *
 * Shape     blocks until it is over: for threads that may (net/work.h). Redirects are not followed; TLS is verified unless the
 *           operator turned that off.
 * Units     time in ms, size in bytes.
 * Owner     everything is borrowed for the call.
 * Threads   any.
 * Errors    E_TIMEOUT      no whole answer in time
 *           E_UNAVAILABLE  no connection, no valid certificate, or an answer of 429 or 5xx: worth another try
 *           E_FORBIDDEN    any other answer that is not 2xx
 *           E_LIMIT        the answer is larger
 *           E_NOMEM
 * Source    libcurl 7.88
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/why.h"

struct fetch_aws { /* signs the request: AWS Signature Version 4 */
	struct str access_key;
	struct str secret_key;
	const char *region;
	const char *service;
};

struct fetch {
	const char *url; /* https, or http with `plain` */
	bool plain;
	const char *ca_path;   /* PEM file of who may sign the server's certificate; NULL: the system's */
	const char *cert_path; /* PEM file of our own certificate, and its key; NULL: none */
	const char *key_path;
	bool insecure;               /* any certificate of the server will do: the operator said so */
	const char *bearer;          /* Authorization: Bearer; NULL: none */
	const char *form;            /* POST this urlencoded form; NULL: GET */
	const struct fetch_aws *aws; /* NULL: not signed */
	uint32_t timeout_ms;         /* for all of it */
	size_t max;                  /* of the answer's body */
};

/* Appends the body of an answer 2xx. */
enum err fetch_run(const struct fetch *f, struct buf *ret_body, struct why *why);
