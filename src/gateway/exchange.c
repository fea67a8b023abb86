#include "gateway/exchange_impl.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "gateway/request_log.h"
#include "gateway/sources/source.h"
#include "gateway/worker.h"

#define POOL_MAX   128
#define KEEP_BYTES (32 << 10) /* a pooled exchange keeps its buffers up to this size */

/* ---- life ------------------------------------------------------------------------------------------------------- */

static struct exchange *exchange_take(struct worker *w)
{
	struct exchange *x = w->free;

	if (x) {
		w->free = x->next;
		w->free_count--;
	} else {
		x = mem_alloc(sizeof(*x));
	}
	w->live += x != NULL;
	return x;
}

static void free_publishes(struct exchange *x)
{
	for (size_t i = 0; i < x->count && x->publishes; i++)
		if (&x->publishes[i] != &x->one_publish)
			buf_release(&x->publishes[i].wire);
	if (x->publishes != &x->one_publish)
		mem_free(x->publishes);
	x->publishes = NULL;
}

static void free_rows(struct exchange *x)
{
	if (x->rows != &x->one) {
		mem_free(x->rows);
		mem_free(x->duplicates);
	}
	x->rows = NULL;
	x->duplicates = NULL;
}

static void free_own(struct exchange *x)
{
	if (x->own_free)
		x->own_free(x->own);
	x->own = NULL;
	x->own_free = NULL;
}

static void exchange_free(struct exchange *x)
{
	if (x->worker)
		loop_timer_stop(&x->worker->loop, &x->deadline);
	buf_release(&x->body);
	buf_release(&x->payload);
	buf_release(&x->meta);
	buf_release(&x->marked);
	buf_release(&x->one_publish.wire);
	mem_free(x);
}

/* An empty exchange that keeps the memory of its buffers for the next request. */
static void exchange_reset(struct exchange *x)
{
	struct buf *buffers[] = { &x->body, &x->payload, &x->meta, &x->marked, &x->one_publish.wire };

	for (size_t i = 0; i < ARRAY_LEN(buffers); i++) {
		if (buffers[i]->cap > KEEP_BYTES)
			buf_release(buffers[i]);
		buf_clear(buffers[i]);
		buffers[i]->max = 0;
	}
	x->received = 0;
	x->mode = 0;
	x->count = 0;
	x->answered = false;
	x->one_duplicate = false;
}

static void exchange_keep(struct worker *w, struct exchange *x)
{
	if (w->free_count >= POOL_MAX) {
		exchange_free(x);
		return;
	}
	exchange_reset(x);
	x->next = w->free;
	w->free = x;
	w->free_count++;
}

static void exchange_release(struct exchange *x)
{
	struct worker *w = x->worker;

	assert(!x->pending && !x->request && !x->timed);
	free_own(x);
	metric_add(w->gateway->metrics.body_memory, -(int64_t)x->charged);
	x->charged = 0;
	free_publishes(x);
	free_rows(x);
	route_table_unref(x->table);
	x->table = NULL;
	exchange_keep(w, x);
	w->live--;
	worker_finish_if_done(w);
}

void exchange_enter(struct exchange *x)
{
	x->entered++;
}

void exchange_leave(struct exchange *x)
{
	x->entered--;
	if (x->entered == 0 && !x->request && !x->pending)
		exchange_release(x);
}

void exchange_free_all(struct worker *w)
{
	while (w->free) {
		struct exchange *next = w->free->next;

		exchange_free(w->free);
		w->free = next;
	}
	w->free_count = 0;
}

/* ---- answers ---------------------------------------------------------------------------------------------------- */

static void answered(struct exchange *x, unsigned status)
{
	int64_t took = (int64_t)(clock_mono_ns() - x->started_ns);

	x->answered = true;
	metric_observe(x->route->metrics.seconds, took);
	metric_observe(x->route->metrics.duration_ms, took);
	gateway_count_answer(&x->worker->gateway->metrics, status);
}

void exchange_answer(struct exchange *x, enum answer a, const struct answer_more *more)
{
	if (!x->request || x->answered)
		return;
	answered(x, answer_send(x->request, a, x->route->config->compat_strict, more));
}

void exchange_refuse_more(struct exchange *x, enum answer a, const struct answer_more *more)
{
	if (x->answered)
		return;
	metric_inc(x->route->metrics.processing_failed);
	request_log_refused(x, a, more);
	exchange_answer(x, a, more);
}

void exchange_refuse(struct exchange *x, enum answer a, struct str detail)
{
	exchange_refuse_more(x, a, &(struct answer_more){ .detail = detail });
}

void exchange_refusef(struct exchange *x, enum answer a, const char *format, ...)
{
	char text[640];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	exchange_refuse(x, a, str_of(text));
}

void exchange_reply(struct exchange *x, const struct http_response *response)
{
	if (!x->request || x->answered)
		return;
	http_respond(x->request, response);
	answered(x, response->status);
}

void exchange_reply_text(struct exchange *x, struct str text)
{
	struct http_response response = { .status = 200, .body = text };

	if (text.n)
		response.content_type = STR("text/plain; charset=utf-8");
	exchange_reply(x, &response);
}

/* ---- memory ----------------------------------------------------------------------------------------------------- */

/* What does not fit is not charged: it goes at once, and others must not be refused for it. */
static bool charge(struct exchange *x, size_t total)
{
	struct gateway *g = x->worker->gateway;
	int64_t delta = (int64_t)total - (int64_t)x->charged;

	if (delta <= 0)
		return true;
	metric_add(g->metrics.body_memory, delta);
	if (metric_value(g->metrics.body_memory) > (int64_t)atomic_load_explicit(&g->body_max, memory_order_relaxed)) {
		metric_add(g->metrics.body_memory, -delta);
		return false;
	}
	x->charged = total;
	return true;
}

/* The room that a buffer has made for more than there is takes memory only among malloc's other blocks. */
static size_t held_by(const struct buf *b)
{
	return b->cap < MEM_LARGE ? b->cap : b->n;
}

bool exchange_charge(struct exchange *x)
{
	if (charge(x, held_by(&x->body) + held_by(&x->payload)))
		return true;
	exchange_refuse(x, ANSWER_OVERLOAD, STR(""));
	return false;
}

void exchange_collect(struct exchange *x, struct str chunk)
{
	buf_str(&x->body, chunk);
	if (x->body.err != E_OK)
		exchange_refuse(x, ANSWER_OVERLOAD, STR(""));
	else
		exchange_charge(x);
}

/* ---- the request ------------------------------------------------------------------------------------------------- */

void exchange_begin(struct worker *w, struct route_table *table, struct route *route, struct http_request *r)
{
	struct exchange *x = exchange_take(w);

	if (!x) {
		gateway_count_answer(&w->gateway->metrics,
				     answer_send(r, ANSWER_OVERLOAD, route->config->compat_strict, NULL));
		return;
	}
	x->worker = w;
	x->request = r;
	x->table = route_table_ref(table);
	x->route = route;
	x->started_ns = clock_mono_ns();
	r->user = x;
	r->body_max = UINT64_MAX; /* exchange_body() has the route's own limit and answer */
	exchange_enter(x);
	if (!(route->config->ops->handshake && route->config->ops->handshake(x)) && exchange_admit(x))
		route->config->ops->on_head(x);
	exchange_leave(x);
}

void exchange_body(struct exchange *x, struct str chunk)
{
	if (x->answered)
		return;
	exchange_enter(x);
	x->received += chunk.n;
	if (x->received > x->route->config->max_payload)
		exchange_refuse_more(x, exchange_too_large(x), &(struct answer_more){ .close = true });
	else
		x->route->config->ops->on_body(x, chunk);
	exchange_leave(x);
}

void exchange_end(struct exchange *x)
{
	if (x->answered)
		return;
	exchange_enter(x);
	metric_add(x->route->metrics.bytes, (int64_t)x->received);
	x->route->config->ops->on_end(x);
	exchange_leave(x);
}

void exchange_closed(struct exchange *x)
{
	exchange_enter(x);
	x->request = NULL;
	x->timed = false; /* nobody waits for an answer any more */
	atomic_store(&x->unwanted, true);
	exchange_leave(x);
}
