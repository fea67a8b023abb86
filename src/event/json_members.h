/*
 * json_members.h -- the members of an object that somebody wants, found in one walk.
 *
 * Shape     the text must come from json_scan.h: valid and compacted. Names are compared as what they say, escapes decoded.
 * Owner     what is found points into the text.
 * Errors    E_MALFORMED  the text is no object
 *           E_EXISTS     a wanted name stands twice: readers would not agree which one counts. Found is the last.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct json_member {
	const char *name;
	struct str raw; /* its value as it stands there; {NULL, 0}: absent */
};

enum err json_members(struct str object, struct json_member *members, size_t count);

/* The value of one member as it stands there, the last of its name; {NULL, 0}: absent, or `object` is none. */
struct str json_member_raw(struct str object, const char *name);

/*
 * The member's text. Absent or null: empty, and true. False: no string, or half of a surrogate pair. `arena` must have
 * room for raw.n bytes so that it does not move.
 */
bool json_member_text(const struct json_member *m, struct buf *arena, struct str *ret_text);
