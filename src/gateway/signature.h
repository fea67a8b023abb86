/*
 * signature.h -- was this text signed by someone who has the secret?
 *
 * Shape     HMAC over pieces of text, so that "v0:<time>:<body>" needs no copy of the body; what a sender claims is
 *           decoded first and compared in constant time. A claim may hold several signatures: one that fits is enough.
 * Owner     values; nothing is kept. The algorithms are looked up once per process.
 * Threads   any.
 * Errors    E_UNAUTHENTICATED  not signed with this secret
 *           E_NOMEM            no memory
 * Source    RFC 2104, FIPS 198-1; facts argo-events 1.3, 1.6, 1.8, 1.10
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

enum signature_hash { SIGNATURE_SHA1, SIGNATURE_SHA256, SIGNATURE_SHA512, SIGNATURE_HASHES };

#define SIGNATURE_MAX 64 /* bytes of the longest */

struct signature {
	unsigned char bytes[SIGNATURE_MAX];
	size_t n; /* those in use: 20, 32 or 64 */
};

/* What a request says of itself. */
struct signature_claim {
	enum signature_hash hash;
	const struct str *pieces; /* the text that was signed, in order */
	size_t piece_count;
	const struct signature *given;
	size_t given_count;
};

/* The HMAC of the pieces. An empty key signs nothing: E_UNAUTHENTICATED. */
enum err signature_hmac(enum signature_hash hash, struct str key, const struct str *pieces, size_t count,
			struct signature *ret_signature);

/* Is one of claim->given (struct signature_claim) made with `secret`? The form that secret_file_match() wants. */
enum err signature_check(void *claim, struct str secret);

/* Text into bytes: exactly as many as `hash` has, nothing before or behind. False: it is not. */
bool signature_from_hex(struct str text, enum signature_hash hash, struct signature *ret_signature);
bool signature_from_base64(struct str text, enum signature_hash hash, struct signature *ret_signature);

/* "sha1", "sha256", "sha512". False: none of them. */
bool signature_hash_named(struct str name, enum signature_hash *ret_hash);

/* Bytes of a signature. */
size_t signature_size(enum signature_hash hash);
