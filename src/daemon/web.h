/*
 * web.h -- the HTTP side of a daemon: pages for Prometheus, for probes, and for the commands of the same machine.
 *
 * Shape     a table of pages on one port. Pages with a token are for `holdfast status` and its like, which find port and token in
 *           <data dir>/admin.json, readable by its owner only, while the process runs.
 * Owner     embedded; tables are static, everything else is borrowed until web_close()'s callback.
 * Threads   the loop's.
 */
#pragma once

#include "daemon/daemon.h"
#include "net/admin_file.h"
#include "net/http_server.h"

struct web;

struct web_page {
	const char *method; /* "GET" (HEAD works too), "POST" */
	const char *path;
	bool token;
	void (*handle)(struct web *web, struct http_request *r);
};

struct web {
	struct daemon *daemon;
	struct http_server *server;
	const struct web_page *pages;
	size_t page_count;
	void *ctx;
	struct admin_file file; /* without a data directory there is none */
	void (*on_closed)(struct web *web);
};

/* Serve on `port` of `host` (empty: all addresses). `data_dir` NULL: no admin.json, and no page with a token answers. */
enum err web_open(struct web *web, struct daemon *daemon, struct str host, uint16_t port, const struct web_page *pages,
		  size_t page_count, void *ctx, const char *data_dir, struct why *why);

/* Cuts what is open; `on_closed` comes later. Only after web_open() succeeded. */
void web_close(struct web *web, void (*on_closed)(struct web *web));

/* Answers. */
void web_text(struct http_request *r, unsigned status, struct str text);
void web_json(struct http_request *r, const struct buf *json);

/* The page /metrics: the daemon's registry. */
void web_metrics(struct web *web, struct http_request *r);
