/*
 * monitor.h -- one page of a NATS server's monitoring port.
 *
 * Shape     a blocking HTTP/1.0 GET, for a thread that may wait: about a second for each step, never for ever.
 * Errors    E_CONFIG       not an http:// URL
 *           E_UNAVAILABLE  no connection, no answer in time, or not a 200
 *           E_LIMIT        the page is larger than `ret_body` may hold
 */
#pragma once

#include "base/buf.h"
#include "base/why.h"

/* Is this a URL that monitor_get() can use: http://host[:port][/prefix]? */
enum err monitor_check(const char *url, struct why *why);

enum err monitor_get(const char *url, const char *page, struct buf *ret_body);
