/*
 * servers.h -- the NATS servers of a bus, from its comma list.
 *
 * Shape     nats://[user[:password]@]host[:port], tls://... or plain host[:port], white space around the commas.
 * Owner     owns its texts. `shown` is the URL without the user part: the only one that may be logged.
 * Errors    E_CONFIG  a URL that no client could connect to; the text shows it without its user part
 */
#pragma once

#include "base/str.h"
#include "base/why.h"

struct server {
	char *url;
	char *shown;
	char *host; /* as a certificate has to name it */
};

struct servers {
	struct server *list;
	size_t n;
};

enum err servers_parse(const char *list, struct servers *ret_servers, struct why *why);
void servers_release(struct servers *s);

/* Another order, from `random`: many gateways do not all try the same one first. */
void servers_shuffle(struct servers *s, uint64_t (*random)(void));
