#include <limits.h>

#include "auth/agent.h"
#include "cli/commands.h"
#include "cli/data_dir.h"
#include "cli/gateway_client.h"
#include "cli/out.h"

struct release_args {
	const char *data_dir;
};

static const struct option_row options[] = {
	DATA_DIR_OF_PROCESS_OPTION(struct release_args, "principal or agent"),
	{ 0 },
};

static enum err ask(const char *dir, const char *agent, struct buf *ret_answer, struct why *why)
{
	struct gateway_client client;
	struct buf path = { .max = 256 };
	enum err err = gateway_client_init(&client, dir, why);

	buf_addf(&path, "/release?agent=%s", agent);
	if (err == E_OK && !buf_cstr(&path))
		err = why_set(why, E_NOMEM, "%s", err_text(E_NOMEM));
	if (err == E_OK)
		err = gateway_client_call(&client, "POST", path.p, why, ret_answer);
	if (err == E_NOT_FOUND || err == E_UNAVAILABLE)
		err = why_set(why, err, "no principal or agent runs on %s: give its --data-dir", dir);
	gateway_client_release(&client);
	buf_release(&path);
	return err;
}

static int run(const struct invocation *inv)
{
	const struct release_args *args = inv->args;
	struct buf answer = { 0 };
	struct why why = { 0 };
	char dir[PATH_MAX];

	if (!agent_name_ok(str_of(inv->operands[0])))
		return command_misused(inv, "'%s' is no name of an agent: 1 to 63 lower-case letters, digits and '-'",
				       inv->operands[0]);
	if (data_dir_of_peer(args->data_dir, sizeof(dir), dir, &why) == E_OK &&
	    ask(dir, inv->operands[0], &answer, &why) == E_OK)
		return out_print(&answer);
	buf_release(&answer);
	return command_failed(inv, "%s", why.text);
}

const struct command cmd_release = {
	.name = "release",
	.operands = "AGENT",
	.operands_min = 1,
	.operands_max = 1,
	.summary = "Release the deletes that are held for an agent",
	.about = "When a comparison would delete more of what an agent has than --guard-share allows, the deletes are "
		 "held until somebody has looked: the source may be empty by mistake. 'holdfast status' shows them. "
		 "This releases those that are held now, and no later ones. At an autonomous agent, AGENT is "
		 "'principal'.",
	.examples = "  holdfast release site-1 --data-dir /var/lib/holdfast/principal\n"
		    "      yes, they are meant to go\n",
	.options = options,
	.args_size = sizeof(struct release_args),
	.run = run,
};
