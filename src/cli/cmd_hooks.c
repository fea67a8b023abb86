#include <curl/curl.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/manifests.h"
#include "cli/out.h"
#include "cli/rows.h"
#include "gateway/hooks/engine.h"
#include "gateway/sources/source.h"

#define COLUMNS 160

struct hooks_args {
	struct option_list files;
	uint64_t timeout_s;
	bool json;
	bool rewrite;
	bool dry_run;
};

#define JSON_OPTION                                                                      \
	{                                                                                \
		"json", 'j', OPTION_FLAG, offsetof(struct hooks_args, json), NULL, NULL, \
			"One line of JSON for each hook."                                \
	}
#define TIMEOUT_OPTION                                                                                      \
	{                                                                                                   \
		"timeout", 't', OPTION_NUMBER, offsetof(struct hooks_args, timeout_s), "SECONDS", NULL,     \
			"Give up on providers that have not answered by then.", .fallback = "60", .min = 1, \
										.max = 86400                \
	}

static const struct option_row plan_options[] = {
	MANIFESTS_OPTION(struct hooks_args), JSON_OPTION, TIMEOUT_OPTION, { 0 }
};

static const struct option_row apply_options[] = {
	MANIFESTS_OPTION(struct hooks_args),
	{ "rewrite", 'r', OPTION_FLAG, offsetof(struct hooks_args, rewrite), NULL, NULL,
	  "Write the secret of every hook that has one, whether it looks changed or not: providers do not show it, and "
	  "it may have changed while no gateway ran." },
	JSON_OPTION,
	TIMEOUT_OPTION,
	{ 0 },
};

static const struct option_row delete_options[] = {
	MANIFESTS_OPTION(struct hooks_args),
	{ "dry-run", 'n', OPTION_FLAG, offsetof(struct hooks_args, dry_run), NULL, NULL,
	  "Only say what would be deleted." },
	JSON_OPTION,
	TIMEOUT_OPTION,
	{ 0 },
};

/* What a command does, and what became of it. */
struct task {
	enum hook_goal goal;
	bool deletes; /* HOOK_LOOK for what would be deleted */
	const struct hooks_args *args;
	size_t counts[4]; /* by enum hook_action */
	size_t failed;
};

/* ---- output ------------------------------------------------------------------------------------------------------------- */

static enum hook_action action_of(const struct task *t, const struct hook *h)
{
	if (t->goal != HOOK_LOOK)
		return h->did;
	if (t->deletes)
		return h->action == HOOK_CREATE ? HOOK_NOTHING : HOOK_DELETE;
	return h->action;
}

static const char *error_of(const struct hook *h)
{
	return h->broken ? h->broken : h->failing ? h->why.text : !h->finished ? "no answer in time" : NULL;
}

static void add_member(struct buf *b, const char *name, const char *text)
{
	buf_addf(b, ",\"%s\":", name);
	if (text)
		buf_json(b, str_of(text));
	else
		buf_lit(b, "null");
}

static void add_json(const struct task *t, const struct hook *h, struct buf *b)
{
	struct buf parts = { 0 };

	hook_write_parts(h->changed, &parts);
	buf_lit(b, "{\"action\":");
	buf_json(b, str_of(hook_action_words[action_of(t, h)]));
	add_member(b, "provider", h->provider->name);
	add_member(b, "namespace", h->route->namespace);
	add_member(b, "eventSource", h->route->event_source);
	add_member(b, "event", h->route->event_name);
	add_member(b, "place", h->place);
	add_member(b, "url", h->url);
	add_member(b, "changed", h->changed ? buf_cstr(&parts) : NULL);
	add_member(b, "error", error_of(h));
	buf_addf(b, ",\"done\":%s}", t->goal != HOOK_LOOK && !error_of(h) ? "true" : "false");
	buf_release(&parts);
}

static void add_line(const struct task *t, const struct hook *h, struct buf *b)
{
	enum hook_action action = action_of(t, h);
	const char *word = error_of(h)                                      ? "failed"
			   : t->goal == HOOK_LOOK && action == HOOK_NOTHING ? t->deletes ? "absent" : "in place"
			   : t->goal == HOOK_LOOK                           ? hook_action_words[action]
			   : t->deletes && action == HOOK_NOTHING           ? "absent"
									    : hook_action_done[action];

	buf_addf(b, "%-8s  %s  ", word, h->provider->name);
	row_printable(b, str_of(h->route->event_source), COLUMNS);
	buf_char(b, '/');
	row_printable(b, str_of(h->route->event_name), COLUMNS);
	buf_lit(b, "  ");
	row_printable(b, str_of(h->place), COLUMNS);
	buf_lit(b, "  ");
	row_printable(b, str_of(h->url), COLUMNS);
	if (h->changed && !error_of(h)) {
		buf_lit(b, "  (");
		hook_write_parts(h->changed, b);
		buf_char(b, ')');
	}
	if (error_of(h)) {
		buf_lit(b, "  ");
		row_printable(b, str_of(error_of(h)), 4 * COLUMNS);
	}
}

/* A place that was only expanded is worth a line when it failed. */
static bool is_shown(const struct hook *h)
{
	return !h->provider->expands || error_of(h);
}

static void show(struct task *t, const struct engine *e, struct out *out)
{
	for (const struct hook *h = e->hooks; h; h = h->next) {
		if (!is_shown(h))
			continue;
		t->failed += error_of(h) != NULL;
		t->counts[action_of(t, h)] += error_of(h) == NULL;
		if (t->args->json)
			add_json(t, h, &out->text);
		else
			add_line(t, h, &out->text);
		buf_char(&out->text, '\n');
		if (!out_next(out))
			return;
	}
}

static void show_sum(const struct task *t, struct out *out)
{
	const char *to = t->goal == HOOK_LOOK ? "to " : "";
	const char *const *words = t->goal == HOOK_LOOK ? hook_action_words : hook_action_done;
	const char *nothing = t->deletes ? "absent" : "in place";

	if (t->args->json)
		return;
	buf_addf(&out->text, "%zu %s", t->counts[HOOK_NOTHING], nothing);
	for (enum hook_action a = HOOK_CREATE; a <= HOOK_DELETE; a++)
		if (t->counts[a])
			buf_addf(&out->text, ", %zu %s%s", t->counts[a], to, words[a]);
	if (t->failed)
		buf_addf(&out->text, ", %zu failed", t->failed);
	buf_char(&out->text, '\n');
}

/* ---- work --------------------------------------------------------------------------------------------------------------- */

static int drive(const struct invocation *inv, struct task *t, struct engine *e, uint64_t end_ms)
{
	struct why why = { 0 };
	struct out out;
	uint64_t now_ms;

	while (!engine_is_done(e) && (now_ms = clock_mono_ms()) < end_ms)
		engine_turn(e, end_ms - now_ms);
	out_open(&out);
	show(t, e, &out);
	show_sum(t, &out);
	if (out_close(&out, E_OK, &why) != E_OK)
		return command_failed(inv, "%s", why.text);
	return t->failed ? EXIT_FAILED : EXIT_DONE;
}

static int run_engine(const struct invocation *inv, struct task *t, struct gateway_config *config)
{
	uint64_t end_ms = clock_mono_ms() + 1000 * t->args->timeout_s;
	struct engine_options options = {
		.goal = t->goal, .once = true, .quiet = true, .rewrite = t->args->rewrite, .deadline_ms = end_ms
	};
	struct engine *e = NULL;
	CURLM *multi;
	int code;

	curl_global_init(CURL_GLOBAL_DEFAULT);
	multi = curl_multi_init();
	if (!multi || engine_new(config, &options, multi, &e) != E_OK)
		code = command_failed(inv, "no memory");
	else
		code = drive(inv, t, e, end_ms);
	engine_free(e);
	curl_multi_cleanup(multi);
	return code;
}

static int run_task(const struct invocation *inv, struct task *t)
{
	struct gateway_config *config = NULL;
	struct manifests manifests;
	int code;

	t->args = inv->args;
	if (manifests_collect(inv, &t->args->files, &manifests) != EXIT_DONE)
		return EXIT_USAGE;
	if (manifests_load(&manifests, &config) != E_OK)
		return command_failed(inv, "the manifests have problems");
	code = run_engine(inv, t, config);
	gateway_config_unref(config);
	return code;
}

static int run_plan(const struct invocation *inv)
{
	return run_task(inv, &(struct task){ .goal = HOOK_LOOK });
}

static int run_apply(const struct invocation *inv)
{
	return run_task(inv, &(struct task){ .goal = HOOK_KEEP });
}

static int run_delete(const struct invocation *inv)
{
	const struct hooks_args *args = inv->args;

	if (!args->dry_run && !args->files.n && !inv->operand_count)
		return command_misused(inv, "the hooks of which manifests? Give -f FILE");
	return run_task(inv, &(struct task){ .goal = args->dry_run ? HOOK_LOOK : HOOK_REMOVE, .deletes = true });
}

const struct command cmd_hooks_plan = {
	.name = "hooks plan",
	.operands = "[FILE...]",
	.operands_max = OPTION_LIST_MAX,
	.summary = "Show what would be done to the hooks at providers",
	.about = "Asks each provider for the hooks that the manifests want and prints for each whether it is in place, "
		 "would be created or would be updated, and writes nothing. Exits with 1 when one could not be looked "
		 "at. The running gateway does by itself what is said here.",
	.examples = "  holdfast hooks plan sources.yaml bus.yaml\n"
		    "      all hooks of one gateway\n"
		    "  holdfast hooks plan --json sources.yaml | jq -r '.action + \" \" + .place'\n"
		    "      for scripts\n",
	.options = plan_options,
	.args_size = sizeof(struct hooks_args),
	.run = run_plan,
};

const struct command cmd_hooks_apply = {
	.name = "hooks apply",
	.operands = "[FILE...]",
	.operands_max = OPTION_LIST_MAX,
	.summary = "Create and update the hooks at providers",
	.about = "Makes the hooks that the manifests want, changes those that are otherwise, and leaves those that are "
		 "right. A hook is known by its address, and is never made twice. Exits with 1 when one failed.",
	.examples = "  holdfast hooks apply sources.yaml\n"
		    "      once, with holdfast.hooks.manage as it is in the manifest\n"
		    "  holdfast hooks apply --rewrite sources.yaml\n"
		    "      after a secret was changed while no gateway ran\n",
	.options = apply_options,
	.args_size = sizeof(struct hooks_args),
	.run = run_apply,
};

const struct command cmd_hooks_delete = {
	.name = "hooks delete",
	.operands = "[FILE...]",
	.operands_max = OPTION_LIST_MAX,
	.summary = "Delete the hooks at providers",
	.about =
		"Deletes the hooks that the manifests want, whether or not they say deleteHookOnFinish. A gateway that "
		"runs makes them again: stop it first. Without --dry-run the files must be named. Exits with 1 when "
		"one failed.",
	.examples = "  holdfast hooks delete --dry-run sources.yaml\n"
		    "      which ones\n"
		    "  holdfast hooks delete sources.yaml\n"
		    "      all of them\n",
	.options = delete_options,
	.args_size = sizeof(struct hooks_args),
	.run = run_delete,
};
