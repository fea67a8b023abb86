/*
 * members.h -- a few members of a small JSON object. Internal to wire.
 *
 * Shape     the text is checked and compacted once, then each member is looked for by its name, without case and the last one
 *           first, as Go's encoding/json fills a struct.
 * Owner     everything is lent from the arena, which is used for one object and reserved at the start, so that it does not move.
 * Errors    E_MALFORMED  not JSON, no object, or a member of another type; E_NOMEM
 */
#pragma once

#include "base/buf.h"
#include "base/why.h"

/* An empty text is an empty object. */
enum err members_open(struct str json, struct buf *arena, struct str *ret_object, struct why *why);

/* The raw value of a member, and of null nothing; false: it is not there. */
bool members_raw(struct str object, const char *name, struct str *ret_raw);

/* An object inside; it may be absent. */
enum err members_object(struct str object, const char *name, struct str *ret_object, struct why *why);

/* A string, or empty when it is absent or null. */
enum err members_text(struct str object, const char *name, struct buf *arena, struct str *ret_text, struct why *why);

/* The bytes of a base64 string, as Go writes []byte. */
enum err members_bytes(struct str object, const char *name, struct buf *arena, struct str *ret_bytes, struct why *why);
