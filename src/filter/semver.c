#include "filter/semver.h"

#include "base/mem.h"

#define PART_MAX 9007199254740991ull

/* ---- versions ------------------------------------------------------------------------------------------------------------------- */

static bool is_any(struct str s)
{
	return str_is(s, "x") || str_is(s, "X") || str_is(s, "*");
}

/* Dots between letters, digits and hyphens. */
static bool is_identifiers(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool letter = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-';

		if (!letter && (c != '.' || i == 0 || i + 1 == s.n || s.p[i - 1] == '.'))
			return false;
	}
	return s.n > 0;
}

static bool read_parts(struct str s, struct semver *v, bool any)
{
	for (size_t i = 0; s.n || i == 0; i++) {
		bool more = str_find(s, '.') < s.n;
		struct str part = str_cut(&s, '.');

		if (i >= 3 || (more && s.n == 0))
			return false;
		if (any && is_any(part))
			continue;
		if (v->given < i) /* a number behind an x */
			continue;
		if (!str_to_u64(part, PART_MAX, &v->part[i]))
			return false;
		v->given = (unsigned)i + 1;
	}
	return true;
}

/* `any`: parts may be x, as in a constraint. */
static bool read(struct str s, bool any, struct semver *ret_version)
{
	struct semver v = { 0 };
	struct str build = s, pre;

	if (s.n && (s.p[0] == 'v' || s.p[0] == 'V'))
		build = str_sub(s, 1, s.n);
	pre = str_cut(&build, '+');
	if (build.p && str_find(s, '+') < s.n && !is_identifiers(build))
		return false;
	s = str_cut(&pre, '-');
	if (pre.n && !is_identifiers(pre))
		return false;
	v.pre = pre;
	*ret_version = v;
	return read_parts(s, ret_version, any);
}

bool semver_read(struct str s, struct semver *ret_version)
{
	return read(s, /* any= */ false, ret_version);
}

static int compare_identifiers(struct str a, struct str b)
{
	uint64_t x, y;
	bool left = str_to_u64(a, PART_MAX, &x), right = str_to_u64(b, PART_MAX, &y);

	if (left && right)
		return x < y ? -1 : x > y;
	return left != right ? (left ? -1 : 1) : str_cmp(a, b);
}

/* Without one is after all of them; of two the one with more identifiers. */
static int compare_pre(struct str a, struct str b)
{
	if (a.n == 0 || b.n == 0)
		return (a.n == 0) - (b.n == 0);
	while (a.n && b.n) {
		int order = compare_identifiers(str_cut(&a, '.'), str_cut(&b, '.'));

		if (order)
			return order;
	}
	return (a.n > 0) - (b.n > 0);
}

/* <0, 0, >0 */
static int compare(const struct semver *a, const struct semver *b)
{
	for (size_t i = 0; i < 3; i++)
		if (a->part[i] != b->part[i])
			return a->part[i] < b->part[i] ? -1 : 1;
	return compare_pre(a->pre, b->pre);
}

/* ---- constraints ------------------------------------------------------------------------------------------------------------------ */

/* The first version that has another part `i` one higher: 1.2.3 with 1 is 1.3.0. */
static struct semver next(const struct semver *v, size_t i)
{
	struct semver n = *v;

	n.pre = (struct str){ 0 };
	n.part[i]++;
	for (i++; i < 3; i++)
		n.part[i] = 0;
	return n;
}

static bool from_to(const struct semver *v, const struct semver *from, size_t part)
{
	struct semver end = next(from, part);

	return compare(v, from) >= 0 && compare(v, &end) < 0;
}

/* Is `v` one of those that `c` writes with x for what it does not say? */
static bool covers(const struct semver *c, const struct semver *v)
{
	if (c->given == 3)
		return compare(c, v) == 0;
	return c->given == 0 || from_to(v, c, c->given - 1);
}

/* ~1.2.3: 1.2; ~1: 1. */
static bool tilde(const struct semver *c, const struct semver *v)
{
	return c->given == 0 || from_to(v, c, c->given == 1 ? 0 : 1);
}

/* ^: up to the first part that is not 0. */
static bool caret(const struct semver *c, const struct semver *v)
{
	size_t part = 0;

	while (part + 1 < c->given && c->part[part] == 0)
		part++;
	return c->given == 0 || from_to(v, c, part);
}

static bool above(const struct semver *c, const struct semver *v)
{
	return compare(v, c) > 0 && !covers(c, v);
}

static bool at_least(const struct semver *c, const struct semver *v)
{
	return compare(v, c) >= 0;
}

static bool below(const struct semver *c, const struct semver *v)
{
	return compare(v, c) < 0;
}

static bool at_most(const struct semver *c, const struct semver *v)
{
	return !above(c, v);
}

static bool differs(const struct semver *c, const struct semver *v)
{
	return !covers(c, v);
}

/* Longest first. */
static const struct relation {
	const char *sign;
	bool (*holds)(const struct semver *c, const struct semver *v);
} relations[] = {
	{ "!=", differs }, { ">=", at_least }, { "=>", at_least }, { "<=", at_most },
	{ "=<", at_most }, { "=", covers },    { ">", above },     { "<", below },
	{ "~>", tilde },   { "~", tilde },     { "^", caret },     { "", covers },
};

/* Cut the next version off, up to a space or comma. */
static struct str cut_version(struct str *rest)
{
	size_t n = 0;

	*rest = str_trim(*rest);
	while (n < rest->n && rest->p[n] != ' ' && rest->p[n] != ',')
		n++;
	struct str version = str_sub(*rest, 0, n);

	*rest = str_trim(str_sub(*rest, n, rest->n));
	return version;
}

static bool relation_holds(const struct relation *relation, struct str text, const struct semver *v, bool *yes)
{
	struct semver c;

	if (!read(text, /* any= */ true, &c))
		return false;
	if ((v->pre.n && !c.pre.n) || !relation->holds(&c, v))
		*yes = false;
	return true;
}

/* One relation of `*rest`; with a hyphen behind it two. */
static bool read_relation(struct str *rest, const struct semver *v, bool *yes)
{
	static const struct relation from = { ">=", at_least }, to = { "<=", at_most };
	const struct relation *relation = relations;
	struct str text;

	while (!str_starts(*rest, str_of(relation->sign)))
		relation++;
	*rest = str_sub(*rest, strlen(relation->sign), rest->n);
	text = cut_version(rest);
	if (relation->sign[0] == '\0' && str_starts(*rest, STR("- "))) {
		struct str second;

		*rest = str_sub(*rest, 2, rest->n);
		second = cut_version(rest);
		return relation_holds(&from, text, v, yes) && relation_holds(&to, second, v, yes);
	}
	return relation_holds(relation, text, v, yes);
}

/* What stands between ||. */
static bool read_all(struct str rest, const struct semver *v, bool *ret_yes)
{
	*ret_yes = true;
	rest = str_trim(rest);
	do {
		if (!read_relation(&rest, v, ret_yes))
			return false;
		if (rest.n && rest.p[0] == ',')
			rest = str_trim(str_sub(rest, 1, rest.n));
	} while (rest.n);
	return true;
}

bool semver_satisfies(struct str constraint, const struct semver *version, bool *ret_yes)
{
	bool yes;

	*ret_yes = false;
	for (;;) {
		const char *bars = memmem(constraint.p ? constraint.p : "", constraint.n, "||", 2);
		size_t n = bars ? (size_t)(bars - constraint.p) : constraint.n;

		if (!read_all(str_sub(constraint, 0, n), version, &yes))
			return false;
		*ret_yes |= yes;
		if (!bars)
			return true;
		constraint = str_sub(constraint, n + 2, constraint.n);
	}
}
