#include "auth.pb-c.h"
#include "version.pb-c.h"

#include "agent/process.h"
#include "base/mem.h"
#include "rpc/pb.h"
#include "wire/services.h"

#define CALL_MS    20000 /* for one of these calls */

/* Bytes of an answer: two tokens and a few words. Of more, protobuf may make a hundred times as much. */
#define ANSWER_MAX (64 << 10)

/* ---- one unary call at a time ------------------------------------------------------------------------------------ */

static void on_message(struct rpc_call *call, struct str message)
{
	struct connection *c = rpc_user(call);

	buf_clear(&c->answer);
	buf_str(&c->answer, message);
}

static void add_token(const struct connection *c, struct rpc_metadata *metadata)
{
	if (c->access_token)
		rpc_metadata_add(metadata, (struct str)STR(WIRE_AUTHORIZATION), str_of(c->access_token));
}

/* Call `path` with `message`, offering `dialect` (NULL: none). */
static enum err begin(struct connection *c, const char *path, const ProtobufCMessage *message,
		      const struct wire_dialect *dialect,
		      void (*on_close)(struct rpc_call *, const struct rpc_status *, const struct rpc_metadata *))
{
	struct rpc_metadata metadata = { 0 };
	struct rpc_call_options options = { .path = path,
					    .metadata = &metadata,
					    .timeout_ms = CALL_MS,
					    .gzip = c->agent->options->enable_compression,
					    .message_max = ANSWER_MAX,
					    .on_message = on_message,
					    .on_close = on_close,
					    .user = c };
	struct rpc_call *call = NULL;
	enum err err;

	buf_clear(&c->answer);
	add_token(c, &metadata);
	if (dialect)
		wire_dialect_write(dialect, &metadata);
	err = metadata.err != E_OK ? metadata.err : rpc_start(c->channel, &options, &call);
	rpc_metadata_release(&metadata);
	if (err == E_OK && (err = pb_send(call, message)) != E_OK)
		rpc_cancel(TAKE(call));
	if (err != E_OK)
		return err;
	rpc_half_close(call);
	c->call = call;
	return E_OK;
}

/* False: it failed, and so did the attempt. */
static bool ended_well(struct rpc_call *call, const struct rpc_status *status, const char *what)
{
	struct connection *c = rpc_user(call);

	c->call = NULL;
	if (status->code == RPC_OK)
		return true;
	connection_failed(c, status->code, what, status->message);
	return false;
}

/* ---- tokens ------------------------------------------------------------------------------------------------------ */

/* A copy of `text` instead of what is there. E_NOMEM: that stays. */
static enum err keep(char **token, const char *text)
{
	char *copy = str_dup(str_of(text));

	if (!copy)
		return E_NOMEM;
	mem_free(*token);
	*token = copy;
	return E_OK;
}

/* Both are kept when both are tokens (facts 2.1); a refresh may bring only the first. */
static enum err take_tokens(struct connection *c, const Authapi__AuthResponse *r, struct why *why)
{
	bool renewable = r->refreshtoken[0];
	struct jwt_claims claims, refresh;
	enum err err = jwt_peek(str_of(r->accesstoken), why, &claims);

	if (err == E_OK && renewable)
		err = jwt_peek(str_of(r->refreshtoken), why, &refresh);
	if (err == E_OK && c->state == CONNECTION_OPEN &&
	    !str_eq(agent_name(&claims.agent), agent_name(&c->claims.agent)))
		err = why_set(why, E_CONFIG, "the token is that of '%s'", claims.agent.text);
	if (err == E_OK && renewable)
		err = keep(&c->refresh_token, r->refreshtoken);
	if (err == E_OK)
		err = keep(&c->access_token, r->accesstoken);
	if (err != E_OK)
		return err;
	c->claims = claims;
	connection_renewed(c);
	return E_OK;
}

static enum err read_answer(struct connection *c, ProtobufCMessage **ret_message)
{
	return pb_read(&authapi__auth_response__descriptor, buf_view(&c->answer), ret_message);
}

/* ---- Authenticate ------------------------------------------------------------------------------------------------ */

static void on_authenticated(struct rpc_call *call, const struct rpc_status *status,
			     const struct rpc_metadata *trailing)
{
	struct connection *c = rpc_user(call);
	ProtobufCMessage *message = NULL;
	struct why why = { 0 };
	enum err err;

	(void)trailing;
	if (!ended_well(call, status, "Authenticate"))
		return;
	err = read_answer(c, &message);
	if (err == E_OK) {
		const Authapi__AuthResponse *r = (const void *)message;

		err = take_tokens(c, r, &why);
		if (err == E_OK)
			err = site_let_in(c->agent->site, &c->claims.agent, str_of(r->principalnamespace));
		pb_free(message);
	}
	if (err != E_OK)
		connection_failed(c, RPC_INTERNAL, "the principal's answer to Authenticate",
				  str_of(why_text(&why, err)));
	else
		connection_logged_in(c);
}

static void set_credentials(const struct auth_login *login, Authapi__AuthRequest__CredentialsEntry entries[2],
			    Authapi__AuthRequest__CredentialsEntry *pointers[2], Authapi__AuthRequest *r)
{
	entries[0] = entries[1] = (Authapi__AuthRequest__CredentialsEntry)
		AUTHAPI__AUTH_REQUEST__CREDENTIALS_ENTRY__INIT;
	entries[0].key = (char *)"clientid";
	entries[0].value = (char *)login->name.text;
	entries[1].key = (char *)"clientsecret";
	entries[1].value = login->password;
	pointers[0] = &entries[0];
	pointers[1] = &entries[1];
	r->credentials = pointers;
	r->n_credentials = 2;
}

static enum err authenticate(struct connection *c, struct why *why,
			     void (*on_close)(struct rpc_call *, const struct rpc_status *,
					      const struct rpc_metadata *))
{
	const struct agent *a = c->agent;
	Authapi__AuthRequest request = AUTHAPI__AUTH_REQUEST__INIT;
	Authapi__AuthRequest__CredentialsEntry entries[2], *pointers[2];
	struct auth_login login = { 0 };
	enum err err;

	/* Read each time: a password may have been changed since. */
	if (a->creds.method == AUTH_USERPASS && auth_login_read(&a->creds, why, &login) != E_OK)
		return why->err;
	request.method = (char *)auth_method_text(a->creds.method);
	request.mode = (char *)agent_mode_text(a->mode);
	request.version = (char *)a->options->version;
	request.agentnamespace = (char *)a->options->namespace;
	if (a->creds.method == AUTH_USERPASS)
		set_credentials(&login, entries, pointers, &request);
	err = begin(c, WIRE_AUTHENTICATE, &request.base, /* dialect= */ NULL, on_close);
	auth_login_release(&login);
	return err == E_OK ? E_OK : why_set(why, err, "%s", err_text(err));
}

void login_authenticate(struct connection *c)
{
	struct why why = { 0 };
	enum err err;

	mem_free(TAKE(c->access_token));
	err = authenticate(c, &why, on_authenticated);
	if (err != E_OK)
		connection_failed(c, err == E_CONFIG ? RPC_UNAUTHENTICATED : RPC_OK, "Authenticate", str_of(why.text));
}

/* ---- Version: its text is only of interest to people; its headers say whether the principal is one of ours -------- */

static void on_version(struct rpc_call *call, const struct rpc_status *status, const struct rpc_metadata *trailing)
{
	struct connection *c = rpc_user(call);
	struct wire_dialect asked = session_offer(site_session(c->agent->site));

	(void)trailing;
	c->speaks = wire_dialect_agreed(rpc_metadata(call), &asked);
	if (ended_well(call, status, "Version"))
		connection_asked(c);
}

void login_ask_version(struct connection *c)
{
	const Versionapi__VersionRequest request = VERSIONAPI__VERSION_REQUEST__INIT;
	struct wire_dialect asked = session_offer(site_session(c->agent->site));
	enum err err = begin(c, WIRE_VERSION, &request.base, &asked, on_version);

	if (err != E_OK)
		connection_failed(c, RPC_OK, "Version", str_of(err_text(err)));
}

/* ---- another token while the stream is open ----------------------------------------------------------------------- */

/* An open stream outlives its token: nothing is lost yet. It is tried again, and said once. */
static void not_renewed(struct connection *c, enum rpc_code code, struct str why)
{
	struct log_field reason = { 0 };

	if (code != RPC_OK)
		reason = LOG_S("code", rpc_code_name(code));
	log_at(c->stale ? LOG_DEBUG : LOG_WARN, AGENT_LOG, "the access token was not renewed", reason,
	       LOG_STRN("error", why));
	c->stale = true;
}

static void on_renewed(struct rpc_call *call, const struct rpc_status *status, const struct rpc_metadata *trailing)
{
	struct connection *c = rpc_user(call);
	ProtobufCMessage *message = NULL;
	struct why why = { 0 };
	enum err err;

	(void)trailing;
	c->call = NULL;
	c->refused = !c->refused && status->code == RPC_UNAUTHENTICATED;
	if (status->code != RPC_OK) {
		not_renewed(c, status->code, status->message);
		return;
	}
	err = read_answer(c, &message);
	if (err == E_OK)
		err = take_tokens(c, (const Authapi__AuthResponse *)(const void *)message, &why);
	if (err != E_OK)
		not_renewed(c, RPC_OK, str_of(why_text(&why, err)));
	pb_free(message);
}

static enum err refresh(struct connection *c, struct why *why)
{
	Authapi__RefreshTokenRequest request = AUTHAPI__REFRESH_TOKEN_REQUEST__INIT;
	enum err err;

	request.refreshtoken = c->refresh_token;
	err = begin(c, WIRE_REFRESH_TOKEN, &request.base, /* dialect= */ NULL, on_renewed);
	return err == E_OK ? E_OK : why_set(why, err, "%s", err_text(err));
}

/* A refresh token that is refused is worth nothing any more: its end has come by a clock that was set, or its key has gone. */
void login_renew_token(struct connection *c)
{
	struct why why = { 0 };

	if (!c->refresh_token || c->call || c->state != CONNECTION_OPEN)
		return;
	if ((c->refused ? authenticate(c, &why, on_renewed) : refresh(c, &why)) != E_OK)
		not_renewed(c, RPC_OK, str_of(why.text));
}
