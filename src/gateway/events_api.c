#include "gateway/events_api.h"

#include "base/log.h"
#include "base/mem.h"
#include "gateway/query.h"
#include "store/row_json.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX     1000
#define WAIT_MAX_S    60
#define BYTES_MAX     (8 << 20)
#define WAITS_MAX     256
#define FILTER_MAX    512

/* One request that waits for its first event. */
struct events_wait {
	struct admin_call call;
	struct events_api *api;
	struct http_request *request;
	struct loop_timer timer;
	uint64_t after;
	uint64_t limit;
	struct buf source;
	struct buf name;
	struct events_wait *next;
};

struct page {
	struct buf lines;
	uint64_t last;
	uint64_t gone; /* of what was asked for, up to here; 0: nothing */
	uint64_t end;  /* the position that the next event gets */
};

static bool add_line(void *ctx, const struct store_row *row)
{
	struct page *page = ctx;

	store_row_json(row, &page->lines);
	buf_char(&page->lines, '\n');
	page->last = row->pos;
	return page->lines.err == E_OK && page->lines.n < BYTES_MAX;
}

static enum err read_page(struct events_api *e, const struct events_wait *w, struct page *ret_page, struct why *why)
{
	struct store_query query = {
		.from = w->after + 1,
		.limit = w->limit,
		.source = buf_view(&w->source),
		.name = buf_view(&w->name),
	};
	enum err err = E_OK;

	if (!e->reader)
		err = store_reader_open(e->dir, why, &e->reader);
	if (err == E_OK)
		err = store_gone(e->reader, query.from, UINT64_MAX, &ret_page->gone, why);
	if (err == E_OK)
		err = store_end(e->reader, &ret_page->end, why);
	if (err == E_OK)
		err = store_read(e->reader, &query, add_line, ret_page, why);
	return err == E_OK ? ret_page->lines.err : err;
}

/* Positions begin anew behind the last one of a restored copy: such a reader would pass over what gets them a second time. */
static void refuse_ahead(struct events_wait *w, uint64_t last)
{
	char text[160];
	struct buf b = { .p = text, .cap = sizeof(text), .max = sizeof(text) };

	buf_addf(&b,
		 "the last position in this store is %llu: after=%llu is of a newer copy, or of another store; see "
		 "\"restore\" in operation.md\n",
		 (unsigned long long)last, (unsigned long long)w->after);
	http_text(w->request, 409, buf_view(&b));
}

/* Answers with a page. False: it would be empty and `must` is not set. */
static bool answer_page(struct events_wait *w, bool must)
{
	struct page page = { .last = w->after };
	struct why why = { 0 };
	char headers[96];
	struct buf b = { .p = headers, .cap = sizeof(headers), .max = sizeof(headers) };
	bool answered = true;

	if (read_page(w->api, w, &page, &why) != E_OK) {
		log_error("gateway", "cannot read events for the admin API", LOG_WHY(&why));
		http_text(w->request, 500, STR("the store cannot be read; see the log\n"));
	} else if (w->after >= page.end) {
		refuse_ahead(w, page.end - 1);
	} else if (page.lines.n || must) {
		buf_addf(&b, "Holdfast-Next-After: %llu\r\n", (unsigned long long)page.last);
		if (page.gone)
			buf_addf(&b, "Holdfast-Removed: %llu\r\n", (unsigned long long)page.gone);
		http_respond(w->request, &(struct http_response){ .status = 200,
								  .content_type = STR("application/x-ndjson"),
								  .headers = buf_view(&b),
								  .body = buf_view(&page.lines) });
	} else {
		answered = false;
	}
	buf_release(&page.lines);
	return answered;
}

static void wait_free(struct events_wait *w)
{
	struct events_wait **at = &w->api->waits;

	while (*at && *at != w)
		at = &(*at)->next;
	if (*at) {
		*at = w->next;
		w->api->wait_count--;
	}
	loop_timer_stop(w->api->loop, &w->timer);
	buf_release(&w->source);
	buf_release(&w->name);
	mem_free(w);
}

static void on_closed(struct admin_call *call)
{
	wait_free(CONTAINER_OF(call, struct events_wait, call));
}

static void on_wait_over(struct loop_timer *timer)
{
	struct events_wait *w = CONTAINER_OF(timer, struct events_wait, timer);

	(void)answer_page(w, /* must= */ true);
}

/* An answer may close its request inside the call: the next one is looked up before. */
static void run_wake(struct loop_task *task)
{
	struct events_api *e = CONTAINER_OF(task, struct events_api, wake);
	struct events_wait *next;

	atomic_store(&e->waking, false);
	for (struct events_wait *w = e->waits; w; w = next) {
		next = w->next;
		(void)answer_page(w, /* must= */ false);
	}
}

/* In the store's writer thread: nothing when nobody waits, else one task, however many commits. */
static void on_commit(struct store_listener *l, uint64_t last)
{
	struct events_api *e = CONTAINER_OF(l, struct events_api, listener);

	(void)last;
	if (atomic_load(&e->wait_count) && !atomic_exchange(&e->waking, true))
		loop_post(e->loop, &e->wake);
}

void events_api_init(struct events_api *e, struct loop *loop, struct store *store, const char *dir)
{
	*e = (struct events_api){ .loop = loop, .store = store, .dir = dir };
	e->wake.run = run_wake;
	e->listener.on_commit = on_commit;
	if (store)
		store_listen(store, &e->listener);
}

void events_api_release(struct events_api *e)
{
	while (e->waits)
		wait_free(e->waits);
	store_reader_close(e->reader);
	e->reader = NULL;
}

static enum err parse(struct events_wait *w, struct str query, uint64_t *ret_wait_s)
{
	enum err err = query_u64(query, "after", INT64_MAX - 1, 0, &w->after);

	if (err == E_OK)
		err = query_u64(query, "limit", LIMIT_MAX, LIMIT_DEFAULT, &w->limit);
	if (err == E_OK)
		err = query_u64(query, "wait", WAIT_MAX_S, 0, ret_wait_s);
	if (err == E_OK)
		err = query_text(query, "source", &w->source);
	if (err == E_OK)
		err = query_text(query, "name", &w->name);
	return err == E_OK && w->limit == 0 ? E_MALFORMED : err;
}

static struct events_wait *wait_new(struct events_api *e, struct http_request *r)
{
	struct events_wait *w = mem_alloc(sizeof(*w));

	if (!w)
		return NULL;
	w->call.on_closed = on_closed;
	w->api = e;
	w->request = r;
	w->source.max = w->name.max = FILTER_MAX;
	w->timer.on_due = on_wait_over;
	w->next = e->waits;
	e->waits = w;
	e->wait_count++;
	return w;
}

void events_api_get(struct events_api *e, struct http_request *r)
{
	struct events_wait *w;
	uint64_t wait_s = 0;

	if (!e->store) {
		http_text(r, 404, STR("there is no store: give spec.holdfast.dataDir to keep events here\n"));
		return;
	}
	w = e->wait_count < WAITS_MAX ? wait_new(e, r) : NULL;
	r->user = w ? &w->call : NULL;
	if (!w)
		http_text(r, 503, STR("too many readers wait already; try again later\n"));
	else if (parse(w, r->query, &wait_s) != E_OK)
		http_text(r, 400, STR("use after=POSITION, limit=1..1000, wait=0..60 (seconds), source=, name=\n"));
	else if (!answer_page(w, /* must= */ wait_s == 0) &&
		 loop_timer_start(e->loop, &w->timer, wait_s * 1000) != E_OK)
		http_text(r, 503, STR("no memory to wait; try again later\n"));
}
