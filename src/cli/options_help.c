#include "cli/options.h"
#include "cli/wrap.h"

#define HELP_COLUMN 28

static void add_names(const struct option_row *row, struct buf *b)
{
	if (row->letter)
		buf_addf(b, "  -%c, ", row->letter);
	else
		buf_lit(b, "      ");
	buf_addf(b, "--%s", row->name);
	if (row->argument)
		buf_addf(b, " %s", row->argument);
}

static void add_row(const struct option_row *row, struct buf *ret_text)
{
	struct buf help = { .max = 4096 };
	size_t begin = ret_text->n;

	add_names(row, ret_text);
	buf_str(&help, str_of(row->help));
	if (row->fallback)
		buf_addf(&help, " Default: %s.", row->fallback);
	if (row->env)
		buf_addf(&help, " [%s]", row->env);
	wrap_column(ret_text, begin, HELP_COLUMN, buf_view(&help));
	buf_release(&help);
}

/* The names of all rows of a kind that is not served. */
static void add_unserved(const struct option_row *rows, enum option_kind kind, const char *intro, struct buf *ret_text)
{
	struct buf names = { .max = 8192 };

	for (const struct option_row *row = rows; row && row->name; row++)
		if (row->kind == kind)
			buf_addf(&names, "%s--%s", names.n ? ", " : intro, row->name);
	if (names.n) {
		buf_lit(&names, ".\n");
		buf_char(ret_text, '\n');
		wrap_text(ret_text, buf_view(&names));
	}
	buf_release(&names);
}

void options_help(const struct option_row *rows, struct buf *ret_text)
{
	for (const struct option_row *row = rows; row && row->name; row++)
		if (row->kind != OPTION_IGNORED && row->kind != OPTION_REFUSED)
			add_row(row, ret_text);
}

void options_help_unserved(const struct option_row *rows, struct buf *ret_text)
{
	add_unserved(rows, OPTION_IGNORED, "Options of argocd-agent that have no effect here: ", ret_text);
	add_unserved(rows, OPTION_REFUSED, "Options of argocd-agent for what is not served, refused: ", ret_text);
}
