#include "gateway/path.h"

#include "base/hex.h"

bool path_is_template(struct str endpoint)
{
	return str_find(endpoint, '{') < endpoint.n || str_find(endpoint, '}') < endpoint.n;
}

static void add_literal(struct buf *b, char c)
{
	if (strchr("\\.^$|()[]*+?{}", c))
		buf_char(b, '\\');
	buf_char(b, c);
}

bool path_variable_at(struct str s, struct path_variable *ret_variable)
{
	size_t depth = 0, end = 0;
	struct str inside;

	do {
		if (end == s.n)
			return false;
		depth += s.p[end] == '{';
		depth -= s.p[end] == '}';
		end++;
	} while (depth);
	inside = str_sub(s, 1, end - 2);
	ret_variable->length = end;
	ret_variable->name = str_cut(&inside, ':');
	ret_variable->regex = (struct str){ 0 };
	if (ret_variable->name.n + 2 < end) /* behind the colon, perhaps nothing */
		ret_variable->regex = (struct str){ s.p + 1 + ret_variable->name.n + 1, inside.n };
	return true;
}

static enum err add_variable(struct buf *b, const struct path_variable *v, struct why *why)
{
	if (v->name.n == 0)
		return why_set(why, E_CONFIG, "a variable in braces has no name");
	if (v->regex.p && v->regex.n == 0)
		return why_set(why, E_CONFIG, "variable %.*s has an empty expression", STR_ARG(v->name));
	buf_lit(b, "(?:");
	buf_str(b, v->regex.p ? v->regex : STR("[^/]+"));
	buf_char(b, ')');
	return E_OK;
}

static enum err why_full(const struct buf *b, struct why *why)
{
	if (b->err == E_LIMIT)
		return why_set(why, E_CONFIG, "the template is too long");
	return why_set(why, b->err, "%s", err_text(b->err));
}

static enum err write_expression(struct str endpoint, struct buf *b, struct why *why)
{
	buf_char(b, '^');
	for (size_t i = 0; i < endpoint.n;) {
		struct path_variable v;

		if (endpoint.p[i] == '}')
			return why_set(why, E_CONFIG, "a brace is closed that was never opened");
		if (endpoint.p[i] != '{') {
			add_literal(b, endpoint.p[i++]);
			continue;
		}
		if (!path_variable_at(str_sub(endpoint, i, endpoint.n), &v))
			return why_set(why, E_CONFIG, "a brace is never closed");
		if (add_variable(b, &v, why) != E_OK)
			return E_CONFIG;
		i += v.length;
	}
	buf_char(b, '$');
	return b->err == E_OK ? E_OK : why_full(b, why);
}

enum err path_template_compile(struct str endpoint, struct why *why, struct regex **ret_regex)
{
	struct buf expression = { .max = 8192 };
	enum err err = write_expression(endpoint, &expression, why);

	if (err == E_OK)
		err = regex_new(buf_view(&expression), why, ret_regex);
	buf_release(&expression);
	return err;
}

enum err path_decode(struct str path, struct buf *ret_path)
{
	for (size_t i = 0; i < path.n; i++) {
		int high, low;

		if (path.p[i] != '%') {
			buf_char(ret_path, path.p[i]);
			continue;
		}
		if (path.n - i < 3)
			return E_MALFORMED;
		high = hex_value(path.p[i + 1]);
		low = hex_value(path.p[i + 2]);
		if (high < 0 || low < 0 || high + low == 0)
			return E_MALFORMED;
		buf_char(ret_path, (char)(high << 4 | low));
		i += 2;
	}
	return ret_path->err;
}

bool path_is_clean(struct str path)
{
	for (size_t i = 0; i < path.n; i++) {
		struct str rest = str_sub(path, i, path.n);

		if (rest.p[0] != '/')
			continue;
		if (str_starts(rest, STR("//")) || str_starts(rest, STR("/./")) || str_starts(rest, STR("/../")) ||
		    str_eq(rest, STR("/.")) || str_eq(rest, STR("/..")))
			return false;
	}
	return true;
}

/* Back to before the last segment. */
static void drop_segment(struct buf *b, size_t start)
{
	while (b->n > start && b->p[b->n - 1] != '/')
		b->n--;
	if (b->n > start)
		b->n--;
}

void path_clean(struct str path, struct buf *ret_clean)
{
	size_t start = ret_clean->n;
	struct str rest = path, last = { 0 };

	while (rest.n) {
		last = str_cut(&rest, '/');
		if (str_is(last, ".."))
			drop_segment(ret_clean, start);
		else if (last.n && !str_is(last, ".")) {
			buf_char(ret_clean, '/');
			buf_str(ret_clean, last);
		}
	}
	if (ret_clean->n == start || path.p[path.n - 1] == '/')
		buf_char(ret_clean, '/');
}
