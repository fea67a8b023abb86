/*
 * provider.h -- what the sources of providers share: the check against a secret, the payload, the delivery id.
 *
 * Shape     a source verifies first, then calls provider_open(), one body and provider_emit(). Each function that may
 *           refuse answers the request itself and returns false; the source then returns. A refusal says no more to a
 *           forger than that it was one: the same words whatever was wrong, except with `compat: strict`, where upstream
 *           says what it could not read (and never what it expected).
 * Source    facts argo-events 1.0
 */
#pragma once

#include "gateway/exchange.h"
#include "gateway/signature.h"
#include "gateway/sources/source.h"

/* Refuse: with `strict` (not empty) in place of the row's text when the route is `compat: strict`. */
void provider_refuse(struct exchange *x, enum answer answer, struct str strict);

/* The one value of a field that decides; {NULL, 0} when it is absent or stands more than once. */
struct str provider_field(const struct exchange *x, const char *name);

/* Is the secret of this place in ops->secrets configured? */
bool provider_has_secret(const struct exchange *x, size_t secret);

/* Does one pass `check` (as secret_file_match() calls it)? Answers nothing. */
enum err provider_match(struct exchange *x, size_t secret, enum err (*check)(void *ctx, struct str secret), void *ctx);

/* Does a valid secret of this place pass `check` (as secret_file_match() calls it)? Else refuses. */
bool provider_verify(struct exchange *x, size_t secret, enum err (*check)(void *ctx, struct str secret), void *ctx,
		     struct str strict);

/* For the two above: is the secret `token` (a struct str), compared in constant time? */
enum err provider_check_token(void *token, struct str secret);

/* Is `token` a valid secret of this place, compared in constant time? Else refuses. */
bool provider_verify_token(struct exchange *x, size_t secret, struct str token, struct str strict);

/*
 * The body's HMAC under the secret of this place stands in a field as "sha256=<hex>" of one of `hashes` (a bit for each
 * enum signature_hash). Else refuses.
 */
bool provider_verify_body(struct exchange *x, size_t secret, struct str value, unsigned hashes, struct str strict);

/* Begin the payload: {"headers":{..},"body": (or with the source's own head_key). */
void provider_open(struct exchange *x);

/* Append one JSON value, compacted. Else refuses with what is wrong with it. */
bool provider_json(struct exchange *x, struct str text);

/* The same as it comes: each chunk, then the end. After provider_open(). */
void provider_chunk(struct exchange *x, struct str chunk);
bool provider_chunks_end(struct exchange *x);

/* The payload was written into x->body, out of pieces of x->payload: they change places. */
void provider_take_body(struct exchange *x);

/* End the payload with the route's metadata; then store it too. `id` as exchange_emit(). */
void provider_close(struct exchange *x);
void provider_emit(struct exchange *x, struct str id);

/* All of it, where the body as it came is the event: x->body, or what provider_chunk() was given. */
void provider_emit_body(struct exchange *x, struct str id);
void provider_emit_chunks(struct exchange *x, struct str id);

/* The sender's id of the event in this field, or empty: absent, repeated, or nothing that an id can be. */
struct str provider_id(const struct exchange *x, const char *name);

/* The same of an id that stands elsewhere. */
struct str provider_id_text(struct str id);

/* Does the manifest give the address that a hook at the provider would have? Without one no hooks are managed. */
bool provider_has_url(const struct route_config *route);

/* Does the field hold this media type, whatever its parameters? */
bool provider_media_type(struct str value, const char *type);

/* Is the body a form? With `compat: strict` as upstream has it, which knows the bare media type only. */
#define PROVIDER_FORM "application/x-www-form-urlencoded"
bool provider_is_form(const struct exchange *x);
