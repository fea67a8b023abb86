/*
 * http_origin.h -- one HTTP server as libcurl is told about it: where it is, whom to trust, who we are.
 *
 * Shape     a handle with the settings of every request, which is copied for each.
 * Owner     everything is a copy of the origin's own; a handle made from it must not outlive it.
 * Source    libcurl 7.88
 */
#pragma once

#include <curl/curl.h>

#include "net/http_client.h"

struct http_origin {
	CURL *model;
	struct buf base;               /* "https://host:port/path", in front of every target */
	struct buf host;               /* "Host: host:port", when `base` has another name in it; else empty */
	struct curl_slist *connect_to; /* where it is then */
	struct buf ca, cert, key;
};

/* Zeroed before. E_CONFIG, E_NOMEM: release it all the same. */
enum err http_origin_init(struct http_origin *o, const struct http_client_options *options, struct why *why);
void http_origin_release(struct http_origin *o);

/* f->easy and f->fields for what `f` asks. E_NOMEM, E_MALFORMED: what is there of them must be freed all the same. */
enum err http_origin_ask(const struct http_origin *o, struct http_fetch *f);
