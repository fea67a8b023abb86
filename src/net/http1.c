#include "net/http1.h"

#include "base/hex.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* What a byte may be part of (RFC 9110 5.6.2, 5.5; RFC 3986 2). */
enum { TOKEN = 1, TEXT = 2, TARGET = 4, HOST = 8 };

#define ALNUM_ROWS                                                                                  \
	['0' ... '9'] = TOKEN | TEXT | TARGET | HOST, ['A' ... 'Z'] = TOKEN | TEXT | TARGET | HOST, \
		 ['a' ... 'z'] = TOKEN | TEXT | TARGET | HOST

/* clang-format off */
static const unsigned char bytes[256] = {
	ALNUM_ROWS,
	['\t'] = TEXT, [' '] = TEXT,
	['!'] = TOKEN | TEXT | TARGET | HOST, ['$'] = TOKEN | TEXT | TARGET | HOST, ['%'] = TOKEN | TEXT | TARGET | HOST,
	['&'] = TOKEN | TEXT | TARGET | HOST, ['\''] = TOKEN | TEXT | TARGET | HOST, ['*'] = TOKEN | TEXT | TARGET | HOST,
	['+'] = TOKEN | TEXT | TARGET | HOST, ['-'] = TOKEN | TEXT | TARGET | HOST, ['.'] = TOKEN | TEXT | TARGET | HOST,
	['_'] = TOKEN | TEXT | TARGET | HOST, ['~'] = TOKEN | TEXT | TARGET | HOST,
	['^'] = TOKEN | TEXT | TARGET, ['`'] = TOKEN | TEXT | TARGET, ['|'] = TOKEN | TEXT | TARGET,
	['#'] = TOKEN | TEXT, /* a fragment is never sent */
	['('] = TEXT | TARGET | HOST, [')'] = TEXT | TARGET | HOST, [','] = TEXT | TARGET | HOST, [':'] = TEXT | TARGET | HOST,
	[';'] = TEXT | TARGET | HOST, ['='] = TEXT | TARGET | HOST, ['['] = TEXT | TARGET | HOST, [']'] = TEXT | TARGET | HOST,
	['"'] = TEXT | TARGET, ['/'] = TEXT | TARGET, ['<'] = TEXT | TARGET, ['>'] = TEXT | TARGET, ['?'] = TEXT | TARGET,
	['@'] = TEXT | TARGET, ['\\'] = TEXT | TARGET, ['{'] = TEXT | TARGET, ['}'] = TEXT | TARGET,
	[0x80 ... 0xff] = TEXT | TARGET, /* a target with raw UTF-8 is common, harmless, and taken by the upstream */
};
/* clang-format on */

static bool is(char c, unsigned what)
{
	return bytes[(unsigned char)c] & what;
}

static bool all(struct str s, unsigned what)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is(s.p[i], what))
			return false;
	return s.n > 0;
}

bool http1_is_token(char c)
{
	return is(c, TOKEN);
}

bool http1_is_text(char c)
{
	return is(c, TEXT);
}

static enum http1_result bad(struct http1_error *ret_error, unsigned status, const char *text)
{
	*ret_error = (struct http1_error){ status, text };
	return HTTP1_BAD;
}

#if defined(__SSE2__)
/* One bit for each of the sixteen bytes at p that is no TEXT: control characters but the tab, and DEL. */
static unsigned no_text_mask(const char *p)
{
	__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i control = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v);
	__m128i tab = _mm_cmpeq_epi8(v, _mm_set1_epi8('\t'));
	__m128i del = _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f));

	return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_andnot_si128(tab, control), del));
}
#endif

/* The position of the first byte from `at` on that may not stand inside a line, or s.n. */
static size_t skip_text(struct str s, size_t at)
{
#if defined(__SSE2__)
	for (; at < s.n && s.n - at >= 16; at += 16) {
		unsigned mask = no_text_mask(s.p + at);

		if (mask)
			return at + (size_t)__builtin_ctz(mask);
	}
#endif
	while (at < s.n && is(s.p[at], TEXT))
		at++;
	return at;
}

enum http1_result http1_scan(struct http1_scan *s, struct str in, size_t head_max, struct http1_error *ret_error)
{
	struct str seen = str_sub(in, 0, head_max); /* nothing behind it may change the result */

	for (;;) {
		s->at = skip_text(seen, s->at);
		if (s->at >= seen.n || (s->at + 1 == seen.n && seen.p[s->at] == '\r'))
			break;
		if (seen.p[s->at] != '\r' || seen.p[s->at + 1] != '\n')
			return bad(ret_error, 400,
				   "400 Bad Request: a line holds a control character or does not end in CR LF");
		s->at += 2;
		if (s->at == s->line + 2 && s->line > s->begin)
			return HTTP1_DONE;
		if (s->at == 2)
			s->begin = 2;
		else if (s->at == s->line + 2)
			return bad(ret_error, 400, "400 Bad Request: the request line is empty");
		s->line = s->at;
	}
	if (seen.n < head_max)
		return HTTP1_MORE;
	if (s->line == s->begin)
		return bad(ret_error, 414, "414 URI Too Long: send a shorter request target");
	return bad(ret_error, 431, "431 Request Header Fields Too Large: send fewer or shorter header fields");
}

static bool escapes_ok(struct str path)
{
	for (size_t i = 0; i < path.n; i++)
		if (path.p[i] == '%' &&
		    (i + 2 >= path.n || hex_value(path.p[i + 1]) < 0 || hex_value(path.p[i + 2]) < 0))
			return false;
	return true;
}

/* "http://authority/path": what a client sends to a proxy, and must be taken by a server too (RFC 9112 3.2.2). */
static bool cut_authority(struct str *rest)
{
	size_t scheme = str_starts_nocase(*rest, STR("http://"))    ? 7
			: str_starts_nocase(*rest, STR("https://")) ? 8
								    : 0;
	size_t end = scheme;

	while (end < rest->n && rest->p[end] != '/' && rest->p[end] != '?')
		end++;
	if (scheme == 0 || !all(str_sub(*rest, scheme, end - scheme), HOST))
		return false;
	*rest = str_sub(*rest, end, rest->n);
	return true;
}

static bool parse_target(struct http1_head *h)
{
	struct str rest = h->target;

	if (!all(rest, TARGET))
		return false;
	if (str_eq(rest, STR("*"))) {
		h->path = rest;
		return str_eq(h->method, STR("OPTIONS"));
	}
	if (rest.p[0] != '/' && !cut_authority(&rest))
		return false;
	h->path = str_cut(&rest, '?');
	h->query = rest;
	if (h->path.n == 0)
		h->path = STR("/");
	return escapes_ok(h->path);
}

static enum http1_result parse_version(struct http1_head *h, struct str s, struct http1_error *ret_error)
{
	if (s.n != 8 || !str_starts(s, STR("HTTP/")) || s.p[6] != '.' || s.p[5] < '0' || s.p[5] > '9' || s.p[7] < '0' ||
	    s.p[7] > '9')
		return bad(ret_error, 400, "400 Bad Request: the request line does not end in an HTTP version");
	if (s.p[5] != '1')
		return bad(ret_error, 505, "505 HTTP Version Not Supported: use HTTP/1.1");
	h->version = s.p[7] == '0' ? 10 : 11;
	return HTTP1_DONE;
}

static enum http1_result parse_request_line(struct http1_head *h, struct str line, struct http1_error *ret_error)
{
	h->method = str_cut(&line, ' ');
	h->target = str_cut(&line, ' ');
	if (!all(h->method, TOKEN))
		return bad(ret_error, 400, "400 Bad Request: the request line does not begin with a method");
	if (parse_version(h, line, ret_error) != HTTP1_DONE)
		return HTTP1_BAD;
	if (!parse_target(h))
		return bad(ret_error, 400, "400 Bad Request: malformed request target");
	return HTTP1_DONE;
}

/* The next line of a head that was scanned: every CR is followed by LF. */
static struct str cut_line(struct str *rest)
{
	struct str line = str_cut(rest, '\n');

	return str_sub(line, 0, line.n - 1);
}

static enum http1_result parse_field(struct str line, struct http_field *ret_field, struct http1_error *ret_error)
{
	size_t colon = str_find(line, ':');

	if (line.p[0] == ' ' || line.p[0] == '\t')
		return bad(ret_error, 400, "400 Bad Request: a header field is folded over two lines");
	if (colon == line.n)
		return bad(ret_error, 400, "400 Bad Request: a header line has no colon");
	ret_field->name = str_sub(line, 0, colon);
	if (!all(ret_field->name, TOKEN))
		return bad(ret_error, 400, "400 Bad Request: malformed header field name");
	ret_field->value = str_trim(str_sub(line, colon + 1, line.n));
	return HTTP1_DONE;
}

struct str http1_field(const struct http_field *fields, size_t n, struct str name, size_t *count)
{
	struct str first = { 0 };
	size_t found = 0;

	for (size_t i = 0; i < n; i++) {
		if (!str_eq_nocase(fields[i].name, name))
			continue;
		if (found++ == 0)
			first = fields[i].value.p ? fields[i].value : STR("");
		if (!count)
			break;
	}
	if (count)
		*count = found;
	return first;
}

static enum http1_result check_host(const struct http1_head *h, const struct http_field *fields,
				    struct http1_error *ret_error)
{
	size_t count;
	struct str host = http1_field(fields, h->field_count, STR("Host"), &count);

	if (count > 1)
		return bad(ret_error, 400, "400 Bad Request: too many Host headers");
	if (count == 0 && h->version >= 11)
		return bad(ret_error, 400, "400 Bad Request: missing required Host header");
	if (host.n && !all(host, HOST))
		return bad(ret_error, 400, "400 Bad Request: malformed Host header");
	return HTTP1_DONE;
}

/* How long the body is. Two answers to that question are how requests are smuggled (RFC 9112 6.3, 11.2). */
static enum http1_result check_framing(struct http1_head *h, const struct http_field *fields,
				       struct http1_error *ret_error)
{
	size_t codings;
	size_t lengths;
	struct str coding = http1_field(fields, h->field_count, STR("Transfer-Encoding"), &codings);
	struct str length = http1_field(fields, h->field_count, STR("Content-Length"), &lengths);

	if (codings && lengths)
		return bad(ret_error, 400, "400 Bad Request: send Content-Length or Transfer-Encoding, not both");
	if (codings > 1)
		return bad(ret_error, 400, "400 Bad Request: too many Transfer-Encoding headers");
	if (codings && h->version < 11)
		return bad(ret_error, 400, "400 Bad Request: HTTP/1.0 has no Transfer-Encoding");
	if (codings && !str_eq_nocase(coding, STR("chunked")))
		return bad(ret_error, 501, "501 Not Implemented: the only Transfer-Encoding taken is chunked");
	if (lengths > 1)
		return bad(ret_error, 400, "400 Bad Request: too many Content-Length headers");
	if (lengths && !str_to_u64(length, UINT64_MAX - 1, &h->length))
		return bad(ret_error, 400, "400 Bad Request: malformed Content-Length");
	h->chunked = codings;
	return HTTP1_DONE;
}

static enum http1_result check_expect(struct http1_head *h, const struct http_field *fields,
				      struct http1_error *ret_error)
{
	size_t count;
	struct str expect = http1_field(fields, h->field_count, STR("Expect"), &count);

	if (count == 0 || h->version < 11) /* RFC 9110 10.1.1: 1.0 has no expectations */
		return HTTP1_DONE;
	if (count > 1 || !str_eq_nocase(expect, STR("100-continue")))
		return bad(ret_error, 417, "417 Expectation Failed: the only expectation met is 100-continue");
	h->expect_continue = h->chunked || h->length;
	return HTTP1_DONE;
}

static void check_connection(struct http1_head *h, const struct http_field *fields)
{
	bool close = false;
	bool keep = h->version >= 11;

	for (size_t i = 0; i < h->field_count; i++) {
		struct str rest = fields[i].value;

		if (!str_eq_nocase(fields[i].name, STR("Connection")))
			continue;
		while (rest.n) {
			struct str option = str_trim(str_cut(&rest, ','));

			close |= str_eq_nocase(option, STR("close"));
			keep |= str_eq_nocase(option, STR("keep-alive"));
		}
	}
	h->keep_alive = keep && !close;
}

enum http1_result http1_parse(struct str head, struct http_field fields[static HTTP_FIELDS_MAX],
			      struct http1_head *ret_head, struct http1_error *ret_error)
{
	struct http1_head h = { 0 };
	struct str line;

	if (parse_request_line(&h, cut_line(&head), ret_error) != HTTP1_DONE)
		return HTTP1_BAD;
	while ((line = cut_line(&head)).n) {
		if (h.field_count == HTTP_FIELDS_MAX)
			return bad(ret_error, 431, "431 Request Header Fields Too Large: send fewer header fields");
		if (parse_field(line, &fields[h.field_count], ret_error) != HTTP1_DONE)
			return HTTP1_BAD;
		h.field_count++;
	}
	if (check_host(&h, fields, ret_error) != HTTP1_DONE || check_framing(&h, fields, ret_error) != HTTP1_DONE ||
	    check_expect(&h, fields, ret_error) != HTTP1_DONE)
		return HTTP1_BAD;
	check_connection(&h, fields);
	*ret_head = h;
	return HTTP1_DONE;
}
