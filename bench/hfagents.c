/*
 * hfagents -- many agents in one process: they log in, take what comes, confirm it at once, and measure how old it is.
 *
 * Shape     one channel, one stream and a few bytes for each agent, in one loop. An agent that loses its connection comes again
 *           after a random part of a second. What it is sent is not looked at, but for the annotation "bench/at": the time of the
 *           change, in ns of the wall clock of this machine.
 * Output    a JSON line each second: agents connected, events confirmed; on SIGUSR1 and at the end one with the lag since the
 *           last, in us.
 */
#include "auth.pb-c.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "hist.h"
#include "rpc/channel.h"
#include "rpc/pb.h"
#include "wire/ack.h"
#include "wire/services.h"

#define AGAIN_MS  1000
#define STAMP_KEY "\"bench/at\":\""

struct swarm;

struct agent {
	struct swarm *swarm;
	unsigned number;
	struct rpc_channel *channel;
	struct rpc_call *login, *stream;
	struct wire_dialect dialect;
	struct loop_timer again;
	struct buf token;
	bool connected;
};

struct swarm {
	struct loop loop;
	struct tls_client *tls;
	struct agent *agents;
	const char *host, *password;
	uint16_t port;
	unsigned count, connected;
	uint64_t events, bytes;
	uint64_t begun_ms;
	struct hist lag;
	struct loop_timer tick;
	uv_signal_t report, stop;
};

/* ---- events ----------------------------------------------------------------------------------------------------- */

static void note_lag(struct swarm *s, struct str data)
{
	const char *at = memmem(data.p, data.n, STAMP_KEY, sizeof(STAMP_KEY) - 1);
	uint64_t then = 0;

	if (!at)
		return;
	for (at += sizeof(STAMP_KEY) - 1; at < data.p + data.n && *at >= '0' && *at <= '9'; at++)
		then = then * 10 + (uint64_t)(*at - '0');
	uint64_t now = (uint64_t)clock_wall_ns();
	hist_add(&s->lag, now > then ? (now - then) / 1000 : 0);
}

static void on_event(struct rpc_call *call, struct str message)
{
	struct agent *a = rpc_user(call);
	struct delivery_answer done = { .outcome = DELIVERY_APPLIED };
	struct wire_event e;
	struct why why;
	struct buf ack = { 0 };

	if (wire_event_decode(message, &e, &why) != E_OK || wire_role_of(e.type) == WIRE_CONTROL)
		return;
	done.order = e.order;
	if (wire_ack_of(&e, &done, &a->dialect, (struct str)STR("agent://bench"), &ack) == E_OK)
		(void)rpc_send(call, buf_view(&ack));
	buf_release(&ack);
	a->swarm->events++;
	a->swarm->bytes += message.n;
	note_lag(a->swarm, e.data);
}

static void on_headers(struct rpc_call *call)
{
	struct agent *a = rpc_user(call);

	a->dialect = wire_dialect_agreed(
		rpc_metadata(call),
		&(struct wire_dialect){ .version = WIRE_NEWEST, .window_events = 256, .window_bytes = 16 << 20 });
	if (!a->connected)
		a->swarm->connected++;
	a->connected = true;
}

/* ---- connections ------------------------------------------------------------------------------------------------ */

static void lost(struct agent *a)
{
	if (a->connected)
		a->swarm->connected--;
	a->connected = false;
	(void)loop_timer_start(&a->swarm->loop, &a->again, 1 + rand_u64() % AGAIN_MS);
}

static void on_stream_over(struct rpc_call *call, const struct rpc_status *status, const struct rpc_metadata *trailing)
{
	struct agent *a = rpc_user(call);

	(void)status, (void)trailing;
	a->stream = NULL;
	if (rpc_channel_is_up(a->channel))
		lost(a);
}

static void subscribe(struct agent *a)
{
	struct wire_dialect ours = { .version = WIRE_NEWEST, .window_events = 256, .window_bytes = 16 << 20 };
	struct rpc_metadata metadata = { 0 };

	rpc_metadata_add(&metadata, (struct str)STR(WIRE_AUTHORIZATION), buf_view(&a->token));
	wire_dialect_write(&ours, &metadata);
	if (rpc_start(a->channel,
		      &(struct rpc_call_options){ .path = WIRE_SUBSCRIBE,
						  .kind = RPC_BIDI,
						  .metadata = &metadata,
						  .on_headers = on_headers,
						  .on_message = on_event,
						  .on_close = on_stream_over,
						  .user = a },
		      &a->stream) != E_OK)
		lost(a);
	rpc_metadata_release(&metadata);
}

static void on_tokens(struct rpc_call *call, struct str message)
{
	struct agent *a = rpc_user(call);
	ProtobufCMessage *m;

	buf_clear(&a->token);
	if (pb_read(&authapi__auth_response__descriptor, message, &m) != E_OK)
		return;
	buf_str(&a->token, str_of(((const Authapi__AuthResponse *)(const void *)m)->accesstoken));
	pb_free(m);
}

static void on_login_over(struct rpc_call *call, const struct rpc_status *status, const struct rpc_metadata *trailing)
{
	struct agent *a = rpc_user(call);

	(void)trailing;
	a->login = NULL;
	if (status->code == RPC_OK)
		subscribe(a);
	else if (rpc_channel_is_up(a->channel))
		lost(a);
}

static void log_in(struct agent *a)
{
	char name[32];
	Authapi__AuthRequest__CredentialsEntry id = AUTHAPI__AUTH_REQUEST__CREDENTIALS_ENTRY__INIT, secret = id;
	Authapi__AuthRequest__CredentialsEntry *credentials[] = { &id, &secret };
	Authapi__AuthRequest request = AUTHAPI__AUTH_REQUEST__INIT;

	(void)snprintf(name, sizeof(name), "a%05u", a->number);
	id.key = (char *)"clientid";
	id.value = name;
	secret.key = (char *)"clientsecret";
	secret.value = (char *)a->swarm->password;
	request.method = (char *)"userpass";
	request.mode = (char *)"managed";
	request.version = (char *)"bench";
	request.credentials = credentials;
	request.n_credentials = ARRAY_LEN(credentials);
	if (rpc_start(a->channel,
		      &(struct rpc_call_options){ .path = WIRE_AUTHENTICATE,
						  .timeout_ms = 60000,
						  .on_message = on_tokens,
						  .on_close = on_login_over,
						  .user = a },
		      &a->login) != E_OK) {
		lost(a);
		return;
	}
	(void)pb_send(a->login, &request.base);
	rpc_half_close(a->login);
}

static void on_up(void *ctx)
{
	log_in(ctx);
}

static void on_down(void *ctx, enum err err, const struct why *why)
{
	(void)err, (void)why;
	lost(ctx);
}

static void on_again(struct loop_timer *timer)
{
	struct agent *a = CONTAINER_OF(timer, struct agent, again);

	if (rpc_channel_is_up(a->channel))
		log_in(a);
	else if (rpc_channel_connect(a->channel) != E_OK)
		lost(a);
}

/* ---- reports ---------------------------------------------------------------------------------------------------- */

static void line(const struct swarm *s, bool lag)
{
	printf("{\"ms\":%" PRIu64 ",\"connected\":%u,\"events\":%" PRIu64 ",\"bytes\":%" PRIu64,
	       s->loop.now_ms - s->begun_ms, s->connected, s->events, s->bytes);
	if (lag)
		printf(",\"measured\":%" PRIu64 ",\"lag_p50_us\":%" PRIu64 ",\"lag_p99_us\":%" PRIu64
		       ",\"lag_max_us\":%" PRIu64,
		       s->lag.n, hist_at(&s->lag, 50), hist_at(&s->lag, 99), s->lag.max);
	printf("}\n");
	(void)fflush(stdout);
}

static void on_tick(struct loop_timer *timer)
{
	struct swarm *s = CONTAINER_OF(timer, struct swarm, tick);

	line(s, false);
	(void)loop_timer_start(&s->loop, &s->tick, 1000);
}

static void on_report(uv_signal_t *handle, int number)
{
	struct swarm *s = handle->data;

	(void)number;
	loop_tick(&s->loop);
	line(s, true);
	memset(&s->lag, 0, sizeof(s->lag));
}

/* The connections end with the process. */
static void on_stop(uv_signal_t *handle, int number)
{
	(void)number;
	line(handle->data, true);
	_exit(0);
}

/* ---- start ------------------------------------------------------------------------------------------------------ */

static void agent_start(struct swarm *s, unsigned number)
{
	struct agent *a = &s->agents[number];
	struct why why = { 0 };
	struct rpc_channel_options options = { .host = s->host,
					       .port = s->port,
					       .tls = s->tls,
					       .limits = rpc_limits_default(),
					       .on_up = on_up,
					       .on_down = on_down,
					       .ctx = a };

	a->swarm = s;
	a->number = number;
	a->again.on_due = on_again;
	if (rpc_channel_new(&s->loop, &options, &why, &a->channel) != E_OK) {
		(void)fprintf(stderr, "hfagents: %s\n", why.text);
		exit(1);
	}
	(void)loop_timer_start(&s->loop, &a->again, rand_u64() % AGAIN_MS);
}

static void usage(void)
{
	(void)fprintf(stderr, "usage: hfagents --port N --ca FILE [--host NAME] [--agents N] [--password TEXT]\n"
			      "agents are called a00000, a00001, ...; SIGUSR1 reports the lag, SIGTERM ends\n");
	exit(2);
}

static const char *read_options(int argc, char **argv, struct swarm *s)
{
	static const struct option options[] = { { "host", 1, NULL, 'h' },     { "port", 1, NULL, 'p' },
						 { "agents", 1, NULL, 'n' },   { "ca", 1, NULL, 'c' },
						 { "password", 1, NULL, 'w' }, { 0 } };
	const char *ca = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'h')
			s->host = optarg;
		else if (c == 'p')
			s->port = (uint16_t)strtoul(optarg, NULL, 10);
		else if (c == 'n')
			s->count = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 'c')
			ca = optarg;
		else if (c == 'w')
			s->password = optarg;
		else
			usage();
	}
	if (!s->port || !ca)
		usage();
	return ca;
}

static void watch(struct swarm *s, uv_signal_t *handle, uv_signal_cb cb, int number)
{
	uv_signal_init(&s->loop.uv, handle);
	handle->data = s;
	uv_signal_start(handle, cb, number);
}

int main(int argc, char **argv)
{
	static struct swarm s = { .host = "localhost", .count = 1000, .password = "bench" };
	struct tls_options tls = { .alpn = "h2", .verify = TLS_VERIFY_REQUIRED };
	struct why why = { 0 };

	tls.ca.name = read_options(argc, argv, &s);
	(void)signal(SIGPIPE, SIG_IGN);
	if (loop_init(&s.loop, &why) != E_OK || tls_client_open(&tls, &why, &s.tls) != E_OK) {
		(void)fprintf(stderr, "hfagents: %s\n", why.text);
		return 1;
	}
	s.agents = mem_array(s.count, sizeof(*s.agents));
	s.begun_ms = s.loop.now_ms;
	for (unsigned i = 0; s.agents && i < s.count; i++)
		agent_start(&s, i);
	s.tick.on_due = on_tick;
	(void)loop_timer_start(&s.loop, &s.tick, 1000);
	watch(&s, &s.report, on_report, SIGUSR1);
	watch(&s, &s.stop, on_stop, SIGTERM);
	loop_run(&s.loop);
	return 0;
}
