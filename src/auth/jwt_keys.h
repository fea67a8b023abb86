/*
 * jwt_keys.h -- the key that signs and the keys that signed before. Internal to jwt.
 *
 * Shape     keys[0] signs; the others verify until what they signed last is over.
 */
#pragma once

#include <openssl/evp.h>
#include <pthread.h>

#include "auth/jwt.h"

#define JWT_KEYS_MAX           8 /* with more reloads than this in a day the oldest is forgotten */
#define JWT_KEY_BITS_MIN       2048
#define JWT_KEY_BITS_MAX       8192
#define JWT_KEY_BITS_IN_MEMORY 2048 /* its tokens live for a day at most */

struct jwt_key {
	EVP_PKEY *pkey;
	int64_t until_ms; /* the last token that it signed is over then */
};

struct jwt_keys {
	pthread_mutex_t lock;
	struct pem from; /* a copy; none: generated */
	struct jwt_key keys[JWT_KEYS_MAX];
	size_t n;
};

/* The key that signs; EVP_PKEY_free() it. */
EVP_PKEY *jwt_keys_signer(struct jwt_keys *keys);

/* All that verify now; EVP_PKEY_free() each of them. */
size_t jwt_keys_verifiers(struct jwt_keys *keys, int64_t now_ms, EVP_PKEY *ret_keys[static JWT_KEYS_MAX]);
