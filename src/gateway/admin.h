/*
 * admin.h -- the admin listener: metrics, health, events and dead letters over HTTP.
 *
 *   GET  /metrics                       Prometheus text, or OpenMetrics when asked for
 *   GET  /healthz                       200 while all loops turn
 *   GET  /readyz                        200 while the gateway takes events; the bus's state stands in the text
 *   GET  /status                  token JSON for `holdfast status`
 *   GET  /events?after=N          token events behind a position, a JSON line each; waits when asked to (events_api.h)
 *   POST /dead/retry?pos=N|all    token gives dead letters another try (dead_api.h)
 *   POST /dead/drop?pos=N|all     token forgets them
 *
 * Shape     one HTTP server in the main loop. The token is that of admin.tokenFile, or the one in <dataDir>/admin.json,
 *           which only the store's owner can read and which is there while the gateway runs.
 * Threads   the main thread.
 */
#pragma once

#include "base/buf.h"
#include "base/why.h"
#include "gateway/dead_api.h"
#include "gateway/events_api.h"
#include "gateway/secret_file.h"
#include "net/http_page.h"

struct process;

struct admin {
	struct process *process;
	struct http_pages pages;
	struct http_server *server;
	struct secret_file token_file;
	struct admin_file file;
	struct events_api events;
	struct dead_api dead;
};

enum err admin_start(struct admin *a, struct process *p, struct why *why);

/* Cuts what is open; the loop must turn once more. */
void admin_stop(struct admin *a);
