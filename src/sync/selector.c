#include "sync/selector.h"

#include "sync/graft.h"
#include "sync/selector_syntax.h"

#define REQUIREMENTS_MAX 256

enum op { EXISTS, ABSENT, IN, NOT_IN, GREATER, LESS };

struct requirement {
	char *key;
	enum op op;
	struct str *values; /* in `text` of the selector; one for > and < */
	size_t count;
};

struct selector {
	char *text;
	struct requirement *items;
	size_t count;
};

/* ---- reading ---------------------------------------------------------------------------------------------------- */

struct reader {
	struct selector *selector;
	struct token_reader tokens;
	struct why *why;
};

static enum err expected(struct reader *r, const char *what)
{
	return why_set(r->why, E_MALFORMED, "label selector: at byte %zu: %s expected", r->tokens.began, what);
}

static enum err add_value(struct reader *r, struct requirement *q)
{
	struct str value = { 0 };
	struct str *more;

	if (token_is_word(r->tokens.type)) {
		value = r->tokens.text;
		token_next(&r->tokens);
	}
	if (!label_value_ok(value))
		return expected(r, "a label value");
	more = mem_realloc(q->values, (q->count + 1) * sizeof(*more));
	if (!more)
		return why_set(r->why, E_NOMEM, "label selector");
	q->values = more;
	q->values[q->count++] = value;
	return E_OK;
}

/* "(a, b)"; an empty place between commas is the empty value. */
static enum err read_set(struct reader *r, struct requirement *q)
{
	enum err err = E_OK;

	if (r->tokens.type != TOKEN_OPEN)
		return expected(r, "'('");
	do {
		token_next(&r->tokens);
		err = add_value(r, q);
	} while (err == E_OK && r->tokens.type == TOKEN_COMMA);
	if (err != E_OK)
		return err;
	if (r->tokens.type != TOKEN_CLOSE)
		return expected(r, "')'");
	token_next(&r->tokens);
	return E_OK;
}

static enum err read_number(struct reader *r, struct requirement *q)
{
	int64_t number;
	enum err err = add_value(r, q);

	if (err == E_OK && !label_number(q->values[0], &number))
		return expected(r, "a number");
	return err;
}

static const struct operator
{
	enum token_type token;
	enum op op;
	enum err (*read)(struct reader * r, struct requirement * q);
}
operators[] = {
	{ TOKEN_EQUAL, IN, add_value },     { TOKEN_UNEQUAL, NOT_IN, add_value },    { TOKEN_IN, IN, read_set },
	{ TOKEN_NOT_IN, NOT_IN, read_set }, { TOKEN_GREATER, GREATER, read_number }, { TOKEN_LESS, LESS, read_number },
};

/* What follows the key. */
static enum err read_condition(struct reader *r, struct requirement *q)
{
	q->op = EXISTS;
	if (r->tokens.type == TOKEN_COMMA || r->tokens.type == TOKEN_END)
		return E_OK;
	for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
		if (operators[i].token != r->tokens.type)
			continue;
		q->op = operators[i].op;
		token_next(&r->tokens);
		return operators[i].read(r, q);
	}
	return expected(r, "an operator");
}

static enum err read_requirement(struct reader *r, struct requirement *q)
{
	bool negated = r->tokens.type == TOKEN_NOT;
	enum err err;

	if (negated)
		token_next(&r->tokens);
	if (!token_is_word(r->tokens.type) || !label_key_ok(r->tokens.text))
		return expected(r, "a label key");
	q->key = str_dup(r->tokens.text);
	if (!q->key)
		return why_set(r->why, E_NOMEM, "label selector");
	token_next(&r->tokens);
	if (negated)
		q->op = ABSENT;
	err = negated ? E_OK : read_condition(r, q);
	if (err == E_OK && r->tokens.type != TOKEN_COMMA && r->tokens.type != TOKEN_END)
		return expected(r, "','");
	return err;
}

static enum err read_all(struct reader *r)
{
	struct selector *s = r->selector;
	enum err err = E_OK;

	token_next(&r->tokens);
	if (r->tokens.type == TOKEN_END)
		return E_OK;
	s->items = mem_array(REQUIREMENTS_MAX, sizeof(*s->items));
	if (!s->items)
		return why_set(r->why, E_NOMEM, "label selector");
	for (;;) {
		if (s->count == REQUIREMENTS_MAX)
			return why_set(r->why, E_LIMIT, "label selector: more than %d requirements", REQUIREMENTS_MAX);
		err = read_requirement(r, &s->items[s->count++]);
		if (err != E_OK || r->tokens.type == TOKEN_END)
			return err;
		token_next(&r->tokens);
	}
}

enum err selector_new(struct str text, struct why *why, struct selector **ret_selector)
{
	CLEANUP(selector_freep) struct selector *s = NULL;
	struct reader r = { .why = why };
	enum err err;

	if (text.n > SELECTOR_MAX)
		return why_set(why, E_LIMIT, "label selector: longer than %d bytes", SELECTOR_MAX);
	s = mem_alloc(sizeof(*s));
	if (!s || !(s->text = mem_dup(text.n ? text.p : "", text.n)))
		return why_set(why, E_NOMEM, "label selector");
	r.selector = s;
	r.tokens.rest = (struct str){ s->text, text.n };
	r.tokens.all = r.tokens.rest;
	err = read_all(&r);
	if (err == E_OK)
		*ret_selector = TAKE(s);
	return err;
}

void selector_free(struct selector *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->count; i++) {
		mem_free(s->items[i].key);
		mem_free(s->items[i].values);
	}
	mem_free(s->items);
	mem_free(s->text);
	mem_free(s);
}

/* ---- matching --------------------------------------------------------------------------------------------------- */

static bool is_among(const struct requirement *q, struct str value)
{
	for (size_t i = 0; i < q->count; i++)
		if (str_eq(q->values[i], value))
			return true;
	return false;
}

static bool compares(const struct requirement *q, struct str value)
{
	int64_t limit, number;

	if (!label_number(q->values[0], &limit) || !label_number(value, &number))
		return false;
	return q->op == GREATER ? number > limit : number < limit;
}

static bool holds(const struct requirement *q, json_object *label)
{
	struct str value = str_of(graft_text(label));

	switch (q->op) {
	case EXISTS:
		return label != NULL;
	case ABSENT:
		return label == NULL;
	case IN:
		return label && is_among(q, value);
	case NOT_IN:
		return !label || !is_among(q, value);
	case GREATER:
	case LESS:
		return label && compares(q, value);
	}
	return false;
}

bool selector_match(const struct selector *s, json_object *labels)
{
	for (size_t i = 0; s && i < s->count; i++)
		if (!holds(&s->items[i], graft_member(labels, s->items[i].key)))
			return false;
	return true;
}
