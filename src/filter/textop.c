#include "filter/textop.h"

#include "filter/list.h"
#include "filter/rune.h"

static bool has_rune(struct str chars, uint32_t rune)
{
	size_t n;

	for (; chars.n; chars = str_sub(chars, n, chars.n))
		if (rune_read(chars, &n) == rune)
			return true;
	return false;
}

enum err textop_trim(struct run *r, struct str s, struct str chars, struct value *ret)
{
	struct str rest;
	size_t n, end = 0;

	if (!run_step(r, (1 + s.n / 64) * chars.n)) /* each of one is compared with each of the other */
		return r->err;
	while (s.n && has_rune(chars, rune_read(s, &n)))
		s = str_sub(s, n, s.n);
	for (rest = s; rest.n; rest = str_sub(rest, n, rest.n))
		if (!has_rune(chars, rune_read(rest, &n)))
			end = s.n - rest.n + n;
	*ret = value_string(str_sub(s, 0, end));
	return E_OK;
}

struct str textop_trim_prefix(struct str s, struct str prefix)
{
	return str_starts(s, prefix) ? str_sub(s, prefix.n, s.n) : s;
}

struct str textop_trim_suffix(struct str s, struct str suffix)
{
	return str_ends(s, suffix) ? str_sub(s, 0, s.n - suffix.n) : s;
}

bool textop_find(struct str s, size_t from, struct str part, size_t *ret_at)
{
	const char *found;

	if (from > s.n || part.n > s.n - from)
		return false;
	found = part.n ? memmem(s.p + from, s.n - from, part.p, part.n) : s.p + from;
	*ret_at = found ? (size_t)(found - s.p) : 0;
	return found != NULL || part.n == 0;
}

enum err textop_map(struct run *r, struct str s, uint32_t (*map)(uint32_t), struct value *ret)
{
	struct buf b = run_buf(r);
	char text[4];
	size_t n;

	for (; s.n && b.err == E_OK; s = str_sub(s, n, s.n))
		buf_add(&b, text, rune_write(map(rune_read(s, &n)), text));
	*ret = value_string(run_keep(r, &b));
	return r->err;
}

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
	if (!textop_find(s, 0, separator, &at)) {
		*ret_piece = s;
		return false;
	}
	*ret_piece = str_sub(s, 0, keep ? at + separator.n : at);
	*rest = str_sub(s, at + separator.n, s.n);
	return true;
}

enum err textop_split(struct run *r, struct str s, struct str separator, int64_t limit, bool keep, struct value *ret)
{
	struct list list = { 0 };
	struct str piece;
	bool more = limit != 0 && (s.n > 0 || separator.n > 0);

	while (more) {
		if (limit > 0 && list.n + 1 == (uint64_t)limit) {
			piece = s;
			more = false;
		} else {
			more = cut(&s, separator, keep, &piece);
		}
		if (!run_look(r, piece.n) || !list_add(r, &list, value_string(piece)))
			break;
	}
	*ret = list_value(&list);
	return r->err;
}

/* Where the next `old` is; an empty one stands before each character and at the end. */
static bool find_old(struct str s, size_t from, struct str old, bool first, size_t *ret_at)
{
	size_t n;

	if (old.n || first)
		return textop_find(s, from, old, ret_at);
	if (from >= s.n)
		return false;
	(void)rune_read(str_sub(s, from, s.n), &n);
	*ret_at = from + n;
	return true;
}

enum err textop_replace(struct run *r, struct str s, struct str old, struct str new, int64_t limit, struct value *ret)
{
	struct buf b = run_buf(r);
	size_t from = 0, at;

	for (int64_t n = 0; (limit < 0 || n < limit) && b.err == E_OK && find_old(s, from, old, n == 0, &at); n++) {
		buf_add(&b, s.p + from, at - from);
		buf_str(&b, new);
		from = at + old.n;
		if (!run_step(r, 1))
			break;
	}
	if (from < s.n)
		buf_add(&b, s.p + from, s.n - from);
	*ret = value_string(run_keep(r, &b));
	return r->err;
}

enum err textop_repeat(struct run *r, struct str s, int64_t n, struct value *ret)
{
	struct buf b = run_buf(r);

	if (n < 0)
		return run_misfit(r, "repeat: less than no times");
	for (int64_t i = 0; s.n && i < n && b.err == E_OK && run_step(r, 1); i++)
		buf_str(&b, s);
	*ret = value_string(run_keep(r, &b));
	return r->err;
}

enum err textop_join(struct run *r, struct value list, struct str separator, bool any, struct value *ret)
{
	struct buf b = run_buf(r);
	struct value_seq s = value_seq(list);
	struct value v;
	size_t joined = 0;

	while (b.err == E_OK && value_seq_next(r, &s, &v)) {
		if (any && v.type == VALUE_NIL)
			continue;
		if (joined++)
			buf_str(&b, separator);
		if (v.type == VALUE_STRING)
			buf_str(&b, v.text);
		else if (any)
			value_write_text(r, v, &b);
		else
			(void)run_misfit(r, "join: element %zu is %s, not string", s.i - 1, value_type_name(v.type));
	}
	*ret = value_string(run_keep(r, &b));
	return r->err;
}
