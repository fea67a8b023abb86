#include "auth/claims.h"

#include <inttypes.h>

#include "base/mem.h"
#include "event/json_text.h"
#include "event/json_walk.h"

#define TIME_MAX 253402300799 /* the end of the year 9999 */

enum kind { TEXT, TIME, AUDIENCE };

/* A member that is looked for. */
struct member {
	const char *name;
	enum kind kind;
	size_t at; /* offset in what is filled */
};

/* One object that is being read. */
struct reader {
	const struct member *members;
	size_t count;
	void *values;
	struct buf *arena;
	unsigned seen; /* bits */
};

static enum err read_text(struct json_walk *w, struct buf *arena, struct str *ret_text)
{
	if (json_walk_peek(w) != '"')
		return E_MALFORMED;
	return json_decode(json_walk_value(w), arena, ret_text) ? E_OK : E_MALFORMED;
}

/* Whole seconds; a fraction is allowed and does not matter. */
static enum err read_time(struct json_walk *w, int64_t *ret_time)
{
	struct str fraction = json_walk_value(w), whole = str_cut(&fraction, '.');
	uint64_t s;

	for (size_t i = 0; i < fraction.n; i++)
		if (fraction.p[i] < '0' || fraction.p[i] > '9')
			return E_MALFORMED;
	if (!str_to_u64(whole, TIME_MAX, &s))
		return E_MALFORMED;
	*ret_time = (int64_t)s;
	return E_OK;
}

/* A text or an array of texts. */
static enum err read_audience(struct json_walk *w, struct buf *arena, struct claims *c)
{
	if (json_walk_peek(w) != '[') {
		c->audiences = 1;
		return read_text(w, arena, &c->audience);
	}
	json_walk_enter(w);
	while (json_walk_next(w)) {
		struct str text;

		if (read_text(w, arena, &text) != E_OK)
			return E_MALFORMED;
		if (c->audiences++ == 0)
			c->audience = text;
	}
	return E_OK;
}

static enum err read_member(struct reader *r, size_t i, struct json_walk *w)
{
	void *at = (char *)r->values + r->members[i].at;

	if (r->seen & 1u << i)
		return E_MALFORMED;
	r->seen |= 1u << i;
	switch (r->members[i].kind) {
	case TEXT:
		return read_text(w, r->arena, at);
	case TIME:
		return read_time(w, at);
	case AUDIENCE:
		return read_audience(w, r->arena, r->values);
	}
	return E_INTERNAL;
}

static enum err read_next(struct reader *r, struct json_walk *w)
{
	struct str key;

	if (!json_decode(json_walk_key(w), r->arena, &key))
		return E_MALFORMED;
	for (size_t i = 0; i < r->count; i++)
		if (str_is(key, r->members[i].name))
			return read_member(r, i, w);
	(void)json_walk_value(w);
	return E_OK;
}

/* What is decoded is never longer than what it was decoded from: with room for twice the text nothing moves. */
static enum err read_object(struct reader *r, struct str json)
{
	struct buf *arena = r->arena;
	enum err err = json_compact(json, /* plain= */ true, arena, NULL);
	struct json_walk w;
	size_t n = arena->n;

	if (err != E_OK)
		return err;
	if (!buf_reserve(arena, n + 1))
		return arena->err;
	w = json_walk((struct str){ arena->p, n });
	if (json_walk_peek(&w) != '{')
		return E_MALFORMED;
	json_walk_enter(&w);
	while (err == E_OK && json_walk_next(&w))
		err = read_next(r, &w);
	return err;
}

enum err claims_read(struct str json, struct buf *arena, struct claims *ret_claims)
{
	static const struct member members[] = {
		{ "iss", TEXT, offsetof(struct claims, issuer) },  { "sub", TEXT, offsetof(struct claims, subject) },
		{ "jti", TEXT, offsetof(struct claims, id) },      { "aud", AUDIENCE, 0 },
		{ "exp", TIME, offsetof(struct claims, expires) }, { "nbf", TIME, offsetof(struct claims, not_before) },
		{ "iat", TIME, offsetof(struct claims, issued) },
	};
	struct claims c = { .expires = CLAIMS_NO_TIME, .not_before = CLAIMS_NO_TIME, .issued = CLAIMS_NO_TIME };
	struct reader r = { members, ARRAY_LEN(members), &c, arena, 0 };
	enum err err = read_object(&r, json);

	if (err == E_OK)
		*ret_claims = c;
	return err;
}

enum err claims_read_alg(struct str json, struct buf *arena, struct str *ret_alg)
{
	static const struct member members[] = { { "alg", TEXT, 0 } };
	struct str alg = { 0 };
	struct reader r = { members, ARRAY_LEN(members), &alg, arena, 0 };
	enum err err = read_object(&r, json);

	if (err == E_OK)
		*ret_alg = alg;
	return err;
}

struct subject {
	struct str client_id, mode;
};

static enum err take_subject(const struct subject *s, struct agent_name *ret_agent, enum agent_mode *ret_mode)
{
	enum agent_mode mode = AGENT_MODE_NONE;

	if (s->mode.n && !agent_mode_parse(s->mode, &mode))
		return E_MALFORMED;
	if (!agent_name_set(ret_agent, s->client_id))
		return E_MALFORMED;
	*ret_mode = mode;
	return E_OK;
}

enum err claims_read_subject(struct str json, struct agent_name *ret_agent, enum agent_mode *ret_mode)
{
	static const struct member members[] = {
		{ "clientID", TEXT, offsetof(struct subject, client_id) },
		{ "mode", TEXT, offsetof(struct subject, mode) },
	};
	struct subject s = { 0 };
	struct buf arena = { 0 };
	struct reader r = { members, ARRAY_LEN(members), &s, &arena, 0 };
	enum err err = read_object(&r, json);

	if (err == E_OK)
		err = take_subject(&s, ret_agent, ret_mode);
	buf_release(&arena);
	return err;
}
