#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/progress.h"
#include "cli/commands.h"
#include "cli/data_dir.h"
#include "cli/interrupt.h"
#include "cli/out.h"
#include "cli/rows.h"
#include "store/store_tool.h"

struct store_args {
	const char *data_dir;
};

static const struct option_row options[] = {
	DATA_DIR_OPTION(struct store_args),
	{ 0 },
};

/* What the commands share: the directory, a progress bar that Ctrl-C stops, what there is to say, and the story of a failure. */
struct task {
	const struct invocation *inv;
	char dir[PATH_MAX];
	struct progress bar;
	struct store_progress progress;
	struct out out;
	struct why why;
};

static bool on_progress(void *ctx, uint64_t done, uint64_t total)
{
	struct task *t = ctx;

	progress_of(&t->bar, done, total);
	return !interrupted();
}

static enum err task_begin(struct task *t, const struct invocation *inv, const char *unit)
{
	const struct store_args *args = inv->args;
	enum err err;

	*t = (struct task){ .inv = inv, .progress.on_progress = on_progress };
	t->progress.ctx = t;
	interrupt_catch();
	out_open(&t->out);
	progress_start(&t->bar, STDERR_FILENO, inv->command->name, unit, /* total= */ 0);
	err = data_dir(args->data_dir, sizeof(t->dir), t->dir, &t->why);
	return err == E_OK ? data_dir_check(t->dir, &t->why) : err;
}

/* The exit code. What was said is written in any case. */
static int task_end(struct task *t, enum err err)
{
	progress_clear(&t->bar);
	err = out_close(&t->out, err, &t->why);
	if (err == E_OK)
		return EXIT_DONE;
	if (err == E_CANCELLED)
		return command_failed(t->inv, "interrupted");
	return command_failed(t->inv, "%s", t->why.text);
}

static void add_events(struct buf *b, const struct store_info *info)
{
	buf_addf(b, "%" PRIu64 " event%s", info->events, info->events == 1 ? "" : "s");
	if (info->events)
		buf_addf(b, ", positions %" PRIu64 " to %" PRIu64, info->first, info->last);
}

/* ---- store check ------------------------------------------------------------------------------------------------- */

static void on_problem(void *ctx, const char *problem)
{
	struct task *t = ctx;

	progress_clear(&t->bar);
	buf_addf(&t->out.text, "%s\n", problem);
	(void)out_flush(&t->out);
}

static int run_check(const struct invocation *inv)
{
	struct task t;
	struct store_info info;
	enum err err = task_begin(&t, inv, "checks");

	if (err == E_OK)
		err = store_check(t.dir, &t.progress, on_problem, &t, &t.why);
	if (err == E_OK)
		err = store_info(t.dir, &info, &t.why);
	if (err == E_OK) {
		buf_lit(&t.out.text, "ok: ");
		add_events(&t.out.text, &info);
		buf_char(&t.out.text, '\n');
	}
	return task_end(&t, err);
}

const struct command cmd_store_check = {
	.name = "store check",
	.summary = "Check the integrity of the store",
	.about = "Reads everything: the database file and what must hold between its tables. Prints a line per problem "
		 "and "
		 "exits with 1 when there is one. Works while a gateway runs.",
	.examples = "  holdfast store check --data-dir /var/lib/holdfast\n",
	.options = options,
	.args_size = sizeof(struct store_args),
	.run = run_check,
};

/* ---- store dump -------------------------------------------------------------------------------------------------- */

struct dump {
	struct task *task;
	uint64_t first;
};

static bool dump_row(void *ctx, const struct store_row *row)
{
	struct dump *d = ctx;

	if (!d->task->out.columns)
		progress_at(&d->task->bar, row->pos - d->first + 1);
	return row_print(&d->task->out, ROW_JSON, row) && !interrupted();
}

static enum err dump(struct task *t, struct dump *d)
{
	struct store_query all = { .from = 0 };
	struct store_reader *reader;
	struct store_info info;
	enum err err = data_dir_read(t->dir, &t->why, &reader);

	if (err != E_OK)
		return err;
	if (store_info(t->dir, &info, NULL) == E_OK) { /* for the bar only: other tables may be damaged */
		d->first = info.first;
		t->bar.total = info.last - info.first + 1;
	}
	err = store_read(reader, &all, dump_row, d, &t->why);
	store_reader_close(reader);
	return err;
}

static int run_dump(const struct invocation *inv)
{
	struct task t;
	struct dump d = { .task = &t };
	enum err err = task_begin(&t, inv, "events");

	if (err == E_OK)
		err = dump(&t, &d);
	if (err == E_OK && interrupted())
		err = E_CANCELLED;
	return task_end(&t, err);
}

const struct command cmd_store_dump = {
	.name = "store dump",
	.summary = "Print all events as JSON lines",
	.about = "The lines are those of 'holdfast tail --json'. Works while a gateway runs; what is stored after the "
		 "start "
		 "may or may not be in it.",
	.examples = "  holdfast store dump | gzip > events.jsonl.gz\n",
	.options = options,
	.args_size = sizeof(struct store_args),
	.run = run_dump,
};

/* ---- store export ------------------------------------------------------------------------------------------------ */

static int run_export(const struct invocation *inv)
{
	const char *to = inv->operands[0];
	struct stat st;
	struct task t;
	enum err err = task_begin(&t, inv, "pages");

	if (err == E_OK)
		err = store_export(t.dir, to, &t.progress, &t.why);
	if (err == E_OK && stat(to, &st) == 0) {
		buf_addf(&t.out.text, "wrote %s, ", to);
		progress_amount(&t.out.text, "bytes", (uint64_t)st.st_size);
		buf_char(&t.out.text, '\n');
	}
	return task_end(&t, err);
}

const struct command cmd_store_export = {
	.name = "store export",
	.operands = "FILE",
	.operands_min = 1,
	.operands_max = 1,
	.summary = "Write a consistent copy of the store to a file",
	.about = "Works while a gateway writes: the copy holds everything up to some moment and nothing behind it. It "
		 "is a "
		 "SQLite database that opens as a store when it is named spool.db in a directory of its own. FILE must "
		 "not "
		 "exist; until the copy is whole its name is FILE.part, which only a killed export leaves.",
	.examples = "  holdfast store export /backup/holdfast-monday.db\n"
		    "      a backup\n"
		    "  sqlite3 /backup/holdfast-monday.db 'SELECT * FROM readable LIMIT 3'\n"
		    "      look inside with SQLite's own tool\n",
	.options = options,
	.args_size = sizeof(struct store_args),
	.run = run_export,
};

/* ---- store vacuum ------------------------------------------------------------------------------------------------ */

/* Bytes of the database file, 0 when it cannot be asked. */
static uint64_t file_bytes(const char *dir)
{
	char path[PATH_MAX + 16];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/spool.db", dir);
	return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static int run_vacuum(const struct invocation *inv)
{
	struct task t;
	enum err err = task_begin(&t, inv, "pages");
	uint64_t before = file_bytes(t.dir);

	if (err == E_OK)
		err = store_vacuum(t.dir, &t.progress, &t.why);
	if (err == E_BUSY)
		why_set(&t.why, err, "another process writes %s: stop the gateway first", t.dir);
	if (err == E_OK) {
		buf_lit(&t.out.text, "the file had ");
		progress_amount(&t.out.text, "bytes", before);
		buf_lit(&t.out.text, " and has ");
		progress_amount(&t.out.text, "bytes", file_bytes(t.dir));
		buf_char(&t.out.text, '\n');
	}
	return task_end(&t, err);
}

const struct command cmd_store_vacuum = {
	.name = "store vacuum",
	.summary = "Give the space of removed events back to the file system",
	.about = "The file of a store keeps its size when retention removes events; the room is used again for new "
		 "ones. "
		 "This makes the file as small as what is in it. The gateway must be stopped. Meanwhile the directory "
		 "needs free room for two copies of what is in the store, or for one, when SQLITE_TMPDIR names another "
		 "one.",
	.examples = "  systemctl stop holdfast.socket holdfast\n"
		    "  holdfast store vacuum\n"
		    "  systemctl start holdfast.socket holdfast\n"
		    "      with the socket: a webhook would start the gateway again\n",
	.options = options,
	.args_size = sizeof(struct store_args),
	.run = run_vacuum,
};

/* ---- store rename ------------------------------------------------------------------------------------------------ */

static int run_rename(const struct invocation *inv)
{
	const char *from = inv->operands[0], *to = inv->operands[1];
	struct task t;
	enum err err = task_begin(&t, inv, "");

	if (err == E_OK)
		err = store_rename_bus(t.dir, from, to, &t.why);
	if (err == E_BUSY)
		why_set(&t.why, err, "another process writes %s: stop the gateway first", t.dir);
	if (err == E_OK)
		buf_addf(&t.out.text, "what bus %s has taken counts for %s now\n", from, to);
	return task_end(&t, err);
}

const struct command cmd_store_rename = {
	.name = "store rename",
	.operands = "OLD NEW",
	.operands_min = 2,
	.operands_max = 2,
	.summary = "Tell the store that a bus has a new name",
	.about = "The store notes under the name of the EventBus (metadata.name) how far the bus has taken the events: "
		 "under "
		 "a new name it gets all that is stored once more. This gives the note, and the dead letters of the "
		 "bus, the "
		 "new name. The gateway must be stopped, and must not have run with the new name before.",
	.examples = "  systemctl stop holdfast.socket holdfast\n"
		    "  holdfast store rename default events\n"
		    "      then write the new name into the manifest, and start both\n",
	.options = options,
	.args_size = sizeof(struct store_args),
	.run = run_rename,
};
