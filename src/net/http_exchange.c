#include <assert.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/http_conn.h"

static const struct str text_plain = { "text/plain; charset=utf-8", 25 };

struct str http_field(const struct http_request *r, struct str name, size_t *count)
{
	return http1_field(r->fields, r->field_count, name, count);
}

/* Fields that were used before: everything that fill_request() does not write. The array of fields is not cleared. */
static void reset(struct http_exchange *x)
{
	buf_clear(&x->head);
	x->r.user = NULL;
	x->chunks = (struct http1_chunked){ 0 };
	x->body_got = 0;
	x->answered = x->last = x->closed = false;
}

static struct http_exchange *exchange_new(struct http_conn *c)
{
	struct http_server *s = c->server;
	struct http_exchange *x = s->spares;

	if (x) {
		s->spares = x->next;
		s->spare_count--;
		reset(x);
	} else {
		x = mem_alloc(sizeof(*x));
	}
	if (x)
		x->conn = c;
	return x;
}

void http_exchange_free(struct http_exchange *x)
{
	if (!x)
		return;
	buf_release(&x->head);
	mem_free(x);
}

/* The exchange is over: keep it for the next one, unless there are enough or its head was large. */
static void retire(struct http_conn *c)
{
	struct http_server *s = c->server;
	struct http_exchange *x = TAKE(c->exchange);

	if (!x)
		return;
	if (!x->closed) {
		x->closed = true;
		s->handler.on_close(s->handler.ctx, &x->r);
	}
	if (s->spare_count >= HTTP_SPARE_MAX || x->head.cap > HTTP_SPARE_HEAD) {
		http_exchange_free(x);
		return;
	}
	x->next = s->spares;
	s->spares = x;
	s->spare_count++;
}

void http_exchange_abort(struct http_conn *c)
{
	retire(c);
}

static const char *date_now(struct http_server *s)
{
	time_t now_s = (time_t)(clock_wall_ms() / 1000);

	if (now_s != s->date_s) {
		http_date(now_s, s->date);
		s->date_s = now_s;
	}
	return s->date;
}

/* `x` NULL: an answer to what never became a request. */
static void send_answer(struct http_conn *c, const struct http_exchange *x, const struct http_response *response)
{
	struct http_server *s = c->server;
	bool body = http_has_body(response->status) && !(x && str_eq(x->r.method, STR("HEAD")));
	enum http_connection connection = HTTP_CLOSE;

	if (x && !x->last)
		connection = x->r.version >= 11 ? HTTP_STAY : HTTP_KEEP_ALIVE;
	buf_clear(&s->out);
	http_answer_head(&s->out, &(struct http_answer){ .status = response->status,
							 .date = date_now(s),
							 .content_type = response->content_type,
							 .headers = response->headers,
							 .length = response->body.n,
							 .connection = connection });
	if (s->out.err != E_OK)
		http_conn_close(c);
	else
		http_conn_send(c, buf_view(&s->out), body ? response->body : (struct str){ 0 });
}

/* The answer was given: call on_close and go to what follows. */
static void finish(struct http_conn *c)
{
	struct http_server *s = c->server;
	struct http_exchange *x = c->exchange;

	x->closed = true;
	s->handler.on_close(s->handler.ctx, &x->r);
	if (c->state == HTTP_CLOSING)
		return;
	if (!x->last && !x->body_done) {
		http_conn_move(c, HTTP_DRAIN);
		return;
	}
	if (x->last)
		http_conn_linger(c);
	else
		http_conn_move(c, HTTP_IDLE);
	retire(c);
}

void http_exchange_refuse(struct http_conn *c, unsigned status, const char *text)
{
	struct http_server *s = c->server;
	struct http_exchange *x = c->exchange;

	if (s->handler.on_refused)
		s->handler.on_refused(s->handler.ctx, status);
	if (x) {
		x->answered = true;
		x->last = true;
	}
	send_answer(c, x,
		    &(struct http_response){ .status = status, .content_type = text_plain, .body = str_of(text) });
	if (c->state == HTTP_CLOSING)
		return;
	http_conn_linger(c);
	retire(c);
}

/* The connection may go on after an answer before the end of the body, when the rest is surely on its way and small. */
static bool may_drain(const struct http_exchange *x)
{
	return x->body_done || (!x->continue_due && (x->chunked || x->body_left <= HTTP_DRAIN_MAX));
}

void http_respond(struct http_request *r, const struct http_response *response)
{
	struct http_exchange *x = CONTAINER_OF(r, struct http_exchange, r);
	struct http_conn *c = x->conn;

	assert(!x->answered && !x->closed);
	x->answered = true;
	if (c->state == HTTP_CLOSING)
		return;
	x->last = response->close || !x->keep_alive || c->server->stopping || !may_drain(x);
	send_answer(c, x, response);
	if (c->busy || c->state == HTTP_CLOSING)
		return;
	finish(c);
	http_conn_resume(c);
}

/* After a call of the handler: it may have answered, or even closed the connection. True: the request goes on. */
static bool goes_on(struct http_conn *c)
{
	if (c->state == HTTP_CLOSING)
		return false;
	if (!c->exchange->answered)
		return true;
	finish(c);
	return false;
}

static void end_body(struct http_conn *c)
{
	struct http_server *s = c->server;
	struct http_exchange *x = c->exchange;

	x->body_done = true;
	if (c->state == HTTP_DRAIN) {
		http_conn_move(c, HTTP_IDLE);
		retire(c);
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
	x->r.peer = c->peer;
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
	s->handler.on_head(s->handler.ctx, &x->r);
	if (!goes_on(c))
		return;
	if (!x->chunked && x->body_left > x->r.body_max) {
		http_exchange_refuse(c, 413, "413 Content Too Large: send a smaller body");
	} else if (x->body_done) {
		end_body(c);
	} else if (x->continue_due && !body_is_here) {
		x->continue_due = false;
		http_conn_send(c, STR("HTTP/1.1 100 Continue\r\n\r\n"), (struct str){ 0 });
	}
}

/* A whole head: copy it, for the bytes it lies in are needed for other connections, and parse the copy. */
static void take_head(struct http_conn *c, struct str head, bool body_is_here)
{
	struct http_exchange *x = exchange_new(c);
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

void http_exchange_run(struct http_conn *c, struct str *in)
{
	assert(!c->busy);
	c->busy = true;
	while (step(c, in))
		;
	c->busy = false;
	if (c->state == HTTP_CLOSING)
		retire(c);
}
