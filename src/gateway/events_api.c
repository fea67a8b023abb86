#include "gateway/events_api.h"

#include "base/log.h"
#include "base/mem.h"
#include "gateway/query.h"
#include "store/row_json.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX     1000
#define WAIT_MAX_S    60
#define BYTES_MAX     (1 << 20)
#define WINDOW        1024 /* positions that a reader looks at in a turn of the loop: a filter may match none of millions */
#define WAITS_MAX     256
#define FILTER_MAX    512

/* One request, until it is answered. */
struct events_wait {
	struct admin_call call;
	struct events_api *api;
	struct http_request *request;
	struct loop_timer timer;
	bool waits; /* for the first event, when there is none yet */
	uint64_t after;
	uint64_t next; /* everything before it was looked at */
	uint64_t left; /* lines that may still come */
	uint64_t gone; /* of what was asked for, up to here; 0: nothing */
	struct buf source;
	struct buf name;
	struct buf lines;
	struct events_wait *next_wait;
};

static bool add_line(void *ctx, const struct store_row *row)
{
	struct events_wait *w = ctx;

	store_row_json(row, &w->lines);
	buf_char(&w->lines, '\n');
	w->next = row->pos + 1;
	w->left--;
	return w->lines.err == E_OK && w->lines.n < BYTES_MAX;
}

static bool on_window(void *ctx, uint64_t next)
{
	struct events_wait *w = ctx;

	w->next = next;
	return false;
}

static enum err open_reader(struct events_api *e, struct why *why)
{
	return e->reader ? E_OK : store_reader_open(e->dir, why, &e->reader);
}

static enum err read_window(struct events_api *e, struct events_wait *w, struct why *why)
{
	struct store_query query = {
		.from = w->next,
		.limit = w->left,
		.source = buf_view(&w->source),
		.name = buf_view(&w->name),
		.window = WINDOW,
		.on_window = on_window,
	};
	uint64_t gone = 0;
	enum err err = open_reader(e, why);

	if (err == E_OK)
		err = store_gone(e->reader, query.from, UINT64_MAX, &gone, why);
	if (gone)
		w->gone = gone;
	if (err == E_OK)
		err = store_read(e->reader, &query, add_line, w, why);
	return err == E_OK ? w->lines.err : err;
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

static void answer_page(struct events_wait *w)
{
	char headers[96];
	struct buf b = { .p = headers, .cap = sizeof(headers), .max = sizeof(headers) };

	buf_addf(&b, "Holdfast-Next-After: %llu\r\n", (unsigned long long)w->next - 1);
	if (w->gone)
		buf_addf(&b, "Holdfast-Removed: %llu\r\n", (unsigned long long)w->gone);
	http_respond(w->request, &(struct http_response){ .status = 200,
							  .content_type = STR("application/x-ndjson"),
							  .headers = buf_view(&b),
							  .body = buf_view(&w->lines) });
}

static void answer_unreadable(struct events_wait *w, const struct why *why)
{
	log_error("gateway", "cannot read events for the admin API", LOG_WHY(why));
	http_text(w->request, 500, STR("the store cannot be read; see the log\n"));
}

static void wake(struct events_api *e)
{
	if (!atomic_exchange(&e->waking, true))
		loop_post(e->loop, &e->wake);
}

static bool is_at_end(const struct events_wait *w)
{
	return w->next > store_last(w->api->store);
}

/* Reads another window, and answers when the page is full, or at the end if it has lines or waits for none. `now`: anyway. */
static void go_on(struct events_wait *w, bool now)
{
	struct why why = { 0 };
	bool full;

	if (read_window(w->api, w, &why) != E_OK) {
		answer_unreadable(w, &why);
		return;
	}
	full = w->left == 0 || w->lines.n >= BYTES_MAX;
	if (full || now || (is_at_end(w) && (w->lines.n || !w->waits)))
		answer_page(w);
	else if (!is_at_end(w))
		wake(w->api);
}

static void wait_free(struct events_wait *w)
{
	struct events_wait **at = &w->api->waits;

	while (*at && *at != w)
		at = &(*at)->next_wait;
	if (*at) {
		*at = w->next_wait;
		w->api->wait_count--;
	}
	loop_timer_stop(w->api->loop, &w->timer);
	buf_release(&w->source);
	buf_release(&w->name);
	buf_release(&w->lines);
	mem_free(w);
}

static void on_closed(struct admin_call *call)
{
	wait_free(CONTAINER_OF(call, struct events_wait, call));
}

static void on_wait_over(struct loop_timer *timer)
{
	struct events_wait *w = CONTAINER_OF(timer, struct events_wait, timer);

	go_on(w, /* now= */ true);
}

/* An answer may close its request inside the call: the next one is looked up before. */
static void run_wake(struct loop_task *task)
{
	struct events_api *e = CONTAINER_OF(task, struct events_api, wake);
	struct events_wait *next;

	atomic_store(&e->waking, false);
	for (struct events_wait *w = e->waits; w; w = next) {
		next = w->next_wait;
		if (!is_at_end(w))
			go_on(w, /* now= */ false);
	}
}

/* In the store's writer thread: nothing when nobody waits, else one task, however many commits. */
static void on_commit(struct store_listener *l, uint64_t last)
{
	struct events_api *e = CONTAINER_OF(l, struct events_api, listener);

	(void)last;
	if (atomic_load(&e->wait_count))
		wake(e);
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

	w->next = w->after + 1;
	if (err == E_OK)
		err = query_u64(query, "limit", LIMIT_MAX, LIMIT_DEFAULT, &w->left);
	if (err == E_OK)
		err = query_u64(query, "wait", WAIT_MAX_S, 0, ret_wait_s);
	if (err == E_OK)
		err = query_text(query, "source", &w->source);
	if (err == E_OK)
		err = query_text(query, "name", &w->name);
	return err == E_OK && w->left == 0 ? E_MALFORMED : err;
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
	w->next_wait = e->waits;
	e->waits = w;
	e->wait_count++;
	return w;
}

static void begin(struct events_wait *w, uint64_t wait_s)
{
	struct events_api *e = w->api;
	struct why why = { 0 };
	uint64_t end =
		0; /* as the file has it: a reader may have an event before the writer has said that it is stored */
	enum err err = open_reader(e, &why);

	if (err == E_OK)
		err = store_end(e->reader, &end, &why);
	w->waits = wait_s > 0;
	if (err != E_OK)
		answer_unreadable(w, &why);
	else if (w->after >= end)
		refuse_ahead(w, end - 1);
	else if (w->waits && loop_timer_start(e->loop, &w->timer, wait_s * 1000) != E_OK)
		http_text(w->request, 503, STR("no memory to wait; try again later\n"));
	else
		go_on(w, /* now= */ false);
}

void events_api_get(struct events_api *e, struct http_request *r)
{
	static const char *const names[] = { "after", "limit", "wait", "source", "name", NULL };
	struct str stray = query_stray(r->query, names);
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
	else if (stray.n || parse(w, r->query, &wait_s) != E_OK)
		query_refuse(r, stray,
			     STR("use after=POSITION, limit=1..1000, wait=0..60 (seconds), source=, name=\n"));
	else
		begin(w, wait_s);
}
