#include "cli/commands.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"

/* clang-format off */
const struct command *const commands[] = {
	&cmd_gateway,
	&cmd_eventsource_service,
	&cmd_principal,
	&cmd_agent,
	&cmd_check_config,
	&cmd_status,
	&cmd_release,
	&cmd_forget,
	&cmd_tail,
	&cmd_replay,
	&cmd_dead_list,
	&cmd_dead_retry,
	&cmd_dead_drop,
	&cmd_store_check,
	&cmd_store_dump,
	&cmd_store_export,
	&cmd_store_vacuum,
	&cmd_store_rename,
	&cmd_hooks_plan,
	&cmd_hooks_apply,
	&cmd_hooks_delete,
	&cmd_pki_init,
	&cmd_pki_issue,
	&cmd_pki_user,
	&cmd_help,
	&cmd_version,
	NULL,
};
/* clang-format on */

int command_log_level(struct str text)
{
	static const struct {
		const char *word;
		enum log_level level;
	} words[] = {
		{ "trace", LOG_DEBUG },  { "debug", LOG_DEBUG }, { "info", LOG_INFO },   { "warn", LOG_WARN },
		{ "warning", LOG_WARN }, { "error", LOG_ERROR }, { "fatal", LOG_ERROR }, { "panic", LOG_ERROR },
	};
	struct str word = str_cut(&text, ',');

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (str_eq_nocase(word, str_of(words[i].word)))
			return (int)words[i].level;
	return -1;
}

const struct option_row common_options[] = {
	{ "help", 'h', OPTION_FLAG, offsetof(struct common_args, help), NULL, NULL, "Show this help." },
	{ "log-level", 0, OPTION_CHOICE, offsetof(struct common_args, log_level), "debug|info|warn|error", "LOG_LEVEL",
	  "Log this and what is worse, to standard error. Default: info for services, warn for other commands.",
	  .other = command_log_level },
	{ "log-format", 0, OPTION_CHOICE, offsetof(struct common_args, log_format), "auto|json|text", NULL,
	  "JSON lines, or text for people. Default: auto, text on a terminal and JSON elsewhere." },
	{ 0 },
};

const struct command *command_find(struct str name)
{
	for (const struct command *const *c = commands; *c; c++)
		if (str_is(name, (*c)->name))
			return *c;
	return NULL;
}

bool command_in_group(const struct command *command, struct str group)
{
	struct str rest = str_of(command->name), first = str_cut(&rest, ' ');

	return rest.n && str_eq(first, group);
}

bool command_is_group(struct str word)
{
	for (const struct command *const *c = commands; *c; c++)
		if (command_in_group(*c, word))
			return true;
	return false;
}

#define SAID_MAX 1024

int command_failed(const struct invocation *inv, const char *format, ...)
{
	char text[SAID_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	(void)fprintf(stderr, "holdfast %s: %s\n", inv->command->name, text);
	return EXIT_FAILED;
}

int command_misused(const struct invocation *inv, const char *format, ...)
{
	char text[SAID_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	(void)command_failed(inv, "%s", text);
	(void)fprintf(stderr, "Try 'holdfast %s --help'.\n", inv->command->name);
	return EXIT_USAGE;
}
