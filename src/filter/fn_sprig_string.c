/* Functions of sprig over strings: the string comes last. */
#include "filter/functions_code.h"
#include "filter/pattern.h"
#include "filter/rune.h"
#include "filter/semver.h"

#define TEXT(i) (c->args[i].text)

/* The same function as without sprig, which takes its text first. */
#define TEXT_LAST(name, of)                                         \
	enum err fn_sprig_##name(struct call *c, struct value *ret) \
	{                                                           \
		last_first(c);                                      \
		return of(c, ret);                                  \
	}

static void last_first(struct call *c)
{
	struct value last = c->args[c->count - 1];

	memmove(c->args + 1, c->args, (c->count - 1) * sizeof(*c->args));
	c->args[0] = last;
}

TEXT_LAST(trim_all, fn_trim)
TEXT_LAST(trim_prefix, fn_trim_prefix)
TEXT_LAST(trim_suffix, fn_trim_suffix)
TEXT_LAST(has_prefix, fn_has_prefix)
TEXT_LAST(has_suffix, fn_has_suffix)
TEXT_LAST(replace, fn_replace)
TEXT_LAST(repeat, fn_repeat)
TEXT_LAST(split_list, fn_split)

enum err fn_sprig_contains(struct call *c, struct value *ret)
{
	*ret = value_bool(str_contains(TEXT(1), TEXT(0)));
	return E_OK;
}

/* From below 0: the start; to below 0 or behind the end: the end. */
enum err fn_sprig_substr(struct call *c, struct value *ret)
{
	struct str s = TEXT(2);
	int64_t from = c->args[0].integer, to = c->args[1].integer;

	if (from < 0)
		from = 0;
	else if (to < 0 || (uint64_t)to > s.n)
		to = (int64_t)s.n;
	if (to < from || (uint64_t)to > s.n)
		return call_misfit(c, "substr(from, to, str): there is nothing between these places");
	*ret = value_string(str_sub(s, (size_t)from, (size_t)(to - from)));
	return E_OK;
}

enum err fn_sprig_trunc(struct call *c, struct value *ret)
{
	struct str s = TEXT(1);
	int64_t n = c->args[0].integer;

	if (n >= 0 && (uint64_t)n < s.n)
		s = str_sub(s, 0, (size_t)n);
	else if (n < 0 && 0 - (uint64_t)n < s.n)
		s = str_sub(s, s.n - (size_t)(0 - (uint64_t)n), s.n);
	*ret = value_string(s);
	return E_OK;
}

/* ---- characters --------------------------------------------------------------------------------------------------------------- */

enum err fn_sprig_nospace(struct call *c, struct value *ret)
{
	struct buf b = run_buf(c->run);
	size_t n;

	for (struct str s = TEXT(0); s.n; s = str_sub(s, n, s.n))
		if (!rune_is_space(rune_read(s, &n)))
			buf_add(&b, s.p, n);
	*ret = value_string(run_keep(c->run, &b));
	return c->run->err;
}

static enum err map_first(struct call *c, uint32_t (*map)(uint32_t), bool (*is_between)(uint32_t), struct value *ret)
{
	struct buf b = run_buf(c->run);
	bool first = true;
	char text[4];
	size_t n;

	for (struct str s = TEXT(0); s.n; s = str_sub(s, n, s.n)) {
		uint32_t rune = rune_read(s, &n);

		buf_add(&b, text, rune_write(first ? map(rune) : rune, text));
		first = is_between(rune);
	}
	*ret = value_string(run_keep(c->run, &b));
	return c->run->err;
}

/* As strings.Title() has it. */
static bool is_separator(uint32_t rune)
{
	return rune < 0x80 ? !rune_is_letter(rune) && !rune_is_digit(rune) && rune != '_' : rune_is_space(rune);
}

enum err fn_sprig_title(struct call *c, struct value *ret)
{
	return map_first(c, rune_upper, is_separator, ret);
}

enum err fn_sprig_untitle(struct call *c, struct value *ret)
{
	return map_first(c, rune_lower, rune_is_space, ret);
}

/* ---- several in one ----------------------------------------------------------------------------------------------------------- */

static void add_quoted(struct str s, struct buf *b)
{
	buf_char(b, '"');
	for (size_t i = 0; i < s.n; i++) {
		switch (s.p[i]) {
		case '\n':
			buf_lit(b, "\\n");
			break;
		case '\t':
			buf_lit(b, "\\t");
			break;
		case '\r':
			buf_lit(b, "\\r");
			break;
		case '"':
		case '\\':
			buf_char(b, '\\');
			buf_char(b, s.p[i]);
			break;
		default:
			buf_char(b, s.p[i]);
		}
	}
	buf_char(b, '"');
}

/* The arguments as text with spaces between, each in `quote` unless it is 0; nil is left out. */
static enum err in_a_row(struct call *c, char quote, struct value *ret)
{
	struct buf b = run_buf(c->run), one = run_buf(c->run);

	for (size_t i = 0; i < c->count; i++) {
		if (c->args[i].type == VALUE_NIL)
			continue;
		buf_clear(&one);
		value_write_text(c->run, c->args[i], &one);
		if (b.n)
			buf_char(&b, ' ');
		if (quote == '"')
			add_quoted(buf_view(&one), &b);
		else if (quote)
			buf_addf(&b, "'%.*s'", STR_ARG(buf_view(&one)));
		else
			buf_str(&b, buf_view(&one));
	}
	if (one.err != E_OK)
		b.err = one.err;
	buf_release(&one);
	*ret = value_string(run_keep(c->run, &b));
	return c->run->err;
}

enum err fn_sprig_quote(struct call *c, struct value *ret)
{
	return in_a_row(c, '"', ret);
}

enum err fn_sprig_squote(struct call *c, struct value *ret)
{
	return in_a_row(c, '\'', ret);
}

enum err fn_sprig_cat(struct call *c, struct value *ret)
{
	return in_a_row(c, '\0', ret);
}

enum err fn_sprig_split(struct call *c, struct value *ret)
{
	struct value pieces;
	struct value_pair *pairs;

	if (fn_sprig_split_list(c, &pieces) != E_OK)
		return c->run->err;
	pairs = run_array(c->run, pieces.n, sizeof(*pairs));
	for (size_t i = 0; pairs && i < pieces.n; i++) {
		struct buf key = run_buf(c->run);

		buf_addf(&key, "_%zu", i);
		pairs[i] = (struct value_pair){ run_keep(c->run, &key), pieces.items[i] };
	}
	*ret = value_map_of(c->run, pairs, pairs ? pieces.n : 0);
	return c->run->err;
}

/* ---- questions ------------------------------------------------------------------------------------------------------------------ */

enum err fn_sprig_regex_match(struct call *c, struct value *ret)
{
	bool yes = false;
	enum err err = pattern_match(c->run, c->expr->pattern, TEXT(0), TEXT(1), &yes);

	*ret = value_bool(yes);
	return err;
}

enum err fn_sprig_semver_compare(struct call *c, struct value *ret)
{
	struct semver version;
	bool yes;

	if (!semver_read(TEXT(1), &version))
		return call_misfit(c, "semverCompare(constraint, version): the second string is no semantic version");
	if (!semver_satisfies(TEXT(0), &version, &yes))
		return call_misfit(c, "semverCompare(constraint, version): the first string is no constraint");
	*ret = value_bool(yes);
	return E_OK;
}

/* ---- paths ---------------------------------------------------------------------------------------------------------------------- */

static struct str without_slashes(struct str path)
{
	while (path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	return path;
}

static size_t last_slash(struct str path)
{
	for (size_t i = path.n; i-- > 0;)
		if (path.p[i] == '/')
			return i;
	return path.n;
}

enum err fn_sprig_base(struct call *c, struct value *ret)
{
	struct str path = without_slashes(TEXT(0));
	size_t slash = last_slash(path);

	if (path.n == 0)
		path = STR(".");
	else if (slash < path.n && path.n > 1)
		path = str_sub(path, slash + 1, path.n);
	*ret = value_string(path);
	return E_OK;
}

enum err fn_sprig_dir(struct call *c, struct value *ret)
{
	struct str path = TEXT(0);
	size_t slash = last_slash(path);

	if (slash == path.n)
		*ret = value_string(STR("."));
	else
		*ret = value_string(without_slashes(str_sub(path, 0, slash + 1)));
	return E_OK;
}

enum err fn_sprig_ext(struct call *c, struct value *ret)
{
	struct str path = TEXT(0);
	size_t i = path.n;

	while (i > 0 && path.p[i - 1] != '/' && path.p[i - 1] != '.')
		i--;
	*ret = value_string(i > 0 && path.p[i - 1] == '.' ? str_sub(path, i - 1, path.n) : STR(""));
	return E_OK;
}
