#include <stdlib.h>

#include "base/log.h"
#include "cli/commands.h"
#include "gateway/drop_in.h"
#include "gateway/gateway.h"

struct service_args {
	const char *data_dir;
	const char *root;
};

static const struct option_row options[] = {
	{ "data-dir", 'D', OPTION_TEXT, offsetof(struct service_args, data_dir), "DIR", "HOLDFAST_DATA_DIR",
	  "Directory of the store: events are then answered once they are on its disk (ack: spool). Default: none, "
	  "events are answered once the bus has them (ack: bus), as the controller's own process does." },
	{ "root", 0, OPTION_TEXT, offsetof(struct service_args, root), "DIR", NULL,
	  "Look for /argo-events/secrets and /etc/eventbus below DIR; for tests outside a container." },
	{ 0 },
};

static int run_with(const struct invocation *inv, struct str source, struct str bus)
{
	const struct config_text texts[] = { { "EVENTSOURCE_OBJECT", source }, { "EVENTBUS_CONFIG", bus } };
	struct gateway_options gateway = {
		.input = { .texts = texts,
			   .text_count = sizeof(texts) / sizeof(texts[0]),
			   .take_unknown = true,
			   .skip_bad = true },
		.version = HOLDFAST_VERSION,
		.level = (enum log_level)inv->common.log_level,
		.format = (enum log_format)inv->common.log_format,
	};

	return gateway_run(&gateway);
}

static int run(const struct invocation *inv)
{
	const struct service_args *args = inv->args;
	const struct drop_in in = {
		.object = getenv("EVENTSOURCE_OBJECT"),
		.bus_config = getenv("EVENTBUS_CONFIG"),
		.options = getenv("HOLDFAST_SPEC"),
		.data_dir = args->data_dir,
		.root = args->root ? args->root : "",
	};
	struct buf source = { 0 }, bus = { 0 };
	struct why why = { 0 };
	int code;

	if (drop_in_read(&in, &why, &source, &bus) == E_OK) {
		code = run_with(inv, buf_view(&source), buf_view(&bus));
	} else {
		log_error("gateway", "cannot start", LOG_WHY(&why));
		code = EXIT_FAILED;
	}
	buf_release(&source);
	buf_release(&bus);
	return code;
}

const struct command cmd_eventsource_service = {
	.name = "eventsource-service",
	.summary = "Run as the event source process of an Argo Events controller",
	.about = "What the controller starts for each EventSource, so that this image can take the place of its own. "
		 "Reads "
		 "EVENTSOURCE_OBJECT and EVENTBUS_CONFIG (base64 of JSON), the secrets below /argo-events/secrets and "
		 "the login of "
		 "the bus in /etc/eventbus/auth/auth.yaml. EVENTBUS_SUBJECT, POD_NAME and LEADER_ELECTION are not "
		 "needed. "
		 "HOLDFAST_SPEC, a JSON object, says what a manifest of holdfast says under spec.holdfast. An event "
		 "that has a "
		 "problem is left out and logged; the others are served.",
	.examples = "  ARGO_EVENTS_IMAGE=registry.example.com/holdfast\n"
		    "      in the controller's environment: holdfast then serves its EventSources\n"
		    "  HOLDFAST_DATA_DIR=/data HOLDFAST_SPEC='{\"deadline\": \"5s\"}'\n"
		    "      in spec.template.container.env of an EventSource, with a volume at /data\n",
	.options = options,
	.args_size = sizeof(struct service_args),
	.service = true,
	.any_log_level = true,
	.run = run,
};
