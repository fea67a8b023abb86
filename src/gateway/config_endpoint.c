#include "base/hex.h"
#include "gateway/config_read.h"
#include "gateway/path.h"

/* Does the variable compile as it will when requests are matched? */
static const char *regex_problem(const struct fields_ctx *ctx, struct str variable)
{
	CLEANUP(regex_freep) struct regex *regex = NULL;
	enum err err = path_template_compile(variable, NULL, &regex);

	if (err == E_NOMEM)
		problem_nomem(ctx->problems);
	return err == E_OK || err == E_NOMEM ? NULL : "is not a regular expression";
}

/* What is wrong with a variable, or NULL. */
static const char *variable_problem(const struct fields_ctx *ctx, const struct path_variable *v, struct str text)
{
	if (v->name.n == 0)
		return "has no name";
	if (!v->regex.p)
		return NULL;
	if (v->regex.n == 0)
		return "has an empty pattern";
	return regex_problem(ctx, str_sub(text, 0, v->length));
}

static bool name_before(struct str endpoint, size_t at, struct str name)
{
	struct path_variable v;

	for (size_t i = 0; i < at; i++) {
		if (endpoint.p[i] != '{' || !path_variable_at(str_sub(endpoint, i, endpoint.n), &v))
			continue;
		if (str_eq(v.name, name))
			return true;
		i += v.length - 1;
	}
	return false;
}

static void check_variables(const struct fields_ctx *ctx, const struct node *n)
{
	struct path_variable v;

	for (size_t i = 0; i < n->text.n; i++) {
		struct str rest = str_sub(n->text, i, n->text.n);
		const char *what;

		if (rest.p[0] == '}' || (rest.p[0] == '{' && !path_variable_at(rest, &v))) {
			problem_at(ctx->problems, ctx->file, n, "pair the braces: {name} or {name:pattern}",
				   "a brace in the endpoint has no partner");
			return;
		}
		if (rest.p[0] != '{')
			continue;
		what = variable_problem(ctx, &v, rest);
		if (!what && name_before(n->text, i, v.name))
			what = "stands twice";
		if (what)
			problem_at(ctx->problems, ctx->file, n, "write {name} or {name:pattern}", "variable %.*s %s",
				   (int)(v.length < 80 ? v.length : 80), rest.p, what);
		i += v.length - 1;
	}
}

/* Requests come with a clean path and without their query: other templates can never match. */
static const char *unreachable(struct str path)
{
	for (size_t i = 0; i < path.n; i++)
		if ((unsigned char)path.p[i] < ' ' || path.p[i] == '#')
			return "a control character or # cannot stand in a path";
	if (!strchr(path.p, '{') && strchr(path.p, '?'))
		return "the query is not part of the path";
	if (strstr(path.p, "//") || strstr(path.p, "/./") || strstr(path.p, "/../") || str_ends(path, STR("/.")) ||
	    str_ends(path, STR("/..")))
		return "paths are cleaned of //, /. and /.. before they are compared";
	return NULL;
}

static bool has_escape(struct str path)
{
	for (size_t i = 0; i + 2 < path.n; i++)
		if (path.p[i] == '%' && hex_value(path.p[i + 1]) >= 0 && hex_value(path.p[i + 2]) >= 0)
			return true;
	return false;
}

void config_check_endpoint(const struct fields_ctx *ctx, const struct node *n)
{
	const char *what = NULL;

	if (n->text.p[0] != '/')
		problem_at(ctx->problems, ctx->file, n, "begin it with a slash", "the endpoint must begin with /");
	else
		what = unreachable(n->text);
	if (what)
		problem_at(ctx->problems, ctx->file, n, "write the bare path", "the endpoint can never match: %s",
			   what);
	check_variables(ctx, n);
	if (!path_is_template(n->text) && has_escape(n->text))
		warning_at(
			ctx->problems, ctx->file, n, "write the characters themselves",
			"matches nothing that is sent so: escapes such as %%20 are decoded before paths are compared");
	if (str_is(n->text, "/health"))
		warning_at(ctx->problems, ctx->file, n, "take another path",
			   "takes the place of the health answer on this port");
}

void config_endpoint_shape(struct str endpoint, struct buf *ret_shape)
{
	struct path_variable v;

	for (size_t i = 0; i < endpoint.n; i++) {
		struct str rest = str_sub(endpoint, i, endpoint.n);

		if (rest.p[0] != '{' || !path_variable_at(rest, &v)) {
			buf_char(ret_shape, rest.p[0]);
			continue;
		}
		buf_addf(ret_shape, "{%.*s}", STR_ARG(v.regex));
		i += v.length - 1;
	}
}
