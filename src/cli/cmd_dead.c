#include <inttypes.h>
#include <limits.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/progress.h"
#include "cli/commands.h"
#include "cli/data_dir.h"
#include "cli/dead_letters.h"
#include "cli/interrupt.h"
#include "cli/out.h"
#include "cli/rows.h"
#include "store/store_tool.h"

/* ---- dead list --------------------------------------------------------------------------------------------------- */

struct list_args {
	bool json;
	const char *data_dir;
};

static const struct option_row list_options[] = {
	{ "json", 'j', OPTION_FLAG, offsetof(struct list_args, json), NULL, NULL,
	  "One line of JSON per dead letter: position, bus, at, reason, source, name, id. Its event: holdfast tail "
	  "--from "
	  "POSITION --limit 1." },
	DATA_DIR_OPTION(struct list_args),
	{ 0 },
};

struct listing {
	struct out out;
	bool json;
};

static void add_pair(struct buf *b, const char *key, struct str value)
{
	buf_addf(b, ",\"%s\":", key);
	buf_json(b, value);
}

static void add_json(struct buf *b, const struct store_dead_row *row)
{
	struct buf at = { 0 };

	row_time(&at, row->at_ms);
	buf_addf(b, "{\"position\":%" PRIu64, row->pos);
	add_pair(b, "bus", str_of(row->bus));
	add_pair(b, "at", str_trim(buf_view(&at)));
	add_pair(b, "reason", str_of(row->reason));
	add_pair(b, "source", row->event.source);
	add_pair(b, "name", row->event.name);
	add_pair(b, "id", row->event.id);
	buf_lit(b, "}");
	buf_release(&at);
}

static void add_line(struct buf *b, const struct store_dead_row *row)
{
	row_position(b, row->pos);
	row_time(b, row->at_ms);
	buf_lit(b, "  ");
	row_printable(b, str_of(row->bus), SIZE_MAX);
	buf_lit(b, "  ");
	row_printable(b, row->event.source, SIZE_MAX);
	buf_char(b, '/');
	row_printable(b, row->event.name, SIZE_MAX);
	buf_lit(b, "  ");
	row_printable(b, row->event.id, SIZE_MAX);
	buf_lit(b, "  ");
	row_printable(b, str_of(row->reason), SIZE_MAX);
}

static bool print_dead(void *ctx, const struct store_dead_row *row)
{
	struct listing *l = ctx;

	(l->json ? add_json : add_line)(&l->out.text, row);
	buf_char(&l->out.text, '\n');
	return out_next(&l->out) && !interrupted();
}

static enum err list(struct listing *l, const char *dir, struct why *why)
{
	struct store_reader *reader;
	enum err err = data_dir_read(dir, why, &reader);

	if (err != E_OK)
		return err;
	err = store_read_dead(reader, 0, print_dead, l, why);
	store_reader_close(reader);
	return err;
}

static int run_list(const struct invocation *inv)
{
	const struct list_args *args = inv->args;
	struct listing l = { .json = args->json };
	struct why why = { 0 };
	char dir[PATH_MAX];
	enum err err;

	if (data_dir(args->data_dir, sizeof(dir), dir, &why) != E_OK)
		return command_failed(inv, "%s", why.text);
	interrupt_catch();
	out_open(&l.out);
	err = list(&l, dir, &why);
	err = out_close(&l.out, err, &why);
	return err == E_OK ? EXIT_DONE : command_failed(inv, "%s", why.text);
}

const struct command cmd_dead_list = {
	.name = "dead list",
	.summary = "List the events that the bus could never take, with the reason",
	.about = "An event that the bus refuses for good (it is larger than the bus allows, or its subject is not "
		 "possible) is set aside, so that it does not block the others. It stays in the store until it is "
		 "dropped.",
	.examples = "  holdfast dead list\n"
		    "      position, time, bus, source/name, id, reason\n"
		    "  holdfast dead list --json | jq -r .position\n"
		    "      the positions only\n",
	.options = list_options,
	.args_size = sizeof(struct list_args),
	.run = run_list,
};

/* ---- dead retry, dead drop --------------------------------------------------------------------------------------- */

struct change_args {
	bool all;
	const char *data_dir;
};

static const struct option_row change_options[] = {
	{ "all", 'a', OPTION_FLAG, offsetof(struct change_args, all), NULL, NULL, "Every dead letter." },
	DATA_DIR_OPTION(struct change_args),
	{ 0 },
};

static enum err collect(const struct invocation *inv, uint64_t *positions, struct why *why)
{
	for (size_t i = 0; i < inv->operand_count; i++)
		if (!str_to_u64(str_of(inv->operands[i]), INT64_MAX, &positions[i]) || !positions[i])
			return why_set(why, E_MALFORMED, "'%s' is not a position", inv->operands[i]);
	return E_OK;
}

static bool on_page(void *ctx, const struct dead_counts *counts)
{
	progress_at(ctx, counts->changed + counts->failed);
	return !interrupted();
}

static enum err change_gateway(const struct gateway_client *client, const char *dir, enum dead_change what,
			       const uint64_t *positions, size_t count, struct why *why, struct dead_counts *ret_counts)
{
	struct progress bar;
	struct dead_progress progress = { .on_page = on_page, .ctx = &bar };
	struct store_info info = { 0 };
	enum err err;

	if (!count)
		(void)store_info(dir, &info, NULL); /* how many there are is for the eye only */
	progress_start(&bar, STDERR_FILENO, what == DEAD_DROP ? "dead drop" : "dead retry", "dead letters",
		       count ? count : info.dead);
	interrupt_catch();
	err = dead_change_gateway(client, what, positions, count, &progress, why, ret_counts);
	progress_clear(&bar);
	return err;
}

/* A gateway that was killed leaves its admin.json behind: then nobody holds the store either. */
static enum err change(const char *dir, enum dead_change what, const uint64_t *positions, size_t count, struct why *why,
		       struct dead_counts *ret_counts)
{
	struct gateway_client client;
	enum err err = gateway_client_init(&client, dir, why);

	if (err == E_OK)
		err = change_gateway(&client, dir, what, positions, count, why, ret_counts);
	gateway_client_release(&client);
	if (err != E_NOT_FOUND && err != E_UNAVAILABLE)
		return err;
	if (what == DEAD_DROP)
		return dead_drop_offline(dir, positions, count, why, ret_counts);
	return why_add(why, "only a running gateway is connected to the bus");
}

static int report(const struct invocation *inv, enum dead_change what, const struct dead_counts *counts)
{
	const char *done = what == DEAD_DROP ? "dropped" : "taken by the bus";
	struct buf text = { 0 };

	if (counts->failed)
		return command_failed(inv, "%" PRIu64 " %s, %" PRIu64 " %s%s: see the gateway's log", counts->changed,
				      done, counts->failed, what == DEAD_DROP ? "failed" : "refused again",
				      counts->stopped ? ", those behind not tried" : "");
	if (counts->strangers)
		return command_failed(
			inv,
			"no dead letters: %zu of %zu positions ('holdfast dead list' shows all there are); %" PRIu64
			" %s",
			counts->strangers, inv->operand_count, counts->changed, done);
	buf_addf(&text, "%" PRIu64 " dead letter%s %s\n", counts->changed, counts->changed == 1 ? "" : "s", done);
	return out_print(&text);
}

static int run_change(const struct invocation *inv, enum dead_change what)
{
	const struct change_args *args = inv->args;
	CLEANUP(mem_freep) uint64_t *positions = mem_array(inv->operand_count, sizeof(*positions));
	struct why why = { 0 };
	char dir[PATH_MAX];
	struct dead_counts counts = { 0 };

	if (!positions)
		return command_failed(inv, "%s", err_text(E_NOMEM));
	if (args->all == (inv->operand_count > 0))
		return command_misused(inv, "give either positions or --all");
	if (collect(inv, positions, &why) != E_OK)
		return command_misused(inv, "%s", why.text);
	if (data_dir(args->data_dir, sizeof(dir), dir, &why) != E_OK ||
	    change(dir, what, positions, inv->operand_count, &why, &counts) != E_OK)
		return command_failed(inv, "%s", why.text);
	return report(inv, what, &counts);
}

static int run_retry(const struct invocation *inv)
{
	return run_change(inv, DEAD_RETRY);
}

static int run_drop(const struct invocation *inv)
{
	return run_change(inv, DEAD_DROP);
}

const struct command cmd_dead_retry = {
	.name = "dead retry",
	.operands = "[POS...]",
	.operands_max = SIZE_MAX,
	.summary = "Send dead letters to the bus again",
	.about = "For when the reason is gone: the bus allows larger messages now. A running gateway sends them, "
		 "in order, to the bus that refused them; those of another bus stay as they are. With --all it ends "
		 "where the bus takes nothing at the moment; what was taken by then is no dead letter any more.",
	.examples = "  holdfast dead retry 1200 1201\n"
		    "      these two\n"
		    "  holdfast dead retry --all\n"
		    "      all of them\n",
	.options = change_options,
	.args_size = sizeof(struct change_args),
	.run = run_retry,
};

const struct command cmd_dead_drop = {
	.name = "dead drop",
	.operands = "[POS...]",
	.operands_max = SIZE_MAX,
	.summary = "Give up on dead letters: they are never sent",
	.about = "The events themselves stay readable until retention lets them go.",
	.examples = "  holdfast dead drop 1200\n"
		    "      this one\n"
		    "  holdfast dead drop --all\n"
		    "      all of them\n",
	.options = change_options,
	.args_size = sizeof(struct change_args),
	.run = run_drop,
};
