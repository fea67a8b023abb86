/*
 * main.c -- from argv to one command.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "bus/jetstream.h"
#include "cli/command.h"
#include "cli/help.h"
#include "cli/out.h"
#include "cli/suggest.h"
#include "store/db.h"

/* The row that the first words name, and how many words that took; NULL: none. */
static const struct command *find(int argc, char **argv, int *ret_words)
{
	char name[64];

	if (argc > 2) {
		int n = snprintf(name, sizeof(name), "%s %s", argv[1], argv[2]);
		const struct command *c = n < (int)sizeof(name) ? command_find(str_of(name)) : NULL;

		*ret_words = 2;
		if (c)
			return c;
	}
	*ret_words = 1;
	return command_find(str_of(argv[1]));
}

static bool is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int unknown_command(const char *word)
{
	struct suggest s = { .word = str_of(word) };

	if (word[0] == '-') {
		(void)fprintf(stderr, "holdfast: options stand behind the command, and '%s' stands before it\n", word);
	} else {
		for (const struct command *const *c = commands; *c; c++)
			suggest_try(&s, str_of((*c)->name));
		(void)fprintf(stderr, "holdfast: unknown command '%s'", word);
		if (s.best.n)
			(void)fprintf(stderr, "; did you mean '%.*s'?", STR_ARG(s.best));
		(void)fputc('\n', stderr);
	}
	(void)fprintf(stderr, "Try 'holdfast --help'.\n");
	return EXIT_USAGE;
}

/* "holdfast store", "holdfast store --help", "holdfast store chekc". */
static int run_group(struct str group, const char *word)
{
	struct suggest s = { .word = str_of(word) };
	struct buf text = { 0 };

	if (!word || is_help(word)) {
		help_group(group, &text);
		if (word)
			return out_print(&text);
		(void)fprintf(stderr, "holdfast %.*s: which of its commands?\n%.*s", STR_ARG(group),
			      STR_ARG(buf_view(&text)));
		buf_release(&text);
		return EXIT_USAGE;
	}
	for (const struct command *const *c = commands; *c; c++)
		if (command_in_group(*c, group))
			suggest_try(&s, str_sub(str_of((*c)->name), group.n + 1, SIZE_MAX));
	(void)fprintf(stderr, "holdfast %.*s: unknown command '%s'", STR_ARG(group), word);
	if (s.best.n)
		(void)fprintf(stderr, "; did you mean '%.*s %.*s'?", STR_ARG(group), STR_ARG(s.best));
	(void)fprintf(stderr, "\nTry 'holdfast %.*s --help'.\n", STR_ARG(group));
	return EXIT_USAGE;
}

static int check_operands(const struct invocation *inv)
{
	const struct command *c = inv->command;

	if (inv->operand_count < c->operands_min)
		return command_misused(inv, "%s is missing", c->operands);
	if (inv->operand_count > c->operands_max)
		return command_misused(inv, "'%s' is too much: it takes %s", inv->operands[c->operands_max],
				       c->operands ? c->operands : "options only");
	return EXIT_DONE;
}

static int run_parsed(struct invocation *inv, const struct option_set *sets, size_t count, int argc, char **argv)
{
	struct why why = { 0 };
	size_t operands;
	struct buf text = { 0 };

	if (options_parse(sets, count, argc, argv, &why, &operands) != E_OK)
		return command_misused(inv, "%s", why.text);
	inv->operands = (const char *const *)argv + operands;
	inv->operand_count = (size_t)argc - operands;
	if (inv->common.help) {
		help_command(inv->command, &text);
		return out_print(&text);
	}
	if (check_operands(inv) != EXIT_DONE)
		return EXIT_USAGE;
	log_setup(STDERR_FILENO, (enum log_level)inv->common.log_level, (enum log_format)inv->common.log_format);
	return inv->command->run(inv);
}

/* The variable is set for someone else's program too: facts argo-events 0. */
static void forget_strange_log_level(void)
{
	enum log_level level;

	if (!log_level_parse(str_of(getenv("LOG_LEVEL")), &level))
		(void)unsetenv("LOG_LEVEL");
}

/* What another program's variables say is the default. */
static void take_log_variables(const struct command *command, struct common_args *common)
{
	const char *level = command->log_level_env ? getenv(command->log_level_env) : NULL;
	const char *format = command->log_format_env ? getenv(command->log_format_env) : NULL;
	int known = command_log_level(str_of(level));

	if (level && *level)
		common->log_level = known < 0 ? LOG_INFO : known;
	if (format && strcmp(format, "json") == 0)
		common->log_format = LOG_FORMAT_JSON;
	else if (format && strcmp(format, "text") == 0)
		common->log_format = LOG_FORMAT_TEXT;
}

static int run_command(const struct command *command, int argc, char **argv)
{
	CLEANUP(mem_freep) void *args = mem_alloc(command->args_size);
	struct invocation inv = { .command = command, .args = args };
	struct option_set sets[] = { { command->options, args }, { common_options, &inv.common } };
	int code;

	if (!args)
		return command_failed(&inv, "%s", err_text(E_NOMEM));
	inv.common.log_level = command->service ? LOG_INFO : LOG_WARN;
	take_log_variables(command, &inv.common);
	if (command->any_log_level)
		forget_strange_log_level();
	code = run_parsed(&inv, sets, ARRAY_LEN(sets), argc, argv);
	options_release(sets, ARRAY_LEN(sets));
	jetstream_end();
	return code;
}

/*
 * Whoever started us may have closed them: the next file or socket would take the number, and get what is meant for people.
 * For reading only: who is asked for something says that it could not be written.
 */
static void open_standard_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		(void)close(fd);
}

static void end_at_once(int number)
{
	_exit(128 + number);
}

/* A mask goes from parent to child: one that blocked SIGTERM would make a program that only SIGKILL ends. */
static void hear_all_signals(void)
{
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/*
 * In a container. The kernel keeps from process 1 each signal that it does not handle: until a command handles them itself
 * nothing but SIGKILL would end it. And it inherits the children of others, `kubectl exec` leaves some: nobody waits for them.
 */
static void be_process_1(void)
{
	(void)signal(SIGINT, end_at_once);
	(void)signal(SIGTERM, end_at_once);
	(void)signal(SIGCHLD, SIG_IGN);
}

int main(int argc, char **argv)
{
	struct buf text = { 0 };
	const struct command *command;
	int words;

	open_standard_streams();
	mem_configure();
	hear_all_signals();
	/* A reader of our output, or a peer, may go away, a file be as large as it may get: writes say so with EPIPE, EFBIG. */
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	db_configure();
	if (getpid() == 1)
		be_process_1();
	if (argc < 2 || is_help(argv[1])) {
		help_program(&text);
		return out_print(&text);
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
		return run_command(command_find(STR("version")), argc - 1, argv + 1);
	command = find(argc, argv, &words);
	if (command)
		return run_command(command, argc - words, argv + words);
	if (command_is_group(str_of(argv[1])))
		return run_group(str_of(argv[1]), argc > 2 ? argv[2] : NULL);
	return unknown_command(argv[1]);
}
