#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "auth/files.h"
#include "auth/passwords.h"
#include "base/file.h"
#include "base/rand.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/out.h"

#define FILE_DEFAULT "users"

struct user_args {
	const char *file;
	uint64_t cost;
};

static const struct option_row options[] = {
	{ "file", 'f', OPTION_TEXT, offsetof(struct user_args, file), "FILE", NULL,
	  "The file with the users; made when it is not there. Default: users." },
	{ "cost", 0, OPTION_NUMBER, offsetof(struct user_args, cost), "COST", NULL,
	  "Cost of bcrypt, 4 to 16: each step doubles the time of a guess and of a login, which is some 50 ms at 10.",
	  .fallback = "10", .min = 4, .max = PASSWORDS_COST_MAX },
	{ 0 },
};

/* ---- the password ------------------------------------------------------------------------------------------------ */

/* False: standard input is no terminal. */
static bool hide(struct termios *ret_before)
{
	struct termios quiet;

	if (tcgetattr(STDIN_FILENO, ret_before) != 0)
		return false;
	quiet = *ret_before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	return tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) == 0;
}

/* The first line; a byte at a time, so that a second question finds the second line. At a terminal no Ctrl-C is missed before read(). */
static enum err read_line(bool terminal, struct buf *ret_line, struct why *why)
{
	char c;
	ssize_t n = 0;

	while ((!terminal || interrupt_wait(STDIN_FILENO, -1)) && (n = read(STDIN_FILENO, &c, 1)) == 1 && c != '\n')
		if (ret_line->n <= PASSWORDS_BYTES_MAX)
			buf_char(ret_line, c);
	if (ret_line->n && ret_line->p[ret_line->n - 1] == '\r')
		ret_line->n--;
	if (interrupted())
		return why_set(why, E_CANCELLED, "interrupted");
	return n < 0 ? why_errno(why, E_IO, errno, "read the password") : ret_line->err;
}

static enum err ask(const char *question, struct buf *ret_password, struct why *why)
{
	struct termios before;
	bool terminal;
	enum err err;

	interrupt_catch(); /* Ctrl-C would leave a terminal that shows nothing */
	terminal = hide(&before);
	if (terminal)
		(void)fprintf(stderr, "%s: ", question);
	err = read_line(terminal, ret_password, why);
	if (terminal) {
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
		(void)fprintf(stderr, "\n");
	}
	return err;
}

/* A typing error on a terminal would be found out at the next login only. */
static enum err ask_twice(struct buf *ret_password, struct why *why)
{
	struct buf again = { .max = PASSWORDS_BYTES_MAX + 2 };
	enum err err = ask("Password", ret_password, why);

	if (err == E_OK && isatty(STDIN_FILENO)) {
		err = ask("Again", &again, why);
		if (err == E_OK && !str_eq(buf_view(ret_password), buf_view(&again)))
			err = why_set(why, E_MALFORMED, "these were two different passwords");
	}
	buf_wipe(&again);
	return err;
}

static enum err make_line(const char *name, uint64_t cost, struct buf *ret_line, struct why *why)
{
	struct buf password = { .max = PASSWORDS_BYTES_MAX + 2 };
	unsigned char random[16];
	enum err err = ask_twice(&password, why);

	rand_bytes(random, sizeof(random));
	buf_addf(ret_line, "%s:", name);
	if (err == E_OK) {
		err = password_hash(buf_view(&password), (unsigned)cost, random, ret_line);
		if (err == E_LIMIT)
			(void)why_set(why, err, "a password has 1 to %d bytes", PASSWORDS_BYTES_MAX);
		else if (err != E_OK)
			(void)why_set(why, err, "hash the password: %s", err_text(err));
	}
	buf_char(ret_line, '\n');
	buf_wipe(&password);
	return err;
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

/* All lines but those of `name`, which `line` replaces at its place or at the end. */
static bool replace(struct str rest, struct str name, struct str line, struct buf *ret_text)
{
	bool replaced = false;

	while (rest.n) {
		struct str old = str_cut(&rest, '\n'), hash = str_trim(old), first = str_cut(&hash, ':');

		if (!str_eq(first, name)) {
			buf_str(ret_text, old);
			buf_char(ret_text, '\n');
		} else if (!replaced) {
			buf_str(ret_text, line);
			replaced = true;
		}
	}
	if (!replaced)
		buf_str(ret_text, line);
	return replaced;
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_mode & 0777 : 0600;
}

static enum err update(const char *path, const char *name, struct str line, bool *ret_replaced, struct why *why)
{
	struct buf before = { 0 }, after = { 0 };
	enum err err = file_read(path, PASSWORDS_FILE_MAX, &before, why);

	if (err == E_NOT_FOUND)
		err = E_OK;
	if (err == E_OK && !buf_reserve(&after, before.n + line.n + 1))
		err = after.err;
	if (err == E_OK) {
		*ret_replaced = replace(buf_view(&before), str_of(name), line, &after);
		err = after.err;
	}
	if (err == E_OK)
		err = file_write(path, buf_view(&after), mode_of(path), /* replace= */ true, why);
	buf_release(&before);
	buf_release(&after);
	return err;
}

static int run_user(const struct invocation *inv)
{
	const struct user_args *args = inv->args;
	const char *path = args->file ? args->file : FILE_DEFAULT, *name = inv->operands[0];
	struct buf line = { 0 }, text = { 0 };
	struct why why = { 0 };
	bool replaced = false;
	enum err err;

	if (!agent_name_ok(str_of(name)))
		return command_misused(inv, "'%s' is no name of an agent: 1 to 63 lower-case letters, digits and '-'",
				       name);
	err = make_line(name, args->cost, &line, &why);
	if (err == E_OK)
		err = update(path, name, buf_view(&line), &replaced, &why);
	buf_release(&line);
	if (err != E_OK)
		return command_failed(inv, "%s", why.err != E_OK ? why.text : err_text(err));
	buf_addf(&text, "%s: %s %s\n\nNext: holdfast principal --auth userpass:%s, or SIGHUP to one that runs\n", path,
		 replaced ? "a new password for" : "a new user", name, path);
	return out_print(&text);
}

const struct command cmd_pki_user = {
	.name = "pki user",
	.operands = "NAME",
	.operands_min = 1,
	.operands_max = 1,
	.summary = "Give an agent a password",
	.about = "For principals with --auth userpass:FILE. Reads the password from standard input, and writes its "
		 "bcrypt "
		 "hash into the file, instead of the agent's line or as a new one.",
	.examples = "  holdfast pki user site-1 --file /etc/holdfast/users\n"
		    "      asks for the password\n"
		    "  openssl rand -hex 16 | tee secret | holdfast pki user site-1\n"
		    "      one that nobody has to know\n",
	.options = options,
	.args_size = sizeof(struct user_args),
	.run = run_user,
};
