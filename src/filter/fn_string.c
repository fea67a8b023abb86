/* Functions of strings, with the string first; sprig has it last (fn_sprig_string.c). */
#include "filter/functions_code.h"
#include "filter/list.h"
#include "filter/rune.h"
#include "filter/textop.h"

static struct str text_at(const struct call *c, size_t i, struct str dflt)
{
	return i < c->count ? c->args[i].text : dflt;
}

static int64_t limit_at(const struct call *c, size_t i)
{
	return i < c->count ? c->args[i].integer : -1;
}

enum err fn_trim(struct call *c, struct value *ret)
{
	if (c->count > 1)
		return textop_trim(c->run, c->args[0].text, c->args[1].text, ret);
	*ret = value_string(rune_trim(c->args[0].text));
	return E_OK;
}

enum err fn_trim_prefix(struct call *c, struct value *ret)
{
	*ret = value_string(textop_trim_prefix(c->args[0].text, text_at(c, 1, STR(" "))));
	return E_OK;
}

enum err fn_trim_suffix(struct call *c, struct value *ret)
{
	*ret = value_string(textop_trim_suffix(c->args[0].text, text_at(c, 1, STR(" "))));
	return E_OK;
}

enum err fn_upper(struct call *c, struct value *ret)
{
	return textop_map(c->run, c->args[0].text, rune_upper, ret);
}

enum err fn_lower(struct call *c, struct value *ret)
{
	return textop_map(c->run, c->args[0].text, rune_lower, ret);
}

enum err fn_split(struct call *c, struct value *ret)
{
	return textop_split(c->run, c->args[0].text, c->args[1].text, limit_at(c, 2), /* keep= */ false, ret);
}

enum err fn_split_after(struct call *c, struct value *ret)
{
	return textop_split(c->run, c->args[0].text, c->args[1].text, limit_at(c, 2), /* keep= */ true, ret);
}

enum err fn_replace(struct call *c, struct value *ret)
{
	return textop_replace(c->run, c->args[0].text, c->args[1].text, c->args[2].text, limit_at(c, 3), ret);
}

enum err fn_repeat(struct call *c, struct value *ret)
{
	return textop_repeat(c->run, c->args[0].text, c->args[1].integer, ret);
}

enum err fn_join(struct call *c, struct value *ret)
{
	return textop_join(c->run, c->args[0], text_at(c, 1, STR("")), /* any= */ false, ret);
}

enum err fn_index_of(struct call *c, struct value *ret)
{
	size_t at;

	*ret = value_int(textop_find(c->args[0].text, 0, c->args[1].text, &at) ? (int64_t)at : -1);
	return E_OK;
}

enum err fn_last_index_of(struct call *c, struct value *ret)
{
	struct str s = c->args[0].text, part = c->args[1].text;

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

enum err fn_has_prefix(struct call *c, struct value *ret)
{
	*ret = value_bool(str_starts(c->args[0].text, c->args[1].text));
	return E_OK;
}

enum err fn_has_suffix(struct call *c, struct value *ret)
{
	*ret = value_bool(str_ends(c->args[0].text, c->args[1].text));
	return E_OK;
}
