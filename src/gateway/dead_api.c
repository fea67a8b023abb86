#include "gateway/dead_api.h"

#include "base/log.h"
#include "base/mem.h"
#include "gateway/query.h"
#include "net/loop.h"

#define AT_ONCE    1000
#define TIMEOUT_MS 5000

struct batch;

struct letter {
	struct batch *batch;
	struct letter *next;
	uint64_t pos;
	bool held; /* one before it, of its route, was not taken */
	char *bus_name;
	char *source;
	char *name;
	char *msg_id;
	struct buf wire;
	struct bus_publish publish;
	struct store_dead_put put;
	struct loop_task task;
};

/* One request; lives until every letter is settled, whether or not the client still waits. */
struct batch {
	struct admin_call call;
	struct dead_api *api;
	struct http_request *request; /* NULL: the client is gone */
	bool retry;
	uint64_t only;          /* 0: all */
	struct letter *letters; /* by position */
	struct letter **end;
	struct letter *waiting; /* retry: the next one */
	size_t left;
	size_t done;
	size_t failed;
	size_t foreign; /* retry: of another bus */
	enum err err;
};

static void letter_free(struct letter *l)
{
	mem_free(l->bus_name);
	mem_free(l->source);
	mem_free(l->name);
	mem_free(l->msg_id);
	buf_release(&l->wire);
	mem_free(l);
}

static void batch_free(struct batch *b)
{
	while (b->letters) {
		struct letter *next = b->letters->next;

		letter_free(b->letters);
		b->letters = next;
	}
	mem_free(b);
}

static void on_closed(struct admin_call *call)
{
	struct batch *b = CONTAINER_OF(call, struct batch, call);

	b->request = NULL;
	if (b->left == 0)
		batch_free(b);
}

/* The request is closed inside or after the answer: on_closed() frees, unless it is closed already. */
static void batch_answer(struct batch *b)
{
	char space[96];
	struct buf text = { .p = space, .cap = sizeof(space), .max = sizeof(space) };

	if (!b->request) {
		batch_free(b);
		return;
	}
	buf_addf(&text, "{\"count\":%zu,\"failed\":%zu}\n", b->done, b->failed);
	http_respond(b->request, &(struct http_response){ .status = 200,
							  .content_type = STR("application/json"),
							  .body = buf_view(&text) });
}

static void retry_next(struct batch *b);

static void settle(struct letter *l, bool ok)
{
	struct batch *b = l->batch;

	b->done += ok;
	b->failed += !ok;
	if (--b->left == 0)
		batch_answer(b);
	else if (b->retry)
		retry_next(b);
}

static void run_removed(struct loop_task *task)
{
	struct letter *l = CONTAINER_OF(task, struct letter, task);

	settle(l, l->put.err == E_OK);
}

/* In the writer's thread. */
static void on_removed(struct store_dead_put *put)
{
	struct letter *l = CONTAINER_OF(put, struct letter, put);

	l->task.run = run_removed;
	loop_post(l->batch->api->loop, &l->task);
}

static void forget(struct letter *l)
{
	l->put = (struct store_dead_put){
		.pos = l->pos,
		.bus = l->bus_name,
		.what = STORE_DEAD_REMOVE,
		.on_done = on_removed,
	};
	store_dead(l->batch->api->store, &l->put);
}

/* What stands behind it in its route waits for another day, too: or it would overtake. */
static void hold_route(const struct letter *failed)
{
	for (struct letter *l = failed->next; l; l = l->next)
		if (str_eq(str_of(l->source), str_of(failed->source)) && str_eq(str_of(l->name), str_of(failed->name)))
			l->held = true;
}

static void run_published(struct loop_task *task)
{
	struct letter *l = CONTAINER_OF(task, struct letter, task);

	if (l->publish.err == E_OK) {
		forget(l);
		return;
	}
	log_warn("gateway", "a dead letter failed again", LOG_U("position", l->pos), LOG_WHY(&l->publish.why));
	if (l->publish.err != E_LIMIT && l->publish.err != E_MALFORMED)
		hold_route(l);
	settle(l, /* ok= */ false);
}

/* In a thread of the bus. */
static void on_published(struct bus_publish *p)
{
	struct letter *l = CONTAINER_OF(p, struct letter, publish);

	l->task.run = run_published;
	loop_post(l->batch->api->loop, &l->task);
}

static void publish_again(struct letter *l)
{
	struct bus *bus = l->batch->api->bus;

	l->publish = (struct bus_publish){
		.source = str_of(l->source),
		.name = str_of(l->name),
		.msg_id = str_of(l->msg_id),
		.payload = buf_view(&l->wire),
		.timeout_ms = TIMEOUT_MS,
		.on_done = on_published,
	};
	bus->ops->publish(bus, &l->publish);
}

/* One at a time: they arrive in the order of their positions, and take one place of those that wait for the bus. */
static void retry_next(struct batch *b)
{
	struct letter *l = b->waiting;

	while (l->held && b->left > 1) {
		b->left--;
		b->failed++;
		l = l->next;
	}
	b->waiting = l->next;
	if (l->held)
		settle(l, /* ok= */ false);
	else
		publish_again(l);
}

static struct letter *letter_new(const struct store_dead_row *row)
{
	struct letter *l = mem_alloc(sizeof(*l));

	if (!l)
		return NULL;
	l->pos = row->pos;
	l->bus_name = str_dup(str_of(row->bus));
	l->source = str_dup(row->event.source);
	l->name = str_dup(row->event.name);
	l->msg_id = str_dup(row->event.key.n ? row->event.key : row->event.id);
	event_write_json(row->event.meta, row->event.data_kind, row->event.data, EVENT_JSON_UPSTREAM, &l->wire);
	if (!l->bus_name || !l->source || !l->name || !l->msg_id || l->wire.err != E_OK) {
		letter_free(l);
		return NULL;
	}
	return l;
}

static bool collect(void *ctx, const struct store_dead_row *row)
{
	struct batch *b = ctx;
	struct letter *l;

	if (b->only && row->pos != b->only)
		return true;
	if (b->retry && !str_eq(str_of(row->bus), str_of(b->api->bus_name))) {
		b->foreign++; /* another bus would take what it has already, and the letter would be gone */
		return true;
	}
	l = letter_new(row);
	if (!l) {
		b->err = E_NOMEM;
		return false;
	}
	l->batch = b;
	*b->end = l;
	b->end = &l->next;
	return ++b->left < AT_ONCE;
}

static enum err read_letters(struct batch *b, struct why *why)
{
	struct store_reader *reader = NULL;
	enum err err = store_reader_open(b->api->dir, why, &reader);

	if (err == E_OK)
		err = store_read_dead(reader, collect, b, why);
	store_reader_close(reader);
	return err == E_OK && b->err != E_OK ? why_set(why, b->err, "collect the dead letters") : err;
}

static enum err parse(struct str query, uint64_t *ret_only)
{
	if (str_is(query_raw(query, "pos"), "all")) {
		*ret_only = 0;
		return E_OK;
	}
	return query_u64(query, "pos", INT64_MAX, 0, ret_only) == E_OK && *ret_only ? E_OK : E_MALFORMED;
}

static void drop_all(struct batch *b)
{
	struct letter *next;

	for (struct letter *l = b->letters; l; l = next) {
		next = l->next; /* the last one may settle the batch before the call returns */
		forget(l);
	}
}

static void run(struct batch *b)
{
	b->failed = b->foreign;
	b->waiting = b->letters;
	if (b->foreign)
		log_warn("gateway", "dead letters of a bus that is not the one in use stay as they are",
			 LOG_U("letters", b->foreign), LOG_S("bus", b->api->bus_name));
	if (b->left == 0)
		batch_answer(b);
	else if (b->retry)
		retry_next(b);
	else
		drop_all(b);
}

static void begin(struct dead_api *d, struct http_request *r, bool retry)
{
	struct batch *b = d->store ? mem_alloc(sizeof(*b)) : NULL;
	struct why why = { 0 };

	if (!b) {
		admin_text(r, d->store ? 503 : 404,
			   d->store ? STR("no memory; try again later\n")
				    : STR("there is no store, so there are no dead letters\n"));
		return;
	}
	*b = (struct batch){ .call.on_closed = on_closed, .api = d, .request = r, .retry = retry };
	b->end = &b->letters;
	if (parse(r->query, &b->only) != E_OK) {
		batch_free(b);
		admin_text(r, 400, STR("use pos=POSITION or pos=all\n"));
	} else if (read_letters(b, &why) != E_OK) {
		batch_free(b);
		log_error("gateway", "cannot read the dead letters", LOG_WHY(&why));
		admin_text(r, 500, STR("the store cannot be read; see the log\n"));
	} else {
		r->user = &b->call;
		run(b);
	}
}

void dead_api_retry(struct dead_api *d, struct http_request *r)
{
	begin(d, r, /* retry= */ true);
}

void dead_api_drop(struct dead_api *d, struct http_request *r)
{
	begin(d, r, /* retry= */ false);
}
