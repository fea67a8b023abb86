#include "cli/data_dir.h"
#include "cli/peer_ask.h"

struct forget_args {
	bool dry_run;
	const char *data_dir;
};

static const struct option_row options[] = {
	{ "dry-run", 'n', OPTION_FLAG, offsetof(struct forget_args, dry_run), NULL, NULL,
	  "Only say what would be forgotten, or why it cannot be." },
	DATA_DIR_OF_PROCESS_OPTION(struct forget_args, "principal"),
	{ 0 },
};

static int run(const struct invocation *inv)
{
	const struct forget_args *args = inv->args;

	return peer_ask(inv, args->data_dir, "forget", args->dry_run ? "&dry-run" : "");
}

const struct command cmd_forget = {
	.name = "forget",
	.operands = "AGENT",
	.operands_min = 1,
	.operands_max = 1,
	.summary = "Let a principal forget an agent that is gone for good",
	.about =
		"What waits for an agent that is away waits for ever. This has the running principal forget the agent: "
		"what it has confirmed, what it was to be told, its mode. Its applications must have been removed from "
		"the source, and it may not be connected. What an autonomous agent has brought stays in the source as "
		"files, which may be removed afterwards. The site itself is not touched. An agent of this name that "
		"connects later is a new one and gets everything: take its certificate or user away.",
	.examples = "  holdfast forget site-1 --dry-run\n"
		    "      what does the principal know of it?\n"
		    "  holdfast forget site-1 --data-dir /var/lib/holdfast/principal\n"
		    "      the site was given up\n",
	.options = options,
	.args_size = sizeof(struct forget_args),
	.run = run,
};
