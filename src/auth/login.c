#include "auth/login.h"

#include <stdio.h>

#define FAILED     "authentication failed"
#define INVALID    "invalid authentication data"
#define MODE_SHOWN 40 /* bytes of a stranger's word that are repeated */
#define WORD_SHOWN 80

/* The peer is told `code` and `text`, the log `why`, which is set already. */
static void refuse(struct login_answer *a, enum rpc_code code, const char *text)
{
	a->step = LOGIN_REFUSED;
	a->code = code;
	(void)snprintf(a->text, sizeof(a->text), "%s", text);
}

/* What failed on our side says nothing about the peer: it may come again. */
static void refuse_err(struct login_answer *a, enum err err, const char *text)
{
	if (err == E_UNAUTHENTICATED)
		refuse(a, RPC_UNAUTHENTICATED, text);
	else
		refuse(a, RPC_UNAVAILABLE, "not able to check this now, try again later");
}

/* ---- what holds for every agent ---------------------------------------------------------------------------------- */

static enum err check_cert(const struct login_rules *rules, const struct agent_name *agent,
			   const struct login_peer *peer, struct why *why)
{
	if (peer->cert && blocklist_has(rules->blocklist, peer->cert->fingerprint))
		return why_set(why, E_UNAUTHENTICATED, "the certificate %s is blocked", peer->cert->fingerprint);
	if (!rules->subject_match)
		return E_OK;
	if (!peer->cert)
		return why_set(why, E_UNAUTHENTICATED, "no client certificate was shown");
	if (!str_is(agent_name(agent), peer->cert->common_name))
		return why_set(why, E_UNAUTHENTICATED, "the certificate's common name '%.*s' is not the agent's",
			       WORD_SHOWN, peer->cert->common_name);
	return E_OK;
}

static enum err check_name(const struct login_rules *rules, const struct agent_name *agent,
			   const struct login_peer *peer, struct why *why)
{
	if (str_eq(agent_name(agent), rules->principal_namespace))
		return why_set(why, E_UNAUTHENTICATED, "'%s' is the principal's own namespace", agent->text);
	return check_cert(rules, agent, peer, why);
}

/* Who the peer is by what it showed; not for passwords. */
static enum err name_peer(const struct login_rules *rules, const struct login_peer *peer, struct why *why,
			  struct agent_name *ret_agent)
{
	if (rules->auth->method == AUTH_MTLS)
		return auth_rule_peer(rules->auth, peer->cert, why, ret_agent);
	if (peer->header_again)
		return why_set(why, E_UNAUTHENTICATED, "the header '%s' was sent more than once", rules->auth->header);
	return auth_rule_header(rules->auth, peer->header, why, ret_agent);
}

/*
 * Would today's rules let `agent` in? A proxy may add its header to the first call only: where it is missing there is
 * nothing to compare.
 */
static enum err still_known(const struct login_rules *rules, const struct agent_name *agent,
			    const struct login_peer *peer, struct why *why)
{
	struct agent_name shown;
	enum err err;

	if (rules->auth->method == AUTH_USERPASS)
		return passwords_has(rules->passwords, agent_name(agent))
			       ? E_OK
			       : why_set(why, E_UNAUTHENTICATED, "no user of this name any more");
	if (rules->auth->method == AUTH_HEADER && peer->header.n == 0)
		return E_OK;
	err = name_peer(rules, peer, why, &shown);
	if (err == E_OK && !str_eq(agent_name(&shown), agent_name(agent)))
		return why_set(why, E_UNAUTHENTICATED, "the peer is '%s'", shown.text);
	return err;
}

/* ---- Authenticate ------------------------------------------------------------------------------------------------ */

static bool check_mode(const struct login_request *request, struct login_answer *a)
{
	char text[sizeof(a->text)];
	struct str mode = str_sub(request->mode, 0, MODE_SHOWN);

	if (agent_mode_parse(request->mode, &a->mode))
		return true;
	(void)snprintf(text, sizeof(text), "unknown or missing operation mode: '%.*s'", STR_ARG(mode));
	(void)why_set(&a->why, E_MALFORMED, "%s", text);
	refuse(a, RPC_UNKNOWN, text);
	return false;
}

static bool check_method(const struct login_rules *rules, const struct login_request *request, struct login_answer *a)
{
	const char *ours = auth_method_text(rules->auth->method);
	struct str method = str_sub(request->method, 0, WORD_SHOWN);

	if (str_is(request->method, ours))
		return true;
	(void)why_set(&a->why, E_UNAUTHENTICATED, "the method is '%.*s', but --auth says '%s'", STR_ARG(method), ours);
	refuse(a, RPC_UNAUTHENTICATED, FAILED);
	return false;
}

static bool version_fits(const struct login_rules *rules, struct str version)
{
	return str_eq(version, rules->version) || patterns_match(rules->accept, version);
}

static void check_version(const struct login_rules *rules, const struct login_request *request, struct login_answer *a)
{
	struct str version = str_sub(request->version, 0, WORD_SHOWN);

	if (version.n == 0) {
		(void)why_set(&a->why, E_MALFORMED, "the agent says no version");
		refuse(a, RPC_INVALID_ARGUMENT, "agent version is required");
	} else if (!version_fits(rules, request->version)) {
		(void)why_set(&a->why, E_CONFIG,
			      "the agent's version '%.*s' is not ours, '%.*s'; --accept-version '%.*s' would let it in",
			      STR_ARG(version), STR_ARG(rules->version), STR_ARG(version));
		refuse(a, RPC_FAILED_PRECONDITION, "version mismatch");
	} else {
		a->step = LOGIN_ACCEPTED;
		a->code = RPC_OK;
	}
}

/* The agent is who it says: what is left is the order of upstream's checks. */
static void go_on(const struct login_rules *rules, const struct login_request *request, enum err err,
		  struct login_answer *a)
{
	if (err != E_OK)
		refuse_err(a, err, FAILED);
	else
		check_version(rules, request, a);
}

/* The name is a claim until the password is checked; one that no user can have is checked all the same. */
static void begin_password(const struct login_rules *rules, const struct login_request *request,
			   const struct login_peer *peer, struct login_answer *a)
{
	enum err err = E_OK;

	if (agent_name_set(&a->agent, request->client_id))
		err = check_name(rules, &a->agent, peer, &a->why);
	if (err != E_OK)
		refuse_err(a, err, FAILED);
	else
		a->step = LOGIN_PASSWORD;
}

void login_begin(const struct login_rules *rules, const struct login_request *request, const struct login_peer *peer,
		 struct login_answer *ret_answer)
{
	struct login_answer *a = ret_answer;
	enum err err;

	*a = (struct login_answer){ .step = LOGIN_REFUSED };
	if (!check_mode(request, a) || !check_method(rules, request, a))
		return;
	if (rules->auth->method == AUTH_USERPASS) {
		begin_password(rules, request, peer, a);
		return;
	}
	err = name_peer(rules, peer, &a->why, &a->agent);
	if (err == E_OK)
		err = check_name(rules, &a->agent, peer, &a->why);
	go_on(rules, request, err, a);
}

void login_end(const struct login_rules *rules, const struct login_request *request, enum err checked,
	       struct login_answer *answer)
{
	enum err err = checked;

	if (err == E_OK && !answer->agent.text[0])
		err = E_UNAUTHENTICATED;
	if (err == E_UNAUTHENTICATED)
		(void)why_set(&answer->why, err, "no such user, or a wrong password");
	else if (err == E_BUSY)
		(void)why_set(&answer->why, err, "too many passwords wait for their check");
	else if (err == E_CANCELLED)
		(void)why_set(&answer->why, err, "this principal stops: come again");
	else if (err != E_OK)
		(void)why_set(&answer->why, err, "check the password: %s", err_text(err));
	go_on(rules, request, err, answer);
}

/* ---- tokens ------------------------------------------------------------------------------------------------------ */

static void by_token(const struct login_rules *rules, struct jwt_keys *keys, struct str token, enum jwt_use use,
		     const struct login_peer *peer, int64_t now_ms, struct login_answer *a, struct jwt_claims *claims)
{
	enum err err;

	*a = (struct login_answer){ .step = LOGIN_REFUSED };
	err = jwt_verify(keys, token, use, now_ms, &a->why, claims);
	a->agent = claims->agent;
	a->mode = claims->mode;
	if (err == E_OK)
		err = check_name(rules, &a->agent, peer, &a->why);
	if (err == E_OK)
		err = still_known(rules, &a->agent, peer, &a->why);
	if (err != E_OK) {
		refuse_err(a, err, use == JWT_REFRESH ? FAILED : INVALID);
		return;
	}
	a->step = LOGIN_ACCEPTED;
	a->code = RPC_OK;
}

void login_refresh(const struct login_rules *rules, struct jwt_keys *keys, struct str token,
		   const struct login_peer *peer, int64_t now_ms, struct login_answer *ret_answer,
		   struct jwt_claims *ret_claims)
{
	struct jwt_claims claims;

	by_token(rules, keys, token, JWT_REFRESH, peer, now_ms, ret_answer, &claims);
	if (ret_answer->step == LOGIN_ACCEPTED)
		*ret_claims = claims;
}

bool login_renews(const struct jwt_claims *refresh, int64_t now_ms)
{
	return refresh->expires_ms - now_ms < JWT_RENEW_MS;
}

void login_call(const struct login_rules *rules, struct jwt_keys *keys, struct str token, const struct login_peer *peer,
		int64_t now_ms, struct login_answer *ret_answer)
{
	struct jwt_claims claims;

	by_token(rules, keys, token, JWT_ACCESS, peer, now_ms, ret_answer, &claims);
}

bool login_still(const struct login_rules *rules, const struct agent_name *agent, const struct login_peer *peer,
		 struct why *why)
{
	return check_name(rules, agent, peer, why) == E_OK && still_known(rules, agent, peer, why) == E_OK;
}
