/* What the language has, as Markdown, from its rows. */
#include "base/mem.h"
#include "filter/function.h"
#include "filter/limits.h"

static void write_escaped(struct str s, struct buf *b)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '|')
			buf_char(b, '\\');
		buf_char(b, s.p[i]);
	}
}

static void write_operators(struct buf *b)
{
	static const struct {
		const char *word;
		int precedence;
	} words[] = {
#define X(word, op, precedence) { word, precedence },
		BINARY_OPERATORS(X)
#undef X
	};
	int last = -1;

	buf_lit(b, "| binds | operators |\n|---|---|\n");
	for (size_t i = ARRAY_LEN(words); i-- > 0; last = words[i].precedence) {
		if (words[i].precedence == last)
			buf_char(b, ' ');
		else
			buf_addf(b, "%s| %d | ", last >= 0 ? " |\n" : "", words[i].precedence);
		buf_char(b, '`');
		write_escaped(str_of(words[i].word), b);
		buf_char(b, '`');
	}
	buf_lit(b, " |\n");
}

static void write_functions(const char *space, struct buf *b)
{
	buf_lit(b, "| function | meaning |\n|---|---|\n");
	for (const struct function *f = functions; f->name; f++) {
		struct str usage = str_of(f->usage);

		if (strcmp(f->space, space) != 0)
			continue;
		if (strcmp(space, "time") == 0) {
			struct str receiver = str_cut(&usage, ',');

			buf_addf(b, "| `%.*s.%s(%.*s)` | ", STR_ARG(receiver), f->name, STR_ARG(str_trim(usage)));
		} else {
			buf_addf(b, "| `%s%s%s(%s)` | ", space, *space ? "." : "", f->name, f->usage);
		}
		write_escaped(str_of(f->meaning), b);
		buf_lit(b, " |\n");
	}
}

static void write_limits(struct buf *b)
{
	buf_lit(b, "| limit | meaning |\n|---|---|\n");
#define X(field, value, unit, meaning) buf_addf(b, "| %d %s | %s |\n", FILTER_##field, unit, meaning);
#include "filter/filter_limits.h"
#undef X
}

void filter_reference(struct buf *ret_text)
{
	buf_lit(ret_text, "### Operators\n\n");
	write_operators(ret_text);
	buf_lit(ret_text, "\n### Functions\n\n");
	write_functions("", ret_text);
	buf_lit(ret_text, "\n### Methods of times and durations\n\n");
	write_functions("time", ret_text);
	buf_lit(ret_text, "\n### Functions of sprig\n\n");
	write_functions("sprig", ret_text);
	buf_lit(ret_text, "\n### Limits\n\n");
	write_limits(ret_text);
}
