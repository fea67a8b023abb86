/*
 * gzip.h -- whole messages, smaller.
 *
 * Shape     one codec for all calls of a thread: its state is made when it is first used and kept for the next message.
 * Units     bytes.
 * Owner     embedded; gzip_release() frees. A zeroed struct gzip is ready.
 * Threads   one at a time.
 * Errors    E_NOMEM; E_MALFORMED (not gzip, or bytes behind its end); E_LIMIT (the output would be longer than its ceiling)
 * Source    RFC 1952; docs/why/zlib.md
 */
#pragma once

#include <zlib.h>

#include "base/buf.h"

struct gzip {
	z_stream deflater;
	z_stream inflater;
	unsigned char spill; /* a byte beyond the ceiling goes here */
	bool deflating;      /* the state is there */
	bool inflating;
};

/* Appends the gzip form of `plain` to `ret_packed`. */
enum err gzip_pack(struct gzip *g, struct str plain, struct buf *ret_packed);

/*
 * Appends what `packed` holds to `ret_plain`. The output's memory grows with what really comes out: a bomb costs at most
 * twice ret_plain->max.
 */
enum err gzip_unpack(struct gzip *g, struct str packed, struct buf *ret_plain);

void gzip_release(struct gzip *g);
