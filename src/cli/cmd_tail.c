#include <inttypes.h>
#include <limits.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/commands.h"
#include "cli/data_dir.h"
#include "cli/interrupt.h"
#include "cli/position.h"
#include "cli/rows.h"
#include "cli/watch.h"

struct tail_args {
	bool follow;
	const char *from;
	uint64_t limit;
	const char *source;
	const char *name;
	bool json;
	bool data;
	const char *data_dir;
};

static const struct option_row options[] = {
	{ "follow", 'F', OPTION_FLAG, offsetof(struct tail_args, follow), NULL, NULL,
	  "Go on with new events as they are stored, until Ctrl-C. Waits for the store when there is none yet. -f does "
	  "the same.",
	  'f' },
	{ "from", 0, OPTION_TEXT, offsetof(struct tail_args, from), POSITION_WORDS, NULL,
	  "Where to begin: a position, a time (2024-05-01T12:00:00Z), how long ago (90s, 15m, 2h, 3d), the start or "
	  "the end. Default: start. Where the clock was set back meanwhile, a time may be a place too early or too "
	  "late: "
	  "a position never is." },
	{ "limit", 'n', OPTION_NUMBER, offsetof(struct tail_args, limit), "N", NULL,
	  "Stop after N events. Default: no limit.", .min = 1, .max = UINT64_MAX },
	{ "source", 's', OPTION_TEXT, offsetof(struct tail_args, source), "SOURCE", NULL,
	  "Only events of this EventSource (metadata.name)." },
	{ "name", 'N', OPTION_TEXT, offsetof(struct tail_args, name), "NAME", NULL,
	  "Only events of this name (the key in the EventSource)." },
	{ "json", 'j', OPTION_FLAG, offsetof(struct tail_args, json), NULL, NULL,
	  "One line of JSON per event: {\"position\":N,\"stored\":\"TIME\",\"event\":{CloudEvent}}." },
	{ "data", 'd', OPTION_FLAG, offsetof(struct tail_args, data), NULL, NULL,
	  "Only the data of each event, byte for byte, and a line feed." },
	DATA_DIR_OPTION(struct tail_args),
	{ 0 },
};

struct tail {
	const struct invocation *inv;
	struct position from;
	struct store_query query; /* `from` moves on, `limit` counts down */
	bool limited;
	enum row_form form;
	struct out out;
	struct store_reader *reader;
	uint64_t told; /* that everything up to here is gone */
	bool stop;     /* nobody reads, or Ctrl-C */
};

static bool on_row(void *ctx, const struct store_row *row)
{
	struct tail *t = ctx;

	t->stop = !row_print(&t->out, t->form, row) || interrupted();
	t->query.from = row->pos + 1;
	if (t->limited)
		t->query.limit--;
	return !t->stop;
}

/*
 * What is asked for next may be gone when it is asked for, and while a slow reader keeps us waiting. Not asked for is what was before
 * the start, nor, behind a single event that is there, what is missing.
 */
static enum err say_gone(struct tail *t, struct why *why)
{
	bool single = t->limited && t->query.limit == 1;
	uint64_t from = t->query.from ? t->query.from : 1, gone = 0;
	enum err err = store_gone(t->reader, from, single ? from : UINT64_MAX, &gone, why);

	if (err == E_OK && gone && single)
		err = store_gone(t->reader, from, UINT64_MAX, &gone, why);
	if (err != E_OK || gone <= t->told)
		return err;
	t->told = gone;
	if (t->query.from)
		command_failed(t->inv, GONE_WORDS, gone);
	return E_OK;
}

/* What a filter has passed over is not looked at again. */
static bool on_window(void *ctx, uint64_t next)
{
	struct tail *t = ctx;

	t->query.from = next;
	(void)say_gone(t, &(struct why){ 0 }); /* what fails here fails the next reading */
	t->stop = interrupted();
	return !t->stop;
}

/* Prints what is there. */
static enum err print(struct tail *t, struct why *why)
{
	enum err err = position_check_ahead(t->query.from, t->reader, why); /* another store may have the name by now */
	struct store_query query = t->query;

	if (err == E_OK)
		err = say_gone(t, why);
	if (err == E_OK)
		err = store_read(t->reader, &query, on_row, t, why);
	if (!out_flush(&t->out) || (t->limited && t->query.limit == 0))
		t->stop = true;
	return err;
}

static enum err open_reader(struct tail *t, const char *dir, struct why *why)
{
	enum err err = data_dir_read(dir, why, &t->reader);

	if (err == E_OK)
		err = position_find(&t->from, t->reader, why, &t->query.from);
	if (err != E_OK)
		store_reader_close(TAKE(t->reader));
	return err;
}

static enum err look(struct tail *t, const char *dir, struct why *why)
{
	enum err err = open_reader(t, dir, why);

	if (err == E_NOT_FOUND && t->from.kind == POSITION_END)
		t->from = (struct position){ .kind = POSITION_AT, .pos = 1 }; /* all of it will be new */
	return err;
}

/* Another process opens, recovers or tidies the store just now. */
static bool is_passing(enum err err)
{
	return err == E_BUSY || err == E_UNAVAILABLE;
}

static enum err follow_store(struct tail *t, struct watch *w, const char *dir, struct why *why)
{
	enum err err;

	while (!t->stop) {
		err = t->reader ? E_OK : look(t, dir, why);
		if (err == E_OK)
			err = print(t, why);
		if (err != E_OK && !is_passing(err) && !(err == E_NOT_FOUND && !t->reader))
			return err;
		if (!t->stop && (err = watch_wait(w, why)) != E_OK)
			return err == E_CANCELLED ? E_OK : err;
	}
	return E_OK;
}

static enum err follow(struct tail *t, const char *dir, struct why *why)
{
	struct watch w;
	enum err err;

	/* The end is that of now: what comes while we begin to watch lies behind it. */
	if (look(t, dir, why) == E_NOT_FOUND)
		command_failed(t->inv, "there is no store in %s yet: waiting for one", dir);
	err = watch_open(&w, dir, why);
	if (err != E_OK)
		return err;
	err = follow_store(t, &w, dir, why);
	watch_close(&w);
	return err;
}

static enum err tail(struct tail *t, const struct tail_args *args, const char *dir, struct why *why)
{
	enum err err;

	if (args->follow)
		return follow(t, dir, why);
	err = open_reader(t, dir, why);
	return err == E_OK ? print(t, why) : err;
}

static int run(const struct invocation *inv)
{
	const struct tail_args *args = inv->args;
	struct tail t = { .inv = inv, .query = { .source = str_of(args->source), .name = str_of(args->name) } };
	struct why why = { 0 };
	char dir[PATH_MAX];
	enum err err;

	if (args->json && args->data)
		return command_misused(inv, "--json and --data exclude each other");
	t.form = args->json ? ROW_JSON : args->data ? ROW_DATA : ROW_TEXT;
	t.query.limit = args->limit;
	t.query.on_window = on_window;
	t.limited = args->limit > 0;
	if (position_parse("--from", args->from ? args->from : "start", clock_wall_ms(), &why, &t.from) != E_OK)
		return command_misused(inv, "%s", why.text);
	if (data_dir(args->data_dir, sizeof(dir), dir, &why) != E_OK)
		return command_failed(inv, "%s", why.text);
	interrupt_catch();
	out_open(&t.out);
	err = tail(&t, args, dir, &why);
	store_reader_close(t.reader);
	err = out_close(&t.out, err, &why);
	return err == E_OK ? EXIT_DONE : command_failed(inv, "%s", why.text);
}

const struct command cmd_tail = {
	.name = "tail",
	.summary = "Print stored events, and new ones as they come",
	.about =
		"Reads the store itself: a gateway may run on it or not. Events come in the order in which they were "
		"stored; each has a position, which never changes. Without --json or --data a line is meant for "
		"people: "
		"position, time, source/name, id and the beginning of the data. Where events at and behind --from are "
		"gone "
		"(retention), already or before a slow reader comes to them, a line on standard error says up to which "
		"position. A position behind the next event's is refused: it is of a newer copy of the store.",
	.examples = "  holdfast tail --follow --from end\n"
		    "      watch events as they arrive\n"
		    "  holdfast tail --from 15m --source github --json | jq .event.type\n"
		    "      the types of what a source brought in the last quarter of an hour\n"
		    "  holdfast tail --from 1200 --limit 1 --data\n"
		    "      the body of the event at position 1200\n",
	.options = options,
	.args_size = sizeof(struct tail_args),
	.run = run,
};
