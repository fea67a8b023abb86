/*
 * proto.h -- fields of protobuf messages, by hand.
 *
 * Shape     a cursor that slices fields out of a message, and writers into memory that is large enough. Sizes come first: a message
 *           stands behind its length.
 * Owner     slices point into the message.
 * Source    protobuf.dev: Encoding
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum proto_type { PROTO_VARINT = 0, PROTO_FIXED64 = 1, PROTO_BYTES = 2, PROTO_FIXED32 = 5 };

struct proto {
	const unsigned char *p;
	const unsigned char *end;
	bool broken; /* what follows cannot be read */
};

struct proto_field {
	unsigned number;
	enum proto_type type;
	uint64_t value;    /* of a VARINT */
	struct str bytes;  /* of BYTES */
	struct str entire; /* the field with its tag */
};

static inline struct proto proto(struct str message)
{
	const unsigned char *p = (const unsigned char *)(message.p ? message.p : "");

	return (struct proto){ p, p + message.n, false };
}

static inline bool proto_varint(struct proto *m, uint64_t *ret_value)
{
	uint64_t value = 0;

	for (unsigned shift = 0; m->p < m->end && shift < 64; shift += 7) {
		unsigned char byte = *m->p++;

		if (shift == 63 && byte > 1)
			break; /* more than 64 bits */
		value |= (uint64_t)(byte & 127) << shift;
		if (byte < 128) {
			*ret_value = value;
			return true;
		}
	}
	m->broken = true;
	return false;
}

static inline bool proto_take(struct proto *m, uint64_t n, struct str *ret_bytes)
{
	if (n > (uint64_t)(m->end - m->p)) {
		m->broken = true;
		return false;
	}
	*ret_bytes = (struct str){ (const char *)m->p, (size_t)n };
	m->p += n;
	return true;
}

static inline bool proto_value(struct proto *m, struct proto_field *f)
{
	switch (f->type) {
	case PROTO_VARINT:
		return proto_varint(m, &f->value);
	case PROTO_FIXED64:
		return proto_take(m, 8, &f->bytes);
	case PROTO_FIXED32:
		return proto_take(m, 4, &f->bytes);
	case PROTO_BYTES:
		return proto_varint(m, &f->value) && proto_take(m, f->value, &f->bytes);
	default: /* groups went out of use before this protocol was made */
		m->broken = true;
		return false;
	}
}

/* The next field; false: there is none, or the message is broken there (`number` is 0: in its tag). */
static inline bool proto_next(struct proto *m, struct proto_field *ret_field)
{
	const unsigned char *from = m->p;
	uint64_t tag;

	ret_field->number = 0;
	if (m->p == m->end || m->broken || !proto_varint(m, &tag))
		return false;
	if (tag > UINT32_MAX || tag >> 3 == 0) {
		m->broken = true;
		return false;
	}
	ret_field->number = (unsigned)(tag >> 3);
	ret_field->type = (enum proto_type)(tag & 7);
	if (!proto_value(m, ret_field))
		return false;
	ret_field->entire = (struct str){ (const char *)from, (size_t)(m->p - from) };
	return true;
}

/* ---- writing ------------------------------------------------------------------------------------------------------ */

static inline size_t proto_varint_size(uint64_t value)
{
	size_t n = 1;

	while (value >= 128) {
		value >>= 7;
		n++;
	}
	return n;
}

/* Of a field of `n` bytes with a number below 16, tag and length included. */
static inline size_t proto_bytes_size(size_t n)
{
	return 1 + proto_varint_size(n) + n;
}

static inline size_t proto_number_size(uint64_t value)
{
	return 1 + proto_varint_size(value);
}

static inline char *proto_put_varint(char *to, uint64_t value)
{
	for (; value >= 128; value >>= 7)
		*to++ = (char)(value | 128);
	*to++ = (char)value;
	return to;
}

static inline char *proto_put_number(char *to, unsigned number, uint64_t value)
{
	*to++ = (char)(number << 3 | PROTO_VARINT);
	return proto_put_varint(to, value);
}

/* Tag and length of a field whose `n` bytes come next. */
static inline char *proto_put_head(char *to, unsigned number, size_t n)
{
	*to++ = (char)(number << 3 | PROTO_BYTES);
	return proto_put_varint(to, n);
}

static inline char *proto_put_bytes(char *to, unsigned number, struct str bytes)
{
	to = proto_put_head(to, number, bytes.n);
	if (bytes.n)
		memcpy(to, bytes.p, bytes.n);
	return to + bytes.n;
}

/* The same at the end of a buffer. */
static inline void proto_add_number(struct buf *b, unsigned number, uint64_t value)
{
	char text[16] = { 0 };
	const char *end = proto_put_number(text, number, value);

	buf_add(b, text, (size_t)(end - text));
}

static inline void proto_add_bytes(struct buf *b, unsigned number, struct str bytes)
{
	char head[16] = { 0 };
	const char *end = proto_put_head(head, number, bytes.n);

	buf_add(b, head, (size_t)(end - head));
	if (bytes.n)
		buf_str(b, bytes);
}
