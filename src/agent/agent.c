#include "agent/agent.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/process.h"
#include "auth/expiry.h"
#include "backend/open.h"
#include "base/mem.h"
#include "base/rand.h"
#include "net/systemd.h"

#define DRAIN_MS 10000 /* for writes under way when the process is told to stop */

/* Every upstream agent says this source (facts 1.2); its principal does not look at it. */
#define SOURCE   "agent://agent-managed"

static struct agent *of(struct daemon *daemon)
{
	return CONTAINER_OF(daemon, struct agent, daemon);
}

/* ---- the site --------------------------------------------------------------------------------------------------- */

static uint64_t site_now_ms(void *ctx)
{
	return daemon_now_ms(&((struct agent *)ctx)->daemon);
}

static int64_t site_wall_ns(void *ctx)
{
	return daemon_wall_ns(&((struct agent *)ctx)->daemon);
}

static enum err open_lists(struct agent *a, struct why *why)
{
	const struct agent_options *o = a->options;
	struct buf list = { 0 };
	enum err err = E_OK;

	for (size_t i = 0; i < o->allowed_namespace_count; i++)
		buf_addf(&list, "%s%s", i ? "," : "", o->allowed_namespaces[i]);
	if (list.n)
		err = patterns_new(buf_view(&list), why, &a->allowed);
	buf_release(&list);
	if (err != E_OK)
		return why_add(why, "--allowed-namespaces");
	if (o->label_selector && o->label_selector[0] &&
	    selector_new(str_of(o->label_selector), why, &a->selector) != E_OK)
		return why_add(why, "--label-selector");
	return E_OK;
}

static enum err read_words(struct agent *a, struct site_options *ret_options, struct why *why)
{
	const struct agent_options *o = a->options;

	if (!agent_mode_parse(str_of(o->mode), &a->mode))
		return why_set(why, E_CONFIG, "--agent-mode is managed or autonomous, not '%s'", o->mode);
	if (!identity_mismatch_of(o->source_uid_mismatch_policy, &ret_options->policy.mismatch))
		return why_set(why, E_CONFIG, "--source-uid-mismatch-policy is recreate or upsert, not '%s'",
			       o->source_uid_mismatch_policy);
	if (!identity_adoption_of(o->adoption_policy, &ret_options->policy.adoption))
		return why_set(why, E_CONFIG, "--adoption-policy is always or never, not '%s'", o->adoption_policy);
	if (!merge_recreate_of(o->on_application_recreate, &ret_options->recreate))
		return why_set(why, E_CONFIG, "--on-application-recreate is ignore, clear-status or resync, not '%s'",
			       o->on_application_recreate);
	return auth_creds_parse(o->creds, why, &a->creds);
}

static enum err open_site(struct agent *a, struct why *why)
{
	const struct agent_options *o = a->options;
	struct site_options options = { .backend = a->backend,
					.journal = a->daemon.journal,
					.outbox = o->outbox,
					.inbox = o->inbox,
					.guard = o->guard,
					.limits = o->limits,
					.source = STR(SOURCE),
					.message_max = o->grpc_max_message_size,
					.seed = rand_u64(),
					.now_ms = site_now_ms,
					.wall_ns = site_wall_ns,
					.events = note_events(a) };
	enum err err = read_words(a, &options, why);

	if (err == E_OK)
		err = open_lists(a, why);
	if (err != E_OK)
		return err;
	options.mode = a->mode;
	options.mapping = (struct mapping_agent){ .by_destination = o->destination_mapping,
						  .ignore_unmanaged = o->ignore_unmanaged_apps,
						  .namespace = o->namespace,
						  .allowed = a->allowed,
						  .selector = a->selector };
	a->site = site_new(&options);
	if (!a->site)
		return why_set(why, E_NOMEM, "start");
	err = daemon_load(&a->daemon, why);
	return err == E_OK ? site_start(a->site, why) : err;
}

/* ---- stop ------------------------------------------------------------------------------------------------------- */

static void on_credentials_closed(void *ctx)
{
	daemon_stop(&((struct agent *)ctx)->daemon);
}

static void on_backend_closed(void *ctx)
{
	struct agent *a = ctx;

	a->backend_open = false;
	credentials_close(&a->credentials, on_credentials_closed, a);
}

/* The connection first, then the session, then what it wrote to. */
void agent_ended(struct agent *a)
{
	if (!a->stopping || a->closing || !a->connection.closed || web_is_open(&a->web))
		return;
	if (!site_is_idle(a->site) || !journal_is_idle(a->daemon.journal))
		return;
	a->closing = true;
	loop_timer_stop(&a->daemon.loop, &a->drain);
	backend_close(a->backend, on_backend_closed, a);
}

static void on_drain(struct loop_timer *timer)
{
	(void)timer;
	/* Only a disk that does not come back holds it that long: nothing unconfirmed was promised. */
	log_error(AGENT_LOG, "some writes are still held by the disk: giving up on them");
	_exit(EXIT_FAILURE);
}

static void on_terminate(struct daemon *daemon)
{
	struct agent *a = of(daemon);

	a->stopping = true;
	log_info(AGENT_LOG, "stopping: what is under way is finished");
	systemd_stopping();
	connection_stop(&a->connection);
	site_stop(a->site);
	web_close(&a->web);
	a->drain.on_due = on_drain;
	(void)loop_timer_start(&a->daemon.loop, &a->drain, DRAIN_MS);
}

/* ---- life ------------------------------------------------------------------------------------------------------- */

/* Credentials are read at each login anyway. */
static void on_reload(struct daemon *daemon)
{
	struct agent *a = of(daemon);
	struct why why = { 0 };

	systemd_reloading();
	if (a->connection.tls && tls_client_reload(a->connection.tls, &why) != E_OK)
		log_error(AGENT_LOG, "the certificate stays as it was", LOG_WHY(&why));
	expiry_tell(AGENT_LOG, a->daemon.metrics, &a->credentials.cert);
	connection_hurry(&a->connection);
	log_info(AGENT_LOG, "reloaded");
	systemd_ready("running");
}

static uint64_t on_turn(struct daemon *daemon)
{
	struct agent *a = of(daemon);
	uint64_t due_ms = site_turn(a->site);

	agent_ended(a);
	return due_ms;
}

static void on_ledger(struct daemon *daemon, enum err err)
{
	(void)daemon;
	(void)err; /* readiness asks the ledger: others write, too */
}

static enum err on_row(struct daemon *daemon, enum ledger_table table, const struct ledger_row *row)
{
	return site_load(of(daemon)->site, table, row);
}

static const struct daemon_user user = { .on_turn = on_turn,
					 .on_terminate = on_terminate,
					 .on_reload = on_reload,
					 .on_ledger = on_ledger,
					 .on_row = on_row };

static enum err start(struct agent *a, struct why *why)
{
	const struct agent_options *o = a->options;
	enum err err = daemon_init(&a->daemon, o->data_dir, &user, AGENT_LOG, why);

	if (err != E_OK)
		return err;
	err = note_init(a);
	if (err == E_OK)
		err = credentials_open(&a->credentials, &o->credentials, &o->backend, &a->daemon, why);
	if (err == E_OK)
		err = backend_open(&o->backend, &a->daemon.loop, a->daemon.ledger, a->daemon.metrics, why, &a->backend);
	a->backend_open = err == E_OK;
	if (err == E_OK)
		err = open_site(a, why);
	if (err == E_OK) {
		stream_init(a);
		err = connection_init(&a->connection, a, why);
	}
	if (err == E_OK)
		err = agent_web_start(a, why);
	if (err == E_OK)
		connection_start(&a->connection);
	return err;
}

static void release(struct agent *a)
{
	site_free(a->site);
	daemon_release(&a->daemon);
	connection_release(&a->connection);
	patterns_free(a->allowed);
	selector_free(a->selector);
	auth_creds_release(&a->creds);
	credentials_release(&a->credentials);
	note_release(a);
	mem_free(a);
}

int agent_run(const struct agent_options *options)
{
	struct agent *a = mem_alloc(sizeof(*a));
	struct why why = { 0 };

	log_setup(STDERR_FILENO, options->level, options->format);
	(void)signal(SIGPIPE, SIG_IGN);
	if (!a)
		return EXIT_FAILURE;
	a->options = options;
	if (start(a, &why) != E_OK) {
		log_error(AGENT_LOG, "cannot start", LOG_WHY(&why));
		_exit(EXIT_FAILURE); /* threads that did start end with it; nothing was promised yet */
	}
	log_info(AGENT_LOG, "running", LOG_S("server", options->server_address), LOG_U("port", options->server_port),
		 LOG_S("mode", options->mode), LOG_S("backend", options->backend.name));
	systemd_ready("running");
	daemon_run(&a->daemon);
	release(a);
	log_info(AGENT_LOG, "stopped");
	return EXIT_SUCCESS;
}
