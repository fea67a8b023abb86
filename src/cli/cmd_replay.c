#include <inttypes.h>
#include <limits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/rand.h"
#include "bus/replay.h"
#include "cli/commands.h"
#include "cli/data_dir.h"
#include "cli/interrupt.h"
#include "cli/manifests.h"
#include "cli/out.h"
#include "cli/position.h"
#include "gateway/bus_open.h"

#define PUBLISH_MS 5000  /* one try, as the gateway's */
#define GIVE_UP_MS 30000 /* for one batch; the bus may connect meanwhile */

struct replay_args {
	struct option_list files;
	const char *from;
	const char *to;
	const char *source;
	const char *name;
	bool keep_ids;
	bool dry_run;
	const char *data_dir;
};

static const struct option_row options[] = {
	MANIFESTS_OPTION(struct replay_args),
	{ "from", 0, OPTION_TEXT, offsetof(struct replay_args, from), POSITION_WORDS, NULL,
	  "The first event to send; forms as in 'holdfast tail --help'. Required." },
	{ "to", 0, OPTION_TEXT, offsetof(struct replay_args, to), POSITION_WORDS, NULL,
	  "The last: a position (itself included) or a time (what was stored before it). Default: the end as it is "
	  "now." },
	{ "source", 's', OPTION_TEXT, offsetof(struct replay_args, source), "SOURCE", NULL,
	  "Only events of this EventSource (metadata.name)." },
	{ "name", 'N', OPTION_TEXT, offsetof(struct replay_args, name), "NAME", NULL,
	  "Only events of this name (the key in the EventSource)." },
	{ "keep-ids", 0, OPTION_FLAG, offsetof(struct replay_args, keep_ids), NULL, NULL,
	  "Use the first message ids again: what the bus has had lately it does not take twice. Without this every "
	  "event in "
	  "the range is delivered once more." },
	{ "dry-run", 0, OPTION_FLAG, offsetof(struct replay_args, dry_run), NULL, NULL,
	  "Count what would be sent and send nothing." },
	{ "data-dir", 'D', OPTION_TEXT, offsetof(struct replay_args, data_dir), "DIR", "HOLDFAST_DATA_DIR",
	  "Directory of the store. Default: the one in the manifests." },
	{ 0 },
};

struct replay {
	const struct invocation *inv;
	struct gateway_config *config;
	char dir[PATH_MAX];
	struct position from;
	struct position to;
	struct replay_config what;
	struct progress bar;
	struct store_reader *reader;
	struct replay_progress done;
	uint64_t count; /* a dry run's */
	uint64_t gone;  /* what the range had up to here, retention has let go; 0: nothing */
	struct why why;
};

static int load_config(struct replay *r, const struct manifests *manifests)
{
	if (manifests_load(manifests, &r->config) != E_OK)
		return command_failed(r->inv, "the configuration is bad; nothing was sent");
	if (r->config->bus.kind == BUS_EMBEDDED)
		return command_failed(r->inv, "the bus of these manifests is the store itself, where the events are "
					      "already: read them with 'holdfast tail', or add an EventBus manifest");
	return EXIT_DONE;
}

static int parse(struct replay *r, const struct replay_args *args)
{
	int64_t now_ms = clock_wall_ms();

	if (!args->from)
		return command_misused(r->inv, "--from is missing");
	if (position_parse("--from", args->from, now_ms, &r->why, &r->from) != E_OK ||
	    position_parse("--to", args->to ? args->to : "end", now_ms, &r->why, &r->to) != E_OK)
		return command_misused(r->inv, "%s", r->why.text);
	if (position_reversed(&r->from, &r->to))
		return command_misused(r->inv, "nothing can lie between --from %s and --to %s", args->from, args->to);
	return EXIT_DONE;
}

static bool is_empty(const struct store_query *range)
{
	return range->to < range->from;
}

/* From places to positions. A time or the end names the first position behind the range. */
static enum err find_range(struct replay *r)
{
	struct store_query *range = &r->what.range;
	struct position end = { .kind = POSITION_END };
	uint64_t behind = 0;
	enum err err = position_find(&r->from, r->reader, &r->why, &range->from);

	if (err == E_OK)
		err = position_check_ahead(range->from, r->reader, &r->why);
	if (err == E_OK)
		err = position_find(&r->to, r->reader, &r->why, &range->to);
	if (err == E_OK)
		err = position_find(&end, r->reader, &r->why, &behind);
	if (err != E_OK)
		return err;
	if (r->to.kind != POSITION_AT)
		range->to--;
	if (range->to >= behind)
		range->to = behind - 1;
	/* Between two times that retention is past there may have been events, though the range looks empty. */
	err = store_gone(r->reader, range->from, is_empty(range) ? UINT64_MAX : range->to, &r->gone, &r->why);
	if (range->from == 0)
		range->from = 1;
	return err;
}

static bool count_row(void *ctx, const struct store_row *row)
{
	struct replay *r = ctx;

	(void)row;
	r->count++;
	return true;
}

static bool on_counted(void *ctx, uint64_t next)
{
	struct replay *r = ctx;

	progress_at(&r->bar, next - r->what.range.from);
	return !interrupted();
}

static enum err count_range(struct replay *r)
{
	struct store_query range = r->what.range;

	range.on_window = on_counted;
	return store_read(r->reader, &range, count_row, r, &r->why);
}

static bool on_progress(void *ctx, const struct replay_progress *done)
{
	struct replay *r = ctx;

	r->done = *done;
	if (done->last_pos >= r->what.range.from)
		progress_at(&r->bar, done->last_pos - r->what.range.from + 1);
	return !interrupted();
}

static enum err send_range(struct replay *r)
{
	struct metrics *metrics = metrics_new();
	struct bus *bus = NULL;
	char run[33];
	enum err err;

	if (!metrics)
		return why_set(&r->why, E_NOMEM, "replay: %s", err_text(E_NOMEM));
	rand_uuid_hex(run);
	if (!((const struct replay_args *)r->inv->args)->keep_ids)
		r->what.run = str_of(run);
	err = bus_open(&r->config->bus, metrics, NULL, NULL, &r->why, &bus);
	if (err == E_OK) {
		err = replay_run(&r->what, r->reader, bus, on_progress, r, &r->why, &r->done);
		bus->ops->close(bus);
	}
	metrics_free(metrics);
	return err;
}

static enum err work(struct replay *r, bool dry_run)
{
	struct store_query *range = &r->what.range;
	enum err err = data_dir_read(r->dir, &r->why, &r->reader);

	if (err == E_OK)
		err = find_range(r);
	if (err != E_OK || is_empty(range))
		return err;
	progress_start(&r->bar, STDERR_FILENO, dry_run ? "count" : "replay", "positions", range->to - range->from + 1);
	err = dry_run ? count_range(r) : send_range(r);
	progress_clear(&r->bar);
	return err;
}

/* How far it came, so that the next run can go on from there. */
static int report_failure(const struct replay *r, enum err err)
{
	uint64_t from = r->what.range.from;
	uint64_t next = r->done.last_pos >= from ? r->done.last_pos + 1 : from;

	if (!from || is_empty(&r->what.range))
		return command_failed(r->inv, "%s", r->why.text);
	return command_failed(r->inv, "%s; %" PRIu64 " sent; go on with --from %" PRIu64,
			      err == E_CANCELLED ? "interrupted" : r->why.text, r->done.taken, next);
}

static void report_dry(const struct replay *r, struct buf *text)
{
	const struct store_query *range = &r->what.range;

	buf_addf(text, "would send %" PRIu64 " of positions %" PRIu64 " to %" PRIu64 " to bus %s (", r->count,
		 range->from, range->to, r->config->bus.name);
	bus_write_place(&r->config->bus, text);
	buf_lit(text, ")\n");
}

static int report(const struct replay *r, bool dry_run)
{
	const struct store_query *range = &r->what.range;
	struct buf text = { 0 };

	if (is_empty(range))
		buf_lit(&text, "nothing to send: the range is empty\n");
	else if (dry_run)
		report_dry(r, &text);
	else
		buf_addf(&text, "sent %" PRIu64 " of positions %" PRIu64 " to %" PRIu64 " to bus %s\n", r->done.taken,
			 range->from, range->to, r->config->bus.name);
	if (!r->done.refused && !r->gone)
		return out_print(&text);
	(void)out_print(&text);
	if (r->done.refused)
		command_failed(r->inv, "%" PRIu64 " refused: the bus can never take them", r->done.refused);
	if (r->gone)
		command_failed(r->inv, GONE_WORDS, r->gone);
	return EXIT_FAILED;
}

static int replay(struct replay *r, const struct replay_args *args)
{
	const char *dir = args->data_dir ? args->data_dir : r->config->data_dir;
	enum err err;

	if (data_dir(dir, sizeof(r->dir), r->dir, &r->why) != E_OK)
		return command_failed(r->inv, "%s", r->why.text);
	r->what.range.source = str_of(args->source);
	r->what.range.name = str_of(args->name);
	r->what.timeout_ms = PUBLISH_MS;
	r->what.give_up_ms = GIVE_UP_MS;
	interrupt_catch();
	err = work(r, args->dry_run);
	store_reader_close(r->reader);
	if (err == E_OK && args->dry_run && interrupted())
		err = E_CANCELLED;
	return err == E_OK ? report(r, args->dry_run) : report_failure(r, err);
}

static int run(const struct invocation *inv)
{
	const struct replay_args *args = inv->args;
	CLEANUP(mem_freep) struct replay *r = mem_alloc(sizeof(*r));
	struct manifests manifests;
	int code;

	if (!r)
		return command_failed(inv, "%s", err_text(E_NOMEM));
	r->inv = inv;
	if (manifests_collect(inv, &args->files, &manifests) != EXIT_DONE || parse(r, args) != EXIT_DONE)
		return EXIT_USAGE;
	code = load_config(r, &manifests);
	if (code == EXIT_DONE)
		code = replay(r, args);
	gateway_config_unref(r->config);
	return code;
}

const struct command cmd_replay = {
	.name = "replay",
	.operands = "[FILE...]",
	.operands_max = OPTION_LIST_MAX,
	.summary = "Send a range of stored events to the bus again",
	.about = "Publishes in order, to the bus of the manifests, and waits until the bus has confirmed each event. "
		 "The "
		 "events keep their CloudEvent id, so consumers that look at it can tell. Works beside a running "
		 "gateway. "
		 "When it fails or is interrupted it says from where to go on. What retention has let go cannot be "
		 "sent: the "
		 "rest of the range is, and the exit status is 1.",
	.examples = "  holdfast replay -f config.yaml --from 2h --source github --dry-run\n"
		    "      how many events would that be?\n"
		    "  holdfast replay -f config.yaml --from 2024-05-01T12:00:00Z \\\n"
		    "    --to 2024-05-01T13:00:00Z\n"
		    "      one hour of everything\n"
		    "  holdfast replay -f config.yaml --from 1200 --to 1200\n"
		    "      one event\n",
	.options = options,
	.args_size = sizeof(struct replay_args),
	.run = run,
};
