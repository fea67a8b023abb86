/*
 * web.h -- the HTTP side of a daemon: pages for Prometheus, for probes, and for the commands of the same machine.
 *
 * Shape     two ports with a table of pages each, so that what probes ask is never behind what Prometheus may see. Pages with a
 *           token are for `holdfast status` and its like, which find the metrics port and the token in <data dir>/admin.json,
 *           readable by its owner only, while the process runs.
 * Owner     embedded; tables are static, everything else is borrowed until web_close()'s last callback.
 * Threads   the loop's.
 */
#pragma once

#include "daemon/daemon.h"
#include "net/admin_file.h"
#include "net/http_page.h"

struct web;

struct web_page {
	const char *method; /* "GET" (HEAD works too), "POST" */
	const char *path;
	bool token;
	void (*handle)(struct web *web, struct http_request *r);
};

struct web_pages {
	const struct web_page *pages;
	size_t n;
};

struct web_config {
	uint64_t metrics_port, health_port; /* of all addresses; 0: not served */
	const char *data_dir;               /* NULL: no admin.json, and no page with a token answers */
	struct web_pages metrics, health;
	void (*on_closed)(void *ctx); /* a port closed */
	void *ctx;
};

struct web_port {
	struct web *web;
	struct web_pages pages;
	struct http_server *server;
};

struct web {
	struct daemon *daemon;
	struct web_port metrics, health;
	struct admin_file file; /* of the metrics port; without a data directory there is none */
	size_t open;            /* ports */
	void (*on_closed)(void *ctx);
	void *ctx;
};

/* What is open after an error is closed by web_close(). */
enum err web_open(struct web *web, struct daemon *daemon, const struct web_config *config, struct why *why);

/* Cuts what is open; on_closed comes later, for each port. */
void web_close(struct web *web);

static inline bool web_is_open(const struct web *web)
{
	return web->open > 0;
}

/* Answers with the document, or with 503 when there was no memory to write it. */
void web_json(struct http_request *r, const struct buf *json);

/* The page /livez: it runs. */
void web_livez(struct web *web, struct http_request *r);

/* Answers /readyz: 200 when daemon_is_ready(), else 503 with the reason. */
void web_readyz(const struct web *web, struct http_request *r, bool synced);
