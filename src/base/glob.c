#include "base/glob.h"

enum token {
	INSIDE, /* belongs to a token before it */
	LITERAL,
	ESCAPED,
	ANY,
	ONE,
	CLASS,
	OPEN,
	COMMA,
	CLOSE,
	END,
};

/* A glob taken apart: what begins at each byte, and where to go on. */
struct plan {
	struct str glob;
	unsigned char token[GLOB_MAX + 1];
	uint16_t next[GLOB_MAX +
		      1]; /* of OPEN and COMMA: the next COMMA or CLOSE of these braces; else: behind the token */
};

/* Positions of the glob at which the rest of the text may go on. */
struct places {
	uint64_t bits[GLOB_MAX / 64 + 1];
};

/* One byte of a class at *at, perhaps escaped; false: the glob ends. */
static bool class_byte(struct str glob, size_t *at, unsigned char *ret_byte)
{
	if (*at < glob.n && glob.p[*at] == '\\')
		++*at;
	if (*at >= glob.n)
		return false;
	*ret_byte = (unsigned char)glob.p[(*at)++];
	return true;
}

/* Is `c` in the class that begins at `at` with '['? *ret_end is behind its ']'; false with *ret_end 0: it is malformed. */
static bool class_has(struct str glob, size_t at, unsigned char c, size_t *ret_end)
{
	bool negated = ++at < glob.n && (glob.p[at] == '!' || glob.p[at] == '^'), found = false;
	size_t first = at += negated;

	*ret_end = 0;
	while (at < glob.n && glob.p[at] != ']') {
		unsigned char low, high;

		if (!class_byte(glob, &at, &low))
			return false;
		high = low;
		if (at + 1 < glob.n && glob.p[at] == '-' && glob.p[at + 1] != ']') {
			at++;
			if (!class_byte(glob, &at, &high) || high < low)
				return false;
		}
		found |= c >= low && c <= high;
	}
	if (at >= glob.n || at == first)
		return false;
	*ret_end = at + 1;
	return found != negated;
}

static enum token token_of(struct str glob, size_t at, size_t depth, size_t *ret_end)
{
	*ret_end = at + 1;
	switch (glob.p[at]) {
	case '*':
		return ANY;
	case '?':
		return ONE;
	case '{':
		return OPEN;
	case '}':
		return CLOSE;
	case ',':
		return depth ? COMMA : LITERAL;
	case '\\':
		*ret_end = at + 2;
		return ESCAPED;
	case '[':
		(void)class_has(glob, at, 0, ret_end);
		return CLASS;
	default:
		return LITERAL;
	}
}

static bool plan_make(struct plan *p, struct str glob)
{
	uint16_t open[GLOB_MAX] = { 0 }; /* the last OPEN or COMMA of each pair of braces we are in */
	size_t depth = 0, end;

	if (glob.n > GLOB_MAX)
		return false;
	*p = (struct plan){ .glob = glob };
	for (size_t at = 0; at < glob.n; at = end) {
		enum token token = token_of(glob, at, depth, &end);

		if (end == 0 || end > glob.n || (token == CLOSE && depth == 0))
			return false;
		p->token[at] = (unsigned char)token;
		p->next[at] = (uint16_t)end;
		if (token == COMMA || token == CLOSE)
			p->next[open[--depth]] = (uint16_t)at;
		if (token == COMMA || token == OPEN)
			open[depth++] = (uint16_t)at;
	}
	p->token[glob.n] = END;
	return depth == 0;
}

static bool has(const struct places *s, size_t at)
{
	return s->bits[at / 64] >> at % 64 & 1;
}

/* Go on at `at`, and wherever one gets from there without a byte. As deep as the glob is long at most. */
static void add(const struct plan *p, struct places *s, size_t at)
{
	size_t close = at;

	if (has(s, at))
		return;
	s->bits[at / 64] |= 1ULL << at % 64;
	switch ((enum token)p->token[at]) {
	case ANY:
	case CLOSE:
		add(p, s, at + 1);
		break;
	case OPEN:
		for (; p->token[at] != CLOSE; at = p->next[at])
			add(p, s, at + 1);
		break;
	case COMMA:
		while (p->token[close] != CLOSE)
			close = p->next[close];
		add(p, s, close + 1);
		break;
	default:
		break;
	}
}

/* From `at` over the byte `c`. */
static void step(const struct plan *p, struct places *s, size_t at, char c)
{
	size_t end;
	bool over;

	switch ((enum token)p->token[at]) {
	case LITERAL:
		over = p->glob.p[at] == c;
		break;
	case ESCAPED:
		over = p->glob.p[at + 1] == c;
		break;
	case CLASS:
		over = class_has(p->glob, at, (unsigned char)c, &end);
		break;
	case ONE:
		over = true;
		break;
	case ANY:
		add(p, s, at);
		return;
	default:
		return;
	}
	if (over)
		add(p, s, p->next[at]);
}

bool glob_ok(struct str glob)
{
	struct plan plan;

	return plan_make(&plan, glob);
}

bool glob_matches(struct str glob, struct str text)
{
	struct plan plan;
	struct places now = { 0 };

	if (!plan_make(&plan, glob))
		return false;
	add(&plan, &now, 0);
	for (size_t i = 0; i < text.n; i++) {
		struct places then = { 0 };

		for (size_t at = 0; at < glob.n; at++)
			if (has(&now, at))
				step(&plan, &then, at, text.p[i]);
		now = then;
	}
	return has(&now, glob.n);
}
