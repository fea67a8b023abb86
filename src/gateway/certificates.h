/*
 * certificates.h -- public keys of the certificates that providers sign with, fetched once and kept for a day.
 *
 * Shape     a small table from address to key. Which addresses may be asked is the caller's to check. When it is full the
 *           oldest goes; while a server cannot be reached it is left alone for some seconds.
 * Units     times in ms of the monotonic clock.
 * Owner     a key that is found has a reference of its own: EVP_PKEY_free().
 * Threads   any; certificates_fetch() blocks for seconds.
 * Errors    of fetch.h; E_FORBIDDEN also for what is no usable certificate: not X.509, outside its time, RSA under 2048 bits
 */
#pragma once

#include <openssl/evp.h>
#include <pthread.h>

#include "base/str.h"
#include "base/why.h"

#define CERTIFICATES_MAX 16

struct certificate {
	char *url;
	EVP_PKEY *key;
	uint64_t until_ms;
};

struct certificates {
	pthread_mutex_t lock;
	struct certificate items[CERTIFICATES_MAX];
	size_t next;            /* the place that is taken for the next one */
	uint64_t not_before_ms; /* a server could not be reached: ask again then */
};

void certificates_init(struct certificates *c);
void certificates_release(struct certificates *c);

/* The key of the certificate at `url`, or NULL when it is not known (any more). */
EVP_PKEY *certificates_find(struct certificates *c, struct str url, uint64_t now_ms);

/* Fetches the certificate at `url` unless it is known; `ca_path` as in fetch.h. */
enum err certificates_fetch(struct certificates *c, const char *url, const char *ca_path, uint64_t now_ms,
			    struct why *why);

/* Takes the key out of a PEM certificate and keeps it as that of `url`. */
enum err certificates_add(struct certificates *c, const char *url, struct str pem, uint64_t now_ms, struct why *why);
