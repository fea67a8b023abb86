/* Store, then answer: the one path of every event, to the spool or to the bus. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "gateway/exchange_impl.h"
#include "gateway/request_log.h"
#include "gateway/sources/source.h"
#include "gateway/worker.h"

#define HEADERS_ROOM  1024
#define TELL_AGAIN_MS 60000 /* one line a minute: the metric counts */

static bool is_safe(char c)
{
	return c > ' ' && c < 0x7f && c != '%';
}

/* The specification lets an id hold any character; only what is safe in a field goes out as it is. */
static void add_id(struct buf *headers, struct str id)
{
	id = str_sub(id, 0, 256);
	for (size_t i = 0; i < id.n;) {
		size_t from = i;

		while (i < id.n && is_safe(id.p[i]))
			i++;
		buf_add(headers, id.p + from, i - from);
		if (i < id.n)
			buf_addf(headers, "%%%02X", (unsigned char)id.p[i++]);
	}
}

static void add_event_headers(struct exchange *x, struct buf *headers)
{
	if (x->count != 1)
		return;
	buf_lit(headers, "Holdfast-Event-Id: ");
	if (x->rows[0].key.n)
		add_id(headers, x->rows[0].id);
	else /* of our own making */
		buf_str(headers, x->rows[0].id);
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
	if (duplicates)
		metric_add(x->route->metrics.duplicates, duplicates);
}

void exchange_answer_success(struct exchange *x, struct str headers)
{
	if (x->route->config->ops->on_stored) {
		struct http_response response = { .status = 200, .headers = headers };

		x->route->config->ops->on_stored(x, &response);
		exchange_reply(x, &response);
	} else {
		exchange_answer(x, ANSWER_SUCCESS, &(struct answer_more){ .headers = headers });
	}
}

static void answer_stored(struct exchange *x)
{
	char space[HEADERS_ROOM];
	struct buf headers = { .p = space, .cap = sizeof(space), .max = sizeof(space) };

	count_stored(x);
	request_log_stored(x);
	add_event_headers(x, &headers);
	exchange_answer_success(x, buf_view(&headers));
}

static void settle(struct exchange *x, enum err err, enum answer failed)
{
	exchange_enter(x);
	x->pending = false;
	if (err == E_OK) {
		answer_stored(x);
	} else {
		metric_add(x->route->metrics.sent_failed, (int64_t)x->count);
		exchange_refuse(x, failed, STR(""));
	}
	exchange_leave(x);
}

static void too_late(struct exchange *x)
{
	/* The event goes its way; a sender that tries again with its own id meets it as a duplicate. */
	exchange_enter(x);
	x->timed = false;
	atomic_store(&x->unwanted, true);
	exchange_refuse(x, x->route->config->ack == ACK_BUS ? ANSWER_BUS_FAILED : ANSWER_TIMEOUT, STR(""));
	exchange_leave(x);
}

static bool run_timer(struct exchange *x)
{
	struct loop *loop = &x->worker->loop;
	uint64_t left_ms = x->deadline_ms > loop->now_ms ? x->deadline_ms - loop->now_ms : 0;

	return loop_timer_start(loop, &x->deadline, left_ms) == E_OK;
}

static void on_deadline(struct loop_timer *timer)
{
	struct exchange *x = CONTAINER_OF(timer, struct exchange, deadline);

	if (x->timed && (x->deadline_ms <= x->worker->loop.now_ms || !run_timer(x)))
		too_late(x);
}

/* A timer that runs and is early enough stays, also from request to request: when it is due it looks at the deadline. */
bool exchange_start_deadline(struct exchange *x)
{
	if (x->timed)
		return true;
	x->deadline.on_due = on_deadline;
	x->deadline_ms = x->worker->loop.now_ms + x->route->config->deadline_ms;
	x->timed = (heap_holds(&x->deadline.node) && x->deadline.node.key <= x->deadline_ms) || run_timer(x);
	return x->timed;
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

/* What is too large the sender learns; and while the bus is down, that is the news, and the bus tells it. */
static void tell_refused(struct exchange *x, const struct bus_publish *p)
{
	struct bus *bus = x->worker->gateway->bus;
	uint64_t now_ms = x->worker->loop.now_ms, told_ms = atomic_load(&x->route->bus_told_ms);

	if (p->err == E_LIMIT || bus->ops->state(bus) != BUS_UP || (told_ms && now_ms < told_ms + TELL_AGAIN_MS))
		return;
	if (atomic_compare_exchange_strong(&x->route->bus_told_ms, &told_ms, now_ms))
		log_warn("gateway", "the bus does not take events of this route: their senders are told that it failed",
			 LOG_ROUTE(x->route->config), LOG_WHY(&p->why));
}

static void bus_done(struct loop_task *task)
{
	struct exchange *x = CONTAINER_OF(task, struct exchange, done);
	const struct bus_publish *refused = NULL;
	enum err err;

	for (size_t i = 0; i < x->count; i++) {
		const struct bus_publish *p = &x->publishes[i].publish;

		x->duplicates[i] = p->duplicate;
		if (!refused && p->err != E_OK)
			refused = p;
	}
	if (refused)
		tell_refused(x, refused);
	err = refused ? refused->err : E_OK;
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

	if ((to_bus && !prepare_publishes(x)) || !exchange_start_deadline(x)) {
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
	if (exchange_filter(x))
		submit(x);
}
