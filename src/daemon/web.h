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
#include "net/http_page.h"

struct web_config {
	uint64_t metrics_port, health_port; /* of all addresses; 0: not served */
	const char *data_dir;               /* NULL: no admin.json, and no page with a token answers */
	const struct http_page *metrics, *health;
	size_t metrics_n, health_n;
	/* The last call for a request of a page, which may be answered later (http_server.h). May be NULL. */
	void (*on_request_closed)(void *ctx, struct http_request *r);
	void (*on_closed)(void *ctx); /* a port closed */
	void *ctx;                    /* of these, and of the pages */
};

struct web_port {
	struct web *web;
	struct http_pages pages;
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

/* The page /livez: it runs. */
void web_livez(void *ctx, struct http_request *r);

/* Answers /readyz: 200 when daemon_is_ready(), else 503 with the reason. */
void web_readyz(const struct web *web, struct http_request *r, bool synced);
