#include "auth/pattern.h"

#include "auth/regex.h"
#include "base/glob.h"

#define PATTERNS_MAX 64

struct pattern {
	struct str glob;     /* in `text` of the list */
	struct regex *regex; /* NULL: the glob counts */
};

struct patterns {
	char *text;
	size_t n;
	struct pattern items[PATTERNS_MAX];
};

/* Up to a comma that does not stand in braces or behind a backslash. */
static struct str cut_glob(struct str *rest)
{
	struct str all = *rest;
	unsigned braces = 0;
	size_t i = 0;

	for (; i < all.n && (all.p[i] != ',' || braces); i++) {
		if (all.p[i] == '\\')
			i++;
		else if (all.p[i] == '{')
			braces++;
		else if (all.p[i] == '}' && braces)
			braces--;
	}
	*rest = str_sub(all, i + 1, all.n);
	return str_sub(all, 0, i);
}

/* "/.../" up to a slash before a comma or the end. */
static struct str cut_regex(struct str *rest)
{
	struct str all = *rest;

	for (size_t i = 1; i < all.n; i++) {
		struct str behind = str_trim(str_sub(all, i + 1, all.n));

		if (all.p[i] == '/' && (behind.n == 0 || behind.p[0] == ',')) {
			*rest = str_sub(behind, 1, behind.n);
			return str_sub(all, 0, i + 1);
		}
	}
	return cut_glob(rest);
}

static enum err add(struct patterns *p, struct str item, struct why *why)
{
	struct pattern *at = &p->items[p->n];

	if (item.n == 0)
		return why_set(why, E_CONFIG, "a pattern is empty");
	if (p->n == PATTERNS_MAX)
		return why_set(why, E_CONFIG, "more than %d patterns", PATTERNS_MAX);
	if (item.p[0] == '/' && (item.n < 2 || item.p[item.n - 1] != '/'))
		return why_set(why, E_CONFIG, "'%.*s': the slash at the end is missing", STR_ARG(item));
	if (item.p[0] != '/' && !glob_ok(item))
		return why_set(why, E_CONFIG, "'%.*s': a bracket or a brace is not closed, or it is too long",
			       STR_ARG(item));
	at->glob = item;
	p->n++;
	return item.p[0] == '/' ? regex_new(str_sub(item, 1, item.n - 2), why, &at->regex) : E_OK;
}

enum err patterns_new(struct str list, struct why *why, struct patterns **ret_patterns)
{
	CLEANUP(patterns_freep) struct patterns *p = mem_alloc(sizeof(*p));
	struct str rest;
	enum err err = E_OK;

	if (!p || !(p->text = str_dup(list.n ? list : STR(""))))
		return why_set(why, E_NOMEM, "read patterns");
	rest = str_of(p->text);
	do {
		rest = str_trim(rest);
		err = add(p, str_trim(rest.n && rest.p[0] == '/' ? cut_regex(&rest) : cut_glob(&rest)), why);
	} while (err == E_OK && rest.n);
	if (err == E_OK)
		*ret_patterns = TAKE(p);
	return err;
}

void patterns_free(struct patterns *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n; i++)
		regex_free(p->items[i].regex);
	mem_free(p->text);
	mem_free(p);
}

static bool item_match(const struct pattern *item, struct str text)
{
	bool match = false;

	if (!item->regex)
		return glob_matches(item->glob, text);
	return regex_match(item->regex, text, &match, NULL) == E_OK && match;
}

bool patterns_match(const struct patterns *p, struct str text)
{
	for (size_t i = 0; p && i < p->n; i++)
		if (item_match(&p->items[i], text))
			return true;
	return false;
}
