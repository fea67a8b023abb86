/* Functions of strings, with the string first; sprig has it last (fn_sprig_string.c). As Go's package strings has them. */
#include "filter/functions_code.h"
#include "filter/list.h"
#include "filter/rune.h"

#define TEXT(i) (c->args[i].text)

static struct str text_at(const struct call *c, size_t i, struct str dflt)
{
	return i < c->count ? c->args[i].text : dflt;
}

static int64_t limit_at(const struct call *c, size_t i)
{
	return i < c->count ? c->args[i].integer : -1;
}

static enum err keep_text(struct call *c, struct buf *b, struct value *ret)
{
	*ret = value_string(run_keep(c->run, b));
	return c->run->err;
}

/* ---- the ends --------------------------------------------------------------------------------------------------------- */

static bool has_rune(struct str chars, uint32_t rune)
{
	size_t n;

	for (; chars.n; chars = str_sub(chars, n, chars.n))
		if (rune_read(chars, &n) == rune)
			return true;
	return false;
}

static struct str trim_runes(struct str s, struct str chars)
{
	struct str rest;
	size_t n, end = 0;

	while (s.n && has_rune(chars, rune_read(s, &n)))
		s = str_sub(s, n, s.n);
	for (rest = s; rest.n; rest = str_sub(rest, n, rest.n))
		if (!has_rune(chars, rune_read(rest, &n)))
			end = s.n - rest.n + n;
	return str_sub(s, 0, end);
}

enum err fn_trim(struct call *c, struct value *ret)
{
	if (c->count == 1) {
		*ret = value_string(rune_trim(TEXT(0)));
		return E_OK;
	}
	if (!run_step(c->run, (1 + TEXT(0).n / 64) * TEXT(1).n)) /* each of one is compared with each of the other */
		return c->run->err;
	*ret = value_string(trim_runes(TEXT(0), TEXT(1)));
	return E_OK;
}

enum err fn_trim_prefix(struct call *c, struct value *ret)
{
	struct str s = TEXT(0), prefix = text_at(c, 1, STR(" "));

	*ret = value_string(str_starts(s, prefix) ? str_sub(s, prefix.n, s.n) : s);
	return E_OK;
}

enum err fn_trim_suffix(struct call *c, struct value *ret)
{
	struct str s = TEXT(0), suffix = text_at(c, 1, STR(" "));

	*ret = value_string(str_ends(s, suffix) ? str_sub(s, 0, s.n - suffix.n) : s);
	return E_OK;
}

enum err fn_has_prefix(struct call *c, struct value *ret)
{
	*ret = value_bool(str_starts(TEXT(0), TEXT(1)));
	return E_OK;
}

enum err fn_has_suffix(struct call *c, struct value *ret)
{
	*ret = value_bool(str_ends(TEXT(0), TEXT(1)));
	return E_OK;
}

/* ---- each character --------------------------------------------------------------------------------------------------- */

static enum err map_runes(struct call *c, uint32_t (*map)(uint32_t), struct value *ret)
{
	struct buf b = run_buf(c->run);
	char text[4];
	size_t n;

	for (struct str s = TEXT(0); s.n && b.err == E_OK; s = str_sub(s, n, s.n))
		buf_add(&b, text, rune_write(map(rune_read(s, &n)), text));
	return keep_text(c, &b, ret);
}

enum err fn_upper(struct call *c, struct value *ret)
{
	return map_runes(c, rune_upper, ret);
}

enum err fn_lower(struct call *c, struct value *ret)
{
	return map_runes(c, rune_lower, ret);
}

/* ---- a part of it ----------------------------------------------------------------------------------------------------- */

/* Where `part` begins at or behind `from`. */
static bool find(struct str s, size_t from, struct str part, size_t *ret_at)
{
	const char *found;

	if (from > s.n || part.n > s.n - from)
		return false;
	found = part.n ? memmem(s.p + from, s.n - from, part.p, part.n) : s.p + from;
	*ret_at = found ? (size_t)(found - s.p) : 0;
	return found != NULL || part.n == 0;
}

enum err fn_index_of(struct call *c, struct value *ret)
{
	size_t at;

	*ret = value_int(find(TEXT(0), 0, TEXT(1), &at) ? (int64_t)at : -1);
	return E_OK;
}

enum err fn_last_index_of(struct call *c, struct value *ret)
{
	struct str s = TEXT(0), part = TEXT(1);

	*ret = value_int(-1);
	if (!run_step(c->run, (1 + s.n / 8) * (1 + part.n / 64)))
		return c->run->err;
	for (size_t at = part.n <= s.n ? s.n - part.n + 1 : 0; at-- > 0;) {
		if (!str_eq(str_sub(s, at, part.n), part))
			continue;
		*ret = value_int((int64_t)at);
		break;
	}
	return E_OK;
}

/* Where the next `old` is; an empty one stands before each character and at the end. */
static bool find_old(struct str s, size_t from, struct str old, bool first, size_t *ret_at)
{
	size_t n;

	if (old.n || first)
		return find(s, from, old, ret_at);
	if (from >= s.n)
		return false;
	(void)rune_read(str_sub(s, from, s.n), &n);
	*ret_at = from + n;
	return true;
}

enum err fn_replace(struct call *c, struct value *ret)
{
	struct str s = TEXT(0), old = TEXT(1);
	int64_t limit = limit_at(c, 3);
	struct buf b = run_buf(c->run);
	size_t from = 0, at;

	for (int64_t n = 0; (limit < 0 || n < limit) && b.err == E_OK && find_old(s, from, old, n == 0, &at); n++) {
		buf_add(&b, s.p + from, at - from);
		buf_str(&b, TEXT(2));
		from = at + old.n;
		if (!run_step(c->run, 1))
			break;
	}
	if (from < s.n)
		buf_add(&b, s.p + from, s.n - from);
	return keep_text(c, &b, ret);
}

/* ---- one and many ----------------------------------------------------------------------------------------------------- */

/* The next piece of `*rest`; false: it is the last one. Without a separator each character is a piece. */
static bool cut(struct str *rest, struct str separator, bool keep, struct str *ret_piece)
{
	struct str s = *rest;
	size_t at, n;

	if (separator.n == 0) {
		(void)rune_read(s, &n);
		*ret_piece = str_sub(s, 0, n);
		*rest = str_sub(s, n, s.n);
		return rest->n > 0;
	}
	if (!find(s, 0, separator, &at)) {
		*ret_piece = s;
		return false;
	}
	*ret_piece = str_sub(s, 0, keep ? at + separator.n : at);
	*rest = str_sub(s, at + separator.n, s.n);
	return true;
}

/* At most as many pieces as the third argument says (below 0: all of them; 0: none); `keep`: with their separators. */
static enum err split(struct call *c, bool keep, struct value *ret)
{
	struct str s = TEXT(0), separator = TEXT(1), piece;
	int64_t limit = limit_at(c, 2);
	struct list list = { 0 };
	bool more = limit != 0 && (s.n > 0 || separator.n > 0);

	while (more) {
		if (limit > 0 && list.n + 1 == (uint64_t)limit) {
			piece = s;
			more = false;
		} else {
			more = cut(&s, separator, keep, &piece);
		}
		if (!run_look(c->run, piece.n) || !list_add(c->run, &list, value_string(piece)))
			break;
	}
	*ret = list_value(&list);
	return c->run->err;
}

enum err fn_split(struct call *c, struct value *ret)
{
	return split(c, /* keep= */ false, ret);
}

enum err fn_split_after(struct call *c, struct value *ret)
{
	return split(c, /* keep= */ true, ret);
}

enum err fn_repeat(struct call *c, struct value *ret)
{
	struct buf b = run_buf(c->run);
	int64_t n = c->args[1].integer;

	if (n < 0)
		return call_misfit(c, "repeat: less than no times");
	for (int64_t i = 0; TEXT(0).n && i < n && b.err == E_OK && run_step(c->run, 1); i++)
		buf_str(&b, TEXT(0));
	return keep_text(c, &b, ret);
}

enum err fn_join(struct call *c, struct value *ret)
{
	struct value_seq s = value_seq(c->args[0]);
	struct buf b = run_buf(c->run);
	struct value v;

	while (b.err == E_OK && value_seq_next(c->run, &s, &v)) {
		if (s.i > 1)
			buf_str(&b, text_at(c, 1, STR("")));
		if (v.type == VALUE_STRING)
			buf_str(&b, v.text);
		else
			(void)call_misfit(c, "join: element %zu is %s, not string", s.i - 1, value_type_name(v.type));
	}
	return keep_text(c, &b, ret);
}
