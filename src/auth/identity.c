#include "auth/identity.h"

/* E_NOT_FOUND: it does not match. Texts of strangers are cut in the story. */
static enum err name_of(const struct auth_rule *rule, struct str text, struct why *why, struct agent_name *ret_agent)
{
	struct str group;
	bool match;
	enum err err = regex_match(rule->regex, text, &match, &group);

	if (err == E_NOMEM)
		return why_set(why, err, "match a name");
	if (err != E_OK)
		return why_set(why, E_UNAUTHENTICATED, "'%.*s': the expression takes too many steps",
			       STR_ARG(str_sub(text, 0, 200)));
	if (!match)
		return E_NOT_FOUND;
	if (!agent_name_set(ret_agent, group))
		return why_set(why, E_UNAUTHENTICATED,
			       "'%.*s' is no name of an agent: 1 to 63 lower-case letters, digits and '-' inside",
			       STR_ARG(str_sub(group, 0, 200)));
	return E_OK;
}

static enum err of_uris(const struct auth_rule *rule, const struct tls_peer *peer, struct why *why,
			struct agent_name *ret_agent)
{
	for (size_t i = 0; i < peer->uri_count; i++) {
		enum err err = name_of(rule, str_of(peer->uris[i]), why, ret_agent);

		if (err != E_NOT_FOUND)
			return err;
	}
	return why_set(why, E_UNAUTHENTICATED, "none of the certificate's %zu URIs matches", peer->uri_count);
}

static enum err of_subject(const struct auth_rule *rule, const struct tls_peer *peer, struct why *why,
			   struct agent_name *ret_agent)
{
	enum err err = name_of(rule, str_of(peer->subject), why, ret_agent);

	if (err != E_NOT_FOUND)
		return err;
	return why_set(why, E_UNAUTHENTICATED, "the certificate's subject '%.200s' does not match", peer->subject);
}

enum err auth_rule_peer(const struct auth_rule *rule, const struct tls_peer *peer, struct why *why,
			struct agent_name *ret_agent)
{
	if (!peer)
		return why_set(why, E_UNAUTHENTICATED, "no client certificate was shown");
	return rule->part == AUTH_URI ? of_uris(rule, peer, why, ret_agent) : of_subject(rule, peer, why, ret_agent);
}

enum err auth_rule_header(const struct auth_rule *rule, struct str value, struct why *why, struct agent_name *ret_agent)
{
	enum err err;

	if (value.n == 0)
		return why_set(why, E_UNAUTHENTICATED, "the header '%s' was not sent", rule->header);
	err = name_of(rule, value, why, ret_agent);
	if (err != E_NOT_FOUND)
		return err;
	return why_set(why, E_UNAUTHENTICATED, "the header '%s' does not match: '%.*s'", rule->header,
		       STR_ARG(str_sub(value, 0, 200)));
}
