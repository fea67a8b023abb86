/*
 * request.h -- the bytes of a request, made once; afterwards only the id in them changes.
 *
 * Shape     every id has the same length ("<run>-<connection>-<number>", 8 + 1 + 5 + 1 + 10 bytes), so that sending the
 *           next event is: write the digits in place, send. `{id}` and `{pad}` are replaced in the body, `{id}` in headers.
 * Owner     request_make() fills a buffer that request_release() frees; a connection patches a copy of its own.
 * Errors    E_NOMEM
 *           E_LIMIT   more than REQUEST_IDS places for the id, or the body cannot be made as long as asked
 */
#pragma once

#include "base/buf.h"
#include "base/why.h"

#define REQUEST_ID_LEN 25
#define REQUEST_IDS    8

struct request_spec {
	struct str host;           /* Host header */
	struct str path;           /* request target */
	struct str method;         /* POST */
	struct str body;           /* template; one {pad} at most */
	size_t body_size;          /* bytes after replacement; 0: as long as the template makes it */
	const char *const *fields; /* "Name: value" */
	size_t field_count;
	bool close; /* no keep-alive */
};

struct request {
	struct buf bytes;
	size_t ids[REQUEST_IDS]; /* where the id goes */
	size_t id_count;
};

enum err request_make(const struct request_spec *spec, struct why *why, struct request *ret);
void request_release(struct request *r);

/* The id of event `n` of connection `conn` in run `run` (8 hex digits); not terminated. */
void request_id(const char run[static 8], unsigned conn, uint64_t n, char ret_id[static REQUEST_ID_LEN]);

/* Puts `id` into `bytes`, a copy of r->bytes. */
void request_set_id(const struct request *r, char *bytes, const char id[static REQUEST_ID_LEN]);
