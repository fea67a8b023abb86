#include "gateway/hooks/text.h"

#include "base/mem.h"
#include "event/json_walk.h"

#define COMPLAINT_MAX 120

static bool is_unreserved(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
	       c == '_' || c == '~';
}

void text_encode(struct buf *b, struct str s)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (is_unreserved(s.p[i])) {
			buf_char(b, s.p[i]);
		} else {
			buf_char(b, '%');
			buf_char(b, hex[c >> 4]);
			buf_char(b, hex[c & 15]);
		}
	}
}

/* ---- JSON ------------------------------------------------------------------------------------------------------------- */

bool text_flag(struct str object, const char *name)
{
	return str_is(json_member_raw(object, name), "true");
}

static bool is_digits(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.n > 0;
}

struct str text_of(struct str object, const char *name, struct buf *arena)
{
	struct str raw = json_member_raw(object, name), text = { 0 };

	if (is_digits(raw))
		return raw;
	if (raw.n < 2 || raw.p[0] != '"' || !json_decode(raw, arena, &text))
		return (struct str){ 0 };
	return text;
}

static bool list_has(const struct text_list *list, struct str s, size_t before)
{
	for (size_t i = 0; i < before; i++)
		if (str_is(s, list->items[i]))
			return true;
	return false;
}

/* Marks what of `want` stands in the array. False: it holds something else, or what is no text. */
static bool mark(struct str array, const struct text_list *want, bool *seen, const char *any, bool *ret_any,
		 struct buf *arena)
{
	struct json_walk w = json_walk(array);
	bool same = true;

	json_walk_enter(&w);
	while (json_walk_next(&w)) {
		struct str raw = json_walk_value(&w), text = { 0 };
		bool known = false;

		if (raw.n < 2 || raw.p[0] != '"' || !json_decode(raw, arena, &text))
			return false;
		*ret_any = *ret_any || (any && str_is(text, any));
		for (size_t i = 0; i < want->count; i++)
			if (str_is(text, want->items[i]))
				seen[i] = known = true;
		same = same && known;
	}
	return same;
}

bool text_same_set(struct str array, const struct text_list *want, const char *any, struct buf *arena)
{
	bool *seen, same, has_any = false;

	if (array.n == 0 || array.p[0] != '[')
		return want->count == 0;
	seen = mem_array(want->count + 1, sizeof(*seen));
	if (!seen)
		return false; /* the worst of it is a write too many */
	same = mark(array, want, seen, any, &has_any, arena);
	for (size_t i = 0; i < want->count; i++)
		same = same && seen[i];
	mem_free(seen);
	return same || (has_any && list_has(want, str_of(any), want->count));
}

void text_list_json(struct buf *b, const struct text_list *list)
{
	buf_char(b, '[');
	for (size_t i = 0; i < list->count; i++) {
		if (list_has(list, str_of(list->items[i]), i))
			continue;
		if (i)
			buf_char(b, ',');
		buf_json(b, str_of(list->items[i]));
	}
	buf_char(b, ']');
}

/* ---- header fields ---------------------------------------------------------------------------------------------------- */

struct str text_query(struct str url)
{
	size_t at = str_find(url, '?');
	struct str query = str_sub(url, at + 1, url.n);

	return at < url.n ? str_cut(&query, '#') : (struct str){ 0 };
}

/* One parameter of a link: rel="next", perhaps among other relations. */
static bool is_next(struct str parameter)
{
	struct str name = str_trim(str_cut(&parameter, '=')), value = str_trim(parameter);

	if (!str_eq_nocase(name, STR("rel")))
		return false;
	if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
		value = str_sub(value, 1, value.n - 2);
	while (value.n)
		if (str_eq_nocase(str_cut(&value, ' '), STR("next")))
			return true;
	return false;
}

struct str text_next_query(struct str link)
{
	while (link.n) {
		size_t open = str_find(link, '<');
		struct str rest = str_sub(link, open + 1, link.n), url = str_cut(&rest, '>');
		struct str parameters = str_cut(&rest, ',');

		link = open < link.n ? rest : (struct str){ 0 };
		while (parameters.n)
			if (is_next(str_trim(str_cut(&parameters, ';'))))
				return text_query(url);
	}
	return (struct str){ 0 };
}

/* ---- XML -------------------------------------------------------------------------------------------------------------- */

static size_t find(struct str s, size_t from, struct str what)
{
	for (size_t at = from; at + what.n <= s.n; at++) {
		const char *p = memchr(s.p + at, what.p[0], s.n - at);

		if (!p)
			break;
		at = (size_t)(p - s.p);
		if (str_eq(str_sub(s, at, what.n), what))
			return at;
	}
	return s.n;
}

struct str text_element(struct str xml, const char *name, size_t *at)
{
	char space[64];
	struct buf tag = { .p = space, .cap = sizeof(space), .max = sizeof(space) };
	size_t from, to;

	buf_addf(&tag, "<%s>", name);
	from = find(xml, *at, buf_view(&tag));
	if (from == xml.n)
		return (struct str){ 0 };
	from += tag.n;
	buf_clear(&tag);
	buf_addf(&tag, "</%s>", name);
	to = find(xml, from, buf_view(&tag));
	if (to == xml.n)
		return (struct str){ 0 };
	*at = to + tag.n;
	return (struct str){ xml.p + from, to - from };
}

static const struct {
	char c;
	const char *entity;
} entities[] = { { '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" }, { '"', "&quot;" }, { '\'', "&apos;" } };

void text_xml(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		const char *as = NULL;

		for (size_t e = 0; e < ARRAY_LEN(entities); e++)
			as = s.p[i] == entities[e].c ? entities[e].entity : as;
		buf_str(b, as ? str_of(as) : str_sub(s, i, 1));
	}
}

void text_from_xml(struct buf *b, struct str s)
{
	while (s.n) {
		size_t n = 1;
		char c = s.p[0];

		for (size_t e = 0; c == '&' && e < ARRAY_LEN(entities); e++) {
			if (str_starts(s, str_of(entities[e].entity))) {
				n = strlen(entities[e].entity);
				c = entities[e].c;
				break;
			}
		}
		buf_char(b, c);
		s = str_sub(s, n, s.n);
	}
}

/* ---- complaints ------------------------------------------------------------------------------------------------------- */

/* GitHub, GitLab: message; Bitbucket, Stripe: error.message; Bitbucket Data Center: errors[0].message; OAuth: error. */
static struct str complaint_of(struct str body, struct buf *arena)
{
	struct str errors = json_member_raw(body, "errors"), text = text_of(body, "message", arena), first;

	if (errors.n && errors.p[0] == '[') {
		struct json_walk w = json_walk(errors);

		json_walk_enter(&w);
		first = json_walk_next(&w) ? text_of(json_walk_value(&w), "message", arena) : (struct str){ 0 };
		text = first.n && !text.n ? first : text;
	}
	if (!text.n)
		text = text_of(json_member_raw(body, "error"), "message", arena);
	return text.n ? text : text_of(body, "error", arena);
}

void text_complaint(struct str body, struct buf *ret_line)
{
	struct buf arena = { 0 };
	struct str text;
	size_t at = 0;

	if (!buf_reserve(&arena, 4 * body.n + 1)) {
		buf_release(&arena);
		return;
	}
	text = str_starts(body, STR("<")) ? text_element(body, "Message", &at) : complaint_of(body, &arena);
	for (size_t i = 0; i < text.n && i < COMPLAINT_MAX; i++)
		buf_char(ret_line, text.p[i] >= ' ' && text.p[i] < 0x7f ? text.p[i] : '?');
	buf_release(&arena);
}
