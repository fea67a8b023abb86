#include "auth/regex_syntax.h"

struct walk {
	struct str pattern;
	size_t at;
	bool in_class;
	bool repeated; /* the last thing was a repetition */
};

static char look(const struct walk *w, size_t ahead)
{
	return w->at + ahead < w->pattern.n ? w->pattern.p[w->at + ahead] : '\0';
}

/* \Q takes everything up to \E as it is. */
static void skip_quoted(struct walk *w)
{
	while (w->at < w->pattern.n && !(look(w, 0) == '\\' && look(w, 1) == 'E'))
		w->at++;
	w->at += 2;
}

static const char *escape(struct walk *w)
{
	char c = look(w, 1);

	if (c >= '0' && c <= '9')
		return "a back reference or an octal number";
	if (((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) && !strchr("aftnrxAbBzQEdDsSwWpP", c))
		return "an escape";
	w->at += 2;
	if (c == 'Q')
		skip_quoted(w);
	return NULL;
}

/* What may follow "(?": a colon, a name, flags. */
static const char *group(struct walk *w)
{
	size_t at = w->at + 2;

	if (look(w, 1) == '*')
		return "a verb";
	w->at++;
	if (look(w, 0) != '?')
		return NULL;
	if (look(w, 1) == 'P' && look(w, 2) == '<')
		return NULL;
	if (look(w, 1) == '<' && look(w, 2) != '=' && look(w, 2) != '!')
		return NULL;
	while (at < w->pattern.n && strchr("imsU-", w->pattern.p[at]) && w->pattern.p[at])
		at++;
	w->at = at;
	return look(w, 0) == ':' || look(w, 0) == ')' ? NULL : "look-around or another special group";
}

/* From the '[' to what may stand as itself: '^' and a ']' at once. */
static void class_begins(struct walk *w)
{
	w->in_class = true;
	w->at++;
	if (look(w, 0) == '^')
		w->at++;
	if (look(w, 0) == ']')
		w->at++;
}

/* The length of "[:alpha:]" or "[:^alpha:]" here, or 0. */
static size_t named_class(const struct walk *w)
{
	size_t n = 2;

	if (look(w, 0) != '[' || look(w, 1) != ':')
		return 0;
	while ((look(w, n) >= 'a' && look(w, n) <= 'z') || look(w, n) == '^')
		n++;
	return look(w, n) == ':' && look(w, n + 1) == ']' ? n + 2 : 0;
}

static void class_goes_on(struct walk *w)
{
	size_t named = named_class(w);

	w->in_class = look(w, 0) != ']';
	w->at += named ? named : 1;
}

static const char *step(struct walk *w)
{
	char c = look(w, 0);
	bool repeated = w->repeated;

	w->repeated = false;
	if (c == '\\')
		return escape(w);
	if (w->in_class) {
		class_goes_on(w);
		return NULL;
	}
	if (c == '[') {
		class_begins(w);
		return NULL;
	}
	if (c == '(')
		return group(w);
	if (c == '+' && repeated)
		return "a possessive repetition";
	w->repeated = c == '*' || c == '+' || c == '?' || c == '}';
	w->at++;
	return NULL;
}

bool regex_syntax_ok(struct str pattern, size_t *ret_at, const char **ret_what)
{
	struct walk w = { .pattern = pattern };

	while (w.at < pattern.n) {
		size_t before = w.at;
		const char *what = step(&w);

		if (what) {
			*ret_at = before;
			*ret_what = what;
			return false;
		}
	}
	return true;
}
