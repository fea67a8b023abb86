#include <assert.h>

#include "net/http_conn.h"

/* After a call of the handler: it may have answered, or even closed the connection. True: the request goes on. */
static bool goes_on(struct http_conn *c)
{
	if (c->state == HTTP_CLOSING)
		return false;
	if (!c->exchange->answered)
		return true;
	http_exchange_finish(c);
	return false;
}

static void end_body(struct http_conn *c)
{
	struct http_server *s = c->server;
	struct http_exchange *x = c->exchange;

	x->body_done = true;
	if (c->state == HTTP_DRAIN) {
		http_conn_move(c, HTTP_IDLE);
		http_exchange_retire(c);
		return;
	}
	http_conn_move(c, HTTP_HANDLING);
	s->handler.on_end(s->handler.ctx, &x->r);
	(void)goes_on(c);
}

/* Hand on one piece of the body. True: the request goes on. */
static bool give_body(struct http_conn *c, struct str piece)
{
	struct http_server *s = c->server;
	struct http_exchange *x = c->exchange;

	x->continue_due = false;
	x->body_got += piece.n;
	if (c->state == HTTP_DRAIN) {
		if (x->chunked && x->body_got > HTTP_DRAIN_MAX) {
			http_conn_linger(c);
			return false;
		}
		return true;
	}
	if (x->body_got > x->r.body_max) {
		http_exchange_refuse(c, 413, "413 Content Too Large: send a smaller body");
		return false;
	}
	s->handler.on_body(s->handler.ctx, &x->r, piece);
	return goes_on(c);
}

static void take_chunk(struct http_conn *c, struct str *in)
{
	struct http1_error error;
	struct str piece;

	switch (http1_chunked(&c->exchange->chunks, in, &piece, &error)) {
	case HTTP1_MORE:
		break;
	case HTTP1_DATA:
		(void)give_body(c, piece);
		break;
	case HTTP1_DONE:
		end_body(c);
		break;
	case HTTP1_BAD:
		if (c->state == HTTP_DRAIN)
			http_conn_linger(c);
		else
			http_exchange_refuse(c, error.status, error.text);
		break;
	}
}

static void take_body(struct http_conn *c, struct str *in)
{
	struct http_exchange *x = c->exchange;
	struct str piece;

	if (x->chunked) {
		take_chunk(c, in);
		return;
	}
	piece = str_sub(*in, 0, x->body_left < in->n ? (size_t)x->body_left : in->n);
	*in = str_sub(*in, piece.n, in->n);
	x->body_left -= piece.n;
	x->body_done = x->body_left == 0;
	if (give_body(c, piece) && x->body_done)
		end_body(c);
}

static void fill_request(struct http_exchange *x, const struct http1_head *h)
{
	struct http_conn *c = x->conn;

	x->r.method = h->method;
	x->r.target = h->target;
	x->r.path = h->path;
	x->r.query = h->query;
	x->r.version = h->version;
	x->r.field_count = h->field_count;
	x->r.has_body = h->chunked || h->length;
	x->r.content_length = h->chunked ? UINT64_MAX : h->length;
	x->r.body_max = HTTP_BODY_MAX;
	x->r.peer = c->peer.address;
	x->r.tls = c->tls;
	x->chunked = h->chunked;
	x->keep_alive = h->keep_alive;
	x->continue_due = h->expect_continue;
	x->body_left = h->length;
	x->body_done = !x->r.has_body;
}

/* Call on_head and decide about the body. */
static void begin(struct http_conn *c, bool body_is_here)
{
	struct http_server *s = c->server;
	struct http_exchange *x = c->exchange;

	http_conn_move(c, HTTP_BODY);
	c->asked = true;
	s->handler.on_head(s->handler.ctx, &x->r);
	if (!goes_on(c))
		return;
	if (!x->chunked && x->body_left > x->r.body_max) {
		http_exchange_refuse(c, 413, "413 Content Too Large: send a smaller body");
	} else if (x->body_done) {
		end_body(c);
	} else if (x->continue_due && !body_is_here) {
		x->continue_due = false;
		http_conn_send(c, STR("HTTP/1.1 100 Continue\r\n\r\n"), (struct str){ 0 }, /* last= */ false);
	}
}

/* A whole head: copy it, for the bytes it lies in are needed for other connections, and parse the copy. */
static void take_head(struct http_conn *c, struct str head, bool body_is_here)
{
	struct http_exchange *x = http_exchange_new(c);
	struct http1_error error;
	struct http1_head parsed;

	if (x)
		buf_str(&x->head, head);
	if (!x || x->head.err != E_OK) {
		http_exchange_free(x);
		http_exchange_refuse(c, 503, "503 Service Unavailable: out of memory, try again");
		return;
	}
	if (http1_parse(buf_view(&x->head), x->r.fields, &parsed, &error) != HTTP1_DONE) {
		http_exchange_free(x);
		http_exchange_refuse(c, error.status, error.text);
		return;
	}
	fill_request(x, &parsed);
	c->exchange = x;
	begin(c, body_is_here);
}

static void scan_head(struct http_conn *c, struct str *in)
{
	struct http1_error error;
	struct http1_scan scan;

	switch (http1_scan(&c->scan, *in, c->server->limits.head_max, &error)) {
	case HTTP1_MORE:
		if (c->state == HTTP_IDLE)
			http_conn_move(c, HTTP_HEAD);
		break;
	case HTTP1_BAD:
		http_exchange_refuse(c, error.status, error.text);
		break;
	case HTTP1_DONE:
	case HTTP1_DATA:
		scan = c->scan;
		c->scan = (struct http1_scan){ 0 };
		take_head(c, str_sub(*in, scan.begin, scan.at - scan.begin), in->n > scan.at);
		*in = str_sub(*in, scan.at, in->n);
		break;
	}
}

/* True when there may be more to do. */
static bool step(struct http_conn *c, struct str *in)
{
	if (in->n == 0 || c->writes)
		return false;
	switch (c->state) {
	case HTTP_IDLE:
	case HTTP_HEAD:
		scan_head(c, in);
		return c->state != HTTP_HEAD;
	case HTTP_BODY:
	case HTTP_DRAIN:
		take_body(c, in);
		return true;
	default:
		return false;
	}
}

void http_intake_run(struct http_conn *c, struct str *in)
{
	assert(!c->busy);
	c->busy = true;
	while (step(c, in))
		;
	c->busy = false;
	if (c->state == HTTP_CLOSING)
		http_exchange_retire(c);
}
