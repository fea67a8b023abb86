#include "rpc/metadata.h"

#include <assert.h>
#include <nghttp2/nghttp2.h>

#include "base/base64.h"
#include "base/mem.h"

static void fail(struct rpc_metadata *m, enum err err)
{
	if (m->err == E_OK)
		m->err = err;
}

bool rpc_metadata_is_binary(struct str key)
{
	return str_ends(key, STR("-bin"));
}

bool rpc_metadata_is_reserved(struct str key)
{
	static const char *const names[] = { "te",   "content-type", "user-agent",       "content-length",
					     "host", "connection",   "transfer-encoding" };

	if (key.n == 0 || key.p[0] == ':' || str_starts(key, STR("grpc-")))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_is(key, names[i]))
			return true;
	return false;
}

static bool key_ok(struct str key)
{
	for (size_t i = 0; i < key.n; i++) {
		char c = key.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'))
			return false;
	}
	return !rpc_metadata_is_reserved(key);
}

static bool grow(struct rpc_metadata *m)
{
	size_t cap = m->cap ? m->cap * 2 : 4;
	struct rpc_pair *pairs;

	if (m->n < m->cap)
		return true;
	pairs = mem_realloc(m->pairs, cap * sizeof(*pairs));
	if (!pairs)
		return false;
	m->pairs = pairs;
	m->cap = cap;
	return true;
}

/* The bytes behind `from` in `text` are a key of `key_n` bytes and its value. */
static void close_pair(struct rpc_metadata *m, size_t from, size_t key_n)
{
	fail(m, m->text.err);
	if (m->err == E_OK && !grow(m))
		fail(m, E_NOMEM);
	if (m->err != E_OK) {
		m->text.n = from;
		return;
	}
	m->pairs[m->n++] = (struct rpc_pair){ from, key_n, from + key_n, m->text.n - from - key_n };
}

void rpc_metadata_put(struct rpc_metadata *m, struct str key, struct str value)
{
	size_t from = m->text.n;

	buf_str(&m->text, key);
	buf_str(&m->text, value);
	close_pair(m, from, key.n);
}

void rpc_metadata_add(struct rpc_metadata *m, struct str key, struct str value)
{
	bool binary = rpc_metadata_is_binary(key);

	if (!key_ok(key) || (!binary && !nghttp2_check_header_value_rfc9113((const uint8_t *)value.p, value.n)))
		fail(m, E_MALFORMED);
	if (m->err == E_OK)
		rpc_metadata_put(m, key, value);
}

/* Padded or not, as the peer likes it. */
static bool read_binary(struct str text, struct buf *ret_bytes)
{
	return text.n % 4 == 0 ? base64_read(text, ret_bytes) : base64_read_bare(text, ret_bytes);
}

static void add_decoded(struct rpc_metadata *m, struct str key, struct str text)
{
	size_t from = m->text.n;

	buf_str(&m->text, key);
	if (!read_binary(text, &m->text))
		fail(m, E_MALFORMED);
	close_pair(m, from, key.n);
}

void rpc_metadata_add_wire(struct rpc_metadata *m, struct str key, struct str value)
{
	if (m->err != E_OK)
		return;
	if (!rpc_metadata_is_binary(key)) {
		rpc_metadata_put(m, key, value);
		return;
	}
	do {
		add_decoded(m, key, str_trim(str_cut(&value, ',')));
	} while (value.n && m->err == E_OK);
}

struct str rpc_metadata_key(const struct rpc_metadata *m, size_t i)
{
	assert(i < m->n);
	return (struct str){ m->text.p + m->pairs[i].key, m->pairs[i].key_n };
}

struct str rpc_metadata_value(const struct rpc_metadata *m, size_t i)
{
	assert(i < m->n);
	return (struct str){ m->text.p + m->pairs[i].value, m->pairs[i].value_n };
}

struct str rpc_metadata_get(const struct rpc_metadata *m, struct str key)
{
	for (size_t i = 0; i < m->n; i++)
		if (str_eq(rpc_metadata_key(m, i), key))
			return rpc_metadata_value(m, i);
	return (struct str){ 0 };
}

void rpc_metadata_release(struct rpc_metadata *m)
{
	buf_release(&m->text);
	mem_free(m->pairs);
	*m = (struct rpc_metadata){ .text.max = m->text.max };
}
