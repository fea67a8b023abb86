/*
 * http_page.h -- a port for operators: the pages that Prometheus, probes and the commands of the same machine ask for.
 *
 * Shape     a table of pages. What is in no row is answered 404, another method 405, and 401 who does not show the token of a page
 *           that has one.
 * Owner     the table, the file and the context are borrowed until the server has stopped.
 * Threads   the loop's.
 */
#pragma once

#include "base/metrics.h"
#include "net/admin_file.h"
#include "net/http_server.h"

struct http_page {
	const char *method; /* "GET" (HEAD works too), "POST" */
	const char *path;
	bool token; /* only for who has it */
	void (*handle)(void *ctx, struct http_request *r);
};

struct http_pages {
	const struct http_page *rows;
	size_t n;
	const struct admin_file *file; /* whose token opens pages; NULL: no page has one */
	/* Is it another one that opens them? May be NULL. */
	bool (*is_token)(void *ctx, struct str token);
	const char *token_missing; /* a line for who does not show it */
	/* The last call for a request, as of http_handler. May be NULL. */
	void (*on_close)(void *ctx, struct http_request *r);
	void *ctx;
};

/* Serve them at an address (listen_open()). */
enum err http_pages_start(const struct http_pages *pages, struct loop *loop, struct str host, uint16_t port,
			  struct why *why, struct http_server **ret_server);

/* A line of text, ended. */
void http_text(struct http_request *r, unsigned status, struct str text);

/* The document, or 503 when there was no memory to write it. */
void http_json(struct http_request *r, const struct buf *json);

/* /metrics: all of them, in the format that was asked for. */
void http_metrics(struct http_request *r, struct metrics *registry);
