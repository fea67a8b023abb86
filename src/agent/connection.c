#include "agent/process.h"

#include <assert.h>

#include "auth/expiry.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"

#define REFRESH_MS 30000      /* before its end an access token is replaced (facts 2.4) */
#define OPEN_MS    20000      /* for the answer to Subscribe; the stream itself has no limit */
#define PARKED     UINT64_MAX /* no attempt is planned */

#define MAY(state) (1u << CONNECTION_##state)

static const unsigned allowed[CONNECTION_STATE_COUNT] = {
	[CONNECTION_IDLE] = MAY(DIALLING),
	[CONNECTION_DIALLING] = MAY(LOGGING_IN) | MAY(IDLE),
	[CONNECTION_LOGGING_IN] = MAY(ASKING) | MAY(IDLE),
	[CONNECTION_ASKING] = MAY(OPENING) | MAY(IDLE),
	[CONNECTION_OPENING] = MAY(OPEN) | MAY(IDLE),
	[CONNECTION_OPEN] = MAY(IDLE),
};

static void move(struct connection *c, enum connection_state state)
{
	assert(allowed[c->state] & (1u << state));
	c->state = state;
}

/* ---- attempts --------------------------------------------------------------------------------------------------- */

static void attempt(struct connection *c)
{
	move(c, CONNECTION_DIALLING);
	if (rpc_channel_connect(c->channel) != E_OK)
		connection_failed(c, RPC_OK, "connect", (struct str)STR("out of memory"));
}

void connection_start(struct connection *c)
{
	attempt(c);
}

/* It always runs, and is only moved. */
static void set_again(struct connection *c, uint64_t in_ms)
{
	(void)loop_timer_start(&c->agent->daemon.loop, &c->again, in_ms);
}

/*
 * Whatever of this attempt is still open is forgotten, with its connection: behind a proxy that may lead to a principal that is
 * sick, and the next one to another.
 */
static void drop(struct connection *c)
{
	struct loop *loop = &c->agent->daemon.loop;

	loop_timer_stop(loop, &c->refresh);
	loop_timer_stop(loop, &c->heartbeat);
	if (c->call)
		rpc_cancel(TAKE(c->call));
	stream_drop(c->agent);
	rpc_channel_disconnect(c->channel);
}

/* It is over; the next attempt follows so long after the end of the connection. */
static void let_go(struct connection *c, uint64_t wait_ms)
{
	move(c, CONNECTION_IDLE);
	note_closed(c->agent);
	drop(c);
	c->wait_ms = wait_ms;
	if (!c->closing)
		set_again(c, c->up ? PARKED : wait_ms);
}

void connection_hurry(struct connection *c)
{
	if (c->state != CONNECTION_IDLE || !c->wait_ms || c->closing)
		return; /* under way, or not begun */
	c->wait_ms = 0;
	if (!c->up)
		set_again(c, 0);
}

void connection_failed(struct connection *c, enum rpc_code code, const char *what, struct str why)
{
	uint64_t now_ms = c->agent->daemon.loop.now_ms, wait_ms;

	if (c->state == CONNECTION_IDLE)
		return;
	wait_ms = retry_next(&c->retry, c->state == CONNECTION_OPEN ? now_ms - c->open_ms : 0, rand_u64());
	note_failed(c->agent, code, what, why, wait_ms);
	let_go(c, wait_ms);
}

static void on_again(struct loop_timer *timer)
{
	struct connection *c = CONTAINER_OF(timer, struct connection, again);

	set_again(c, PARKED); /* in the place that it has just left */
	if (c->state == CONNECTION_OPENING)
		connection_failed(c, RPC_DEADLINE_EXCEEDED, "Subscribe", (struct str)STR("no answer"));
	else if (c->state == CONNECTION_OPEN)
		let_go(c, 0); /* the wait was before */
	else
		attempt(c);
}

/* ---- steps ------------------------------------------------------------------------------------------------------ */

static void on_up(void *ctx)
{
	struct connection *c = ctx;

	c->up = true;
	move(c, CONNECTION_LOGGING_IN);
	login_authenticate(c);
}

static void on_down(void *ctx, enum err err, const struct why *why)
{
	struct connection *c = ctx;

	(void)err;
	c->up = false;
	if (c->state == CONNECTION_IDLE)
		set_again(c, c->wait_ms);
	else
		connection_failed(c, RPC_OK, "connection", str_of(why->text));
}

/*
 * The other end takes no more calls, so that no token can be renewed: a proxy or a server that ends its connections after some time.
 * The stream goes on while we wait, for all of its agents may be told at once.
 */
static void on_drain(void *ctx, const struct why *why)
{
	struct connection *c = ctx;
	uint64_t wait_ms;

	if (c->state != CONNECTION_OPEN) {
		connection_failed(c, RPC_OK, "connection", str_of(why->text));
		return;
	}
	wait_ms = retry_next(&c->retry, c->agent->daemon.loop.now_ms - c->open_ms, rand_u64());
	note_leaving(why, wait_ms);
	set_again(c, wait_ms);
}

void connection_logged_in(struct connection *c)
{
	move(c, CONNECTION_ASKING);
	login_ask_version(c);
}

void connection_asked(struct connection *c)
{
	move(c, CONNECTION_OPENING);
	set_again(c, OPEN_MS);
	stream_open(c->agent);
}

/* Its life counts from when it came: the principal's clock may be another than ours. */
void connection_renewed(struct connection *c)
{
	const struct jwt_claims *claims = &c->claims;
	int64_t life_ms = claims->expires_ms - (claims->issued_ms ? claims->issued_ms : clock_wall_ms());

	c->token_ends_ms = c->agent->daemon.loop.now_ms + (life_ms > 0 ? (uint64_t)life_ms : 0);
	backoff_reset(&c->renewal);
	if (c->stale)
		log_info(AGENT_LOG, "the access token is renewed again");
	c->stale = c->refused = false;
}

/* 0: it is time. */
static uint64_t refresh_in_ms(const struct connection *c)
{
	uint64_t ask_ms = c->agent->daemon.loop.now_ms + REFRESH_MS;

	return c->token_ends_ms > ask_ms ? c->token_ends_ms - ask_ms : 0;
}

/* A clock that was set may have made the tokens of all agents worthless at once: they do not ask every second. */
static void plan_refresh(struct connection *c)
{
	uint64_t in_ms = refresh_in_ms(c);

	if (c->claims.expires_ms)
		(void)loop_timer_start(&c->agent->daemon.loop, &c->refresh,
				       in_ms ? in_ms : backoff_next(&c->renewal, rand_u64()));
}

static void plan_heartbeat(struct connection *c)
{
	if (c->agent->options->heartbeat_ms)
		(void)loop_timer_start(&c->agent->daemon.loop, &c->heartbeat, c->agent->options->heartbeat_ms);
}

void connection_opened(struct connection *c)
{
	move(c, CONNECTION_OPEN);
	set_again(c, PARKED);
	c->open_ms = c->agent->daemon.loop.now_ms;
	plan_refresh(c);
	plan_heartbeat(c);
}

static void on_refresh(struct loop_timer *timer)
{
	struct connection *c = CONTAINER_OF(timer, struct connection, refresh);

	/* The timer was set again when the last one was asked for: it may have come since. */
	if (refresh_in_ms(c) == 0)
		login_renew_token(c);
	plan_refresh(c);
}

static void on_heartbeat(struct loop_timer *timer)
{
	struct connection *c = CONTAINER_OF(timer, struct connection, heartbeat);

	stream_heartbeat(c->agent);
	plan_heartbeat(c);
}

/* ---- life ------------------------------------------------------------------------------------------------------- */

static enum err open_tls(struct connection *c, struct why *why)
{
	const struct agent_options *o = c->agent->options;
	const struct credentials *credentials = &c->agent->credentials;
	struct tls_options tls = { .cert = credentials->cert,
				   .key = credentials->key,
				   .ca = credentials->ca,
				   .alpn = "h2",
				   .min = o->tls_min,
				   .max = o->tls_max,
				   .suites = o->tls_suites,
				   .verify = o->insecure_tls ? TLS_VERIFY_NONE : TLS_VERIFY_REQUIRED };

	expiry_tell(AGENT_LOG, c->agent->daemon.metrics, &tls.cert);
	if (o->insecure_plaintext || tls_client_open(&tls, why, &c->tls) == E_OK)
		return E_OK;
	return why_add(why, "--root-ca-path, --tls-client-cert, --tls-client-key, --tls-ciphersuites");
}

enum err connection_init(struct connection *c, struct agent *agent, struct why *why)
{
	const struct agent_options *o = agent->options;
	struct rpc_channel_options options = { .host = o->server_address,
					       .port = (uint16_t)o->server_port,
					       .user_agent = o->user_agent,
					       .limits = rpc_limits_default(),
					       .keepalive_ms = o->keep_alive_ms,
					       .metrics = agent->daemon.metrics,
					       .on_up = on_up,
					       .on_down = on_down,
					       .on_drain = on_drain,
					       .ctx = c };
	enum err err;

	c->agent = agent;
	c->again.on_due = on_again;
	c->refresh.on_due = on_refresh;
	c->heartbeat.on_due = on_heartbeat;
	retry_init(&c->retry);
	c->renewal = (struct backoff){ .base_ms = RETRY_BASE_MS, .factor = 2, .cap_ms = RETRY_CAP_MS };
	err = open_tls(c, why);
	if (err == E_OK && loop_timer_start(&agent->daemon.loop, &c->again, PARKED) != E_OK)
		err = why_set(why, E_NOMEM, "start");
	if (err != E_OK)
		return err;
	options.tls = c->tls;
	options.limits.message_max = (size_t)o->grpc_max_message_size;
	return rpc_channel_new(&agent->daemon.loop, &options, why, &c->channel);
}

static void on_closed(void *ctx)
{
	struct connection *c = ctx;

	c->channel = NULL;
	c->closed = true;
	agent_ended(c->agent);
}

void connection_stop(struct connection *c)
{
	c->closing = true;
	loop_timer_stop(&c->agent->daemon.loop, &c->again);
	drop(c);
	if (c->state != CONNECTION_IDLE)
		move(c, CONNECTION_IDLE);
	rpc_channel_close(c->channel, on_closed, c);
}

void connection_release(struct connection *c)
{
	tls_client_free(c->tls);
	mem_free(c->access_token);
	mem_free(c->refresh_token);
	buf_release(&c->answer);
}
