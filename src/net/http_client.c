#include "net/http_client.h"

#include <assert.h>

#include "base/mem.h"
#include "net/http_origin.h"

#define CONNECTIONS   8
#define STREAMS       1000L /* of a connection with HTTP/2, if the server takes as many */
#define RETRY_AFTER_S 86400 /* at most, of what a server asks for */

_Static_assert(sizeof(((struct http_fetch *)0)->problem) >= CURL_ERROR_SIZE, "libcurl writes as much");

struct http_client {
	struct loop *loop;
	struct http_origin origin;
	CURLM *multi;
	struct loop_timer timer; /* libcurl's */
	struct loop_task turn;
	bool posted;
	struct http_link due; /* waiting or ended: what the next turn looks at */
	struct http_link running;
	unsigned connections;
	unsigned endless; /* running without a timeout */
	size_t watches;   /* sockets that are watched, or were and whose handle closes */
	bool deaf;        /* there was no memory to watch a socket or the time */
	bool closing;
	void (*on_closed)(void *ctx);
	void *ctx;
};

struct watch {
	uv_poll_t poll;
	int events;
	struct http_client *client;
};

/* ---- lists ---------------------------------------------------------------------------------------------------------------- */

static void link_init(struct http_link *list)
{
	list->prev = list->next = list;
}

static void link_out(struct http_link *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
}

static void link_put(struct http_link *list, struct http_link *link)
{
	*link = (struct http_link){ .prev = list->prev, .next = list };
	link->prev->next = link->next->prev = link;
}

static struct http_fetch *link_first(const struct http_link *list)
{
	return list->next == list ? NULL : CONTAINER_OF(list->next, struct http_fetch, link);
}

/* ---- the stages of a fetch
 *
 *                 turn               answer, failure, timeout, cancel                turn
 *   WAITING --------------> RUNNING ---------------------------------> ENDED ----------------> AT_REST, on_done()
 *      |                                                                 ^
 *      +---------------- cancel, timeout, no memory ---------------------+
 *
 * libcurl takes no requests and lets go of none while it calls back, and on_done() is not to come from inside a call. So both
 * ends of a fetch are left to the turn, which is a task of the loop.                                                        */

static void want_turn(struct http_client *c)
{
	if (c->posted)
		return;
	c->posted = true;
	loop_post(c->loop, &c->turn);
}

static void end(struct http_fetch *f, enum err err)
{
	struct http_client *c = f->client;

	f->err = err;
	f->stage = HTTP_ENDED;
	link_out(&f->link);
	link_put(&c->due, &f->link);
	want_turn(c);
}

static void end_running(struct http_client *c, enum err err)
{
	struct http_fetch *f;

	while ((f = link_first(&c->running)))
		end(f, err);
}

static void on_timeout(struct loop_timer *timer)
{
	struct http_fetch *f = CONTAINER_OF(timer, struct http_fetch, timeout);

	if (f->stage != HTTP_ENDED)
		end(f, why_set(&f->why, E_TIMEOUT, "no answer within %llu ms", (unsigned long long)f->timeout_ms));
}

/* ---- the answer ----------------------------------------------------------------------------------------------------------- */

static enum err keep(struct http_fetch *f, struct str piece)
{
	if (piece.n > f->answer_max - f->answer.n)
		return why_set(&f->why, E_LIMIT, "the answer is larger than %zu bytes", f->answer_max);
	buf_str(&f->answer, piece);
	return f->answer.err;
}

static unsigned status_of(const struct http_fetch *f)
{
	long status = 0;

	curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
	return (unsigned)status;
}

/* libcurl's: anything but the size of the piece ends the request. */
static size_t on_body(char *bytes, size_t size, size_t n, void *ctx)
{
	struct http_fetch *f = ctx;
	struct str piece = { bytes, size * n };

	if (f->stage != HTTP_RUNNING)
		return 0;
	f->status = status_of(f);
	f->refused = f->on_piece && f->status / 100 == 2 ? f->on_piece(f, piece) : keep(f, piece);
	return f->refused == E_OK ? piece.n : 0;
}

/* libcurl's: one line of the head; an empty one ends it. */
static size_t on_header(char *bytes, size_t size, size_t n, void *ctx)
{
	struct http_fetch *f = ctx;

	if (f->stage == HTTP_RUNNING && str_is((struct str){ bytes, size * n }, "\r\n") && status_of(f) / 100 == 2)
		f->on_head(f);
	return size * n;
}

static uint64_t retry_after_ms(const struct http_fetch *f)
{
	curl_off_t s = 0;

	curl_easy_getinfo(f->easy, CURLINFO_RETRY_AFTER, &s);
	if (s < 0)
		return 0;
	return 1000 * (uint64_t)(s < RETRY_AFTER_S ? s : RETRY_AFTER_S);
}

/* With TLS 1.3 a server refuses our certificate when for us the connection stands. OpenSSL 3.0 has these words for its alert. */
static bool is_refusal(struct str problem)
{
	return str_contains(problem, STR(" alert ")) &&
	       (str_contains(problem, STR("certificate")) || str_contains(problem, STR("unknown ca")));
}

static enum err err_of(CURLcode code, const char *problem)
{
	switch (code) {
	case CURLE_OK:
		return E_OK;
	case CURLE_OUT_OF_MEMORY:
		return E_NOMEM;
	case CURLE_URL_MALFORMAT:
		return E_MALFORMED;
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
		return E_CONFIG;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CLIENTCERT:
		return E_FORBIDDEN;
	default:
		return is_refusal(str_of(problem)) ? E_FORBIDDEN : E_UNAVAILABLE;
	}
}

/* What libcurl says of a proxy that it cannot use has its address in it, with the password. */
static const char *problem_of(const struct http_fetch *f, CURLcode code)
{
	if (str_starts(str_of(f->problem), STR("Unsupported proxy")))
		return "the address of the proxy cannot be used";
	return f->problem[0] ? f->problem : curl_easy_strerror(code);
}

static void conclude(struct http_fetch *f, CURLcode code)
{
	f->status = status_of(f);
	f->retry_after_ms = retry_after_ms(f);
	if (f->refused != E_OK)
		end(f, f->refused);
	else if (code != CURLE_OK)
		end(f, why_set(&f->why, err_of(code, f->problem), "%s", problem_of(f, code)));
	else
		end(f, E_OK);
}

/* ---- sockets and the time ------------------------------------------------------------------------------------------------- */

static void collect(struct http_client *c)
{
	int left;
	CURLMsg *m;

	while ((m = curl_multi_info_read(c->multi, &left))) {
		struct http_fetch *f = NULL;

		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&f);
		if (f->stage == HTTP_RUNNING)
			conclude(f, m->data.result);
	}
}

static void act(struct http_client *c, curl_socket_t fd, int what)
{
	int running;

	(void)curl_multi_socket_action(c->multi, fd, what, &running);
	collect(c);
}

static void on_ready(uv_poll_t *poll, int status, int events);

static void listen_to(struct watch *w)
{
	uv_poll_start(&w->poll, w->events, on_ready);
}

/*
 * With an error libuv stops. libcurl asks the socket what it is, and may have to read what came before it: told of an error it would
 * give up, and not try once more when it was an old connection that has broken.
 */
static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct watch *w = poll->data;
	int fd;

	loop_tick(w->client->loop);
	if (status < 0) {
		events = UV_READABLE | UV_WRITABLE;
		listen_to(w);
	}
	(void)uv_fileno((uv_handle_t *)poll, &fd);
	act(w->client, fd,
	    (events & UV_READABLE ? CURL_CSELECT_IN : 0) | (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0));
}

static void on_due(struct loop_timer *timer)
{
	act(CONTAINER_OF(timer, struct http_client, timer), CURL_SOCKET_TIMEOUT, 0);
}

static void go_deaf(struct http_client *c)
{
	c->deaf = true;
	want_turn(c);
}

static int on_timer(CURLM *multi, long ms, void *ctx)
{
	struct http_client *c = ctx;

	(void)multi;
	if (ms < 0)
		loop_timer_stop(c->loop, &c->timer);
	else if (loop_timer_start(c->loop, &c->timer, (uint64_t)ms) != E_OK)
		go_deaf(c);
	return 0;
}

static struct watch *watch_new(struct http_client *c, curl_socket_t fd)
{
	struct watch *w = mem_alloc(sizeof(*w));

	if (!w || uv_poll_init(&c->loop->uv, &w->poll, fd) < 0) {
		mem_free(w);
		return NULL;
	}
	w->poll.data = w;
	w->client = c;
	c->watches++;
	return w;
}

static void end_client(struct http_client *c);

static void on_watch_closed(uv_handle_t *handle)
{
	struct watch *w = handle->data;
	struct http_client *c = w->client;

	mem_free(w);
	c->watches--;
	end_client(c);
}

/* libcurl's: what it wants to know about a socket. Not to obey it would be the end of all requests, for ever. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
	struct http_client *c = ctx;
	struct watch *w = socket_ctx;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (w)
			uv_close((uv_handle_t *)&w->poll, on_watch_closed);
		return 0;
	}
	if (!w)
		w = watch_new(c, fd);
	if (!w) {
		go_deaf(c);
		return 0;
	}
	curl_multi_assign(c->multi, fd, w);
	w->events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
	listen_to(w);
	return 0;
}

/* ---- the turn ------------------------------------------------------------------------------------------------------------- */

/* With HTTP/1.1 each of these holds a connection for hours, and what is small has to get past them. */
static void count_endless(struct http_client *c, const struct http_fetch *f, int by)
{
	if (f->timeout_ms)
		return;
	c->endless += (unsigned)by;
	curl_multi_setopt(c->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)(c->connections + c->endless));
}

static enum err hand_over(struct http_client *c, struct http_fetch *f)
{
	enum err err = http_origin_ask(&c->origin, f);

	if (err != E_OK)
		return err;
	curl_easy_setopt(f->easy, CURLOPT_PRIVATE, f);
	curl_easy_setopt(f->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(f->easy, CURLOPT_WRITEDATA, f);
	if (f->on_head) {
		curl_easy_setopt(f->easy, CURLOPT_HEADERFUNCTION, on_header);
		curl_easy_setopt(f->easy, CURLOPT_HEADERDATA, f);
	}
	curl_easy_setopt(f->easy, CURLOPT_ERRORBUFFER, f->problem);
	if (curl_multi_add_handle(c->multi, f->easy) != CURLM_OK)
		return why_set(&f->why, E_NOMEM, "no memory for a request");
	return E_OK;
}

static void begin(struct http_client *c, struct http_fetch *f)
{
	enum err err = c->closing ? E_CANCELLED : hand_over(c, f);

	f->stage = HTTP_RUNNING;
	link_put(&c->running, &f->link);
	if (f->easy)
		count_endless(c, f, 1);
	if (err != E_OK)
		end(f, err);
}

static void let_go(struct http_client *c, struct http_fetch *f)
{
	if (!f->easy)
		return;
	curl_multi_remove_handle(c->multi, f->easy);
	curl_easy_cleanup(f->easy);
	curl_slist_free_all(f->fields);
	count_endless(c, f, -1);
}

static void finish(struct http_client *c, struct http_fetch *f)
{
	struct buf answer = f->answer;

	loop_timer_stop(c->loop, &f->timeout);
	let_go(c, f);
	f->stage = HTTP_AT_REST;
	f->on_done(f);
	buf_release(&answer);
}

/* What comes to be due on the way is left to the next turn. */
static void on_turn(struct loop_task *task)
{
	struct http_client *c = CONTAINER_OF(task, struct http_client, turn);
	struct http_link mark;
	struct http_fetch *f;

	c->posted = false;
	if (c->deaf)
		end_running(c, E_NOMEM);
	c->deaf = false;
	link_put(&c->due, &mark);
	while (c->due.next != &mark) {
		f = link_first(&c->due);
		link_out(&f->link);
		if (f->stage == HTTP_WAITING)
			begin(c, f);
		else
			finish(c, f);
	}
	link_out(&mark);
	end_client(c);
}

/* ---- the client ----------------------------------------------------------------------------------------------------------- */

/* Once its last fetch is done, no turn is to come, and libuv has let go of its sockets. */
static void end_client(struct http_client *c)
{
	void (*on_closed)(void *ctx) = c->on_closed;
	void *ctx = c->ctx;

	if (!c->closing || c->posted || c->watches)
		return;
	curl_multi_cleanup(c->multi);
	loop_timer_stop(c->loop, &c->timer);
	http_origin_release(&c->origin);
	mem_free(c);
	on_closed(ctx);
}

static enum err open_multi(struct http_client *c)
{
	c->multi = curl_multi_init();
	if (!c->multi)
		return E_NOMEM;
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
	curl_multi_setopt(c->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, STREAMS);
	curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)c->connections);
	curl_multi_setopt(c->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)c->connections);
	return E_OK;
}

enum err http_client_new(struct loop *loop, const struct http_client_options *options, struct why *why,
			 struct http_client **ret_client)
{
	struct http_client *c = mem_alloc(sizeof(*c));
	enum err err;

	if (!c || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		mem_free(c);
		return why_set(why, E_NOMEM, "no memory");
	}
	c->loop = loop;
	c->timer.on_due = on_due;
	c->turn.run = on_turn;
	c->connections = options->connections ? options->connections : CONNECTIONS;
	link_init(&c->due);
	link_init(&c->running);
	err = http_origin_init(&c->origin, options, why);
	if (err == E_OK && open_multi(c) != E_OK)
		err = why_set(why, E_NOMEM, "no memory");
	if (err != E_OK) {
		http_origin_release(&c->origin);
		mem_free(c);
		return err;
	}
	*ret_client = c;
	return E_OK;
}

void http_client_close(struct http_client *c, void (*on_closed)(void *ctx), void *ctx)
{
	assert(!c->closing);
	c->closing = true;
	c->on_closed = on_closed;
	c->ctx = ctx;
	end_running(c, E_CANCELLED);
	want_turn(c);
}

void http_client_start(struct http_client *c, struct http_fetch *f)
{
	assert(f->stage == HTTP_AT_REST);
	f->err = f->refused = E_OK;
	f->why = (struct why){ 0 };
	f->status = 0;
	f->answer = (struct buf){ 0 };
	f->retry_after_ms = 0;
	f->stage = HTTP_WAITING;
	f->client = c;
	f->timeout = (struct loop_timer){ .on_due = on_timeout };
	f->easy = NULL;
	f->fields = NULL;
	f->problem[0] = '\0';
	link_put(&c->due, &f->link);
	want_turn(c);
	if (f->timeout_ms && loop_timer_start(c->loop, &f->timeout, f->timeout_ms) != E_OK)
		end(f, E_NOMEM);
}

void http_client_cancel(struct http_client *c, struct http_fetch *f)
{
	(void)c;
	if (f->stage == HTTP_WAITING || f->stage == HTTP_RUNNING)
		end(f, E_CANCELLED);
}
