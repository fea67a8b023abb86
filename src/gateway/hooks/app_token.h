/*
 * app_token.h -- how a GitHub App logs in: a signed statement of who it is, for a token of one installation.
 *
 * Units     times in seconds since 1970.
 * Errors    E_CONFIG     the key is no RSA private key in PEM
 *           E_MALFORMED  the answer holds no token
 * Source    GitHub "Generating a JSON Web Token for a GitHub App", "Generating an installation access token"; RFC 7515, 7519
 */
#pragma once

#include "base/buf.h"
#include "base/why.h"

/* Appends a JWT, RS256, good for nine minutes. */
enum err app_token_sign(struct str pem, int64_t app_id, int64_t now_s, struct buf *ret_jwt, struct why *why);

/* Takes the token out of the answer, a compacted JSON text; `*ret_until_s` is when it ends. */
enum err app_token_read(struct str answer, int64_t now_s, struct buf *ret_token, int64_t *ret_until_s, struct why *why);
