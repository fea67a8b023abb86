#include "gateway/admin.h"

#include "base/mem.h"
#include "gateway/process.h"
#include "gateway/status.h"

/* ---- what anybody may ask -------------------------------------------------------------------------------------------- */

static void get_metrics(void *ctx, struct http_request *r)
{
	struct admin *a = ctx;

	http_metrics(r, a->process->gateway.registry);
}

static void get_healthz(void *ctx, struct http_request *r)
{
	struct admin *a = ctx;
	bool alive = health_alive(a->process);

	http_text(r, alive ? 200 : 503, alive ? STR("ok\n") : STR("an event loop does not turn\n"));
}

static void get_readyz(void *ctx, struct http_request *r)
{
	struct admin *a = ctx;
	struct buf text = { 0 };
	bool ready = health_ready(a->process, &text);

	http_text(r, ready ? 200 : 503, buf_view(&text));
	buf_release(&text);
}

/* ---- what needs the token -------------------------------------------------------------------------------------------- */

static void get_status(void *ctx, struct http_request *r)
{
	struct admin *a = ctx;
	struct buf json = { 0 };

	status_write_json(a->process, &json);
	http_json(r, &json);
	buf_release(&json);
}

static void get_events(void *ctx, struct http_request *r)
{
	struct admin *a = ctx;

	events_api_get(&a->events, r);
}

static void post_retry(void *ctx, struct http_request *r)
{
	struct admin *a = ctx;

	dead_api_retry(&a->dead, r);
}

static void post_drop(void *ctx, struct http_request *r)
{
	struct admin *a = ctx;

	dead_api_drop(&a->dead, r);
}

static const struct http_page pages[] = {
	{ "GET", "/metrics", false, get_metrics }, { "GET", "/healthz", false, get_healthz },
	{ "GET", "/readyz", false, get_readyz },   { "GET", "/status", true, get_status },
	{ "GET", "/events", true, get_events },    { "POST", "/dead/retry", true, post_retry },
	{ "POST", "/dead/drop", true, post_drop },
};

/* Beside the one in admin.json. */
static bool is_token(void *ctx, struct str token)
{
	struct admin *a = ctx;

	return a->token_file.path && secret_file_check(&a->token_file, token, a->process->loop.now_ms) == E_OK;
}

static void on_close(void *ctx, struct http_request *r)
{
	struct admin_call *call = r->user;

	(void)ctx;
	if (call)
		call->on_closed(call);
}

/* ---- admin.json: how the commands of this machine find and enter -------------------------------------------------------- */

/* The gateway serves without it: a full disk must not keep it from reading and forwarding. */
static void describe(struct admin *a)
{
	const struct gateway_config *c = a->process->opened;
	struct why why = { 0 };

	if (c->data_dir && admin_file_write(&a->file, c->data_dir, str_of(c->admin_host), c->admin_port, &why) != E_OK)
		log_error("gateway", "the commands of this machine will not find this gateway", LOG_WHY(&why));
}

/* ---- life ------------------------------------------------------------------------------------------------------------ */

enum err admin_start(struct admin *a, struct process *p, struct why *why)
{
	const struct gateway_config *c = p->opened; /* what it says is used as long as this listens */

	a->process = p;
	admin_file_init(&a->file);
	if (c->admin_token_file)
		secret_file_init(&a->token_file, c->admin_token_file);
	events_api_init(&a->events, &p->loop, p->gateway.store, c->data_dir);
	a->dead = (struct dead_api){
		.loop = &p->loop,
		.store = p->gateway.store,
		.bus = p->gateway.bus,
		.bus_name = c->bus.name,
		.dir = c->data_dir,
	};
	a->pages = (struct http_pages){
		.rows = pages,
		.n = ARRAY_LEN(pages),
		.file = &a->file,
		.is_token = is_token,
		.token_missing = "send `Authorization: Bearer TOKEN` with the token of spec.holdfast.admin.tokenFile\n",
		.on_close = on_close,
		.ctx = a,
	};
	if (http_pages_start(&a->pages, &p->loop, str_of(c->admin_host), c->admin_port, why, &a->server) != E_OK)
		return why_add(why, "admin address");
	describe(a);
	return E_OK;
}

static void on_stopped(void *ctx)
{
	struct admin *a = ctx;

	events_api_release(&a->events);
	secret_file_release(&a->token_file);
}

void admin_stop(struct admin *a)
{
	admin_file_remove(&a->file);
	dead_api_stop(&a->dead);
	http_server_stop(a->server, /* now= */ true, on_stopped, a);
}
