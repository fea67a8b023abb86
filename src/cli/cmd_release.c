#include "cli/data_dir.h"
#include "cli/peer_ask.h"

struct release_args {
	const char *data_dir;
};

static const struct option_row options[] = {
	DATA_DIR_OF_PROCESS_OPTION(struct release_args, "principal or agent"),
	{ 0 },
};

static int run(const struct invocation *inv)
{
	const struct release_args *args = inv->args;

	return peer_ask(inv, args->data_dir, "release", "");
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
