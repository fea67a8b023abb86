/*
 * tape.h -- a JSON text as a row of its values, so that its members can be put in order.
 *
 * Shape     nodes in the order of the text: node 0 is the whole, behind each object or array stand its children, and `end` is the
 *           first node behind all of them. Keys are decoded as Go decodes them (go_string.h), values stay as written.
 * Owner     the tape owns a compacted copy of the text. A zeroed one is empty.
 * Errors    E_MALFORMED  not JSON; E_LIMIT: nested deeper than TAPE_DEPTH_MAX; E_NOMEM
 */
#pragma once

#include "base/buf.h"
#include "base/why.h"

#define TAPE_DEPTH_MAX 500

struct tape_node {
	struct str key; /* of a member */
	struct str raw; /* of a scalar: all of it; else only its first byte is to be looked at */
	size_t end;
};

struct tape {
	struct buf text;
	struct buf keys; /* those that had to be decoded */
	struct tape_node *nodes;
	size_t n;
	size_t cap;
};

/* Read a text into an empty tape; release it even after an error. */
enum err tape_read(struct tape *t, struct str json, struct why *why);

/* The last member of the object `node` with this key, or 0: it has none, or is no object. */
size_t tape_member(const struct tape *t, size_t node, struct str key);

static inline bool tape_is_object(const struct tape *t, size_t node)
{
	return t->nodes[node].raw.p[0] == '{';
}

void tape_release(struct tape *t);
