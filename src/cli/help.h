/*
 * help.h -- what --help prints, from the rows of the commands.
 */
#pragma once

#include "cli/command.h"

/* What holdfast is and which commands there are. */
void help_program(struct buf *ret_text);

/* The commands of a group: "holdfast store --help". */
void help_group(struct str group, struct buf *ret_text);

/* Usage, what it does, options, examples. */
void help_command(const struct command *command, struct buf *ret_text);
