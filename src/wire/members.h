/*
 * members.h -- the few members of a small payload. Internal to wire.
 *
 * Shape     the text is checked and compacted once; then its members are found by event/json_members.h. Of a name that stands twice
 *           the last counts, as in Go.
 * Owner     everything is lent from the arena, which is used for one payload and reserved at the start, so that it does not move.
 * Errors    E_MALFORMED  not JSON, no object, too large, or a member of another type; E_NOMEM
 */
#pragma once

#include "base/buf.h"
#include "base/why.h"

#define MEMBERS_MAX      8

/* What is larger is no object (docs/reference/wire.md); the arena of a peer stays as large as its largest payload. */
#define MEMBERS_TEXT_MAX (4u << 20)

struct member {
	const char *name;
	struct str *ret_text; /* empty: absent, or null */
};

/* An empty text is an empty object. */
enum err members_open(struct str json, struct buf *arena, struct str *ret_object, struct why *why);

/* The strings of an object, at most MEMBERS_MAX; of an empty text nothing. */
enum err members_read(struct str object, const struct member *members, size_t count, struct buf *arena,
		      struct why *why);

/* The object inside an object; empty when there is none, or it is something else. */
struct str members_object(struct str object, const char *name);
