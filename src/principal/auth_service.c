#include "auth.pb-c.h"

#include "auth/files.h"
#include "auth/tokens.h"
#include "base/clock.h"
#include "base/mem.h"
#include "principal/process.h"
#include "rpc/pb.h"
#include "wire/services.h"

/* One Authenticate or RefreshToken, from its message to its answer. Passwords and signatures are computed away from the loop. */
struct login {
	struct principal *principal;
	struct rpc_call *call; /* NULL: the caller has gone */
	struct turns_waiter waiter;
	ProtobufCMessage *message;
	struct login_request request;
	struct buf words; /* what of the request outlives its message */
	struct login_answer answer;
	bool refresh;      /* a new refresh token is made, too */
	bool with_refresh; /* RefreshToken, not Authenticate */
	bool under_way;    /* a worker has it */
};

/* Passwords with the workers: enough that none waits for the loop. All others wait here, where turns are taken. */
#define CHECKS_MAX 4

static void login_free(struct login *l)
{
	pb_free(l->message);
	buf_wipe(&l->words);
	mem_free(l);
}

static void refuse(struct login *l, enum rpc_code code, const char *text)
{
	if (l->call)
		rpc_finish(TAKE(l->call), code, str_of(text), NULL);
	login_free(l);
}

/* ---- tokens ----------------------------------------------------------------------------------------------------- */

static void answer(struct login *l, const char *access, const char *refresh)
{
	struct principal *p = l->principal;
	Authapi__AuthResponse response = AUTHAPI__AUTH_RESPONSE__INIT;
	struct str message = { 0 };
	enum err err;

	response.accesstoken = (char *)access;
	response.refreshtoken = (char *)refresh;
	if (!l->with_refresh) {
		response.version = (char *)p->options->version;
		response.principalnamespace = (char *)p->options->namespace;
	}
	err = pb_send(l->call, &response.base);
	if (err != E_OK)
		message = str_of(err_text(err));
	rpc_finish(TAKE(l->call), rpc_code_of_err(err), message, NULL);
	login_free(l);
}

static void on_issued(void *ctx, enum err err, struct tokens *tokens)
{
	struct login *l = ctx;
	const char *access = err == E_OK ? buf_cstr(&tokens->access) : NULL;
	const char *refresh = err == E_OK ? buf_cstr(&tokens->refresh) : NULL;

	if (!l->call) {
		login_free(l);
	} else if (err != E_OK) {
		log_error(PRINCIPAL_LOG, "no token could be made", LOG_S("agent", l->answer.agent.text),
			  LOG_S("error", err_text(err)));
		refuse(l, RPC_INTERNAL, "internal server error");
	} else if (!access || !refresh) {
		refuse(l, RPC_RESOURCE_EXHAUSTED, "out of memory");
	} else {
		answer(l, access, refresh);
	}
}

static void start_signing(struct login *l)
{
	struct principal *p = l->principal;
	struct tokens_request request = {
		.agent = l->answer.agent, .mode = l->answer.mode, .refresh = l->refresh, .now_ms = clock_wall_ms()
	};

	l->under_way = tokens_start(p->keys, p->pool, &p->daemon.loop, &request, on_issued, l) == E_OK;
	if (!l->under_way)
		refuse(l, RPC_UNAVAILABLE, "too many logins at once");
}

/* ---- Authenticate ----------------------------------------------------------------------------------------------- */

static void decided(struct login *l)
{
	struct principal *p = l->principal;

	if (!l->call) {
		login_free(l);
		return;
	}
	observe_login(p, &l->answer, rpc_peer(l->call));
	if (l->answer.step != LOGIN_ACCEPTED) {
		refuse(l, l->answer.code, l->answer.text);
		return;
	}
	if (!l->with_refresh && !hub_agent(p->hub, agent_name(&l->answer.agent), l->answer.mode)) {
		refuse(l, RPC_UNAVAILABLE, HUB_COME_AGAIN);
		return;
	}
	rpc_vouch(l->call);
	start_signing(l);
}

static void checked(struct login *l, enum err result)
{
	l->under_way = false;
	login_end(&l->principal->rules, &l->request, result, &l->answer);
	decided(l);
}

static void check_next(struct principal *p);

static void on_checked(void *ctx, enum err result)
{
	struct login *l = ctx;
	struct principal *p = l->principal;

	p->checks--;
	checked(l, result);
	check_next(p);
}

static void check_next(struct principal *p)
{
	struct turns_waiter *w;

	while (p->checks < CHECKS_MAX && (w = turns_take(&p->waiting))) {
		struct login *l = CONTAINER_OF(w, struct login, waiter);
		enum err err = passwords_check_start(p->passwords, p->pool, &p->daemon.loop, l->request.client_id,
						     l->request.client_secret, on_checked, l);

		l->under_way = err == E_OK;
		p->checks += l->under_way;
		if (!l->under_way)
			checked(l, err);
	}
}

void logins_end(struct principal *p)
{
	struct turns_waiter *w;

	while ((w = turns_take(&p->waiting)))
		checked(CONTAINER_OF(w, struct login, waiter), E_CANCELLED);
}

/* A message may be a hundred times as large once it is read, and many wait: what is still needed is copied. */
static bool keep_words(struct login *l)
{
	struct login_request *r = &l->request;
	struct str *const kept[] = { &r->client_id, &r->client_secret, &r->version };

	if (!buf_reserve(&l->words, r->client_id.n + r->client_secret.n + r->version.n + 1))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
		size_t from = l->words.n;

		buf_str(&l->words, *kept[i]);
		*kept[i] = str_sub(buf_view(&l->words), from, kept[i]->n);
	}
	r->method = r->mode = (struct str){ 0 };
	pb_free(TAKE(l->message));
	return true;
}

static void check_password(struct login *l)
{
	struct principal *p = l->principal;
	struct turns_waiter *dropped = NULL;

	if (passwords_recall(p->passwords, l->request.client_id, l->request.client_secret, p->daemon.loop.now_ms)) {
		checked(l, E_OK);
		return;
	}
	if (p->stopping) {
		checked(l, E_CANCELLED);
		return;
	}
	if (!keep_words(l) || turns_put(&p->waiting, rpc_peer(l->call)->address, &l->waiter, &dropped) != E_OK)
		checked(l, E_NOMEM);
	if (dropped)
		checked(CONTAINER_OF(dropped, struct login, waiter), E_BUSY);
	check_next(p);
}

static struct str credential(const Authapi__AuthRequest *r, const char *key)
{
	for (size_t i = 0; i < r->n_credentials; i++)
		if (strcmp(r->credentials[i]->key, key) == 0)
			return str_of(r->credentials[i]->value);
	return (struct str){ 0 };
}

struct login_peer principal_peer(const struct principal *p, const struct rpc_call *call)
{
	struct login_peer peer = { .cert = rpc_peer(call) ? rpc_peer(call)->tls : NULL };
	const struct rpc_metadata *m = rpc_metadata(call);
	size_t n = 0;

	if (p->auth.method != AUTH_HEADER)
		return peer;
	for (size_t i = 0; i < m->n; i++)
		n += str_is(rpc_metadata_key(m, i), p->auth.header);
	peer.header = rpc_metadata_get(m, str_of(p->auth.header));
	peer.header_again = n > 1;
	return peer;
}

/* The message of the call is there. False: it cannot be read, and the call has ended. */
static bool login_begins(struct login *l, const ProtobufCMessageDescriptor *type, struct str message)
{
	enum err err = pb_read(type, message, &l->message);

	if (err == E_OK)
		return true;
	refuse(l, rpc_code_of_err(err), "the message cannot be read");
	return false;
}

static void on_authenticate(struct rpc_call *call, struct str message)
{
	struct login *l = rpc_user(call);
	struct principal *p = l->principal;
	struct login_peer peer;

	if (!login_begins(l, &authapi__auth_request__descriptor, message))
		return;
	const Authapi__AuthRequest *r = (const void *)l->message;

	l->request = (struct login_request){ .method = str_of(r->method),
					     .mode = str_of(r->mode),
					     .version = str_of(r->version),
					     .client_id = credential(r, "clientid"),
					     .client_secret = credential(r, "clientsecret") };
	l->refresh = true;
	peer = principal_peer(p, call);
	login_begin(&p->rules, &l->request, &peer, &l->answer);
	if (l->answer.step == LOGIN_PASSWORD)
		check_password(l);
	else
		decided(l);
}

/* ---- RefreshToken ----------------------------------------------------------------------------------------------- */

static void on_refresh(struct rpc_call *call, struct str message)
{
	struct login *l = rpc_user(call);
	struct principal *p = l->principal;
	struct jwt_claims claims;
	struct login_peer peer;

	if (!login_begins(l, &authapi__refresh_token_request__descriptor, message))
		return;
	const Authapi__RefreshTokenRequest *r = (const void *)l->message;

	l->with_refresh = true;
	peer = principal_peer(p, call);
	login_refresh(&p->rules, p->keys, str_of(r->refreshtoken), &peer, clock_wall_ms(), &l->answer, &claims);
	if (l->answer.step == LOGIN_ACCEPTED)
		l->refresh = login_renews(&claims, clock_wall_ms());
	decided(l);
}

static void on_open(struct rpc_call *call, void *ctx)
{
	struct login *l = mem_alloc(sizeof(*l));

	if (!l) {
		rpc_finish(call, RPC_RESOURCE_EXHAUSTED, (struct str)STR("out of memory"), NULL);
		return;
	}
	l->principal = ctx;
	l->call = call;
	rpc_set_user(call, l);
}

/* What a worker has goes on; nobody waits for its result. */
static void on_cancel(struct rpc_call *call)
{
	struct login *l = rpc_user(call);

	if (!l)
		return;
	l->call = NULL;
	turns_remove(&l->principal->waiting, &l->waiter);
	if (!l->under_way)
		login_free(l);
}

const struct rpc_method auth_methods[] = {
	{ .path = WIRE_AUTHENTICATE,
	  .kind = RPC_UNARY,
	  .on_open = on_open,
	  .on_message = on_authenticate,
	  .on_cancel = on_cancel,
	  .message_max = RPC_SMALL_MESSAGE },
	{ .path = WIRE_REFRESH_TOKEN,
	  .kind = RPC_UNARY,
	  .on_open = on_open,
	  .on_message = on_refresh,
	  .on_cancel = on_cancel,
	  .message_max = RPC_SMALL_MESSAGE },
};
const size_t auth_method_count = ARRAY_LEN(auth_methods);
