#include "auth/password_line.h"

#include "auth/passwords.h"

static bool is_comment(struct str text)
{
	return text.n == 0 || text.p[0] == '#' || str_starts(text, STR("//"));
}

/* crypt(5): salt and hash in an alphabet of its own. */
static bool is_bcrypt_digits(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= '.' && s.p[i] <= '9') || (s.p[i] >= 'A' && s.p[i] <= 'Z') ||
		      (s.p[i] >= 'a' && s.p[i] <= 'z')))
			return false;
	return true;
}

static const char *check_hash(struct str hash, unsigned *ret_cost)
{
	uint64_t cost;

	if (hash.n != BCRYPT_LENGTH || !str_starts(hash, STR("$2")) || !strchr("abxy", hash.p[2]) || hash.p[3] != '$' ||
	    hash.p[6] != '$' || !str_to_u64(str_sub(hash, 4, 2), 99, &cost) ||
	    !is_bcrypt_digits(str_sub(hash, 7, hash.n)))
		return "what stands behind the colon is no bcrypt hash ($2b$12$...)";
	if (cost < BCRYPT_COST_MIN || cost > PASSWORDS_COST_MAX)
		return "the cost of the hash is not between 04 and 16";
	*ret_cost = (unsigned)cost;
	return NULL;
}

enum password_line_kind password_line_read(struct str text, struct password_line *ret_line, const char **ret_what)
{
	struct password_line line = { 0 };

	text = str_trim(text);
	if (text.n && text.p[text.n - 1] == '\r')
		text.n--;
	if (is_comment(text))
		return PASSWORD_LINE_EMPTY;
	line.hash = text;
	line.name = str_cut(&line.hash, ':');
	*ret_what = NULL;
	if (line.name.n == text.n)
		*ret_what = "no colon between name and hash";
	else if (!agent_name_ok(line.name))
		*ret_what = "the name is not 1 to 63 lower-case letters, digits and '-' inside";
	else
		*ret_what = check_hash(line.hash, &line.cost);
	if (*ret_what)
		return PASSWORD_LINE_BAD;
	*ret_line = line;
	return PASSWORD_LINE_USER;
}
