#include "gateway/payload.h"

#include <stdlib.h>

#include "base/hex.h"
#include "base/mem.h"
#include "event/json_text.h"

#define MASK "*** Masked Auth Secret ***"

/* ---- headers ------------------------------------------------------------------------------------------------------ */

static char canonical_byte(char c, bool upper)
{
	if (upper && c >= 'a' && c <= 'z')
		return (char)(c - ('a' - 'A'));
	if (!upper && c >= 'A' && c <= 'Z')
		return (char)(c + ('a' - 'A'));
	return c;
}

/* Order of two names in canonical form, without writing it down: where they begin to differ, both are in one case. */
static int canonical_cmp(struct str a, struct str b)
{
	size_t i = 0;
	bool upper;

	while (i < a.n && i < b.n &&
	       (a.p[i] == b.p[i] || canonical_byte(a.p[i], false) == canonical_byte(b.p[i], false)))
		i++;
	if (i == a.n || i == b.n)
		return (a.n > i) - (b.n > i);
	upper = i == 0 || a.p[i - 1] == '-';
	return (unsigned char)canonical_byte(a.p[i], upper) < (unsigned char)canonical_byte(b.p[i], upper) ? -1 : 1;
}

#define AMPERSAND "\\u0026" /* of what a name may have, this alone Go writes in another way */

static void write_canonical(struct buf *b, struct str name)
{
	char *begin = buf_reserve(b, name.n * (sizeof(AMPERSAND) - 1) + 2), *to = begin;
	bool upper = true;

	if (!to)
		return;
	*to++ = '"';
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] == '&')
			to = mempcpy(to, AMPERSAND, sizeof(AMPERSAND) - 1);
		else
			*to++ = canonical_byte(name.p[i], upper);
		upper = name.p[i] == '-';
	}
	*to++ = '"';
	b->n += (size_t)(to - begin);
}

/* What Go's server takes out of the fields: Trailer only where there can be one. */
static bool is_left_out(const struct http_request *r, struct str name)
{
	return str_eq_nocase(name, STR("Host")) || str_eq_nocase(name, STR("Transfer-Encoding")) ||
	       (str_eq_nocase(name, STR("Trailer")) && http_field(r, STR("Transfer-Encoding"), NULL).p);
}

/* Fields in canonical order, equal names in order of arrival. Few and nearly sorted: insertion is enough. */
static size_t sort_fields(const struct http_request *r, const struct http_field *ret_sorted[])
{
	size_t n = 0;

	for (size_t i = 0; i < r->field_count; i++) {
		size_t at = n;

		if (is_left_out(r, r->fields[i].name))
			continue;
		while (at > 0 && canonical_cmp(ret_sorted[at - 1]->name, r->fields[i].name) > 0) {
			ret_sorted[at] = ret_sorted[at - 1];
			at--;
		}
		ret_sorted[at] = &r->fields[i];
		n++;
	}
	return n;
}

/* Upstream masks Authorization, and looks at its first value. */
static bool is_masked(const struct http_field *first, const char *const *masked)
{
	if (str_eq_nocase(first->name, STR("Authorization")))
		return first->value.n != 0;
	for (; masked && *masked; masked++)
		if (str_eq_nocase(first->name, str_of(*masked)))
			return true;
	return false;
}

/* Writes the run of equal names that starts at `from`; returns where it ends. */
static size_t write_values(struct buf *b, const struct http_field *sorted[], size_t from, size_t n, bool mask)
{
	struct str name = sorted[from]->name;
	size_t i = from;

	for (; i < n && (i == from || str_eq_nocase(sorted[i]->name, name)); i++) {
		if (mask && i > from)
			continue;
		if (i > from)
			buf_char(b, ',');
		json_write_string(b, mask ? STR(MASK) : sorted[i]->value);
	}
	return i;
}

/* Go's server adds this to old requests (net/http fixPragmaCacheControl). */
static bool wants_cache_control(const struct http_request *r)
{
	return str_is(http_field(r, STR("Pragma"), NULL), "no-cache") && !http_field(r, STR("Cache-Control"), NULL).p;
}

void payload_headers(const struct http_request *r, const char *const *masked, struct buf *ret_json)
{
	static const struct http_field cache_control = { STR("Cache-Control"), STR("no-cache") };
	const struct http_field *sorted[HTTP_FIELDS_MAX + 1];
	size_t n = sort_fields(r, sorted);

	if (wants_cache_control(r)) {
		size_t at = n++;

		for (; at > 0 && canonical_cmp(sorted[at - 1]->name, cache_control.name) > 0; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = &cache_control;
	}
	buf_char(ret_json, '{');
	for (size_t i = 0; i < n;) {
		bool mask = is_masked(sorted[i], masked);

		if (i)
			buf_char(ret_json, ',');
		write_canonical(ret_json, sorted[i]->name);
		buf_lit(ret_json, ":[");
		i = write_values(ret_json, sorted, i, n, mask);
		buf_char(ret_json, ']');
	}
	buf_char(ret_json, '}');
}

/* ---- query and form ----------------------------------------------------------------------------------------------- */

struct pair {
	struct str key;
	struct str value;
	size_t at; /* order of arrival */
};

/* Percent and plus decoding into `to` (never longer than `s`). */
static bool form_decode(struct str s, char *to, struct str *ret_text)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		int high, low;

		if (s.p[i] != '%') {
			to[n++] = s.p[i] == '+' ? ' ' : s.p[i];
			continue;
		}
		high = i + 2 < s.n ? hex_value(s.p[i + 1]) : -1;
		low = i + 2 < s.n ? hex_value(s.p[i + 2]) : -1;
		if (high < 0 || low < 0)
			return false;
		to[n++] = (char)(high << 4 | low);
		i += 2;
	}
	*ret_text = (struct str){ to, n };
	return true;
}

static bool parse_pair(struct str text, char *space, struct pair *ret_pair)
{
	struct str value = text, key = str_cut(&value, '=');

	if (str_find(text, ';') < text.n)
		return false;
	return form_decode(key, space, &ret_pair->key) && form_decode(value, space + key.n, &ret_pair->value);
}

static size_t count_pairs(struct str form)
{
	size_t n = 1;

	for (size_t i = 0; i < form.n; i++)
		n += form.p[i] == '&';
	return n;
}

static int pair_cmp(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	int order = str_cmp(x->key, y->key);

	return order ? order : (x->at > y->at) - (x->at < y->at);
}

static void write_pairs(struct buf *b, const struct pair *pairs, size_t n)
{
	buf_char(b, '{');
	for (size_t i = 0; i < n; i++) {
		bool first = i == 0 || !str_eq(pairs[i].key, pairs[i - 1].key);
		bool last = i + 1 == n || !str_eq(pairs[i].key, pairs[i + 1].key);

		if (first && i)
			buf_char(b, ',');
		if (first) {
			json_write_string(b, pairs[i].key);
			buf_lit(b, ":[");
		} else {
			buf_char(b, ',');
		}
		json_write_string(b, pairs[i].value);
		if (last)
			buf_char(b, ']');
	}
	buf_char(b, '}');
}

static enum err parse_pairs(struct str form, bool lenient, char *space, struct pair *ret_pairs, size_t *ret_n)
{
	struct str rest = form;
	size_t n = 0;

	while (rest.n) {
		char *to = space + (rest.p - form.p); /* decoded text is never longer: pairs cannot overlap */
		struct str text = str_cut(&rest, '&');

		if (text.n == 0)
			continue;
		ret_pairs[n].at = n;
		if (parse_pair(text, to, &ret_pairs[n]))
			n++;
		else if (!lenient)
			return E_MALFORMED;
	}
	*ret_n = n;
	return E_OK;
}

enum err payload_form(struct str form, bool lenient, struct buf *ret_json)
{
	CLEANUP(mem_freep) struct pair *pairs = mem_array(count_pairs(form), sizeof(*pairs));
	CLEANUP(mem_freep) char *space = mem_alloc(form.n);
	size_t n = 0;
	enum err err;

	if (!pairs || !space)
		return E_NOMEM;
	err = parse_pairs(form, lenient, space, pairs, &n);
	if (err != E_OK)
		return err;
	qsort(pairs, n, sizeof(*pairs), pair_cmp);
	write_pairs(ret_json, pairs, n);
	return ret_json->err;
}

enum err payload_form_field(struct str form, struct str name, struct buf *ret_value)
{
	char *space = buf_reserve(ret_value, form.n);
	struct str rest = form, found = { 0 };
	struct pair pair;

	if (!space)
		return ret_value->err;
	while (rest.n) {
		struct str text = str_cut(&rest, '&');

		if (text.n == 0)
			continue;
		if (!parse_pair(text, space + found.n, &pair))
			return E_MALFORMED;
		if (found.p || !str_eq(pair.key, name))
			continue;
		memmove(space, pair.value.p, pair.value.n);
		found = (struct str){ space, pair.value.n };
	}
	if (!found.p)
		return E_NOT_FOUND;
	ret_value->n += found.n;
	return E_OK;
}

/* ---- metadata ------------------------------------------------------------------------------------------------------ */

void payload_metadata(const struct route_config *config, struct buf *ret_json)
{
	if (config->metadata_count == 0)
		return;
	buf_lit(ret_json, ",\"metadata\":{");
	for (size_t i = 0; i < config->metadata_count; i++) {
		if (i)
			buf_char(ret_json, ',');
		json_write_string(ret_json, str_of(config->metadata[i].key));
		buf_char(ret_json, ':');
		json_write_string(ret_json, str_of(config->metadata[i].value));
	}
	buf_char(ret_json, '}');
}
