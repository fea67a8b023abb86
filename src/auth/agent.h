/*
 * agent.h -- who an agent is: its name and its mode.
 *
 * Shape     a name is an RFC 1123 label, because it is also the name of a namespace.
 * Source    RFC 1123 2.1; facts argocd-agent 2.2, 2.3
 */
#pragma once

#include "base/str.h"

#define AGENT_NAME_MAX 63

enum agent_mode {
	AGENT_MODE_NONE, /* said by nobody yet */
	AGENT_MANAGED,
	AGENT_AUTONOMOUS,
};

struct agent_name {
	char text[AGENT_NAME_MAX + 1]; /* terminated; "": none */
};

/* Lower-case letters, digits and '-' inside, 1 to 63 of them. */
bool agent_name_ok(struct str s);

/* False: not a name; nothing is set. */
bool agent_name_set(struct agent_name *ret_name, struct str s);

static inline struct str agent_name(const struct agent_name *name)
{
	return str_of(name->text);
}

/* "managed", "autonomous"; "" for AGENT_MODE_NONE. Never NULL. */
const char *agent_mode_text(enum agent_mode mode);

/* Exactly these two words; false for another, and nothing is set. */
bool agent_mode_parse(struct str s, enum agent_mode *ret_mode);
