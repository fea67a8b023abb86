#include "cli/options.h"
#include "cli/wrap.h"

#define HELP_COLUMN 24

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

void options_help(const struct option_row *rows, struct buf *ret_text)
{
	for (const struct option_row *row = rows; row && row->name; row++)
		if (row->kind != OPTION_IGNORED && row->kind != OPTION_REFUSED)
			add_row(row, ret_text);
}
