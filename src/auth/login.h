/*
 * login.h -- may this agent in? The decisions of Authenticate, RefreshToken and of every other call.
 *
 * Shape     pure: what came in, the rules and the time go in, the answer comes out. Only a password takes longer:
 *           then login_begin() says LOGIN_PASSWORD, the caller has it checked (passwords.h) and goes on with
 *           login_end().
 *
 *               login_begin --+--> REFUSED
 *                             +--> PASSWORD --> login_end --+--> REFUSED
 *                             +--> ACCEPTED <---------------+
 *
 * Owner     requests and rules are borrowed, also between the two steps; answers are values.
 * Source    facts argocd-agent 1.3, 2.2, 2.4, 9.4
 */
#pragma once

#include "auth/blocklist.h"
#include "auth/identity.h"
#include "auth/jwt.h"
#include "auth/passwords.h"
#include "auth/pattern.h"
#include "rpc/code.h"

/* What the principal was started with. */
struct login_rules {
	const struct auth_rule *auth;
	struct passwords *passwords;    /* with AUTH_USERPASS */
	struct blocklist *blocklist;    /* NULL: none */
	const struct patterns *accept;  /* --accept-version; NULL: exactly `version` */
	struct str version;             /* ours */
	struct str principal_namespace; /* no agent may be called so */
	bool subject_match;             /* --client-cert-subject-match: the common name must be the agent's */
};

/* Who asks. */
struct login_peer {
	const struct tls_peer *cert; /* verified; NULL: none shown */
	struct str header;           /* first value of the header of the rule; empty: not sent */
	bool header_again;           /* it came more than once: nobody can say which is the proxy's */
};

/* AuthRequest. */
struct login_request {
	struct str method;
	struct str mode;
	struct str version;
	struct str client_id;     /* credentials["clientid"] */
	struct str client_secret; /* credentials["clientsecret"] */
};

enum login_step { LOGIN_REFUSED, LOGIN_PASSWORD, LOGIN_ACCEPTED };

struct login_answer {
	enum login_step step;
	struct agent_name agent; /* once accepted, or as far as it is known */
	enum agent_mode mode;
	enum rpc_code code; /* for the peer, when refused */
	char text[160];     /* for the peer, when refused */
	struct why why;     /* for the log, when refused: all that is known; never a secret */
};

/* Authenticate. LOGIN_PASSWORD: mode, method and name are right so far; the password is to be checked, and the version comes last. */
void login_begin(const struct login_rules *rules, const struct login_request *request, const struct login_peer *peer,
		 struct login_answer *ret_answer);

/*
 * After LOGIN_PASSWORD; `checked` is what passwords_check() said, or E_BUSY when it could not be asked. Goes on with the
 * version.
 */
void login_end(const struct login_rules *rules, const struct login_request *request, enum err checked,
	       struct login_answer *answer);

/*
 * RefreshToken: the token, and whether today's rules still know this agent: a user that was removed, a certificate that
 * was blocked or is another agent's are refused. `ret_claims` (when accepted) for the new tokens.
 */
void login_refresh(const struct login_rules *rules, struct jwt_keys *keys, struct str token,
		   const struct login_peer *peer, int64_t now_ms, struct login_answer *ret_answer,
		   struct jwt_claims *ret_claims);

/* Does a new refresh token go with the access token? */
bool login_renews(const struct jwt_claims *refresh, int64_t now_ms);

/* Any other call, by its access token ("authorization" metadata, without "Bearer"). The same checks. */
void login_call(const struct login_rules *rules, struct jwt_keys *keys, struct str token, const struct login_peer *peer,
		int64_t now_ms, struct login_answer *ret_answer);

/*
 * Is an open stream still allowed? After a reload of users or blocklist: streams outlive their token, but not their
 * owner's right. `why` says why not.
 */
bool login_still(const struct login_rules *rules, const struct agent_name *agent, const struct login_peer *peer,
		 struct why *why);
