#include "event/json_text.h"

#include "event/json_run.h"

static const char hex[] = "0123456789abcdef";

bool json_valid(struct str text)
{
	struct json_scan s;

	json_scan_init(&s);
	return json_scan_feed(&s, text, NULL) == E_OK && json_scan_finish(&s, NULL) == E_OK;
}

static enum err explain_why(const struct json_scan *s, struct why *why)
{
	struct buf story = { 0 };

	json_explain(s, &story);
	why_set(why, E_MALFORMED, "%.*s at byte %zu", STR_ARG(buf_view(&story)), s->offset);
	buf_release(&story);
	return E_MALFORMED;
}

enum err json_compact(struct str text, bool plain, struct buf *ret_text, struct why *why)
{
	struct json_scan s;
	enum err err;

	json_scan_init(&s);
	s.plain = plain;
	err = json_scan_feed(&s, text, ret_text);
	if (err == E_OK)
		err = json_scan_finish(&s, ret_text);
	if (err == E_MALFORMED)
		return explain_why(&s, why);
	return err == E_OK ? E_OK : why_set(why, err, "%s", err_text(err));
}

/* As strconv.QuoteRune of the byte's code point, which is what encoding/json shows. */
static void explain_char(unsigned char c, struct buf *b)
{
	static const char short_escapes[] = "\aa\bb\ff\nn\rr\tt\vv''\\\\";
	const char *e = short_escapes;

	while (*e && (unsigned char)*e != c)
		e += 2;
	if (*e)
		buf_addf(b, "\\%c", e[1]);
	else if (c < 0x20 || c == 0x7f)
		buf_addf(b, "\\x%02x", c);
	else if (c < 0x80)
		buf_char(b, (char)c);
	else if (c <= 0xa0 || c == 0xad)
		buf_addf(b, "\\u%04x", c);
	else
		buf_addf(b, "%c%c", 0xc0 | c >> 6, 0x80 | (c & 0x3f));
}

void json_explain(const struct json_scan *s, struct buf *ret_text)
{
	if (s->ended) {
		buf_str(ret_text, str_of(s->error));
		return;
	}
	buf_lit(ret_text, "invalid character '");
	explain_char(s->bad, ret_text);
	buf_addf(ret_text, "' %s", s->error);
}

static void write_unicode(struct buf *b, unsigned code)
{
	const char text[] = { '\\',           'u', hex[code >> 12 & 0xf], hex[code >> 8 & 0xf], hex[code >> 4 & 0xf],
			      hex[code & 0xf] };

	buf_add(b, text, sizeof(text));
}

/* The byte at p, which ended a run; returns how many bytes were dealt with. */
static size_t write_special(struct buf *b, const char *p, const char *end)
{
	static const char escapes[] = "\"\"\\\\\bb\ff\nn\rr\tt";

	for (const char *e = escapes; *e; e += 2) {
		if (*p == *e) {
			const char text[] = { '\\', e[1] };

			buf_add(b, text, sizeof(text));
			return 1;
		}
	}
	if (*p != '\xe2') {
		write_unicode(b, (unsigned char)*p);
		return 1;
	}
	if (end - p >= 3 && p[1] == '\x80' && (p[2] == '\xa8' || p[2] == '\xa9')) {
		write_unicode(b, 0x2000u | (unsigned char)(p[2] & 0x3f));
		return 3;
	}
	buf_char(b, *p);
	return 1;
}

static void write_utf8(struct buf *b, struct str s)
{
	while (s.n > 0) {
		const char *end = s.p + s.n, *stop = json_run(s.p, end);
		size_t n = (size_t)(stop - s.p);

		buf_add(b, s.p, n);
		if (stop < end)
			n += write_special(b, stop, end);
		s = str_sub(s, n, s.n);
	}
}

/* The length of the well-formed sequence at the front, or 0. */
static size_t sequence(struct str s)
{
	size_t n = 1;

	while (n < 4 && n < s.n && !str_is_utf8(str_sub(s, 0, n)))
		n++;
	return str_is_utf8(str_sub(s, 0, n)) ? n : 0;
}

/* ASCII that needs no escape, as nearly every name and value of a header is. */
static bool is_plain(struct str s)
{
	size_t i = 0;

#if defined(__SSE2__)
	for (; s.n - i >= 16; i += 16)
		if (json_run_mask(s.p + i) |
		    (unsigned)_mm_movemask_epi8(_mm_loadu_si128((const __m128i *)(const void *)(s.p + i))))
			return false;
#endif
	for (; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 0x80 || json_run_stops((unsigned char)s.p[i]))
			return false;
	return true;
}

static bool write_plain(struct buf *b, struct str s)
{
	char *to = is_plain(s) ? buf_reserve(b, s.n + 2) : NULL;

	if (!to)
		return false;
	to[0] = '"';
	if (s.n)
		memcpy(to + 1, s.p, s.n);
	to[s.n + 1] = '"';
	b->n += s.n + 2;
	return true;
}

static void write_repaired(struct buf *b, struct str s)
{
	while (s.n) {
		size_t n = sequence(s);

		if (n)
			write_utf8(b, str_sub(s, 0, n));
		else
			buf_lit(b, "\\ufffd");
		s = str_sub(s, n ? n : 1, s.n);
	}
}

void json_write_string(struct buf *b, struct str s)
{
	if (write_plain(b, s))
		return;
	buf_char(b, '"');
	if (str_is_utf8(s))
		write_utf8(b, s);
	else
		write_repaired(b, s);
	buf_char(b, '"');
}
