#include "gateway/dead_api.h"

#include "base/log.h"
#include "base/mem.h"
#include "gateway/query.h"
#include "net/loop.h"

#define AT_ONCE    256
#define BYTES_MAX  (4 << 20)
#define TIMEOUT_MS 5000

struct batch;

struct letter {
	struct batch *batch;
	struct letter *next;
	uint64_t pos;
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
	uint64_t only;          /* 0: all, */
	uint64_t after;         /* from behind this position */
	uint64_t last;          /* position of the last one looked at */
	bool cut;               /* there are more behind it */
	bool stopped;           /* retry: the bus does not take them now */
	struct letter *letters; /* by position */
	struct letter **end;
	struct letter *waiting; /* retry: the next one */
	size_t bytes;           /* retry: of what is to be sent */
	size_t unsent;          /* retry: `waiting` and all behind it */
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
	char space[128];
	struct buf text = { .p = space, .cap = sizeof(space), .max = sizeof(space) };

	if (!b->request) {
		batch_free(b);
		return;
	}
	buf_addf(&text, "{\"count\":%zu,\"failed\":%zu", b->done, b->failed);
	if (b->stopped)
		buf_lit(&text, ",\"stopped\":true");
	if (b->cut)
		buf_addf(&text, ",\"next_after\":%llu", (unsigned long long)b->last);
	buf_lit(&text, "}\n");
	http_respond(b->request, &(struct http_response){ .status = 200,
							  .content_type = STR("application/json"),
							  .body = buf_view(&text) });
}

/* Nothing that stands behind it may overtake: the rest waits for another day. */
static void stop(struct batch *b)
{
	b->stopped = true;
	b->left -= b->unsent;
	b->unsent = 0;
}

static void settle(struct letter *l, bool ok)
{
	struct batch *b = l->batch;

	b->done += ok;
	b->failed += !ok;
	if (--b->left == 0)
		batch_answer(b);
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

static void retry_next(struct batch *b);

/* The next one need not wait until this one is removed: removals are committed together. */
static void run_published(struct loop_task *task)
{
	struct letter *l = CONTAINER_OF(task, struct letter, task);
	struct batch *b = l->batch;
	enum err err = l->publish.err;

	if (err != E_OK)
		log_warn("gateway", "a dead letter failed again", LOG_U("position", l->pos), LOG_WHY(&l->publish.why));
	if (b->api->stopping || (err != E_OK && err != E_LIMIT && err != E_MALFORMED))
		stop(b);
	retry_next(b);
	if (err == E_OK && !b->api->stopping)
		forget(l);
	else
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

	if (!b->unsent)
		return;
	b->unsent--;
	b->waiting = l->next;
	publish_again(l);
}

static bool copy_event(struct letter *l, const struct store_row *event)
{
	l->source = str_dup(event->source);
	l->name = str_dup(event->name);
	l->msg_id = str_dup(event->key.n ? event->key : event->id);
	event_write_json(event->meta, event->data_kind, event->data, EVENT_JSON_UPSTREAM, &l->wire);
	return l->source && l->name && l->msg_id && l->wire.err == E_OK;
}

static struct letter *letter_new(const struct store_dead_row *row, bool with_event)
{
	struct letter *l = mem_alloc(sizeof(*l));

	if (!l)
		return NULL;
	l->pos = row->pos;
	l->bus_name = str_dup(str_of(row->bus));
	if (!l->bus_name || (with_event && !copy_event(l, &row->event))) {
		letter_free(l);
		return NULL;
	}
	return l;
}

/* Letters of one position stay together: `after` could not tell them apart. */
static bool is_full(const struct batch *b, uint64_t pos)
{
	return (b->left + b->foreign >= AT_ONCE || b->bytes >= BYTES_MAX) && pos > b->last;
}

static bool collect(void *ctx, const struct store_dead_row *row)
{
	struct batch *b = ctx;
	struct letter *l;

	b->cut = is_full(b, row->pos);
	if (b->cut || (b->only && row->pos != b->only))
		return false;
	b->last = row->pos;
	if (b->retry && !str_eq(str_of(row->bus), str_of(b->api->bus_name))) {
		b->foreign++; /* another bus would take what it has already, and the letter would be gone */
		return true;
	}
	l = letter_new(row, b->retry);
	if (!l) {
		b->err = E_NOMEM;
		return false;
	}
	l->batch = b;
	*b->end = l;
	b->end = &l->next;
	b->bytes += l->wire.n;
	b->left++;
	return true;
}

static enum err read_letters(struct batch *b, struct why *why)
{
	struct store_reader *reader = NULL;
	enum err err = store_reader_open(b->api->dir, why, &reader);

	if (err == E_OK)
		err = store_read_dead(reader, b->only ? b->only : b->after + 1, collect, b, why);
	store_reader_close(reader);
	return err == E_OK && b->err != E_OK ? why_set(why, b->err, "collect the dead letters") : err;
}

static enum err parse(struct str query, struct batch *b)
{
	if (str_is(query_raw(query, "pos"), "all"))
		return query_u64(query, "after", INT64_MAX - 1, 0, &b->after);
	if (query_raw(query, "after").p)
		return E_MALFORMED;
	return query_u64(query, "pos", INT64_MAX, 0, &b->only) == E_OK && b->only ? E_OK : E_MALFORMED;
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
	b->unsent = b->left;
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
	static const char *const names[] = { "pos", "after", NULL };
	struct str stray = query_stray(r->query, names);
	struct batch *b = d->store ? mem_alloc(sizeof(*b)) : NULL;
	struct why why = { 0 };

	if (!b) {
		http_text(r, d->store ? 503 : 404,
			  d->store ? STR("no memory; try again later\n")
				   : STR("there is no store, so there are no dead letters\n"));
		return;
	}
	*b = (struct batch){ .call.on_closed = on_closed, .api = d, .request = r, .retry = retry };
	b->end = &b->letters;
	if (stray.n || parse(r->query, b) != E_OK) {
		batch_free(b);
		query_refuse(r, stray, STR("use pos=POSITION, or pos=all and after=POSITION\n"));
	} else if (read_letters(b, &why) != E_OK) {
		batch_free(b);
		log_error("gateway", "cannot read the dead letters", LOG_WHY(&why));
		http_text(r, 500, STR("the store cannot be read; see the log\n"));
	} else {
		r->user = &b->call;
		run(b);
	}
}

void dead_api_stop(struct dead_api *d)
{
	d->stopping = true;
}

void dead_api_retry(struct dead_api *d, struct http_request *r)
{
	begin(d, r, /* retry= */ true);
}

void dead_api_drop(struct dead_api *d, struct http_request *r)
{
	begin(d, r, /* retry= */ false);
}
