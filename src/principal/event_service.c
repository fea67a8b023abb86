#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "principal/process.h"
#include "wire/services.h"

/* An agent whose call is accepted; NULL: the call has been refused. */
static struct hub_agent *let_in(struct principal *p, struct rpc_call *call)
{
	struct login_peer peer = principal_peer(p, call);
	struct str token = rpc_metadata_get(rpc_metadata(call), (struct str)STR(WIRE_AUTHORIZATION));
	struct login_answer answer;
	struct hub_agent *agent;

	login_call(&p->rules, p->keys, token, &peer, clock_wall_ms(), &answer);
	if (answer.step != LOGIN_ACCEPTED) {
		observe_login(p, &answer, rpc_peer(call));
		rpc_finish(call, answer.code, str_of(answer.text), NULL);
		return NULL;
	}
	rpc_vouch(call);
	agent = hub_agent(p->hub, agent_name(&answer.agent), answer.mode);
	if (!agent)
		rpc_finish(call, RPC_UNAVAILABLE, (struct str)STR(HUB_COME_AGAIN), NULL);
	return agent;
}

/* ---- Subscribe: a stream ----------------------------------------------------------------------------------------- */

/* The session knows; the call has ended, or is about to. */
static void stream_free(struct stream *s)
{
	struct principal *p = s->principal;

	if (s->agent->user == s)
		s->agent->user = NULL;
	pump_close(&s->pump);
	hub_ready(s->agent);
	mem_free(s);
	p->streams--;
	principal_ended(p);
}

/* Upstream's agents come again after OK, UNAVAILABLE, UNAUTHENTICATED and CANCELLED, and after nothing else (facts 11.8). */
static void stream_end(struct stream *s, enum rpc_code code, const char *why)
{
	struct rpc_call *call = TAKE(s->pump.call);

	observe_disconnected(s->principal, s, &(struct rpc_ending){ .text = why, .detail = "", .orderly = true });
	stream_free(s);
	rpc_finish(call, code, str_of(why), NULL);
}

static enum err greet(struct rpc_call *call, const struct wire_dialect *agreed, const struct session *session)
{
	struct wire_dialect ours = session_offer(session);
	struct rpc_metadata metadata = { 0 };
	enum err err;

	ours.version = agreed->version;
	wire_dialect_write(&ours, &metadata);
	err = metadata.err != E_OK ? metadata.err : rpc_send_headers(call, &metadata);
	rpc_metadata_release(&metadata);
	return err;
}

static void on_ready(struct pump *pump)
{
	hub_ready(CONTAINER_OF(pump, struct stream, pump)->agent);
}

static enum err stream_open(struct stream *s, const struct wire_dialect *agreed)
{
	enum err err = greet(s->pump.call, agreed, s->agent->session);

	return err == E_OK ? pump_open(&s->pump, ++s->principal->next_epoch, agreed) : err;
}

static void stream_begin(struct principal *p, struct rpc_call *call, struct hub_agent *agent)
{
	struct wire_dialect agreed = wire_dialect_accept(rpc_metadata(call));
	struct stream *s = mem_alloc(sizeof(*s)), *older = agent->user;
	enum err err = E_NOMEM;

	if (s) {
		*s = (struct stream){ .principal = p,
				      .agent = agent,
				      .pump = { .loop = &p->daemon.loop,
						.session = agent->session,
						.call = call,
						.on_ready = on_ready },
				      .since_ms = (uint64_t)clock_wall_ms() };
		err = stream_open(s, &agreed);
	}
	if (err != E_OK) {
		mem_free(s);
		rpc_finish(call, RPC_UNAVAILABLE, str_of(err_text(err)), NULL);
		return;
	}
	agent->user = s;
	p->streams++;
	rpc_set_user(call, s);
	observe_connected(p, s, &agreed);
	if (older)
		observe_replaced(p, agent);
	if (older)
		stream_end(older, RPC_UNAVAILABLE, "a newer stream of this agent is there");
	hub_ready(agent);
}

static void on_subscribe(struct rpc_call *call, void *ctx)
{
	struct principal *p = ctx;
	struct hub_agent *agent;

	rpc_set_user(call, NULL);
	if (p->stopping || !hub_is_synced(p->hub)) {
		rpc_finish(call, RPC_UNAVAILABLE, (struct str)STR("not ready: come again"), NULL);
		return;
	}
	agent = let_in(p, call);
	if (agent)
		stream_begin(p, call, agent);
}

static void on_message(struct rpc_call *call, struct str message)
{
	struct stream *s = rpc_user(call);

	pump_receive(&s->pump, message);
}

static void on_half_close(struct rpc_call *call)
{
	stream_end(rpc_user(call), RPC_OK, "the agent ended it");
}

static void on_cancel(struct rpc_call *call)
{
	struct stream *s = rpc_user(call);
	struct rpc_ending ending = rpc_ending(call);

	if (!s)
		return;
	observe_disconnected(s->principal, s, &ending);
	stream_free(s);
}

static void on_writable(struct rpc_call *call)
{
	struct stream *s = rpc_user(call);

	hub_ready(s->agent);
}

void stream_pump(struct hub_agent *agent)
{
	struct stream *s = agent->user;

	if (s)
		pump_write(&s->pump);
}

/* ---- Push -------------------------------------------------------------------------------------------------------- */

/* Events without a stream of their own; their answers go out on the agent's stream (facts 1.1). */
struct push {
	struct principal *principal;
	struct rpc_call *call;
	struct push *prev, *next;
	struct agent_name agent;
	int32_t received;
};

static void push_begin(struct push *push)
{
	struct principal *p = push->principal;

	push->next = p->pushes;
	if (push->next)
		push->next->prev = push;
	p->pushes = push;
	rpc_set_user(push->call, push);
}

static void push_free(struct push *push)
{
	if (push->next)
		push->next->prev = push->prev;
	if (push->prev)
		push->prev->next = push->next;
	else
		push->principal->pushes = push->next;
	mem_free(push);
}

static void on_push(struct rpc_call *call, void *ctx)
{
	struct principal *p = ctx;
	struct push *push;
	struct hub_agent *agent;

	rpc_set_user(call, NULL);
	agent = let_in(p, call);
	if (!agent)
		return;
	push = mem_alloc(sizeof(*push));
	if (!push || !agent->user) {
		mem_free(push);
		rpc_finish(call, RPC_FAILED_PRECONDITION, (struct str)STR("Subscribe first"), NULL);
		return;
	}
	*push = (struct push){ .agent = agent->name, .call = call, .principal = p };
	push_begin(push);
}

static void on_pushed(struct rpc_call *call, struct str message)
{
	struct push *push = rpc_user(call);
	struct hub_agent *agent = hub_find(push->principal->hub, agent_name(&push->agent));

	push->received++;
	/* While nobody has a stream open for it, an event is not answered either. */
	if (agent && session_epoch(agent->session)) {
		session_receive(agent->session, session_epoch(agent->session), message,
				daemon_now_ms(&push->principal->daemon), rand_u64());
		hub_ready(agent);
	}
}

static void on_push_end(struct rpc_call *call)
{
	struct push *push = rpc_user(call);
	struct buf summary = { 0 };
	enum err err;

	wire_push_summary((struct str)STR("ok"), push->received, push->received, &summary);
	err = summary.err == E_OK ? rpc_send(call, buf_view(&summary)) : summary.err;
	buf_release(&summary);
	push_free(push);
	rpc_finish(call, rpc_code_of_err(err), (struct str){ 0 }, NULL);
}

static void on_push_cancel(struct rpc_call *call)
{
	if (rpc_user(call))
		push_free(rpc_user(call));
}

/* ---- all streams ------------------------------------------------------------------------------------------------- */

/* With today's rules, whoever is at the other end of this call is not this agent any more. */
static bool is_over(const struct principal *p, const struct rpc_call *call, const struct agent_name *agent)
{
	struct login_peer peer = principal_peer(p, call);
	struct why why = { 0 };

	return !login_still(&p->rules, agent, &peer, &why);
}

static void pushes_review(struct principal *p)
{
	struct push *next;

	for (struct push *push = p->pushes; push; push = next) {
		struct rpc_call *call = push->call;

		next = push->next;
		if (!is_over(p, call, &push->agent))
			continue;
		push_free(push);
		rpc_finish(call, RPC_UNAUTHENTICATED, (struct str)STR("no longer allowed"), NULL);
	}
}

void streams_review(struct principal *p)
{
	struct hub_agent *agent;
	size_t at = 0;

	while ((agent = hub_next(p->hub, &at))) {
		struct stream *s = agent->user;

		if (s && is_over(p, s->pump.call, &agent->name))
			stream_end(s, RPC_UNAUTHENTICATED, "no longer allowed");
	}
	pushes_review(p);
}

void streams_end(struct principal *p)
{
	struct hub_agent *agent;
	size_t at = 0;

	while ((agent = hub_next(p->hub, &at)))
		if (agent->user)
			stream_end(agent->user, RPC_UNAVAILABLE, "the principal stops: come again");
}

void stream_retired(struct hub_agent *agent)
{
	if (agent->user)
		stream_end(agent->user, RPC_UNAVAILABLE, "the agent came in another mode");
}

const struct rpc_method event_methods[] = {
	{ .path = WIRE_SUBSCRIBE,
	  .kind = RPC_BIDI,
	  .break_unavailable = true,
	  .on_open = on_subscribe,
	  .on_message = on_message,
	  .on_half_close = on_half_close,
	  .on_writable = on_writable,
	  .on_cancel = on_cancel },
	{ .path = WIRE_PUSH,
	  .kind = RPC_CLIENT_STREAM,
	  .on_open = on_push,
	  .on_message = on_pushed,
	  .on_half_close = on_push_end,
	  .on_cancel = on_push_cancel },
};
const size_t event_method_count = ARRAY_LEN(event_methods);
