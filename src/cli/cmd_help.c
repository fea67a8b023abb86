#include <stdio.h>

#include "cli/commands.h"
#include "cli/help.h"
#include "cli/out.h"
#include "cli/suggest.h"

static int unknown(const struct invocation *inv, struct str name)
{
	struct suggest s = { .word = name };

	for (const struct command *const *c = commands; *c; c++)
		suggest_try(&s, str_of((*c)->name));
	if (s.best.n)
		return command_misused(inv, "unknown command '%.*s'; did you mean '%.*s'?", STR_ARG(name),
				       STR_ARG(s.best));
	return command_misused(inv, "unknown command '%.*s'", STR_ARG(name));
}

static int run(const struct invocation *inv)
{
	char name[64] = "";
	const struct command *command;
	struct buf text = { 0 };

	if (inv->operand_count == 2)
		(void)snprintf(name, sizeof(name), "%s %s", inv->operands[0], inv->operands[1]);
	else if (inv->operand_count == 1)
		(void)snprintf(name, sizeof(name), "%s", inv->operands[0]);
	command = command_find(str_of(name));
	if (command)
		help_command(command, &text);
	else if (command_is_group(str_of(name)))
		help_group(str_of(name), &text);
	else if (!*name)
		help_program(&text);
	else
		return unknown(inv, str_of(name));
	return out_print(&text);
}

const struct command cmd_help = {
	.name = "help",
	.operands = "[COMMAND]",
	.operands_max = 2,
	.summary = "Explain holdfast or one of its commands",
	.examples = "  holdfast help\n  holdfast help tail\n  holdfast help store export\n",
	.run = run,
};
