#include "request.h"

#include "base/mem.h"

static const struct str ID_MARK = { "{id}", 4 };
static const struct str PAD_MARK = { "{pad}", 5 };

static void put_digits(char *p, size_t width, uint64_t value)
{
	while (width--) {
		p[width] = (char)('0' + value % 10);
		value /= 10;
	}
}

void request_id(const char run[static 8], unsigned conn, uint64_t n, char ret_id[static REQUEST_ID_LEN])
{
	memcpy(ret_id, run, 8);
	ret_id[8] = '-';
	put_digits(ret_id + 9, 5, conn);
	ret_id[14] = '-';
	put_digits(ret_id + 15, 10, n);
}

void request_set_id(const struct request *r, char *bytes, const char id[static REQUEST_ID_LEN])
{
	for (size_t i = 0; i < r->id_count; i++)
		memcpy(bytes + r->ids[i], id, REQUEST_ID_LEN);
}

/* The length of `text` once every id is in and the padding is out. */
static size_t bare_length(struct str text)
{
	size_t n = 0;

	while (text.n) {
		if (str_starts(text, ID_MARK)) {
			n += REQUEST_ID_LEN;
			text = str_sub(text, ID_MARK.n, text.n);
		} else if (str_starts(text, PAD_MARK)) {
			text = str_sub(text, PAD_MARK.n, text.n);
		} else {
			n++;
			text = str_sub(text, 1, text.n);
		}
	}
	return n;
}

static bool has_pad(struct str text)
{
	return text.n && memmem(text.p, text.n, PAD_MARK.p, PAD_MARK.n) != NULL;
}

/* Appends `text`, remembers where ids go, and writes `pad` bytes for {pad}. */
static bool expand(struct request *r, struct str text, size_t pad)
{
	while (text.n) {
		if (str_starts(text, ID_MARK)) {
			if (r->id_count == REQUEST_IDS)
				return false;
			r->ids[r->id_count++] = r->bytes.n;
			buf_lit(&r->bytes, "0000000000000000000000000");
			text = str_sub(text, ID_MARK.n, text.n);
		} else if (str_starts(text, PAD_MARK)) {
			for (size_t i = 0; i < pad; i++)
				buf_char(&r->bytes, 'x');
			pad = 0;
			text = str_sub(text, PAD_MARK.n, text.n);
		} else {
			buf_char(&r->bytes, *text.p);
			text = str_sub(text, 1, text.n);
		}
	}
	return true;
}

static bool add_head(struct request *r, const struct request_spec *spec, size_t length)
{
	bool fits = true;

	buf_str(&r->bytes, spec->method);
	buf_char(&r->bytes, ' ');
	buf_str(&r->bytes, spec->path);
	buf_lit(&r->bytes, " HTTP/1.1\r\nHost: ");
	buf_str(&r->bytes, spec->host);
	buf_lit(&r->bytes, "\r\n");
	for (size_t i = 0; i < spec->field_count; i++) {
		fits = fits && expand(r, str_of(spec->fields[i]), 0);
		buf_lit(&r->bytes, "\r\n");
	}
	if (spec->close)
		buf_lit(&r->bytes, "Connection: close\r\n");
	buf_addf(&r->bytes, "Content-Length: %zu\r\n\r\n", length);
	return fits;
}

enum err request_make(const struct request_spec *spec, struct why *why, struct request *ret)
{
	size_t bare = bare_length(spec->body);
	size_t size = spec->body_size ? spec->body_size : bare;
	struct request r = { 0 };
	bool fits;

	if (bare > size)
		return why_set(why, E_LIMIT, "the body is %zu bytes long without padding: more than %zu", bare, size);
	if (bare < size && !has_pad(spec->body))
		return why_set(why, E_LIMIT, "the body is %zu bytes long and has no {pad} to make it %zu", bare, size);
	fits = add_head(&r, spec, size) && expand(&r, spec->body, size - bare);
	if (r.bytes.err || !fits) {
		buf_release(&r.bytes);
		return fits ? why_set(why, E_NOMEM, "make the request")
			    : why_set(why, E_LIMIT, "more than %d places for {id}", REQUEST_IDS);
	}
	*ret = r;
	return E_OK;
}

void request_release(struct request *r)
{
	buf_release(&r->bytes);
}
