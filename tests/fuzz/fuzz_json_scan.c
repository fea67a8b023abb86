/*
 * The scanner against a second validator, written the other way round: recursive, on the whole text, without states.
 * Properties: both accept the same texts; the result does not depend on how the text is cut; what comes out scans to
 * itself and is at most six times as long; compacting alone never makes it longer.
 */
#include <stdint.h>
#include <stdlib.h>

#include "event/json_text.h"

#define MUST(condition)           \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

/* ---- the second validator: each function returns what is left, or NULL ------------------------------------------ */

struct text {
	const unsigned char *p, *end;
};

static bool value(struct text *t, unsigned depth);

static bool take(struct text *t, unsigned char c)
{
	if (t->p == t->end || *t->p != c)
		return false;
	t->p++;
	return true;
}

static bool word(struct text *t, const char *w)
{
	while (*w)
		if (!take(t, (unsigned char)*w++))
			return false;
	return true;
}

static void space(struct text *t)
{
	while (take(t, ' ') || take(t, '\t') || take(t, '\n') || take(t, '\r'))
		;
}

static bool digits(struct text *t)
{
	const unsigned char *from = t->p;

	while (t->p < t->end && *t->p >= '0' && *t->p <= '9')
		t->p++;
	return t->p > from;
}

static bool number(struct text *t)
{
	(void)take(t, '-');
	if (!take(t, '0') && !digits(t))
		return false;
	if (take(t, '.') && !digits(t))
		return false;
	if (take(t, 'e') || take(t, 'E')) {
		if (!take(t, '+'))
			(void)take(t, '-');
		return digits(t);
	}
	return true;
}

static bool escape(struct text *t)
{
	if (t->p == t->end)
		return false;
	if (*t->p != 'u')
		return strchr("\"\\/bfnrt", *t->p++) && t->p[-1] != '\0';
	t->p++;
	for (int i = 0; i < 4; i++, t->p++)
		if (t->p == t->end || *t->p == '\0' || !strchr("0123456789abcdefABCDEF", *t->p))
			return false;
	return true;
}

static bool string(struct text *t)
{
	if (!take(t, '"'))
		return false;
	while (t->p < t->end && *t->p != '"') {
		unsigned char c = *t->p++;

		if (c < 0x20 || (c == '\\' && !escape(t)))
			return false;
	}
	return take(t, '"');
}

static bool member(struct text *t, unsigned depth)
{
	space(t);
	if (!string(t))
		return false;
	space(t);
	return take(t, ':') && value(t, depth);
}

static bool bracket(struct text *t, unsigned char close, bool (*item)(struct text *, unsigned), unsigned depth)
{
	if (depth > JSON_DEPTH_MAX)
		return false;
	space(t);
	if (take(t, close))
		return true;
	do {
		if (!item(t, depth))
			return false;
		space(t);
	} while (take(t, ','));
	return take(t, close);
}

static bool value(struct text *t, unsigned depth)
{
	space(t);
	if (t->p == t->end)
		return false;
	switch (*t->p) {
	case '{':
		t->p++;
		return bracket(t, '}', member, depth + 1);
	case '[':
		t->p++;
		return bracket(t, ']', value, depth + 1);
	case '"':
		return string(t);
	case 't':
		return word(t, "true");
	case 'f':
		return word(t, "false");
	case 'n':
		return word(t, "null");
	default:
		return number(t);
	}
}

static bool valid(struct str s)
{
	struct text t = { (const unsigned char *)s.p, (const unsigned char *)s.p + s.n };

	if (!value(&t, 0))
		return false;
	space(&t);
	return t.p == t.end;
}

/* ---- the properties --------------------------------------------------------------------------------------------- */

struct result {
	enum err err;
	size_t offset;
	const char *error;
	struct buf out;
};

/* `step` 0: in one piece; else pieces of changing length from 1 to `step`, each in a block of its own. */
static struct result scan(struct str in, size_t step, bool plain)
{
	struct result r = { 0 };
	struct json_scan s;

	json_scan_init(&s);
	s.plain = plain;
	for (size_t at = 0, n; at < in.n && r.err == E_OK; at += n) {
		char *piece;

		n = step ? 1 + (at * 7 + (unsigned char)in.p[at]) % step : in.n;
		n = n < in.n - at ? n : in.n - at;
		piece = malloc(n);
		memcpy(piece, in.p + at, n);
		r.err = json_scan_feed(&s, (struct str){ piece, n }, &r.out);
		free(piece);
	}
	if (r.err == E_OK)
		r.err = json_scan_finish(&s, &r.out);
	r.offset = s.offset;
	r.error = s.error;
	return r;
}

static void must_be_same(struct result *a, struct result b)
{
	MUST(a->err == b.err && a->offset == b.offset && a->error == b.error);
	MUST(str_eq(buf_view(&a->out), buf_view(&b.out)));
	buf_release(&b.out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = { (const char *)data, size };
	struct result whole = scan(in, 0, /* plain= */ false), plain = scan(in, 0, /* plain= */ true);

	MUST((whole.err == E_OK) == valid(in));
	MUST(json_valid(in) == valid(in));
	MUST(whole.out.n <= size * 6);
	MUST(plain.err == whole.err && plain.out.n <= size);
	if (size <= 512) { /* a block for each byte: longer inputs would slow the search down */
		must_be_same(&whole, scan(in, 1, false));
		must_be_same(&whole, scan(in, 5, false));
	}
	must_be_same(&whole, scan(in, 40, false));
	must_be_same(&plain, scan(in, 20, true));
	if (whole.err == E_OK) {
		must_be_same(&(struct result){ E_OK, whole.out.n, NULL, whole.out },
			     scan(buf_view(&whole.out), 0, false));
		must_be_same(&(struct result){ E_OK, plain.out.n, NULL, plain.out },
			     scan(buf_view(&plain.out), 0, true));
	}
	buf_release(&whole.out);
	buf_release(&plain.out);
	return 0;
}
