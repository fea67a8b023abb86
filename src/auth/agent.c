#include "auth/agent.h"

static bool is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool agent_name_ok(struct str s)
{
	if (s.n == 0 || s.n > AGENT_NAME_MAX || s.p[0] == '-' || s.p[s.n - 1] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!is_letter_or_digit(s.p[i]) && s.p[i] != '-')
			return false;
	return true;
}

bool agent_name_set(struct agent_name *ret_name, struct str s)
{
	if (!agent_name_ok(s))
		return false;
	memcpy(ret_name->text, s.p, s.n);
	ret_name->text[s.n] = '\0';
	return true;
}

/* In the order of the enum. */
static const char *const modes[] = { "", "managed", "autonomous" };

const char *agent_mode_text(enum agent_mode mode)
{
	return modes[mode];
}

bool agent_mode_parse(struct str s, enum agent_mode *ret_mode)
{
	for (enum agent_mode mode = AGENT_MANAGED; mode <= AGENT_AUTONOMOUS; mode++) {
		if (str_is(s, modes[mode])) {
			*ret_mode = mode;
			return true;
		}
	}
	return false;
}
