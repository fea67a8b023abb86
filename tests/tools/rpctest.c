/*
 * rpctest.c -- a gRPC service and a gRPC client for the end-to-end tests, both on src/rpc.
 *
 *   rpctest server [NAME=VALUE...]            serves test.Echo; says "port N" when it listens
 *     cert= key= ca= clients=required|given   TLS; without cert plaintext
 *     and any row of rpc_limits.h
 *   Signals: HUP reads the certificates again, TERM drains, INT stops at once, USR1 prints the metrics up to a line ".",
 *   USR2 turns health to not serving.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "net/listen.h"
#include "rpc/health.h"
#include "rpc/reflection.h"
#include "rpc/server.h"
#include "rpctest.h"

struct service {
	struct loop loop;
	struct rpc_server *server;
	struct tls_server *tls;
	struct metrics *metrics;
	struct rpc_health *health;
	struct rpc_reflection *reflection;
	uv_signal_t signals[5];
};

/* What a call is doing. */
struct state {
	size_t count;
	size_t bytes;
	struct buf held; /* messages that wait for room: length as size_t, then the bytes */
};

static struct state *state_of(const struct rpc_call *call)
{
	return rpc_user(call);
}

static void state_free(struct state *s)
{
	if (!s)
		return;
	buf_release(&s->held);
	mem_free(s);
}

static void finish(struct rpc_call *call, enum rpc_code code, struct str message, const struct rpc_metadata *trailing)
{
	struct state *s = state_of(call);

	rpc_finish(call, code, message, trailing);
	state_free(s);
}

/* The metadata of the request that begins with "x-", sent back. */
static void copy_metadata(const struct rpc_call *call, struct rpc_metadata *ret)
{
	const struct rpc_metadata *m = rpc_metadata(call);

	for (size_t i = 0; i < m->n; i++)
		if (str_starts(rpc_metadata_key(m, i), STR("x-")))
			rpc_metadata_add(ret, rpc_metadata_key(m, i), rpc_metadata_value(m, i));
}

static void open_state(struct rpc_call *call, void *ctx)
{
	struct state *s = mem_alloc(sizeof(*s));

	(void)ctx;
	if (s)
		rpc_set_user(call, s);
	else
		rpc_finish(call, RPC_RESOURCE_EXHAUSTED, STR("out of memory"), NULL);
}

static void cancel(struct rpc_call *call)
{
	state_free(state_of(call));
}

static void cancel_hang(struct rpc_call *call)
{
	printf("cancelled /test.Echo/Hang\n");
	cancel(call);
}

/* Unary: the message comes back, with the metadata in head and trailer. */
static void echo(struct rpc_call *call, struct str message)
{
	struct rpc_metadata metadata = { 0 };
	enum err err;

	copy_metadata(call, &metadata);
	err = metadata.n ? rpc_send_headers(call, &metadata) : E_OK;
	if (err == E_OK)
		err = rpc_send(call, message);
	finish(call, rpc_code_of_err(err), (struct str){ 0 }, &metadata);
	rpc_metadata_release(&metadata);
}

/* "CODE TEXT": ends with it, without a message. */
static void fail(struct rpc_call *call, struct str message)
{
	struct rpc_metadata trailing = { 0 };
	enum rpc_code code = rpc_code_parse(str_cut(&message, ' '));

	copy_metadata(call, &trailing);
	finish(call, code, message, &trailing);
	rpc_metadata_release(&trailing);
}

/* Never answers. */
static void hang(struct rpc_call *call, struct str message)
{
	(void)call;
	(void)message;
}

/* Bidi: each message comes back. A full queue holds the sender. */
static void bounce(struct rpc_call *call, struct str message)
{
	struct state *s = state_of(call);
	enum err err = rpc_send(call, message);

	if (err == E_BUSY) {
		buf_str(&s->held, message);
		rpc_pause(call);
	} else if (err != E_OK) {
		finish(call, rpc_code_of_err(err), STR("send"), NULL);
	}
}

static void bounce_on(struct rpc_call *call)
{
	struct state *s = state_of(call);
	struct buf held = s->held;

	s->held = (struct buf){ 0 };
	bounce(call, buf_view(&held));
	buf_release(&held);
	rpc_resume(call);
}

static void end_ok(struct rpc_call *call)
{
	finish(call, RPC_OK, (struct str){ 0 }, NULL);
}

/* Client stream: answers "COUNT BYTES". */
static void collect(struct rpc_call *call, struct str message)
{
	struct state *s = state_of(call);

	s->count++;
	s->bytes += message.n;
}

static void collected(struct rpc_call *call)
{
	struct state *s = state_of(call);
	char text[64];
	int n = snprintf(text, sizeof(text), "%zu %zu", s->count, s->bytes);
	enum err err = rpc_send(call, (struct str){ text, (size_t)n });

	finish(call, rpc_code_of_err(err), (struct str){ 0 }, NULL);
}

/* Server stream, "COUNT BYTES": so many messages of so many bytes, as fast as they are taken. */
static void send_all(struct rpc_call *call)
{
	struct state *s = state_of(call);
	enum err err = E_OK;
	char *bytes = mem_alloc(s->bytes + 1);

	if (bytes)
		memset(bytes, 'x', s->bytes);
	while (s->count && err == E_OK) {
		err = bytes ? rpc_send(call, (struct str){ bytes, s->bytes }) : E_NOMEM;
		s->count -= err == E_OK;
	}
	mem_free(bytes);
	if (err != E_BUSY)
		finish(call, rpc_code_of_err(err), (struct str){ 0 }, NULL);
}

static void expand(struct rpc_call *call, struct str message)
{
	struct state *s = state_of(call);
	uint64_t count = 0, bytes = 0;

	if (!str_to_u64(str_cut(&message, ' '), UINT32_MAX, &count) || !str_to_u64(message, 1 << 30, &bytes)) {
		finish(call, RPC_INVALID_ARGUMENT, STR("COUNT BYTES"), NULL);
		return;
	}
	s->count = count;
	s->bytes = bytes;
	send_all(call);
}

/* Bidi: takes the first message and no more. */
static void stall(struct rpc_call *call, struct str message)
{
	if (rpc_send(call, message) != E_OK)
		finish(call, RPC_INTERNAL, STR("send"), NULL);
	else
		rpc_pause(call);
}

/* Who calls: "address|subject|common name|fingerprint|uri uri". */
static void who(struct rpc_call *call, struct str message)
{
	const struct rpc_peer *peer = rpc_peer(call);
	const struct tls_peer *tls = peer->tls;
	struct buf text = { 0 };
	enum err err;

	(void)message;
	buf_addf(&text, "%s|%s|%s|%s|", peer->address, tls ? tls->subject : "", tls ? tls->common_name : "",
		 tls ? tls->fingerprint : "");
	for (size_t i = 0; tls && i < tls->uri_count; i++)
		buf_addf(&text, "%s%s", i ? " " : "", tls->uris[i]);
	err = text.err == E_OK ? rpc_send(call, buf_view(&text)) : text.err;
	buf_release(&text);
	finish(call, rpc_code_of_err(err), (struct str){ 0 }, NULL);
}

static const struct rpc_method methods[] = {
	{ "/test.Echo/Unary", RPC_UNARY, open_state, echo, NULL, NULL, cancel },
	{ "/test.Echo/Fail", RPC_UNARY, open_state, fail, NULL, NULL, cancel },
	{ "/test.Echo/Hang", RPC_UNARY, open_state, hang, NULL, NULL, cancel_hang },
	{ "/test.Echo/Who", RPC_UNARY, open_state, who, NULL, NULL, cancel },
	{ "/test.Echo/Collect", RPC_CLIENT_STREAM, open_state, collect, collected, NULL, cancel },
	{ "/test.Echo/Expand", RPC_SERVER_STREAM, open_state, expand, NULL, send_all, cancel },
	{ "/test.Echo/Bidi", RPC_BIDI, open_state, bounce, end_ok, bounce_on, cancel },
	{ "/test.Echo/Stall", RPC_BIDI, open_state, stall, end_ok, NULL, cancel },
};

static const struct rpc_service echo_service = { .name = "test.Echo",
						 .methods = methods,
						 .method_count = ARRAY_LEN(methods) };

static _Noreturn void die(const char *what)
{
	(void)fprintf(stderr, "rpctest: %s\n", what);
	exit(1);
}

static void on_stopped(void *ctx)
{
	struct service *s = ctx;

	s->server = NULL;
	/* A signal that comes now finds nothing to stop. */
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	for (size_t i = 0; i < ARRAY_LEN(s->signals); i++)
		uv_close((uv_handle_t *)&s->signals[i], NULL);
	loop_stop(&s->loop);
}

static void print_metrics(const struct service *s)
{
	struct buf text = { 0 };

	metrics_write(s->metrics, false, &text);
	printf("%.*s.\n", STR_ARG(buf_view(&text)));
	buf_release(&text);
}

static void on_signal(uv_signal_t *handle, int number)
{
	struct service *s = handle->data;
	struct why why;

	loop_tick(&s->loop);
	if (number == SIGHUP && s->tls)
		puts(tls_server_reload(s->tls, &why) == E_OK ? "reloaded" : why.text);
	else if (number == SIGUSR2)
		(void)rpc_health_set(s->health, "", false);
	else if (number == SIGUSR1)
		print_metrics(s);
	else if (number != SIGHUP && s->server)
		rpc_server_stop(s->server, number == SIGINT, on_stopped, s);
}

static void watch_signals(struct service *s)
{
	static const int numbers[] = { SIGHUP, SIGTERM, SIGINT, SIGUSR1, SIGUSR2 };

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		uv_signal_init(&s->loop.uv, &s->signals[i]);
		s->signals[i].data = s;
		uv_signal_start(&s->signals[i], on_signal, numbers[i]);
	}
}

bool rpctest_set_limit(struct rpc_limits *limits, struct str name, uint64_t value)
{
#define X(field, type, min, max, standard, unit, meaning)      \
	if (str_is(name, #field)) {                            \
		limits->field = (RPC_LIMIT_FIELD_##type)value; \
		return true;                                   \
	}
#include "rpc/rpc_limits.h"
#undef X
	return false;
}

static void read_options(int argc, char **argv, struct rpc_limits *limits, struct tls_options *tls)
{
	for (int i = 0; i < argc; i++) {
		struct str value = str_of(argv[i]);
		struct str name = str_cut(&value, '=');
		uint64_t number;

		if (str_is(name, "cert"))
			tls->cert.name = value.p;
		else if (str_is(name, "key"))
			tls->key.name = value.p;
		else if (str_is(name, "ca"))
			tls->ca.name = value.p;
		else if (str_is(name, "clients"))
			tls->verify = str_is(value, "required") ? TLS_VERIFY_REQUIRED : TLS_VERIFY_IF_GIVEN;
		else if (!str_to_u64(value, UINT64_MAX, &number) || !rpctest_set_limit(limits, name, number))
			die(argv[i]);
	}
}

static int serve(int argc, char **argv)
{
	static struct service s;
	const struct rpc_service *services[4] = { &echo_service };
	struct tls_options tls = { .alpn = "h2" };
	struct rpc_server_options o = { .limits = rpc_limits_default(), .services = services, .service_count = 4 };
	struct why why;
	int fd;

	read_options(argc, argv, &o.limits, &tls);
	o.metrics = s.metrics = metrics_new();
	if (loop_init(&s.loop, &why) != E_OK || listen_open(STR("127.0.0.1"), 0, false, &why, &fd) != E_OK)
		die(why.text);
	if (tls.cert.name && tls_server_open(&tls, &why, &s.tls) != E_OK)
		die(why.text);
	o.tls = s.tls;
	s.health = rpc_health_new();
	if (!s.health || rpc_health_set(s.health, "", true) != E_OK)
		die("health");
	services[1] = rpc_health_service(s.health);
	if (rpc_reflection_new(services, 2, &s.reflection) != E_OK)
		die("reflection");
	services[2] = rpc_reflection_service(s.reflection);
	services[3] = rpc_reflection_service_alpha(s.reflection);
	watch_signals(&s);
	printf("port %u\n", listen_port(fd));
	if (rpc_server_start(&s.loop, fd, &o, &why, &s.server) != E_OK)
		die(why.text);
	loop_run(&s.loop);
	print_metrics(&s);
	loop_release(&s.loop);
	rpc_reflection_free(s.reflection);
	rpc_health_free(s.health);
	tls_server_free(s.tls);
	metrics_free(s.metrics);
	return 0;
}

int main(int argc, char **argv)
{
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc >= 2 && str_is(str_of(argv[1]), "server"))
		return serve(argc - 2, argv + 2);
	return rpctest_client(argc - 1, argv + 1);
}
