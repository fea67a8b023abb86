/*
 * fuzz_http1.c -- a stream of requests means the same however the bytes are split.
 *
 * Property  the events of the whole input (heads with all their parts, bodies, the error) equal the events of the same input
 *           that comes in pieces whose lengths the input itself chooses. Each piece lies in a block of exactly its length, so
 *           that a read behind its end is seen.
 *           Input: one byte that seeds the lengths, then the stream.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/http1.h"

#define HEAD_MAX   2048
#define EVENTS_MAX (1 << 20)

struct reader {
	struct buf events;
	struct buf kept; /* part of a head */
	struct http1_scan scan;
	struct http1_chunked chunks;
	uint64_t body_left;
	bool chunked;
	bool bad;
};

static void note_error(struct reader *r, const struct http1_error *error)
{
	r->bad = true;
	buf_addf(&r->events, "bad %u %s\n", error->status, error->text);
	if (error->status < 400 || error->status > 599)
		abort();
}

static void check_part(struct str whole, struct str part)
{
	if (part.n && part.p >= whole.p && part.p + part.n > whole.p + whole.n)
		abort();
}

static void note_head(struct reader *r, struct str bytes, const struct http1_head *h, const struct http_field *fields)
{
	buf_addf(&r->events, "head %u %d %d %d %llu\n", h->version, h->keep_alive, h->chunked, h->expect_continue,
		 (unsigned long long)h->length);
	check_part(bytes, h->target);
	buf_json(&r->events, h->method);
	buf_json(&r->events, h->path);
	buf_json(&r->events, h->query);
	if (h->chunked && h->length)
		abort();
	for (size_t i = 0; i < h->field_count; i++) {
		check_part(bytes, fields[i].value);
		if (fields[i].name.n == 0 || memchr(fields[i].name.p, ' ', fields[i].name.n))
			abort();
		if (fields[i].value.n && (memchr(fields[i].value.p, '\n', fields[i].value.n) ||
					  memchr(fields[i].value.p, '\0', fields[i].value.n)))
			abort();
		buf_json(&r->events, fields[i].name);
		buf_json(&r->events, fields[i].value);
	}
	r->chunked = h->chunked;
	r->chunks = (struct http1_chunked){ 0 };
	r->body_left = h->length;
}

/* A copy of exactly `s.n` bytes. */
static char *exact(struct str s)
{
	char *p = malloc(s.n ? s.n : 1);

	if (!p)
		abort();
	if (s.n)
		memcpy(p, s.p, s.n);
	return p;
}

static void read_head(struct reader *r, struct str *in)
{
	static struct http_field fields[HTTP_FIELDS_MAX];
	size_t before = r->kept.n;
	struct http1_error error;
	struct http1_head head;
	enum http1_result result;
	char *copy;

	buf_str(&r->kept, *in);
	copy = exact(buf_view(&r->kept));
	result = http1_scan(&r->scan, (struct str){ copy, r->kept.n }, HEAD_MAX, &error);
	if (result == HTTP1_MORE) {
		*in = (struct str){ 0 };
	} else if (result == HTTP1_DONE) {
		struct str bytes = { copy + r->scan.begin, r->scan.at - r->scan.begin };
		char *alone = exact(bytes);

		*in = str_sub(*in, r->scan.at - before, in->n);
		bytes.p = alone;
		if (http1_parse(bytes, fields, &head, &error) == HTTP1_DONE)
			note_head(r, bytes, &head, fields);
		else
			note_error(r, &error);
		free(alone);
		buf_clear(&r->kept);
		r->scan = (struct http1_scan){ 0 };
	} else {
		note_error(r, &error);
	}
	free(copy);
}

static void read_chunked(struct reader *r, struct str *in)
{
	char *copy = exact(*in);
	struct str rest = { copy, in->n };
	struct http1_error error;
	struct str data;
	enum http1_result result;

	while ((result = http1_chunked(&r->chunks, &rest, &data, &error)) == HTTP1_DATA)
		buf_str(&r->events, data);
	*in = str_sub(*in, in->n - rest.n, in->n);
	if (result == HTTP1_DONE) {
		buf_lit(&r->events, "\nend\n");
		r->chunked = false;
	} else if (result == HTTP1_BAD) {
		note_error(r, &error);
	}
	free(copy);
}

static void read_piece(struct reader *r, struct str in)
{
	while (in.n && !r->bad) {
		if (r->chunked) {
			read_chunked(r, &in);
		} else if (r->body_left) {
			struct str data = str_sub(in, 0, r->body_left < in.n ? (size_t)r->body_left : in.n);

			buf_str(&r->events, data);
			in = str_sub(in, data.n, in.n);
			r->body_left -= data.n;
		} else {
			read_head(r, &in);
		}
	}
}

static struct buf events_of(struct str stream, unsigned seed)
{
	struct reader r = { .events.max = EVENTS_MAX };
	size_t at = 0;

	while (at < stream.n) {
		size_t n = seed ? 1 + (seed >> 8) % 40 : stream.n;

		read_piece(&r, str_sub(stream, at, n));
		at += n;
		seed = seed * 1103515245u + 12345u; /* any sequence will do, the same each time */
	}
	buf_release(&r.kept);
	return r.events;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str stream = { (const char *)data + 1, size ? size - 1 : 0 };
	struct buf whole;
	struct buf split;

	if (size == 0)
		return 0;
	whole = events_of(stream, 0);
	split = events_of(stream, 1u + data[0] * 7919u);
	if (!str_eq(buf_view(&whole), buf_view(&split)))
		abort();
	buf_release(&whole);
	buf_release(&split);
	return 0;
}
