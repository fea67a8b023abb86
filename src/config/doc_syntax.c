#include "config/doc_syntax.h"

#include "base/buf.h"
#include "base/mem.h"

static bool line_has_tab_indent(struct str text, size_t line)
{
	struct str head = str_cut(&text, '\n');

	while (line-- && text.n)
		head = str_cut(&text, '\n');
	for (size_t i = 0; i < head.n && (head.p[i] == ' ' || head.p[i] == '\t'); i++)
		if (head.p[i] == '\t')
			return true;
	return false;
}

/* The line of a byte offset; libyaml's reader knows only that. */
static size_t line_of(struct str text, size_t offset)
{
	struct str before = str_sub(text, 0, offset);
	size_t line = 0;

	for (size_t i = 0; i < before.n; i++)
		line += before.p[i] == '\n';
	return line;
}

/* What to do, by what libyaml was at, or stumbled over. */
static const char *fix_of(const yaml_parser_t *p, struct str text, size_t line)
{
	static const struct {
		const char *words;
		const char *fix;
	} rows[] = {
		{ "expected <document start>", "begin the keys of one level in the same column" },
		{ "block sequence entries are not allowed", "begin a list in the next line, or write [a, b]" },
		{ "mapping values are not allowed",
		  "begin the keys of one level in one column; quote a string with `: `" },
		{ "parsing a block mapping", "begin the keys of one level in the same column" },
		{ "parsing a block collection", "begin the `- ` of one list in the same column" },
		{ "parsing a flow mapping", "close it with }, with commas between its members" },
		{ "parsing a flow sequence", "close it with ], with commas between its members" },
		{ "parsing a flow node", "close each [ and { with its ] or }" },
		{ "scanning a quoted scalar", "close the quotation mark" },
		{ "parsing a quoted scalar", "write \\\\ for a backslash between \", or put the string between '" },
		{ "scanning a block scalar", "begin the text in the line below | or >" },
		{ "cannot start any token", "put a string that begins with @, ` or % in quotes" },
		{ "scanning an a", "put a string that begins with & or * in quotes" }, /* an alias, an anchor */
		{ "tag", "put a string that begins with ! in quotes" },
		{ "scanning a directive", "remove the line, or put a string that begins with % in quotes" },
		{ "scanning a simple key", "write `key: value`" },
	};

	if (line_has_tab_indent(text, line))
		return "indent with spaces, not with tabs";
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if ((p->problem && strstr(p->problem, rows[i].words)) ||
		    (p->context && strstr(p->context, rows[i].words)))
			return rows[i].fix;
	return NULL;
}

/* " while parsing a flow mapping that begins in line 3". */
static void write_context(const yaml_parser_t *p, size_t line, unsigned line_before, struct buf *ret_text)
{
	if (!p->context)
		return;
	buf_addf(ret_text, " %s", p->context);
	if (p->context_mark.line < line)
		buf_addf(ret_text, " that begins in line %zu", line_before + p->context_mark.line + 1);
}

enum err doc_syntax(const yaml_parser_t *p, struct str text, unsigned line_before, const char *path,
		    struct problems *problems)
{
	bool is_reader = p->error == YAML_READER_ERROR;
	size_t line = is_reader ? line_of(text, p->problem_offset) : p->problem_mark.line;
	CLEANUP(buf_release) struct buf context = { 0 };

	if (p->error == YAML_MEMORY_ERROR)
		return problem_nomem(problems);
	if (!is_reader)
		write_context(p, line, line_before, &context);
	if (context.err != E_OK)
		return problem_nomem(problems);
	problem_in(problems, path, line_before + (unsigned)line + 1,
		   is_reader ? "save it as text in UTF-8" : fix_of(p, text, line), "not valid YAML: %s%.*s",
		   p->problem ? p->problem : "it cannot be read", STR_ARG(buf_view(&context)));
	return E_CONFIG;
}
