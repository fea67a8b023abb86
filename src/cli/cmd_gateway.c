#include "cli/commands.h"
#include "cli/manifests.h"
#include "gateway/gateway.h"

struct gateway_args {
	struct option_list files;
};

static const struct option_row options[] = {
	MANIFESTS_OPTION(struct gateway_args),
	{ 0 },
};

static int run(const struct invocation *inv)
{
	const struct gateway_args *args = inv->args;
	struct gateway_options gateway = { .version = HOLDFAST_VERSION,
					   .level = (enum log_level)inv->common.log_level,
					   .format = (enum log_format)inv->common.log_format };
	struct manifests manifests;

	if (manifests_collect(inv, &args->files, &manifests) != EXIT_DONE)
		return EXIT_USAGE;
	gateway.input = (struct config_input){ .files = manifests.files, .file_count = manifests.n };
	return gateway_run(&gateway);
}

const struct command cmd_gateway = {
	.name = "gateway",
	.operands = "[FILE...]",
	.operands_max = OPTION_LIST_MAX,
	.summary = "Receive webhooks and CloudEvents, store and forward them",
	.about = "Serves the EventSource manifests in the files until SIGTERM or SIGINT, then finishes what is in "
		 "flight. "
		 "SIGHUP reads the files again; a bad configuration is refused and the old one goes on. With a data "
		 "directory (spec.holdfast.dataDir) an event is stored before it is answered with 200; without an "
		 "EventBus manifest the store itself is the bus.",
	.examples = "  holdfast gateway -f webhook.yaml\n"
		    "      serve one file\n"
		    "  holdfast gateway -f sources.yaml -f bus.yaml --log-format json\n"
		    "      several files, JSON logs\n"
		    "  HOLDFAST_CONFIG=/etc/holdfast/config.yaml holdfast gateway\n"
		    "      as a service or in a container\n",
	.options = options,
	.args_size = sizeof(struct gateway_args),
	.service = true,
	.run = run,
};
