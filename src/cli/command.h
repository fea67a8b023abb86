/*
 * command.h -- a subcommand: what it is called, what it takes, what it does.
 *
 * Shape     one constant row per command, one file per group of commands (cmd_*.c), one table of rows (commands.c).
 *           Help, parser and usage errors all come from the row.
 *           A name may have two words: "store check" belongs to the group "store".
 * Owner     rows are static; an invocation borrows everything from argv, the environment and the stack of main().
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "base/why.h"
#include "cli/options.h"

/* Exit codes of every command. */
enum {
	EXIT_DONE = 0,
	EXIT_FAILED = 1, /* said why on standard error */
	EXIT_USAGE = 2,  /* the command line makes no sense */
};

struct invocation;

struct command {
	const char *name;     /* "tail", "store check" */
	const char *operands; /* as the usage line shows them: "[POS...]"; NULL: it takes none */
	size_t operands_min;
	size_t operands_max;              /* SIZE_MAX: any number */
	const char *summary;              /* one line without a full stop */
	const char *about;                /* wrap_text() below the usage line; NULL: the summary says it all */
	const char *examples;             /* the same, at the end */
	const struct option_row *options; /* ended by a row without a name; NULL: only the common ones */
	size_t args_size;                 /* of the struct that the options are written into */
	bool any_log_level;               /* a word in LOG_LEVEL that is none of ours is as if it were not set */
	bool service;                     /* runs until it is stopped: logs from info on, the others from warn on */
	/* Variables of another program whose place it takes, for defaults; NULL: none. */
	const char *log_level_env;
	const char *log_format_env;
	int (*run)(const struct invocation *inv);
};

/* What every command takes. */
struct common_args {
	bool help;
	int log_format; /* enum log_format: the words of the option stand in its order */
	int log_level;  /* enum log_level, likewise */
};

/* One command line, taken apart. */
struct invocation {
	const struct command *command;
	const void *args; /* args_size bytes */
	const char *const *operands;
	size_t operand_count;
	struct common_args common;
};

/* All commands in the order of the help; ended by NULL. */
extern const struct command *const commands[];

extern const struct option_row common_options[];

/* The level of a word of ours, or of a logger with more levels ("trace", "panic"); of "info,part=debug" the first counts. -1: none. */
int command_log_level(struct str text);

/* The row with exactly this name, or NULL. */
const struct command *command_find(struct str name);

/* Does `command` stand in the group that this first word names? */
bool command_in_group(const struct command *command, struct str group);

/* Is it the first word of some name of two? */
bool command_is_group(struct str word);

/* "holdfast tail: what happened" on standard error. Returns EXIT_FAILED, so that it ends a run(). */
int command_failed(const struct invocation *inv, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same, and where to find help. Returns EXIT_USAGE. */
int command_misused(const struct invocation *inv, const char *format, ...) __attribute__((format(printf, 2, 3)));
