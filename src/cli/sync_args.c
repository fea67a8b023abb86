#include "cli/sync_args.h"

#include <stdio.h>
#include <stdlib.h>

#include "backend/open.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/data_dir.h"
#include "cli/out.h"

enum err sync_join(const struct option_list *list, struct buf *ret_text)
{
	for (size_t i = 0; i < list->n; i++)
		buf_addf(ret_text, "%s%s", i ? "," : "", list->items[i]);
	return buf_cstr(ret_text) ? E_OK : E_NOMEM;
}

static enum err take_version(const char *text, const char *name, enum tls_version *ret_version, struct why *why)
{
	if (!text || tls_version_parse(str_of(text), ret_version))
		return E_OK;
	return why_set(why, E_CONFIG, "%s: '%s' is none of tls1.2 and tls1.3%s", name, text,
		       strcmp(text, "tls1.1") == 0 ? ", older ones are not served" : "");
}

static enum err make_tls(const struct sync_args *args, struct why *why, struct sync_made *made)
{
	enum err err = take_version(args->tls_min, "--tls-min-version", &made->tls_min, why);

	if (err == E_OK)
		err = take_version(args->tls_max, "--tls-max-version", &made->tls_max, why);
	if (err == E_OK && made->tls_min == TLS_1_3 && made->tls_max == TLS_1_2)
		err = why_set(
			why, E_CONFIG,
			"--tls-min-version is tls1.3 and --tls-max-version is tls1.2: raise one, or lower the other");
	return err == E_OK ? sync_join(&args->tls_suites, &made->suites) : err;
}

static enum err make_data_dir(const struct sync_args *args, const char *subdir, struct why *why, struct sync_made *made)
{
	enum err err = data_dir(args->data_dir, sizeof(made->data_dir), made->data_dir, why);
	size_t n = strlen(made->data_dir);

	if (err != E_OK || args->data_dir)
		return err;
	if (snprintf(made->data_dir + n, sizeof(made->data_dir) - n, "/%s", subdir) >=
	    (int)(sizeof(made->data_dir) - n))
		return why_set(why, E_LIMIT, "the path of the data directory is too long");
	return E_OK;
}

/* The rows have seen to the ranges. */
static void make_limits(const struct sync_args *args, struct sync_made *made)
{
	made->outbox = outbox_defaults;
	made->outbox.entries_max = args->outbox_entries;
	made->outbox.bytes_max = args->outbox_bytes;
	made->outbox.window_events = (uint32_t)args->window_events;
	made->outbox.window_bytes = args->window_bytes;
	made->outbox.rate_per_minute = (uint32_t)args->rate;
	made->outbox.rate_burst = (uint32_t)args->burst;
	made->outbox.resend_base_ms = (uint32_t)args->resend_base_ms;
	made->outbox.resend_cap_ms = (uint32_t)args->resend_cap_ms;
	made->inbox = inbox_defaults;
	made->inbox.window_events = (uint32_t)args->inbox_events;
	made->inbox.parallel_max = (uint32_t)args->inbox_parallel;
	made->guard = (struct guard_limits){ .share_max = (uint32_t)args->guard_share,
					     .count_min = (uint32_t)args->guard_min };
	made->limits = (struct session_limits){ .resync_ms = args->resync_ms,
						.peer_objects = args->peer_objects,
						.peer_bytes = args->peer_bytes };
}

static bool is_set(const char *variable)
{
	const char *value = getenv(variable);

	return value && *value;
}

/* Upstream's programs know no other place than a cluster: a command line that was theirs says so by what it has of one. */
static const char *backend_of(const struct sync_args *args)
{
	if (args->backend)
		return args->backend;
	return args->kubeconfig || args->kubecontext || is_set("KUBERNETES_SERVICE_HOST") ? BACKEND_KUBERNETES : NULL;
}

static enum err judge(const struct sync_args *args, struct why *why)
{
	const char *backend = backend_of(args);

	if (!backend)
		return why_set(why, E_CONFIG,
			       "--backend is missing: say where the resources are, as in --backend directory:PATH or "
			       "--backend kubernetes");
	if ((args->kubeconfig || args->kubecontext) && strcmp(backend, BACKEND_KUBERNETES) != 0)
		return why_set(why, E_CONFIG,
			       "%s is for --backend kubernetes, not for %s: drop it, or change --backend",
			       args->kubeconfig ? "--kubeconfig" : "--kubecontext", backend);
	if (args->resend_cap_ms < args->resend_base_ms)
		return why_set(why, E_CONFIG, "--resend-at-most is shorter than --resend-after");
	if (args->metrics_port && args->metrics_port == args->healthz_port)
		return why_set(
			why, E_CONFIG,
			"--metrics-port and --healthz-port are the same: give one of them another, or 0 for none");
	return E_OK;
}

static enum err make(const struct sync_args *args, const char *subdir, struct why *why, struct sync_made *ret_made)
{
	enum err err = judge(args, why);

	if (err == E_OK)
		err = make_tls(args, why, ret_made);
	if (err == E_OK)
		err = make_data_dir(args, subdir, why, ret_made);
	ret_made->backend = backend_of(args);
	if (err == E_OK)
		make_limits(args, ret_made);
	return err;
}

/* "--tls-ciphersuites list": they were printed. */
static bool listed(const struct sync_args *args, int *ret_code)
{
	struct buf text = { 0 };

	if (args->tls_suites.n != 1 || strcmp(args->tls_suites.items[0], "list") != 0)
		return false;
	tls_suites(&text);
	*ret_code = out_print(&text);
	return true;
}

/* What upstream's programs, both of them, only know from the environment (facts 6.3). */
static const struct {
	const char *name, *note;
} ignored_variables[] = {
	{ "ARGOCD_AGENT_SEND_QUEUE_SIZE", "what waits is bounded by --outbox-events and --outbox-bytes" },
	{ "ARGOCD_AGENT_RECV_QUEUE_SIZE", "what comes is bounded by --inbox-events" },
	{ "ARGOCD_AGENT_KUBE_QPS", "an API server limits its clients itself, and is waited for when it says so" },
	{ "ARGOCD_AGENT_KUBE_BURST", "an API server limits its clients itself, and is waited for when it says so" },
};

/* One line for each option or variable that was given and has no effect. */
static void say_ignored(const struct sync_args *args, const char *logger)
{
	for (size_t i = 0; i < args->ignored.n; i++) {
		const struct option_row *row = OPTION_ROW(&args->ignored, i);

		log_warn(logger, "an option has no effect here", LOG_S("option", row->name),
			 LOG_S("variable", row->env ? row->env : ""), LOG_S("reason", row->note));
	}
	for (size_t i = 0; i < ARRAY_LEN(ignored_variables); i++) {
		if (is_set(ignored_variables[i].name))
			log_warn(logger, "a variable has no effect here", LOG_S("variable", ignored_variables[i].name),
				 LOG_S("reason", ignored_variables[i].note));
	}
}

bool sync_has_secrets(const struct sync_args *args)
{
	const char *backend = backend_of(args);

	return backend && strcmp(backend, BACKEND_KUBERNETES) == 0;
}

struct credentials_secret sync_secret(const struct sync_args *args, bool wanted, const char *name, const char *usual,
				      const char *instead)
{
	if (!wanted || !sync_has_secrets(args))
		return (struct credentials_secret){ 0 };
	return (struct credentials_secret){ .name = name ? name : usual, .instead = instead };
}

void sync_say_secret(const struct sync_args *args, const char *logger, const char *option, const char *name)
{
	if (name && !sync_has_secrets(args))
		log_warn(logger, "an option has no effect here", LOG_S("option", option),
			 LOG_S("reason", SYNC_NO_SECRETS));
}

int sync_run(const struct invocation *inv, const struct sync_args *sync, const struct sync_command *command)
{
	struct sync_made made = { 0 };
	struct why why = { 0 };
	enum err err;
	int code;

	if (listed(sync, &code))
		return code;
	err = command->judge(inv->args, &why);
	if (err == E_OK)
		err = make(sync, command->name, &why, &made);
	if (err == E_OK) {
		say_ignored(sync, command->name);
		code = command->run(inv, inv->args, &made);
	} else {
		code = command_misused(inv, "%s", why_text(&why, err));
	}
	buf_release(&made.suites);
	return code;
}
