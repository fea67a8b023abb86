#include "cli/commands.h"
#include "cli/manifests.h"
#include "cli/out.h"
#include "gateway/config.h"

struct check_args {
	struct option_list files;
	bool elsewhere;
	bool explain;
};

static const struct option_row options[] = {
	MANIFESTS_OPTION(struct check_args),
	{ "elsewhere", 0, OPTION_FLAG, offsetof(struct check_args, elsewhere), NULL, NULL,
	  "The gateway runs on another machine: do not look for its secrets and its data directory here. Manifests of "
	  "an Argo Events controller then need no EventBus, but get a warning." },
	{ "explain", 'e', OPTION_FLAG, offsetof(struct check_args, explain), NULL, NULL,
	  "Print every key that a manifest may have, with type, default and meaning, and check nothing." },
	{ 0 },
};

static void add_count(struct buf *b, size_t n, const char *noun)
{
	buf_addf(b, "%zu %s%s", n, noun, n == 1 ? "" : "s");
}

static void add_good(struct buf *b, const struct gateway_config *c)
{
	buf_lit(b, "ok: ");
	add_count(b, c->route_count, "endpoint");
	buf_addf(b, ", bus %s, %s%s\n", c->bus.kind == BUS_EMBEDDED && !c->data_dir ? "not given" : c->bus.name,
		 c->data_dir ? "data in " : "no data directory", c->data_dir ? c->data_dir : "");
}

/* "2 errors, 1 warning in 3 files". */
static void add_bad(struct buf *b, const struct problems *p, size_t files)
{
	add_count(b, p->errors, "error");
	if (p->warnings) {
		buf_lit(b, ", ");
		add_count(b, p->warnings, "warning");
	}
	buf_lit(b, " in ");
	add_count(b, files, "file");
	buf_lit(b, "; the gateway would not start\n");
}

static int check(const struct manifests *manifests, bool elsewhere)
{
	struct problems problems = { 0 };
	struct gateway_config *config = NULL;
	struct buf text = { 0 };
	const struct config_input input = {
		.files = manifests->files, .file_count = manifests->n, .no_bus = elsewhere, .elsewhere = elsewhere
	};
	enum err err = gateway_config_read(&input, &problems, &config);
	int code;

	problems_write(&problems, &text);
	if (err == E_OK)
		add_good(&text, config);
	else
		add_bad(&text, &problems, manifests->n);
	gateway_config_unref(config);
	problems_release(&problems);
	code = out_print(&text);
	return err == E_OK ? code : EXIT_FAILED;
}

static int run(const struct invocation *inv)
{
	const struct check_args *args = inv->args;
	struct manifests manifests;
	struct buf text = { 0 };

	if (args->explain) {
		gateway_config_reference(&text);
		return out_print(&text);
	}
	if (manifests_collect(inv, &args->files, &manifests) != EXIT_DONE)
		return EXIT_USAGE;
	return check(&manifests, args->elsewhere);
}

const struct command cmd_check_config = {
	.name = "check-config",
	.operands = "[FILE...]",
	.operands_max = OPTION_LIST_MAX,
	.summary = "Report everything that is wrong with manifests",
	.about = "Reads the files as the gateway would and prints each problem as FILE:LINE: PATH: text (what to do). "
		 "Exits with 1 when the gateway would refuse to start; warnings alone do not. Secrets are looked "
		 "for, too: those without which it does not start, and, with a warning, those it would go on without.",
	.examples = "  holdfast check-config sources.yaml bus.yaml\n"
		    "      all files of one gateway together: endpoints may clash between files\n"
		    "  helm template my-chart | holdfast check-config --elsewhere -\n"
		    "      from standard input, where the secrets are not\n"
		    "  holdfast check-config --explain\n"
		    "      every key there is\n",
	.options = options,
	.args_size = sizeof(struct check_args),
	.run = run,
};
