#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/mem.h"
#include "net/listen.h"

#define PATIENCE_MS 60000

/* Writing down must not fail when the test makes allocations fail. */
static struct pair *current;
static char log_text[1 << 16];

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void note(const char *format, ...)
{
	va_list args;
	size_t room = sizeof(log_text) - current->log.n;
	int n;

	va_start(args, format);
	n = vsnprintf(log_text + current->log.n, room, format, args);
	va_end(args);
	current->log.n += (size_t)n < room ? (size_t)n : room - 1;
	if (current->log.n < sizeof(log_text) - 1)
		log_text[current->log.n++] = ' ';
}

bool pair_logged(const struct pair *p, const char *word)
{
	return memmem(log_text, p->log.n, word, strlen(word)) != NULL;
}

static void ignore_open(struct rpc_call *call, void *ctx)
{
	(void)call;
	(void)ctx;
}

static void note_cancel(struct rpc_call *call)
{
	(void)call;
	note("cancel");
}

static void echo(struct rpc_call *call, struct str message)
{
	enum err err = rpc_send(call, message);

	current->server_messages++;
	if (err != E_OK)
		rpc_finish(call, rpc_code_of_err(err), STR("send"), NULL);
}

static void finish_ok(struct rpc_call *call)
{
	rpc_finish(call, RPC_OK, (struct str){ 0 }, NULL);
}

static void unary(struct rpc_call *call, struct str message)
{
	struct rpc_metadata m = { 0 };
	enum err err;

	current->server_messages++;
	rpc_metadata_add(&m, STR("x-a"), rpc_metadata_get(rpc_metadata(call), STR("x-a")));
	err = rpc_send_headers(call, &m);
	if (err == E_OK)
		err = rpc_send(call, message);
	rpc_finish(call, rpc_code_of_err(err), err ? STR("unary") : (struct str){ 0 }, m.err == E_OK ? &m : NULL);
	rpc_metadata_release(&m);
}

static void tell_address(struct rpc_call *call, struct str message)
{
	(void)message;
	(void)rpc_send(call, str_of(rpc_peer(call)->address));
	finish_ok(call);
}

static void hang(struct rpc_call *call, struct str message)
{
	(void)call;
	(void)message;
	current->server_messages++;
}

static void pause_it(struct rpc_call *call, struct str message)
{
	(void)message;
	rpc_pause(call);
}

static void fill(struct rpc_call *call, struct str message)
{
	char bytes[10000] = { 0 };
	enum err err;

	(void)message;
	while ((err = rpc_send(call, (struct str){ bytes, sizeof(bytes) })) == E_OK)
		current->filled++;
	if (err != E_BUSY)
		rpc_finish(call, rpc_code_of_err(err), STR("fill"), NULL);
}

static const struct rpc_method methods[] = {
	{ "/t/Echo", RPC_BIDI, ignore_open, echo, finish_ok, NULL, note_cancel },
	{ "/t/Unary", RPC_UNARY, ignore_open, unary, NULL, NULL, note_cancel },
	{ "/t/Address", RPC_UNARY, ignore_open, tell_address, NULL, NULL, note_cancel },
	{ "/t/Hang", RPC_CLIENT_STREAM, ignore_open, hang, NULL, NULL, note_cancel },
	{ "/t/Wait", RPC_BIDI, ignore_open, pause_it, finish_ok, NULL, note_cancel },
	{ "/t/Full", RPC_SERVER_STREAM, ignore_open, fill, NULL, finish_ok, note_cancel },
};
static const struct rpc_service service = { .name = "t", .methods = methods, .method_count = ARRAY_LEN(methods) };

static void on_up(void *ctx)
{
	(void)ctx;
	note("up");
}

static void on_down(void *ctx, enum err err, const struct why *why)
{
	(void)ctx;
	(void)why;
	note("down:%s", err_name(err));
}

static void on_drain(void *ctx, const struct why *why)
{
	(void)ctx;
	(void)why;
	note("drain");
}

static void on_patience(uv_timer_t *timer)
{
	(void)timer;
	(void)fprintf(stderr, "pair: waited too long; so far: %.*s\n", (int)current->log.n, log_text);
	abort();
}

static bool start_server(struct pair *p, const struct rpc_limits *limits)
{
	const struct rpc_service *const services[] = { &service };
	struct rpc_server_options o = { .limits = limits ? *limits : rpc_limits_default(),
					.services = services,
					.service_count = 1,
					.tls = p->tls_server,
					.metrics = p->metrics };
	struct why why;
	int fd;

	assert_int_equal(E_OK, listen_open(STR(""), 0, false, &why, &fd));
	p->port = listen_port(fd);
	if (p->fail_at)
		mem_fail_at(p->fail_at);
	return rpc_server_start(&p->loop, fd, &o, &why, &p->server) == E_OK;
}

static bool start_channel(struct pair *p, const struct rpc_limits *limits)
{
	struct rpc_channel_options o = { .host = "127.0.0.1",
					 .port = p->port,
					 .limits = limits ? *limits : rpc_limits_default(),
					 .tls = p->tls_client,
					 .metrics = p->metrics,
					 .on_up = on_up,
					 .on_down = on_down,
					 .on_drain = on_drain };
	struct why why;

	return rpc_channel_new(&p->loop, &o, &why, &p->channel) == E_OK;
}

bool pair_start(struct pair *p, const struct rpc_limits *server_limits, const struct rpc_limits *client_limits)
{
	struct why why;

	current = p;
	p->log.n = 0;
	assert_int_equal(E_OK, loop_init(&p->loop, &why));
	uv_timer_init(&p->loop.uv, &p->patience);
	return start_server(p, server_limits) && start_channel(p, client_limits);
}

static void on_server_stopped(void *ctx)
{
	struct pair *p = ctx;

	p->server = NULL;
}

static void on_channel_closed(void *ctx)
{
	struct pair *p = ctx;

	p->channel = NULL;
}

static bool is_gone(const struct pair *p)
{
	return !p->server && !p->channel;
}

bool pair_until(struct pair *p, bool (*done)(const struct pair *p))
{
	uv_timer_start(&p->patience, on_patience, PATIENCE_MS, 0);
	uv_update_time(&p->loop.uv);
	while (!done(p))
		uv_run(&p->loop.uv, UV_RUN_ONCE);
	uv_timer_stop(&p->patience);
	return true;
}

void pair_end(struct pair *p)
{
	if (p->channel)
		rpc_channel_close(p->channel, on_channel_closed, p);
	if (p->server)
		rpc_server_stop(p->server, /* now= */ true, on_server_stopped, p);
	pair_until(p, is_gone);
	uv_close((uv_handle_t *)&p->patience, NULL);
	loop_release(&p->loop);
	tls_server_free(p->tls_server);
	tls_client_free(p->tls_client);
	metrics_free(p->metrics);
	*p = (struct pair){ 0 };
}

static bool is_up_or_down(const struct pair *p)
{
	return pair_logged(p, "up ") || pair_logged(p, "down:");
}

bool pair_connect(struct pair *p)
{
	if (rpc_channel_connect(p->channel) != E_OK)
		return false;
	pair_until(p, is_up_or_down);
	return pair_logged(p, "up ");
}

static const char *awaited;

static bool has_awaited(const struct pair *p)
{
	return pair_logged(p, awaited);
}

void pair_await(struct pair *p, const char *word)
{
	awaited = word;
	pair_until(p, has_awaited);
}

static void on_headers(struct rpc_call *call)
{
	note("head:%.*s", STR_ARG(rpc_metadata_get(rpc_metadata(call), STR("x-a"))));
}

static void on_message(struct rpc_call *call, struct str message)
{
	(void)call;
	note("msg:%zu:%.*s", message.n, (int)(message.n < 20 ? message.n : 0), message.p);
}

static void on_close(struct rpc_call *call, const struct rpc_status *status, const struct rpc_metadata *trailing)
{
	(void)call;
	note("close:%s:%.*s:%.*s", rpc_code_name(status->code), STR_ARG(status->message),
	     STR_ARG(rpc_metadata_get(trailing, STR("x-a"))));
}

static void on_writable(struct rpc_call *call)
{
	if (rpc_user(call))
		rpc_cancel(rpc_user(call));
	rpc_set_user(call, NULL);
	note("writable");
}

enum err pair_call(struct pair *p, const char *path, const struct rpc_metadata *metadata, uint64_t timeout_ms,
		   bool gzip, struct rpc_call **ret_call)
{
	const struct rpc_call_options o = { .path = path,
					    .metadata = metadata,
					    .timeout_ms = timeout_ms,
					    .gzip = gzip,
					    .on_headers = on_headers,
					    .on_message = on_message,
					    .on_writable = on_writable,
					    .on_close = on_close };

	return rpc_start(p->channel, &o, ret_call);
}
