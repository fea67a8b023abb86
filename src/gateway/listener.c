#include "gateway/listener.h"

#include "gateway/path.h"
#include "gateway/request_log.h"

static void answer_plain(struct worker *w, struct http_request *r, unsigned status, struct str body, struct str headers)
{
	struct http_response response = {
		.status = status,
		.body = body,
		.headers = headers,
		.content_type = STR("text/plain; charset=utf-8"),
	};

	http_respond(r, &response);
	gateway_count_answer(&w->gateway->metrics, status);
}

/* As Go does: browsers read "/\\host" as "//host". */
static void add_escaped(struct buf *location, struct str path)
{
	for (size_t i = 0; i < path.n; i++) {
		if (path.p[i] == '\\')
			buf_lit(location, "%5C");
		else
			buf_char(location, path.p[i]);
	}
}

/* Facts argo-events 2.2: an unclean path is answered 301 to the clean one, the query is kept. */
static void redirect(struct worker *w, struct http_request *r)
{
	struct buf location = { 0 }, clean = { 0 };

	path_clean(r->path, &clean);
	buf_lit(&location, "Location: ");
	add_escaped(&location, buf_view(&clean));
	if (r->query.p) {
		buf_char(&location, '?');
		buf_str(&location, r->query);
	}
	buf_lit(&location, "\r\n");
	if (clean.err == E_OK && location.err == E_OK)
		answer_plain(w, r, 301, STR(""), buf_view(&location));
	else
		gateway_count_answer(&w->gateway->metrics, answer_send(r, ANSWER_OVERLOAD, /* strict= */ false, NULL));
	buf_release(&clean);
	buf_release(&location);
}

static struct route *find_route(const struct listener *l, struct http_request *r)
{
	struct buf path = { 0 };
	struct route *route = NULL;

	if (l->routes->template_count == 0 && str_find(r->path, '%') == r->path.n)
		return route_find(l->routes, r->path);
	if (path_decode(r->path, &path) == E_OK && buf_cstr(&path))
		route = route_find(l->routes, buf_view(&path));
	buf_release(&path);
	return route;
}

/* What nobody knows. */
static void no_route(const struct listener *l, struct http_request *r)
{
	request_log_no_route(l, r);
	gateway_count_answer(&l->worker->gateway->metrics, answer_send(r, ANSWER_NOT_FOUND, /* strict= */ false, NULL));
}

static void on_head(void *ctx, struct http_request *r)
{
	struct listener *l = ctx;
	struct worker *w = l->worker;
	struct route *route = NULL;

	r->user = NULL;
	if (!path_is_clean(r->path)) {
		redirect(w, r);
		return;
	}
	if (l->routes)
		route = find_route(l, r);
	if (route)
		exchange_begin(w, w->table, route, r);
	else if (str_is(r->path, "/health"))
		answer_plain(w, r, 200, STR("OK"), STR(""));
	else if (str_is(r->path, "*")) /* of the server as a whole, only for OPTIONS: it lives (RFC 9110 9.3.7) */
		answer_plain(w, r, 200, STR(""), STR(""));
	else
		no_route(l, r);
}

static void on_body(void *ctx, struct http_request *r, struct str chunk)
{
	(void)ctx;
	if (r->user)
		exchange_body(r->user, chunk);
}

static void on_end(void *ctx, struct http_request *r)
{
	(void)ctx;
	if (r->user)
		exchange_end(r->user);
}

static void on_close(void *ctx, struct http_request *r)
{
	(void)ctx;
	if (r->user)
		exchange_closed(r->user);
}

static void on_refused(void *ctx, unsigned status)
{
	struct listener *l = ctx;

	request_log_malformed(l, status);
	gateway_count_answer(&l->worker->gateway->metrics, status);
}

static void on_tls_failed(void *ctx, const char *peer, const char *problem)
{
	struct listener *l = ctx;

	request_log_tls_failed(l, peer, problem);
	metric_inc(l->worker->gateway->metrics.tls_failures);
}

struct http_handler listener_handler(struct listener *l)
{
	return (struct http_handler){
		.on_head = on_head,
		.on_body = on_body,
		.on_end = on_end,
		.on_close = on_close,
		.on_refused = on_refused,
		.on_tls_failed = on_tls_failed,
		.ctx = l,
	};
}
