#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/terminal.h"
#include "cli/commands.h"
#include "cli/data_dir.h"
#include "cli/gateway_client.h"
#include "cli/interrupt.h"
#include "cli/json_text.h"
#include "cli/out.h"
#include "cli/sync_text.h"
#include "store/store_tool.h"

#define WATCH_MS   1000
#define CLEAR_PAGE "\033[H\033[2J"

struct status_args {
	bool json;
	bool watch;
	const char *data_dir;
};

static const struct option_row options[] = {
	{ "json", 'j', OPTION_FLAG, offsetof(struct status_args, json), NULL, NULL, "One line of JSON." },
	{ "watch", 'w', OPTION_FLAG, offsetof(struct status_args, watch), NULL, NULL,
	  "Again every second, until Ctrl-C." },
	DATA_DIR_OF_PROCESS_OPTION(struct status_args, "gateway, principal or agent"),
	{ 0 },
};

/* What the next start sends to this bus. */
static uint64_t waiting(const struct store_info *info, size_t bus)
{
	uint64_t forwarded = info->buses[bus].forwarded;

	return info->buses[bus].held + (info->last > forwarded ? info->last - forwarded : 0);
}

/* Without a gateway the file itself is asked. */
static enum err ask_store(const char *dir, struct buf *ret_json, struct why *why)
{
	struct store_info info;
	enum err err = store_info(dir, &info, why);

	if (err == E_NOT_FOUND && data_dir_has_ledger(dir))
		return why_set(why, err, "neither a principal nor an agent runs on %s", dir);
	if (err == E_NOT_FOUND)
		return why_set(why, err, "no gateway runs on %s, and there is no store in it: give --data-dir", dir);
	if (err != E_OK)
		return err;
	buf_lit(ret_json,
		"{\"ready\":false,\"state\":\"no gateway runs; this is what the store says\",\"store\":{\"dir\":");
	buf_json(ret_json, str_of(dir));
	buf_addf(ret_json,
		 ",\"events\":%" PRIu64 ",\"first\":%" PRIu64 ",\"last\":%" PRIu64 ",\"bytes\":%" PRIu64
		 ",\"dead\":%" PRIu64 "},\"buses\":[",
		 info.events, info.first, info.last, info.bytes, info.dead);
	for (size_t i = 0; i < info.bus_count; i++) {
		buf_str(ret_json, i ? STR(",{\"name\":") : STR("{\"name\":"));
		buf_json(ret_json, str_of(info.buses[i].name));
		buf_addf(ret_json, ",\"forwarded\":%" PRIu64 ",\"waiting\":%" PRIu64 "}", info.buses[i].forwarded,
			 waiting(&info, i));
	}
	buf_lit(ret_json, "]}");
	return ret_json->err;
}

static enum err ask_process(const char *dir, struct buf *ret_json, struct why *why)
{
	struct gateway_client client;
	enum err err = gateway_client_init(&client, dir, why);

	if (err == E_OK)
		err = gateway_client_call(&client, "GET", "/status", why, ret_json);
	gateway_client_release(&client);
	return err;
}

/* A gateway that was killed leaves its admin.json behind: nobody listens there. */
static enum err ask(const char *dir, struct buf *ret_json, struct why *why)
{
	enum err err = ask_process(dir, ret_json, why);

	if (err == E_IO || err == E_FORBIDDEN) { /* it ended before it answered, and another one may have begun */
		buf_clear(ret_json);
		err = ask_process(dir, ret_json, why);
	}
	if (err == E_NOT_FOUND || err == E_UNAVAILABLE)
		err = ask_store(dir, ret_json, why);
	return err;
}

static enum err write_text(struct str json, bool raw, size_t columns, struct buf *text)
{
	if (!raw)
		return sync_text_is(json) ? sync_text(json, columns, clock_wall_ms(), text) : json_text(json, text);
	buf_str(text, str_cut(&json, '\n'));
	buf_char(text, '\n');
	return text->err;
}

/* A page that is drawn again and again must fit: its beginning is what counts. */
static void cut_page(const struct winsize *size, struct buf *text)
{
	struct str rest = buf_view(text);
	size_t kept = 0, used = 2, more = 0; /* the last line, and where the cursor stands */

	while (rest.n) {
		struct str one = str_cut(&rest, '\n');

		used += one.n ? (one.n + size->ws_col - 1) / size->ws_col : 1;
		if (used <= size->ws_row)
			kept += one.n + 1;
		else
			more++;
	}
	if (more == 0)
		return;
	text->n = kept;
	buf_addf(text, "... and %zu lines more: without --watch all are shown\n", more);
}

/* The status of now behind what stands in `page`. */
static enum err write_page(const struct status_args *args, const char *dir, struct buf *page, struct why *why)
{
	struct winsize size = terminal_size(STDOUT_FILENO);
	struct buf json = { 0 }, text = { 0 };
	enum err err = ask(dir, &json, why);

	if (err == E_OK && write_text(buf_view(&json), args->json, size.ws_col, &text) != E_OK)
		err = why_set(why, E_UNSUPPORTED, "what answers is no status");
	if (err == E_OK && args->watch && !args->json && size.ws_col)
		cut_page(&size, &text);
	if (err == E_OK)
		buf_str(page, buf_view(&text));
	buf_release(&text);
	buf_release(&json);
	return err;
}

/* `*ret_written`: what was to be written is. */
static int show(const struct invocation *inv, const char *dir, struct str before, bool *ret_written)
{
	struct buf page = { 0 };
	struct why why = { 0 };
	enum err err;

	buf_str(&page, before);
	err = write_page(inv->args, dir, &page, &why);
	*ret_written = out_print(&page) == EXIT_DONE;
	if (err != E_OK)
		return command_failed(inv, "%s", why.text);
	return *ret_written ? EXIT_DONE : EXIT_FAILED;
}

/* A process that is away comes back: only Ctrl-C, or a reader that has gone, ends it. */
static int watch(const struct invocation *inv, const char *dir)
{
	const struct status_args *args = inv->args;
	struct str before = terminal_draws(STDOUT_FILENO) && !args->json ? STR(CLEAR_PAGE) : STR("");
	bool written = true;

	interrupt_catch();
	while (written && !interrupted()) {
		(void)show(inv, dir, before, &written);
		(void)interrupt_wait(-1, WATCH_MS);
	}
	return written ? EXIT_DONE : EXIT_FAILED;
}

static int run(const struct invocation *inv)
{
	const struct status_args *args = inv->args;
	struct why why = { 0 };
	char dir[PATH_MAX];
	bool written;

	if (data_dir_of_process(args->data_dir, sizeof(dir), dir, &why) != E_OK)
		return command_failed(inv, "%s", why.text);
	return args->watch ? watch(inv, dir) : show(inv, dir, STR(""), &written);
}

const struct command cmd_status = {
	.name = "status",
	.summary = "Show how a gateway, principal or agent is doing",
	.about = "Asks the process that runs on the data directory. When no gateway runs, looks into the store and "
		 "says so. "
		 "Of a "
		 "principal: each agent, what waits for it, what it rejected and why, and the deletes that are held.",
	.examples = "  holdfast status\n"
		    "      for people\n"
		    "  holdfast status --watch --data-dir /var/lib/holdfast/principal\n"
		    "      the agents of a principal, every second\n"
		    "  holdfast status --json | jq .store.last\n"
		    "      for scripts\n",
	.options = options,
	.args_size = sizeof(struct status_args),
	.run = run,
};
