/*
 * target.h -- the URL a load goes to.
 *
 * Shape     http://host[:port][/path]; the host is resolved once.
 * Owner     `host` and `path` borrow from the URL.
 * Errors    E_CONFIG       not such a URL
 *           E_UNAVAILABLE  the host has no address
 */
#pragma once

#include <sys/socket.h>

#include "base/str.h"
#include "base/why.h"

struct target {
	struct str host; /* with the port, as in the Host header */
	struct str path; /* "/" when the URL has none */
	struct sockaddr_storage addr;
	socklen_t addr_len;
};

enum err target_parse(const char *url, struct why *why, struct target *ret);
