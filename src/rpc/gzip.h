/*
 * gzip.h -- whole messages, smaller.
 *
 * Shape     one codec for all calls of a thread: its state is made when it is first used and kept for the next message. A message is
 *           unpacked in as many steps as the caller likes: a few bytes may become very many.
 * Units     bytes.
 * Owner     embedded; gzip_release() frees. A zeroed struct gzip is ready.
 * Threads   one at a time.
 * Errors    E_NOMEM; E_MALFORMED (not gzip, or bytes behind its end); E_LIMIT (the output would be longer than its ceiling); E_BUSY (of
 *           gzip_unpack(): there is more to come)
 * Source    RFC 1952; docs/why/zlib.md
 */
#pragma once

#include <zlib.h>

#include "base/buf.h"

struct gzip {
	z_stream deflater;
	bool deflating;      /* the state is there */
	struct gunzip *idle; /* for the next message; NULL: none yet, or in use */
};

/* A message that is being unpacked. */
struct gunzip;

/* Appends the gzip form of `plain` to `ret_packed`. */
enum err gzip_pack(struct gzip *g, struct str plain, struct buf *ret_packed);

/*
 * Appends what `packed` holds to `ret_plain`, about `most` bytes in this call. E_BUSY: there is more, and the next call with the same
 * `packed` goes on. `*unpacking` is NULL at first, and again with any other result. The output's memory grows with what really comes
 * out: a bomb costs at most twice ret_plain->max.
 */
enum err gzip_unpack(struct gzip *g, struct gunzip **unpacking, struct str packed, size_t most, struct buf *ret_plain);

/* Nobody wants the rest. */
void gzip_unpack_stop(struct gzip *g, struct gunzip **unpacking);

void gzip_release(struct gzip *g);
