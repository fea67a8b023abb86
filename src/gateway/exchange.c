#include "gateway/exchange.h"

#include <assert.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "gateway/query.h"
#include "gateway/sources/source.h"
#include "gateway/worker.h"

#define POOL_MAX     128
#define KEEP_BYTES   (32 << 10) /* a pooled exchange keeps its buffers up to this size */
#define HEADERS_ROOM 1024

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

static void exchange_free(struct exchange *x)
{
	buf_release(&x->body);
	buf_release(&x->payload);
	buf_release(&x->meta);
	buf_release(&x->one_publish.wire);
	mem_free(x);
}

/* An empty exchange that keeps the memory of its buffers for the next request. */
static void exchange_reset(struct exchange *x)
{
	struct buf *buffers[] = { &x->body, &x->payload, &x->meta, &x->one_publish.wire };

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

	assert(!x->pending && !x->request);
	loop_timer_stop(&w->loop, &x->deadline);
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

/*
 * Answering may end the request inside the call, and with it the exchange: every way in goes through enter() and
 * leave(), and only the outermost leave() releases.
 */
static void enter(struct exchange *x)
{
	x->entered++;
}

static void leave(struct exchange *x)
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

static void answer(struct exchange *x, enum answer a, const struct answer_more *more)
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
	answer(x, a, more);
}

void exchange_refuse(struct exchange *x, enum answer a, struct str detail)
{
	exchange_refuse_more(x, a, &(struct answer_more){ .detail = detail });
}

void exchange_reply(struct exchange *x, const struct http_response *response)
{
	if (!x->request || x->answered)
		return;
	http_respond(x->request, response);
	answered(x, response->status);
}

/* ---- memory ----------------------------------------------------------------------------------------------------- */

static bool charge(struct exchange *x, size_t total)
{
	struct gateway *g = x->worker->gateway;
	int64_t delta = (int64_t)total - (int64_t)x->charged;

	if (delta <= 0)
		return true;
	metric_add(g->metrics.body_memory, delta);
	x->charged = total;
	return metric_value(g->metrics.body_memory) <=
	       (int64_t)atomic_load_explicit(&g->body_max, memory_order_relaxed);
}

bool exchange_charge(struct exchange *x)
{
	if (charge(x, x->body.cap + x->payload.cap))
		return true;
	exchange_refuse(x, ANSWER_OVERLOAD, STR(""));
	return false;
}

bool exchange_collect(struct exchange *x, struct str chunk)
{
	buf_str(&x->body, chunk);
	if (x->body.err != E_OK) {
		exchange_refuse(x, ANSWER_OVERLOAD, STR(""));
		return false;
	}
	return exchange_charge(x);
}

/* ---- the gates before a body is read: cheap ones first, none blocks ----------------------------------------------- */

struct refusal {
	enum answer answer; /* SUCCESS: pass */
	uint32_t retry_after_s;
};

static struct refusal gate_draining(struct exchange *x)
{
	bool draining = atomic_load_explicit(&x->worker->gateway->draining, memory_order_relaxed);

	return (struct refusal){ draining ? ANSWER_DRAINING : ANSWER_SUCCESS };
}

static struct refusal check_token(struct exchange *x, struct str token)
{
	switch (secret_file_check(&x->route->auth, token, x->worker->loop.now_ms)) {
	case E_OK:
		return (struct refusal){ ANSWER_SUCCESS };
	case E_UNAUTHENTICATED:
		return (struct refusal){ ANSWER_AUTH_WRONG };
	default:
		return (struct refusal){ ANSWER_AUTH_UNREADABLE };
	}
}

/* RFC 6750 2.3, which Web Hooks for event delivery asks receivers to take. */
static struct refusal check_query_token(struct exchange *x)
{
	struct buf token = { .max = 16 << 10 };
	struct refusal refusal = { ANSWER_AUTH_MISSING };

	if (query_text(x->request->query, "access_token", &token) == E_OK && token.n)
		refusal = check_token(x, buf_view(&token));
	if (token.p)
		explicit_bzero(token.p, token.cap);
	buf_release(&token);
	return refusal;
}

/* Facts argo-events 2.3: the scheme is compared with its case. */
static struct refusal gate_auth(struct exchange *x)
{
	struct str value, scheme = STR("Bearer ");

	if (!x->route->auth.path)
		return (struct refusal){ ANSWER_SUCCESS };
	value = http_field(x->request, STR("Authorization"), NULL);
	if (str_starts(value, scheme))
		return check_token(x, str_sub(value, scheme.n, value.n));
	if (!value.p && x->route->config->ops->token_in_query)
		return check_query_token(x);
	return (struct refusal){ ANSWER_AUTH_MISSING };
}

static struct refusal gate_rate(struct exchange *x)
{
	uint64_t wait_ms = 0;

	if (route_take_rate(x->route, x->worker->loop.now_ms, &wait_ms))
		return (struct refusal){ ANSWER_SUCCESS };
	return (struct refusal){ ANSWER_RATE, (uint32_t)(wait_ms / 1000 + 1) };
}

static struct refusal gate_size(struct exchange *x)
{
	uint64_t length = x->request->content_length;
	bool too_large = length != UINT64_MAX && length > x->route->config->max_payload;

	return (struct refusal){ too_large ? ANSWER_TOO_LARGE : ANSWER_SUCCESS };
}

static struct refusal gate_memory(struct exchange *x)
{
	uint64_t length = x->request->content_length;

	return (struct refusal){ length == UINT64_MAX || charge(x, length) ? ANSWER_SUCCESS : ANSWER_OVERLOAD };
}

/* A body that could not be stored anyway is not worth reading. */
static struct refusal gate_outlet(struct exchange *x)
{
	struct gateway *g = x->worker->gateway;

	if (x->route->config->ack == ACK_BUS)
		return (struct refusal){ g->bus->ops->state(g->bus) == BUS_UP ? ANSWER_SUCCESS : ANSWER_BUS_FAILED };
	switch (store_state(g->store)) {
	case STORE_FULL:
		return (struct refusal){ ANSWER_FULL };
	case STORE_FAILED:
		return (struct refusal){ ANSWER_UNAVAILABLE };
	default:
		return (struct refusal){ ANSWER_SUCCESS };
	}
}

static bool pass_gates(struct exchange *x)
{
	static struct refusal (*const gates[])(struct exchange *) = {
		gate_draining, gate_auth, gate_rate, gate_size, gate_outlet, gate_memory,
	};

	for (size_t i = 0; i < ARRAY_LEN(gates); i++) {
		struct refusal refusal = gates[i](x);

		if (refusal.answer == ANSWER_SUCCESS)
			continue;
		if (gates[i] == gate_outlet)
			metric_inc(x->route->metrics.sent_failed);
		exchange_refuse_more(x, refusal.answer,
				     &(struct answer_more){ .retry_after_s = refusal.retry_after_s });
		return false;
	}
	return true;
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
	enter(x);
	if (!(route->config->ops->handshake && route->config->ops->handshake(x)) && pass_gates(x))
		route->config->ops->on_head(x);
	leave(x);
}

void exchange_body(struct exchange *x, struct str chunk)
{
	if (x->answered)
		return;
	enter(x);
	x->received += chunk.n;
	if (x->received > x->route->config->max_payload)
		exchange_refuse_more(x, ANSWER_TOO_LARGE, &(struct answer_more){ .close = true });
	else
		x->route->config->ops->on_body(x, chunk);
	leave(x);
}

void exchange_end(struct exchange *x)
{
	if (x->answered)
		return;
	enter(x);
	metric_add(x->route->metrics.bytes, (int64_t)x->received);
	x->route->config->ops->on_end(x);
	leave(x);
}

void exchange_closed(struct exchange *x)
{
	enter(x);
	x->request = NULL;
	loop_timer_stop(&x->worker->loop, &x->deadline); /* nobody waits for an answer any more */
	leave(x);
}

/* ---- store, then answer ------------------------------------------------------------------------------------------ */

/* The specification lets an id hold any character; only what is safe in a field goes out as it is. */
static void add_id(struct buf *headers, struct str id)
{
	for (size_t i = 0; i < id.n && i < 256; i++) {
		unsigned char c = (unsigned char)id.p[i];

		if (c > ' ' && c < 0x7f && c != '%')
			buf_char(headers, (char)c);
		else
			buf_addf(headers, "%%%02X", c);
	}
}

static void add_event_headers(struct exchange *x, struct buf *headers)
{
	if (x->count != 1)
		return;
	buf_lit(headers, "Holdfast-Event-Id: ");
	add_id(headers, x->rows[0].id);
	buf_lit(headers, "\r\n");
	if (!x->rows[0].pos)
		return;
	buf_lit(headers, "Holdfast-Position: ");
	buf_u64(headers, x->rows[0].pos);
	buf_lit(headers, "\r\n");
}

static void count_stored(struct exchange *x)
{
	int64_t duplicates = 0;

	for (size_t i = 0; i < x->count; i++)
		duplicates += x->duplicates[i];
	metric_add(x->route->metrics.sent, (int64_t)x->count - duplicates);
	metric_add(x->route->metrics.duplicates, duplicates);
}

static void answer_stored(struct exchange *x)
{
	char space[HEADERS_ROOM];
	struct buf headers = { .p = space, .cap = sizeof(space), .max = sizeof(space) };

	count_stored(x);
	add_event_headers(x, &headers);
	answer(x, ANSWER_SUCCESS, &(struct answer_more){ .headers = buf_view(&headers) });
}

static void settle(struct exchange *x, enum err err, enum answer failed)
{
	enter(x);
	x->pending = false;
	loop_timer_stop(&x->worker->loop, &x->deadline);
	if (err == E_OK) {
		answer_stored(x);
	} else {
		metric_add(x->route->metrics.sent_failed, (int64_t)x->count);
		exchange_refuse(x, failed, STR(""));
	}
	leave(x);
}

static void on_deadline(struct loop_timer *timer)
{
	struct exchange *x = CONTAINER_OF(timer, struct exchange, deadline);

	/* The event goes its way; a sender that tries again with its own id meets it as a duplicate. */
	enter(x);
	exchange_refuse(x, x->route->config->ack == ACK_BUS ? ANSWER_BUS_FAILED : ANSWER_TIMEOUT, STR(""));
	leave(x);
}

/* In the loop again, after the writer committed. */
static void spool_done(struct loop_task *task)
{
	struct exchange *x = CONTAINER_OF(task, struct exchange, done);

	settle(x, x->put.err, answer_for_store(x->put.err));
}

/* In the writer's thread. */
static void on_stored(struct store_put *put)
{
	struct exchange *x = CONTAINER_OF(put, struct exchange, put);

	loop_post(&x->worker->loop, &x->done);
}

static void submit_to_spool(struct exchange *x)
{
	x->put = (struct store_put){
		.rows = x->rows,
		.count = x->count,
		.duplicates = x->duplicates,
		.on_stored = on_stored,
	};
	x->done.run = spool_done;
	store_put(x->worker->gateway->store, &x->put);
}

static void bus_done(struct loop_task *task)
{
	struct exchange *x = CONTAINER_OF(task, struct exchange, done);
	enum err err = E_OK;

	for (size_t i = 0; i < x->count; i++) {
		x->duplicates[i] = x->publishes[i].publish.duplicate;
		if (err == E_OK)
			err = x->publishes[i].publish.err;
	}
	settle(x, err, answer_for_bus(err));
}

/* In a thread of the bus. */
static void on_published(struct bus_publish *p)
{
	struct exchange *x = CONTAINER_OF(p, struct exchange_publish, publish)->exchange;

	if (atomic_fetch_sub_explicit(&x->publishes_left, 1, memory_order_acq_rel) == 1)
		loop_post(&x->worker->loop, &x->done);
}

static bool prepare_publishes(struct exchange *x)
{
	x->publishes = x->count == 1 ? &x->one_publish : mem_array(x->count, sizeof(*x->publishes));
	if (!x->publishes)
		return false;
	for (size_t i = 0; i < x->count; i++) {
		struct exchange_publish *p = &x->publishes[i];
		const struct store_row *row = &x->rows[i];

		event_write_json(row->meta, row->data_kind, row->data, EVENT_JSON_UPSTREAM, &p->wire);
		if (p->wire.err != E_OK)
			return false;
		p->exchange = x;
		p->publish = (struct bus_publish){
			.source = row->source,
			.name = row->name,
			.msg_id = row->key.n ? row->key : row->id,
			.payload = buf_view(&p->wire),
			.timeout_ms = x->route->config->deadline_ms,
			.on_done = on_published,
		};
	}
	return true;
}

static void submit_to_bus(struct exchange *x)
{
	struct bus *bus = x->worker->gateway->bus;

	x->done.run = bus_done;
	atomic_store(&x->publishes_left, x->count);
	for (size_t i = 0; i < x->count; i++)
		bus->ops->publish(bus, &x->publishes[i].publish);
}

/* Queued until the loop has handled all that is ready: one group for the disk, one wake-up for the writer. */
static void submit(struct exchange *x)
{
	bool to_bus = x->route->config->ack == ACK_BUS;

	x->deadline.on_due = on_deadline;
	if ((to_bus && !prepare_publishes(x)) ||
	    loop_timer_start(&x->worker->loop, &x->deadline, x->route->config->deadline_ms) != E_OK) {
		exchange_refuse(x, ANSWER_OVERLOAD, STR(""));
		return;
	}
	x->pending = true;
	x->next = NULL;
	*x->worker->last_ready = x;
	x->worker->last_ready = &x->next;
}

void exchange_submit_all(struct worker *w)
{
	struct exchange *next;

	for (struct exchange *x = w->ready; x; x = next) {
		next = x->next; /* the answer may come before the call returns */
		if (x->route->config->ack == ACK_BUS)
			submit_to_bus(x);
		else
			submit_to_spool(x);
	}
	w->ready = NULL;
	w->last_ready = &w->ready;
}

void exchange_emit_rows(struct exchange *x, struct store_row *rows, bool *duplicates, size_t count)
{
	x->rows = rows;
	x->duplicates = duplicates;
	x->count = count;
	submit(x);
}

void exchange_emit(struct exchange *x, struct str key)
{
	const struct route_config *config = x->route->config;
	char time[CLOCK_RFC3339_MAX];
	struct event event = {
		.source = str_of(config->event_source),
		.type = str_of(config->ops->type),
		.subject = str_of(config->event_name),
		.datacontenttype = STR("application/json"),
	};

	rand_uuid_hex(x->id);
	event.id = key.n ? key : (struct str){ x->id, 32 };
	event.time = (struct str){ time, clock_rfc3339(clock_wall_ns(), time) };
	event_write_meta(&event, &x->meta);
	if (x->meta.err != E_OK || x->payload.err != E_OK) {
		exchange_refuse(x, ANSWER_OVERLOAD, STR(""));
		return;
	}
	x->one = (struct store_row){
		.source = event.source,
		.name = event.subject,
		.id = event.id,
		.key = key,
		.meta = buf_view(&x->meta),
		.data_kind = EVENT_DATA_JSON,
		.data = buf_view(&x->payload),
	};
	exchange_emit_rows(x, &x->one, &x->one_duplicate, 1);
}
