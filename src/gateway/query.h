/*
 * query.h -- parameters of an admin request.
 *
 * Owner     values point into the query; they are not percent-decoded but for source and name (query_text()).
 * Errors    E_MALFORMED  not a number, or over its limit
 */
#pragma once

#include "base/buf.h"
#include "base/str.h"
#include "net/http_server.h"

/* The raw value of the first `name=`; {NULL, 0} when absent. */
struct str query_raw(struct str query, const char *name);

/* A number up to `max`; `dflt` when absent. */
enum err query_u64(struct str query, const char *name, uint64_t max, uint64_t dflt, uint64_t *ret_value);

/* The percent-decoded value, appended to `ret_text`; nothing when absent. */
enum err query_text(struct str query, const char *name, struct buf *ret_text);

/* The first parameter that is none of `names` (which NULL ends, at most 31), or comes again; {NULL, 0} when all are well. */
struct str query_stray(struct str query, const char *const names[]);

/* Answers 400 with `usage`, behind the name of a stray parameter, if there is one. */
void query_refuse(struct http_request *r, struct str stray, struct str usage);
