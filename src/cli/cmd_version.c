#include "cli/commands.h"
#include "cli/out.h"

static int run(const struct invocation *inv)
{
	struct buf text = { 0 };

	(void)inv;
	buf_lit(&text, "holdfast " HOLDFAST_VERSION "\n");
	return out_print(&text);
}

const struct command cmd_version = {
	.name = "version",
	.summary = "Print the version",
	.run = run,
};
