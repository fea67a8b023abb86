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

struct http_exchange *http_exchange_new(struct http_conn *c)
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

void http_exchange_retire(struct http_conn *c)
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
	bool has_body = http_has_body(response->status) && !(x && str_eq(x->r.method, STR("HEAD")));
	struct str body = has_body ? response->body : (struct str){ 0 };
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
	if (body.n <= HTTP_PIECE_MAX) {
		buf_str(&s->out, body);
		body = (struct str){ 0 };
	}
	if (s->out.err != E_OK)
		http_conn_close(c);
	else
		http_conn_send(c, buf_view(&s->out), body, connection == HTTP_CLOSE);
}

void http_exchange_finish(struct http_conn *c)
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
	http_exchange_retire(c);
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
	http_exchange_retire(c);
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
	http_exchange_finish(c);
	http_conn_resume(c);
}
