/*
 * metadata.h -- what goes with a call beside its messages: keys and values.
 *
 * Shape     a list in order of arrival; a key may stand in it more than once. Values of keys that end in "-bin" are bytes
 *           here and base64 on the wire.
 * Owner     the list owns copies of all keys and values. A zeroed struct rpc_metadata is an empty list.
 * Errors    sticky in `err`: E_NOMEM; E_MALFORMED (a key or value that HTTP/2 cannot carry, or not base64); E_LIMIT
 * Source    PROTOCOL-HTTP2.md: Custom-Metadata
 */
#pragma once

#include "base/buf.h"

struct rpc_metadata {
	struct buf text; /* keys and values, one behind the other */
	struct rpc_pair *pairs;
	size_t n;
	size_t cap;
	enum err err;
};

/* Where a pair lies in `text`. */
struct rpc_pair {
	size_t key, key_n;
	size_t value, value_n;
};

/* Put a pair at the end. `key`: lower-case letters, digits, '-', '_', '.'; not ":..." and not "grpc-...". */
void rpc_metadata_add(struct rpc_metadata *m, struct str key, struct str value);

/* The same without a look at it: for the protocol's own fields. */
void rpc_metadata_put(struct rpc_metadata *m, struct str key, struct str value);

/* The same from the wire: "-bin" values are decoded, and cut at commas into several. */
void rpc_metadata_add_wire(struct rpc_metadata *m, struct str key, struct str value);

/* Pair `i`, below m->n. Borrowed until the next change. */
struct str rpc_metadata_key(const struct rpc_metadata *m, size_t i);
struct str rpc_metadata_value(const struct rpc_metadata *m, size_t i);

/* The first value of `key`, or {NULL, 0}; an empty value has a pointer. */
struct str rpc_metadata_get(const struct rpc_metadata *m, struct str key);

bool rpc_metadata_is_binary(struct str key);

/* Is this key the protocol's own, and so no metadata? */
bool rpc_metadata_is_reserved(struct str key);

void rpc_metadata_release(struct rpc_metadata *m);
