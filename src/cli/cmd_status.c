#include <inttypes.h>
#include <limits.h>

#include "cli/commands.h"
#include "cli/data_dir.h"
#include "cli/gateway_client.h"
#include "cli/help.h"
#include "cli/json_text.h"
#include "store/store_tool.h"

struct status_args {
	bool json;
	const char *data_dir;
};

static const struct option_row options[] = {
	{ "json", 'j', OPTION_FLAG, offsetof(struct status_args, json), NULL, NULL, "One line of JSON." },
	DATA_DIR_OPTION(struct status_args),
	{ 0 },
};

/* Without a gateway the file itself is asked. */
static enum err ask_store(const char *dir, struct buf *ret_json, struct why *why)
{
	struct store_info info;
	enum err err = store_info(dir, &info, why);

	if (err == E_NOT_FOUND)
		return why_set(why, err, "no gateway runs on %s, and there is no store in it", dir);
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
		buf_addf(ret_json, ",\"forwarded\":%" PRIu64 "}", info.buses[i].forwarded);
	}
	buf_lit(ret_json, "]}");
	return ret_json->err;
}

/* A gateway that was killed leaves its admin.json behind: nobody listens there. */
static enum err ask(const char *dir, struct buf *ret_json, struct why *why)
{
	struct gateway_client client;
	enum err err = gateway_client_init(&client, dir, why);

	if (err == E_OK)
		err = gateway_client_call(&client, "GET", "/status", why, ret_json);
	gateway_client_release(&client);
	if (err == E_NOT_FOUND || err == E_UNAVAILABLE)
		err = ask_store(dir, ret_json, why);
	return err;
}

static int show(const struct invocation *inv, const struct buf *json, bool raw)
{
	struct buf text = { 0 };

	if (raw) {
		buf_str(&text, str_trim(buf_view(json)));
		if (text.n == 0 || text.p[text.n - 1] != '\n')
			buf_char(&text, '\n');
	} else if (json_text(buf_view(json), &text) != E_OK) {
		buf_release(&text);
		return command_failed(inv, "the gateway's answer is no JSON object");
	}
	return help_print(&text);
}

static int run(const struct invocation *inv)
{
	const struct status_args *args = inv->args;
	struct buf json = { 0 };
	struct why why = { 0 };
	char dir[PATH_MAX];
	int code;

	if (data_dir(args->data_dir, sizeof(dir), dir, &why) != E_OK || ask(dir, &json, &why) != E_OK)
		code = command_failed(inv, "%s", why.text);
	else
		code = show(inv, &json, args->json);
	buf_release(&json);
	return code;
}

const struct command cmd_status = {
	.name = "status",
	.summary = "Show how the gateway of a data directory is doing",
	.about = "Asks the running gateway; when none runs, looks into the store and says so.",
	.examples = "  holdfast status\n"
		    "      for people\n"
		    "  holdfast status --json | jq .store.last\n"
		    "      for scripts\n",
	.options = options,
	.args_size = sizeof(struct status_args),
	.run = run,
};
