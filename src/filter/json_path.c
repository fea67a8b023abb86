#include "filter/json_path.h"

#include "filter/limits.h"
#include "filter/number.h"
#include "filter/path_step.h"

/* ---- reading ------------------------------------------------------------------------------------------------------------------------ */

struct reader {
	struct str text;
	size_t at;
	struct pool *pool;
	struct why *why;
	struct path_step **last;
	unsigned steps;
};

static enum err refuse(const struct reader *p, const char *what)
{
	return why_set(p->why, E_MALFORMED, "the JSONPath is not valid at byte %zu: %s", p->at + 1, what);
}

static char peek(const struct reader *p)
{
	return p->at < p->text.n ? p->text.p[p->at] : '\0';
}

static void skip_space(struct reader *p)
{
	while (peek(p) == ' ')
		p->at++;
}

static struct path_step *add_step(struct reader *p, bool deep)
{
	struct path_step *step = ++p->steps < FILTER_NEST_MAX ? pool_alloc(p->pool, sizeof(*step)) : NULL;

	if (!step)
		return NULL;
	step->kind = PATH_KEYS;
	step->deep = deep;
	*p->last = step;
	p->last = &step->next;
	return step;
}

static enum err no_room(const struct reader *p)
{
	return why_set(p->why, p->pool->err != E_OK ? p->pool->err : E_LIMIT, "the JSONPath is too long");
}

/* .name, .*, and the same behind two dots. */
static enum err read_dotted(struct reader *p, bool deep)
{
	size_t from = p->at;
	struct path_step *step;

	while (p->at < p->text.n && peek(p) != '.' && peek(p) != '[')
		p->at++;
	if (p->at == from)
		return refuse(p, "a name was expected");
	step = add_step(p, deep);
	if (!step)
		return no_room(p);
	if (p->at == from + 1 && p->text.p[from] == '*') {
		step->kind = PATH_ALL;
		return E_OK;
	}
	step->keys = pool_alloc(p->pool, sizeof(*step->keys));
	if (!step->keys)
		return no_room(p);
	step->keys[0] = value_string(str_sub(p->text, from, p->at - from));
	step->key_count = 1;
	return E_OK;
}

static enum err read_quoted(struct reader *p, struct value *ret)
{
	char quote = peek(p), *text = pool_alloc(p->pool, p->text.n);
	size_t n = 0;

	if (!text)
		return no_room(p);
	for (p->at++; p->at < p->text.n && peek(p) != quote; p->at++) {
		if (peek(p) == '\\' && p->at + 1 < p->text.n)
			p->at++;
		text[n++] = peek(p);
	}
	if (p->at >= p->text.n)
		return refuse(p, "the name has no closing quote");
	p->at++;
	*ret = value_string((struct str){ text, n });
	return E_OK;
}

/* False: no number stands here. */
static bool read_number(struct reader *p, int64_t *ret_number)
{
	size_t from = p->at;

	if (peek(p) == '-')
		p->at++;
	while (peek(p) >= '0' && peek(p) <= '9')
		p->at++;
	if (number_read_int(str_sub(p->text, from, p->at - from), 10, ret_number))
		return true;
	p->at = from;
	return false;
}

static enum err read_slice(struct reader *p, struct path_step *step, bool has_from, int64_t from)
{
	step->kind = PATH_SLICE;
	step->has_from = has_from;
	step->from = from;
	p->at++;
	skip_space(p);
	step->has_to = read_number(p, &step->to);
	skip_space(p);
	step->by = 1;
	if (peek(p) == ':') {
		p->at++;
		skip_space(p);
		(void)read_number(p, &step->by);
	}
	if (step->by == 0)
		return refuse(p, "a slice cannot go by 0");
	return E_OK;
}

/* 'a', "b", 0, -1, and several of them; or a slice. */
static enum err read_keys(struct reader *p, struct path_step *step)
{
	enum err err = E_OK;

	step->keys = pool_array(p->pool, p->text.n, sizeof(*step->keys));
	if (!step->keys)
		return no_room(p);
	while (err == E_OK) {
		struct value *key = &step->keys[step->key_count];
		int64_t number = 0;

		skip_space(p);
		if (peek(p) == '\'' || peek(p) == '"') {
			err = read_quoted(p, key);
		} else {
			bool has = read_number(p, &number);

			skip_space(p);
			if (peek(p) == ':' && step->key_count == 0)
				return read_slice(p, step, has, number);
			*key = value_int(number);
			if (!has)
				err = refuse(p, "an index, a name in quotes, * or ?( was expected");
		}
		step->key_count++;
		skip_space(p);
		if (peek(p) != ',')
			break;
		p->at++;
	}
	return err;
}

/* Behind "(": the condition up to the bracket that closes it. */
static struct str cut_condition(struct reader *p)
{
	size_t from = p->at, depth = 1;
	char quote = '\0';

	for (; p->at < p->text.n; p->at++) {
		char c = peek(p);

		if (quote && c == '\\') {
			p->at++;
		} else if (quote || c == '\'' || c == '"') {
			quote = quote ? (c == quote ? '\0' : quote) : c;
		} else if (c == '(') {
			depth++;
		} else if (c == ')' && --depth == 0) {
			break;
		}
	}
	return str_sub(p->text, from, p->at - from);
}

static enum err read_condition(struct reader *p, struct path_step *step, bool chooses)
{
	struct str text;
	enum err err;

	step->kind = chooses ? PATH_WHERE : PATH_COMPUTED;
	p->at += chooses;
	if (peek(p) != '(')
		return refuse(p, "a condition stands in parentheses: [?(@.key == 1)]");
	p->at++;
	text = cut_condition(p);
	if (peek(p) != ')')
		return refuse(p, "the condition has no )");
	err = filter_compile_condition(text, p->why, &step->condition);
	if (err != E_OK) {
		(void)why_add(p->why, "in the condition of the JSONPath");
		return err;
	}
	p->at++;
	return E_OK;
}

static enum err read_brackets(struct reader *p, bool deep)
{
	struct path_step *step = add_step(p, deep);
	enum err err = E_OK;

	if (!step)
		return no_room(p);
	p->at++;
	skip_space(p);
	if (peek(p) == '*') {
		step->kind = PATH_ALL;
		p->at++;
	} else if (peek(p) == '?' || peek(p) == '(') {
		err = read_condition(p, step, peek(p) == '?');
	} else {
		err = read_keys(p, step);
	}
	skip_space(p);
	if (err != E_OK)
		return err;
	if (peek(p) != ']')
		return refuse(p, "a ] was expected");
	p->at++;
	return E_OK;
}

static enum err read_step(struct reader *p)
{
	bool deep;

	if (peek(p) == '[')
		return read_brackets(p, /* deep= */ false);
	if (peek(p) != '.')
		return refuse(p, "a step begins with . or [");
	p->at++;
	deep = peek(p) == '.';
	p->at += deep;
	return peek(p) == '[' ? read_brackets(p, deep) : read_dotted(p, deep);
}

enum err json_path_read(struct str text, struct pool *pool, struct why *why, struct json_path **ret_path)
{
	struct json_path *path = pool_alloc(pool, sizeof(*path));
	struct reader p = { .text = text, .pool = pool, .why = why };
	enum err err = E_OK;

	if (!path)
		return no_room(&p);
	p.last = &path->first;
	if (peek(&p) != '$')
		err = refuse(&p, "it begins with $");
	for (p.at = err == E_OK; err == E_OK && p.at < text.n;)
		err = read_step(&p);
	if (err == E_OK)
		*ret_path = path;
	else
		json_path_release(path);
	return err;
}

void json_path_release(struct json_path *path)
{
	for (struct path_step *s = path ? path->first : NULL; s; s = s->next)
		filter_free(s->condition);
}
