/*
 * identity.h -- how an agent says who it is: --auth of the principal, --creds of the agent.
 *
 * Shape     --auth   userpass:FILE  mtls:subject:REGEX  mtls:uri:REGEX  mtls:REGEX  header:NAME:REGEX
 *           --creds  userpass:FILE  mtls:any  header:
 *           Group 1 of the expression is the agent's name.
 * Errors    E_CONFIG           the option makes no sense; `why` says what it should look like
 *           E_UNAUTHENTICATED  what came names no agent; `why` says why, for the log
 * Source    facts argocd-agent 2.3
 */
#pragma once

#include "auth/agent.h"
#include "auth/regex.h"
#include "net/tls_peer.h"

enum auth_method { AUTH_USERPASS, AUTH_MTLS, AUTH_HEADER };

enum auth_part { AUTH_SUBJECT, AUTH_URI };

/* --auth, taken apart. */
struct auth_rule {
	enum auth_method method;
	enum auth_part part; /* of the certificate, with AUTH_MTLS */
	char *file;          /* with AUTH_USERPASS */
	char *header;        /* with AUTH_HEADER; lower case */
	struct regex *regex; /* with the other two */
};

/* "userpass", "mtls", "header". Never NULL. */
const char *auth_method_text(enum auth_method method);

enum err auth_rule_parse(const char *option, struct why *why, struct auth_rule *ret_rule);
void auth_rule_release(struct auth_rule *rule);

/* The agent that the verified certificate of a peer names. NULL: it showed none. */
enum err auth_rule_peer(const struct auth_rule *rule, const struct tls_peer *peer, struct why *why,
			struct agent_name *ret_agent);

/* The agent that the first value of the rule's header names. Empty: it was not sent. */
enum err auth_rule_header(const struct auth_rule *rule, struct str value, struct why *why,
			  struct agent_name *ret_agent);

/* --creds, taken apart; what it says is what Authenticate sends. Release wipes the password. */
struct auth_creds {
	enum auth_method method;
	char *file; /* with AUTH_USERPASS: "name:password" in its first line */
};

enum err auth_creds_parse(const char *option, struct why *why, struct auth_creds *ret_creds);
void auth_creds_release(struct auth_creds *creds);

/* Name and password of this moment, from the file. */
struct auth_login {
	struct agent_name name;
	char *password; /* terminated */
};

/* E_CONFIG: the file cannot be read, or its first line is not "name:password". */
enum err auth_login_read(const struct auth_creds *creds, struct why *why, struct auth_login *ret_login);
void auth_login_release(struct auth_login *login);
