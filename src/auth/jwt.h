/*
 * jwt.h -- the tokens that a principal gives to its agents.
 *
 * Shape     RS512 only, compact form. One key signs; keys that were replaced verify on until the last token they signed
 *           is over, so that a new key cuts nobody off.
 * Units     wall clock in ms since 1970, as clock_wall_ms() says; tokens carry whole seconds.
 * Threads   any, at the same time; reload too. Signing costs milliseconds (it is RSA): see work.h.
 * Errors    E_UNAUTHENTICATED  not a token of ours, of another use, or not of this time; `why` is for the log, the peer
 *                              is told nothing else
 *           E_CONFIG           the key cannot be read, or is no RSA key of 2048 to 8192 bits in PEM
 * Source    RFC 7515, 7518 3.3, 7519; facts argocd-agent 2.4
 */
#pragma once

#include "auth/agent.h"
#include "base/buf.h"
#include "base/why.h"
#include "net/pem.h"

#define JWT_ISSUER     "argocd-agent-server"
#define JWT_TOKEN_MAX  8192                  /* bytes of a token; longer ones are refused unread */
#define JWT_LEEWAY_MS  (10 * 1000)           /* clocks of two principals may differ by this */
#define JWT_ACCESS_MS  (5 * 60 * 1000)       /* life of an access token */
#define JWT_REFRESH_MS (24 * 60 * 60 * 1000) /* of a refresh token */
#define JWT_RENEW_MS   (10 * 60 * 1000)      /* a refresh token with less left is replaced */
#define JWT_ID_BYTES   16

enum jwt_use { JWT_ACCESS, JWT_REFRESH };

struct jwt_claims {
	enum jwt_use use;
	struct agent_name agent;
	enum agent_mode mode;
	int64_t issued_ms;  /* 0: not said */
	int64_t expires_ms; /* 0: not said; never after jwt_verify() */
	char id[37];        /* a UUID with dashes; "" when not said */
};

struct jwt_keys;

/* Reads `key`; a text is borrowed. */
enum err jwt_keys_open(const struct pem *key, struct why *why, struct jwt_keys **ret_keys);

/* A key that is in memory only: its tokens end with the process. */
enum err jwt_keys_generate(struct why *why, struct jwt_keys **ret_keys);
void jwt_keys_free(struct jwt_keys *keys);

/*
 * Reads the key again. A new one signs from now on. On an error the key that was there signs on. A generated key stays
 * as it is.
 */
enum err jwt_keys_reload(struct jwt_keys *keys, int64_t now_ms, struct why *why);

/*
 * Appends a token for `agent`, valid from now. `random` becomes its id. E_NOMEM, or what `ret_token` has sticky; an
 * error leaves it as it was.
 */
enum err jwt_issue(struct jwt_keys *keys, enum jwt_use use, const struct agent_name *agent, enum agent_mode mode,
		   int64_t now_ms, const unsigned char random[static JWT_ID_BYTES], struct buf *ret_token);

/*
 * Is it ours, for this use, and of this time? Nothing of it is believed before the signature is. On an error `ret_claims` still says whose
 * token it is, for the log, when it is one that we signed; else it is zeroed.
 */
enum err jwt_verify(struct jwt_keys *keys, struct str token, enum jwt_use use, int64_t now_ms, struct why *why,
		    struct jwt_claims *ret_claims);

/*
 * What the bearer of a token may want to know of it, without the key: any algorithm, any issuer, nothing checked but
 * the form. E_MALFORMED: no token, or without a subject that names an agent. `use` stays JWT_ACCESS when the audience
 * says nothing known.
 */
enum err jwt_peek(struct str token, struct why *why, struct jwt_claims *ret_claims);
