/*
 * rpctest_client.c -- the client of rpctest: commands on standard input, events on standard output, a line each.
 *
 *   rpctest client HOST PORT [NAME=VALUE...]
 *     ca= cert= key= name= insecure=yes        TLS
 *     keepalive_ms= connect_ms= and any row of rpc_limits.h
 *   Commands: connect; open ID PATH [timeout=MS] [gzip=yes] [KEY:VALUE...]; send ID TEXT; fill ID COUNT BYTES; half ID; cancel ID;
 *     pause ID; resume ID; reload; close. The end of the input closes.
 *   Events: up; drain; down ERROR TEXT; ID headers KEY=VALUE...; ID message LENGTH TEXT; ID close CODE TEXT KEY=VALUE...; error ...
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "rpc/channel.h"
#include "rpctest.h"

#define CALLS_MAX 1000

struct slot {
	struct rpc_call *call;
	uint64_t id;
	uint64_t to_send; /* messages of `fill` that wait */
	uint64_t bytes;
};

static struct client {
	struct loop loop;
	struct rpc_channel *channel;
	struct tls_client *tls;
	uv_poll_t input;
	struct buf line;
	struct slot slots[CALLS_MAX];
} client;

static void print_metadata(const struct rpc_metadata *m)
{
	for (size_t i = 0; i < m->n; i++)
		printf(" %.*s=%.*s", STR_ARG(rpc_metadata_key(m, i)), STR_ARG(rpc_metadata_value(m, i)));
	putchar('\n');
}

static uint64_t id_of(const struct rpc_call *call)
{
	const struct slot *slot = rpc_user(call);

	return slot->id;
}

static void on_headers(struct rpc_call *call)
{
	printf("%" PRIu64 " headers", id_of(call));
	print_metadata(rpc_metadata(call));
}

static void on_message(struct rpc_call *call, struct str message)
{
	struct str shown = str_sub(message, 0, 60);

	printf("%" PRIu64 " message %zu %.*s\n", id_of(call), message.n, STR_ARG(shown));
}

static void fill(struct slot *slot)
{
	char *bytes = mem_alloc(slot->bytes + 1);
	enum err err = E_OK;

	while (slot->to_send && err == E_OK) {
		err = bytes ? rpc_send(slot->call, (struct str){ bytes, slot->bytes }) : E_NOMEM;
		slot->to_send -= err == E_OK;
	}
	mem_free(bytes);
	printf("%" PRIu64 " %s %" PRIu64 "\n", slot->id, err == E_OK ? "filled" : err_name(err), slot->to_send);
}

static void on_writable(struct rpc_call *call)
{
	fill(rpc_user(call));
}

static void on_close(struct rpc_call *call, const struct rpc_status *status, const struct rpc_metadata *trailing)
{
	struct slot *slot = rpc_user(call);

	printf("%" PRIu64 " close %s %.*s", slot->id, rpc_code_name(status->code), STR_ARG(status->message));
	print_metadata(trailing);
	slot->call = NULL;
}

static struct slot *slot_of(struct str word)
{
	uint64_t id;

	return str_to_u64(word, CALLS_MAX - 1, &id) ? &client.slots[id] : NULL;
}

static void read_call_option(struct str word, struct rpc_call_options *o, struct rpc_metadata *m)
{
	struct str value = word;
	struct str name = str_cut(&value, word.n > str_find(word, ':') ? ':' : '=');

	if (str_is(name, "timeout"))
		(void)str_to_u64(value, UINT64_MAX, &o->timeout_ms);
	else if (str_is(name, "gzip"))
		o->gzip = true;
	else
		rpc_metadata_add(m, name, value);
}

static void open_call(struct slot *slot, struct str rest)
{
	struct rpc_metadata metadata = { 0 };
	char *path = str_dup(str_cut(&rest, ' '));
	struct rpc_call_options o = { .path = path,
				      .metadata = &metadata,
				      .on_headers = on_headers,
				      .on_message = on_message,
				      .on_writable = on_writable,
				      .on_close = on_close,
				      .user = slot };
	enum err err;

	while (rest.n)
		read_call_option(str_cut(&rest, ' '), &o, &metadata);
	slot->id = (uint64_t)(slot - client.slots);
	err = path ? rpc_start(client.channel, &o, &slot->call) : E_NOMEM;
	if (err != E_OK)
		printf("error %s\n", err_name(err));
	rpc_metadata_release(&metadata);
	mem_free(path);
}

static void send_text(struct slot *slot, struct str text)
{
	enum err err = rpc_send(slot->call, text);

	if (err != E_OK)
		printf("error %s\n", err_name(err));
}

static void start_fill(struct slot *slot, struct str rest)
{
	if (str_to_u64(str_cut(&rest, ' '), UINT32_MAX, &slot->to_send) && str_to_u64(rest, 1 << 30, &slot->bytes))
		fill(slot);
}

static void cancel(struct slot *slot)
{
	rpc_cancel(slot->call);
	slot->call = NULL;
}

static void on_call_command(struct str verb, struct slot *slot, struct str rest)
{
	if (str_is(verb, "open"))
		open_call(slot, rest);
	else if (!slot->call)
		printf("error no call\n");
	else if (str_is(verb, "send"))
		send_text(slot, rest);
	else if (str_is(verb, "fill"))
		start_fill(slot, rest);
	else if (str_is(verb, "half"))
		rpc_half_close(slot->call);
	else if (str_is(verb, "cancel"))
		cancel(slot);
	else if (str_is(verb, "pause"))
		rpc_pause(slot->call);
	else if (str_is(verb, "resume"))
		rpc_resume(slot->call);
	else
		printf("error unknown command\n");
}

static void on_closed(void *ctx)
{
	(void)ctx;
	printf("closed\n");
	client.channel = NULL;
	loop_stop(&client.loop);
}

static void close_all(void)
{
	if (uv_is_closing((uv_handle_t *)&client.input))
		return;
	uv_close((uv_handle_t *)&client.input, NULL);
	rpc_channel_close(client.channel, on_closed, NULL);
}

static void on_command(struct str line)
{
	struct str verb = str_cut(&line, ' ');
	struct slot *slot;
	struct why why;

	if (str_is(verb, "connect")) {
		if (rpc_channel_connect(client.channel) != E_OK)
			printf("error connect\n");
	} else if (str_is(verb, "reload")) {
		puts(tls_client_reload(client.tls, &why) == E_OK ? "reloaded" : why.text);
	} else if (str_is(verb, "close")) {
		close_all();
	} else {
		slot = slot_of(str_cut(&line, ' '));
		if (slot)
			on_call_command(verb, slot, line);
	}
}

static void on_input(uv_poll_t *poll, int status, int events)
{
	char *to = buf_reserve(&client.line, 65536);
	ssize_t n = to ? read(STDIN_FILENO, to, 65536) : -1;
	struct str text;

	(void)poll;
	(void)status;
	(void)events;
	loop_tick(&client.loop);
	if (n <= 0) {
		close_all();
		return;
	}
	client.line.n += (size_t)n;
	text = buf_view(&client.line);
	while (str_find(text, '\n') < text.n)
		on_command(str_cut(&text, '\n'));
	memmove(client.line.p, text.p ? text.p : client.line.p, text.n);
	client.line.n = text.n;
}

static void on_up(void *ctx)
{
	(void)ctx;
	printf("up\n");
}

static void on_drain(void *ctx, const struct why *why)
{
	(void)ctx;
	(void)why;
	printf("drain\n");
}

static void on_down(void *ctx, enum err err, const struct why *why)
{
	(void)ctx;
	printf("down %s %s\n", err_name(err), why->text);
}

static bool set_limit(struct rpc_channel_options *o, struct str name, struct str value)
{
	uint64_t number;

	if (!str_to_u64(value, UINT64_MAX, &number))
		return false;
	if (str_is(name, "keepalive_ms"))
		o->keepalive_ms = number;
	else if (str_is(name, "connect_ms"))
		o->connect_ms = number;
	else
		return rpctest_set_limit(&o->limits, name, number);
	return true;
}

static bool read_option(struct rpc_channel_options *o, struct tls_options *tls, bool *ret_tls, const char *word)
{
	struct str value = str_of(word);
	struct str name = str_cut(&value, '=');

	*ret_tls = *ret_tls || str_is(name, "ca") || str_is(name, "insecure");
	if (str_is(name, "ca"))
		tls->ca.name = value.p;
	else if (str_is(name, "cert"))
		tls->cert.name = value.p;
	else if (str_is(name, "key"))
		tls->key.name = value.p;
	else if (str_is(name, "name"))
		o->authority = value.p;
	else if (str_is(name, "insecure"))
		tls->verify = TLS_VERIFY_NONE;
	else
		return set_limit(o, name, value);
	return true;
}

int rpctest_client(int argc, char **argv)
{
	struct rpc_channel_options o = {
		.limits = rpc_limits_default(), .on_up = on_up, .on_down = on_down, .on_drain = on_drain
	};
	struct tls_options tls = { .alpn = "h2", .verify = TLS_VERIFY_REQUIRED };
	bool with_tls = false;
	uint64_t port = 0;
	struct why why;

	if (argc < 3 || !str_to_u64(str_of(argv[2]), UINT16_MAX, &port))
		return 2;
	o.host = argv[1];
	o.port = (uint16_t)port;
	for (int i = 3; i < argc; i++)
		if (!read_option(&o, &tls, &with_tls, argv[i]))
			return 2;
	if (loop_init(&client.loop, &why) != E_OK || (with_tls && tls_client_open(&tls, &why, &client.tls) != E_OK)) {
		printf("%s\n", why.text);
		return 1;
	}
	o.tls = client.tls;
	if (rpc_channel_new(&client.loop, &o, &why, &client.channel) != E_OK)
		return 1;
	uv_poll_init(&client.loop.uv, &client.input, STDIN_FILENO);
	uv_poll_start(&client.input, UV_READABLE, on_input);
	loop_run(&client.loop);
	buf_release(&client.line);
	loop_release(&client.loop);
	tls_client_free(client.tls);
	return 0;
}
