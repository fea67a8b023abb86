#include "filter/value.h"

#include <stdlib.h>

#include "filter/number.h"
#include "filter/run.h"
#include "filter/rune.h"

const char *value_type_name(enum value_type type)
{
	static const char *const names[] = {
#define X(type, name, letter) name,
		VALUE_TYPES(X)
#undef X
	};

	return names[type];
}

/* ---- out of JSON ------------------------------------------------------------------------------------------------------ */

/* What came from outside may hold bytes that are not UTF-8; Go reads U+FFFD instead of each. */
static struct str repaired(struct run *r, struct str s)
{
	struct buf b;

	if (str_is_utf8(s))
		return s;
	b = run_buf(r);
	rune_repair(s, &b);
	return run_keep(r, &b);
}

struct str value_json_string(struct run *r, struct str raw)
{
	struct str inside = str_sub(raw, 1, raw.n - 2);
	struct buf b = { .max = raw.n };

	if (!run_look(r, raw.n))
		return (struct str){ 0 };
	if (str_find(inside, '\\') < inside.n) {
		b.p = run_alloc(r, raw.n);
		b.cap = b.p ? raw.n : 0;
		if (!b.p)
			return (struct str){ 0 };
		json_decode_lenient(raw, &b);
		inside = buf_view(&b);
	}
	return repaired(r, inside);
}

/* Does a raw JSON string (a key) say `text`? */
static bool json_string_is(struct run *r, struct str raw, struct str text)
{
	if (raw.n < text.n + 2) /* no escape is shorter than what it says */
		return false;
	if (str_find(raw, '\\') == raw.n)
		return str_eq(str_sub(raw, 1, raw.n - 2), text);
	return str_eq(value_json_string(r, raw), text);
}

/* Of any length. */
static struct value value_of_long_number(struct run *r, struct str json)
{
	char *text = run_alloc(r, json.n + 1);

	if (!text)
		return value_nil();
	memcpy(text, json.p, json.n); /* the pool's bytes are zeroed: it ends */
	return value_float(strtod(text, NULL));
}

static struct value value_of_number(struct run *r, struct str json)
{
	double number = 0;
	bool negative = json.p[0] == '-';

	/* Most numbers are short and whole. */
	if (json.n - negative <= 15) {
		size_t i = negative;

		for (; i < json.n && rune_is_digit((unsigned char)json.p[i]); i++)
			number = number * 10 + (json.p[i] - '0');
		if (i == json.n)
			return value_float(negative ? -number : number);
	}
	return number_read_float(json, &number) ? value_float(number) : value_of_long_number(r, json);
}

struct value value_of_json(struct run *r, struct str json)
{
	if (json.n == 0)
		return value_nil();
	switch (json.p[0]) {
	case '{':
		return (struct value){ .type = VALUE_MAP, .form = FORM_JSON, .text = json };
	case '[':
		return (struct value){ .type = VALUE_LIST, .form = FORM_JSON, .text = json };
	case '"':
		return value_string(value_json_string(r, json));
	case 't':
	case 'f':
		return value_bool(json.p[0] == 't');
	case 'n':
		return value_nil();
	default:
		return value_of_number(r, json);
	}
}

/* ---- lists -------------------------------------------------------------------------------------------------------------- */

struct value_seq value_seq(struct value list)
{
	struct value_seq s = { .list = list };

	if (list.form == FORM_JSON) {
		s.walk = json_walk(list.text);
		json_walk_enter(&s.walk);
	}
	return s;
}

static bool next_raw(struct run *r, struct value_seq *s, struct str *ret_raw)
{
	if (!json_walk_next(&s->walk))
		return false;
	*ret_raw = json_walk_value(&s->walk);
	return run_look(r, ret_raw->n);
}

bool value_seq_next(struct run *r, struct value_seq *s, struct value *ret_element)
{
	struct str raw;

	if (s->list.form == FORM_JSON) {
		if (!next_raw(r, s, &raw))
			return false;
		*ret_element = value_of_json(r, raw);
		s->i++;
		return r->err == E_OK;
	}
	if (s->i >= s->list.n || !run_step(r, 1))
		return false;
	*ret_element = s->list.form == FORM_RANGE ? value_int(s->list.from + (int64_t)s->i) : s->list.items[s->i];
	s->i++;
	return true;
}

size_t value_list_size(struct run *r, struct value list)
{
	struct value_seq s = value_seq(list);
	struct str raw;
	size_t n = 0;

	if (list.form != FORM_JSON)
		return list.n;
	while (next_raw(r, &s, &raw))
		n++;
	return n;
}

bool value_list_at(struct run *r, struct value list, size_t i, struct value *ret_element)
{
	struct value_seq s = value_seq(list);
	struct str raw = { 0 };

	if (list.form != FORM_JSON) {
		s.i = i;
		return value_seq_next(r, &s, ret_element);
	}
	for (size_t at = 0; at <= i; at++)
		if (!next_raw(r, &s, &raw))
			return false;
	*ret_element = value_of_json(r, raw);
	return r->err == E_OK;
}

struct value value_list_held(struct run *r, struct value list)
{
	size_t n = value_list_size(r, list);
	struct value_seq s = value_seq(list);
	struct value *items;

	if (list.form == FORM_HELD)
		return list;
	items = run_array(r, n, sizeof(*items));
	if (!items)
		return value_list(NULL, 0);
	for (size_t i = 0; i < n; i++)
		if (!value_seq_next(r, &s, &items[i]))
			return value_list(NULL, 0);
	return value_list(items, n);
}

/* ---- maps --------------------------------------------------------------------------------------------------------------- */

/* Of members with the same key the last one counts, as in Go. */
static bool get_json(struct run *r, struct str json, struct str key, struct str *ret_raw)
{
	struct json_walk w = json_walk(json);
	bool found = false;

	if (!run_look(r, json.n))
		return false;
	json_walk_enter(&w);
	while (json_walk_next(&w)) {
		struct str name = json_walk_key(&w), raw = json_walk_value(&w);

		if (!json_string_is(r, name, key))
			continue;
		*ret_raw = raw;
		found = true;
	}
	return found && r->err == E_OK;
}

static bool get_held(struct value map, struct str key, struct value *ret_value)
{
	size_t from = 0, to = map.n;

	while (from < to) {
		size_t middle = (from + to) / 2;
		int order = str_cmp(map.pairs[middle].key, key);

		if (order == 0) {
			*ret_value = map.pairs[middle].value;
			return true;
		}
		if (order < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return false;
}

bool value_map_get(struct run *r, struct value map, struct str key, struct value *ret_value)
{
	struct str raw;

	if (map.form == FORM_HELD)
		return get_held(map, key, ret_value);
	if (!get_json(r, map.text, key, &raw))
		return false;
	*ret_value = value_of_json(r, raw);
	return r->err == E_OK;
}

static int compare_pairs(const void *a, const void *b, void *ctx)
{
	const struct value_pair *x = a, *y = b;

	(void)ctx;
	return str_cmp(x->key, y->key);
}

void value_sort_pairs(struct run *r, struct value_pair *pairs, size_t n)
{
	run_sort(r, pairs, n, sizeof(*pairs), compare_pairs, NULL);
}

struct value value_map_of(struct run *r, struct value_pair *pairs, size_t n)
{
	size_t kept = 0;

	value_sort_pairs(r, pairs, n);
	for (size_t i = 0; i < n; i++) {
		if (i + 1 < n && str_eq(pairs[i].key, pairs[i + 1].key))
			continue;
		pairs[kept++] = pairs[i];
	}
	return (struct value){ .type = VALUE_MAP, .form = FORM_HELD, .pairs = pairs, .n = kept };
}

static size_t count_members(struct run *r, struct str json)
{
	struct json_walk w = json_walk(json);
	size_t n = 0;

	if (!run_look(r, json.n))
		return 0;
	json_walk_enter(&w);
	for (; json_walk_next(&w); n++) {
		(void)json_walk_key(&w);
		(void)json_walk_value(&w);
	}
	return n;
}

struct value value_map_held(struct run *r, struct value map)
{
	struct json_walk w;
	struct value_pair *pairs;
	size_t n;

	if (map.form == FORM_HELD)
		return map;
	n = count_members(r, map.text);
	pairs = run_array(r, n, sizeof(*pairs));
	w = json_walk(map.text);
	json_walk_enter(&w);
	for (size_t i = 0; pairs && i < n && json_walk_next(&w); i++) {
		pairs[i].key = value_json_string(r, json_walk_key(&w));
		pairs[i].value = value_of_json(r, json_walk_value(&w));
	}
	return value_map_of(r, pairs, pairs && r->err == E_OK ? n : 0);
}
