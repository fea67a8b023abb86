#include "net/http_page.h"

#include <stdio.h>

#include "net/listen.h"

static const struct str text_plain = { "text/plain; charset=utf-8", 25 };

void http_text(struct http_request *r, unsigned status, struct str text)
{
	http_respond(r, &(struct http_response){ .status = status, .content_type = text_plain, .body = text });
}

void http_json(struct http_request *r, const struct buf *json)
{
	http_respond(r, &(struct http_response){ .status = json->err == E_OK ? 200 : 503,
						 .content_type = STR("application/json"),
						 .body = buf_view(json) });
}

void http_metrics(struct http_request *r, struct metrics *registry)
{
	struct str accept = http_field(r, STR("Accept"), NULL);
	bool openmetrics = str_contains(accept, STR("application/openmetrics-text"));
	struct buf text = { 0 };

	metrics_write(registry, openmetrics, &text);
	if (text.err != E_OK)
		http_text(r, 503, STR("no memory; try again later\n"));
	else
		http_respond(r,
			     &(struct http_response){
				     .status = 200,
				     .content_type = openmetrics ? STR("application/openmetrics-text; version=1.0.0; "
								       "charset=utf-8")
								 : STR("text/plain; version=0.0.4; charset=utf-8"),
				     .body = buf_view(&text) });
	buf_release(&text);
}

static bool is_authorized(const struct http_pages *pages, const struct http_request *r)
{
	struct str value = http_field(r, (struct str)STR("Authorization"), NULL), scheme = STR("Bearer ");
	struct str token = str_sub(value, scheme.n, value.n);

	if (!str_starts(value, scheme))
		return false;
	if (str_eq_secret(token, str_of(pages->file->token)))
		return true;
	return pages->is_token && pages->is_token(pages->ctx, token);
}

static void refuse_method(struct http_request *r, const char *method)
{
	char allow[32];

	(void)snprintf(allow, sizeof(allow), "Allow: %s\r\n", method);
	http_respond(r, &(struct http_response){ .status = 405,
						 .content_type = text_plain,
						 .headers = str_of(allow),
						 .body = STR("use the method in the Allow header\n") });
}

static void refuse_token(struct http_request *r, const char *text)
{
	http_respond(r, &(struct http_response){ .status = 401,
						 .content_type = text_plain,
						 .headers = STR("WWW-Authenticate: Bearer\r\n"),
						 .body = str_of(text) });
}

static void on_head(void *ctx, struct http_request *r)
{
	const struct http_pages *pages = ctx;

	for (size_t i = 0; i < pages->n; i++) {
		const struct http_page *page = &pages->rows[i];

		if (!str_is(r->path, page->path))
			continue;
		if (!str_is(r->method, page->method) && !(str_is(r->method, "HEAD") && page->method[0] == 'G'))
			refuse_method(r, page->method);
		else if (page->token && !is_authorized(pages, r))
			refuse_token(r, pages->token_missing);
		else
			page->handle(pages->ctx, r);
		return;
	}
	http_text(r, 404, (struct str)STR("404 page not found\n"));
}

/* No page takes a body. */
static void on_body(void *ctx, struct http_request *r, struct str chunk)
{
	(void)ctx, (void)r, (void)chunk;
}

static void on_end(void *ctx, struct http_request *r)
{
	(void)ctx, (void)r;
}

static void on_close(void *ctx, struct http_request *r)
{
	const struct http_pages *pages = ctx;

	if (pages->on_close)
		pages->on_close(pages->ctx, r);
}

enum err http_pages_start(const struct http_pages *pages, struct loop *loop, struct str host, uint16_t port,
			  struct why *why, struct http_server **ret_server)
{
	static const struct http_limits limits = {
		.head_max = 16 << 10,
		.conns_max = 1024,
		.head_ms = 10000,
		.body_ms = 10000,
		.idle_ms = 120000,
		.write_ms = 10000,
	};
	const struct http_handler handler = { .on_head = on_head,
					      .on_body = on_body,
					      .on_end = on_end,
					      .on_close = on_close,
					      .ctx = (void *)(uintptr_t)pages };
	int fd;
	enum err err = listen_open(host, port, /* share= */ false, why, &fd);

	return err == E_OK ? http_server_start(loop, fd, NULL, &limits, &handler, why, ret_server) : err;
}
