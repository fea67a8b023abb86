#include "cli/help.h"

#include "cli/wrap.h"

#define SUMMARY_COLUMN 18

static const char about_program[] = "holdfast holds an event until the other side has confirmed it. As a gateway it "
				    "receives webhooks and CloudEvents, "
				    "answers 2xx only when the event is durably stored, and forwards it to a bus. As a "
				    "principal with agents it keeps "
				    "many sites in step with a source of truth.\n";

static const char first_steps[] = "First steps:\n"
				  "  holdfast gateway -f examples/webhook.yaml        receive webhooks\n"
				  "  holdfast tail --follow --data-dir holdfast-data  watch them arrive\n"
				  "\n"
				  "'holdfast COMMAND --help' explains a command, with examples.\n"
				  "Documentation: docs/ in the source tree, or 'man holdfast'.\n";

static void add_row(struct buf *b, const struct command *command)
{
	size_t begin = b->n;

	buf_addf(b, "  %s", command->name);
	wrap_column(b, begin, SUMMARY_COLUMN, str_of(command->summary));
}

void help_program(struct buf *ret_text)
{
	buf_lit(ret_text, "Usage: holdfast COMMAND [OPTIONS]\n\n");
	wrap_text(ret_text, str_of(about_program));
	buf_lit(ret_text, "\nCommands:\n");
	for (const struct command *const *c = commands; *c; c++)
		add_row(ret_text, *c);
	buf_char(ret_text, '\n');
	buf_str(ret_text, str_of(first_steps));
}

void help_group(struct str group, struct buf *ret_text)
{
	buf_addf(ret_text, "Usage: holdfast %.*s COMMAND [OPTIONS]\n\nCommands:\n", STR_ARG(group));
	for (const struct command *const *c = commands; *c; c++)
		if (command_in_group(*c, group))
			add_row(ret_text, *c);
	buf_addf(ret_text, "\n'holdfast %.*s COMMAND --help' explains a command, with examples.\n", STR_ARG(group));
}

static void add_usage(const struct command *c, struct buf *b)
{
	buf_addf(b, "Usage: holdfast %s [OPTIONS]%s%s\n\n%s.\n", c->name, c->operands ? " " : "",
		 c->operands ? c->operands : "", c->summary);
	if (c->about) {
		buf_char(b, '\n');
		wrap_text(b, str_of(c->about));
	}
}

void help_command(const struct command *command, struct buf *ret_text)
{
	add_usage(command, ret_text);
	buf_lit(ret_text, "\nOptions:\n");
	options_help(command->options, ret_text);
	options_help(common_options, ret_text);
	if (command->examples) {
		buf_lit(ret_text, "\nExamples:\n");
		wrap_text(ret_text, str_of(command->examples));
	}
	buf_lit(ret_text, "\nExit status: 0 done, 1 failed, 2 wrong usage.\n");
}
