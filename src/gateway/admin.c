#include "gateway/admin.h"

#include "base/mem.h"
#include "gateway/process.h"
#include "gateway/status.h"

/* ---- what anybody may ask -------------------------------------------------------------------------------------------- */

static void get_metrics(struct admin *a, struct http_request *r)
{
	http_metrics(r, a->process->gateway.registry);
}

static void get_healthz(struct admin *a, struct http_request *r)
{
	bool alive = health_alive(a->process);

	http_text(r, alive ? 200 : 503, alive ? STR("ok\n") : STR("an event loop does not turn\n"));
}

static void get_readyz(struct admin *a, struct http_request *r)
{
	struct buf text = { 0 };
	bool ready = health_ready(a->process, &text);

	http_text(r, ready ? 200 : 503, buf_view(&text));
	buf_release(&text);
}

/* ---- what needs the token -------------------------------------------------------------------------------------------- */

static void get_status(struct admin *a, struct http_request *r)
{
	struct buf json = { 0 };

	status_write_json(a->process, &json);
	http_respond(r, &(struct http_response){ .status = json.err == E_OK ? 200 : 503,
						 .content_type = STR("application/json"),
						 .body = buf_view(&json) });
	buf_release(&json);
}

static void get_events(struct admin *a, struct http_request *r)
{
	events_api_get(&a->events, r);
}

static void post_retry(struct admin *a, struct http_request *r)
{
	dead_api_retry(&a->dead, r);
}

static void post_drop(struct admin *a, struct http_request *r)
{
	dead_api_drop(&a->dead, r);
}

static const struct {
	const char *method;
	const char *path;
	bool token;
	void (*handle)(struct admin *a, struct http_request *r);
} rows[] = {
	{ "GET", "/metrics", false, get_metrics }, { "GET", "/healthz", false, get_healthz },
	{ "GET", "/readyz", false, get_readyz },   { "GET", "/status", true, get_status },
	{ "GET", "/events", true, get_events },    { "POST", "/dead/retry", true, post_retry },
	{ "POST", "/dead/drop", true, post_drop },
};

static bool is_authorized(struct admin *a, const struct http_request *r)
{
	struct str value = http_field(r, STR("Authorization"), NULL), scheme = STR("Bearer ");
	struct str token = str_sub(value, scheme.n, value.n);

	if (!str_starts(value, scheme))
		return false;
	if (str_eq_secret(token, str_of(a->file.token)))
		return true;
	return a->token_file.path && secret_file_check(&a->token_file, token, a->process->loop.now_ms) == E_OK;
}

static void refuse_method(struct http_request *r, const char *method)
{
	char space[32];
	struct buf allow = { .p = space, .cap = sizeof(space), .max = sizeof(space) };

	buf_addf(&allow, "Allow: %s\r\n", method);
	http_respond(r, &(struct http_response){ .status = 405,
						 .content_type = STR("text/plain; charset=utf-8"),
						 .headers = buf_view(&allow),
						 .body = STR("use the method in the Allow header\n") });
}

static void refuse_token(struct http_request *r)
{
	http_respond(r, &(struct http_response){ .status = 401,
						 .content_type = STR("text/plain; charset=utf-8"),
						 .headers = STR("WWW-Authenticate: Bearer\r\n"),
						 .body = STR("send `Authorization: Bearer TOKEN` with the token of "
							     "spec.holdfast.admin.tokenFile\n") });
}

static void on_head(void *ctx, struct http_request *r)
{
	struct admin *a = ctx;

	r->user = NULL;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!str_is(r->path, rows[i].path))
			continue;
		if (!str_is(r->method, rows[i].method) && !(str_is(r->method, "HEAD") && rows[i].method[0] == 'G'))
			refuse_method(r, rows[i].method);
		else if (rows[i].token && !is_authorized(a, r))
			refuse_token(r);
		else
			rows[i].handle(a, r);
		return;
	}
	http_text(r, 404, STR("404 page not found\n"));
}

static void on_body(void *ctx, struct http_request *r, struct str chunk)
{
	(void)ctx;
	(void)r;
	(void)chunk;
}

static void on_end(void *ctx, struct http_request *r)
{
	(void)ctx;
	(void)r;
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

static const struct http_limits limits = {
	.head_max = 16 << 10,
	.conns_max = 1024,
	.head_ms = 10000,
	.body_ms = 10000,
	.idle_ms = 120000,
	.write_ms = 10000,
};

enum err admin_start(struct admin *a, struct process *p, struct why *why)
{
	const struct gateway_config *c = p->opened; /* what it says is used as long as this listens */
	struct http_handler handler = {
		.on_head = on_head,
		.on_body = on_body,
		.on_end = on_end,
		.on_close = on_close,
		.ctx = a,
	};
	int fd;

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
	if (listen_open(str_of(c->admin_host), c->admin_port, /* share= */ false, why, &fd) != E_OK)
		return why_add(why, "admin address");
	if (http_server_start(&p->loop, fd, NULL, &limits, &handler, why, &a->server) != E_OK)
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
