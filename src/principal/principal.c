#include "principal/principal.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/open.h"
#include "base/cgroup.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/uuid.h"
#include "net/systemd.h"
#include "principal/process.h"

#define DRAIN_MS    10000 /* for calls that are open when the process is told to stop */
#define SETTING_UID "principal/uid"

static struct principal *of(struct daemon *daemon)
{
	return CONTAINER_OF(daemon, struct principal, daemon);
}

/* ---- the hub ---------------------------------------------------------------------------------------------------- */

/* The identity that copies carry (facts 4.2): made once, kept in the ledger. */
static enum err know_uid(struct principal *p, struct why *why)
{
	enum err err = daemon_setting(&p->daemon, SETTING_UID, &p->uid, why);
	unsigned char random[16];
	char uuid[UUID_MAX];

	if (err != E_NOT_FOUND)
		return err;
	rand_bytes(random, sizeof(random));
	uuid_write(random, uuid);
	buf_str(&p->uid, str_of(uuid));
	return p->uid.err != E_OK ? p->uid.err : daemon_setting_put(&p->daemon, SETTING_UID, str_of(uuid), why);
}

static uint64_t hub_now_ms(void *ctx)
{
	return daemon_now_ms(&((struct principal *)ctx)->daemon);
}

static int64_t hub_wall_ns(void *ctx)
{
	return daemon_wall_ns(&((struct principal *)ctx)->daemon);
}

static enum err open_mapping(struct principal *p, struct mapping_principal *ret_mapping, struct why *why)
{
	const struct principal_options *o = p->options;
	struct buf list = { 0 };
	enum err err;

	for (size_t i = 0; i < o->allowed_namespace_count; i++)
		buf_addf(&list, "%s%s", i ? "," : "", o->allowed_namespaces[i]);
	/* Without --allowed-namespaces upstream admits nothing; what lies in our backend was put there to be sent. */
	err = patterns_new(o->allowed_namespace_count ? buf_view(&list) : (struct str)STR("*"), why, &p->allowed);
	buf_release(&list);
	if (err != E_OK)
		return why_add(why, "--allowed-namespaces");
	if (o->label_selector && o->label_selector[0] &&
	    selector_new(str_of(o->label_selector), why, &p->selector) != E_OK)
		return why_add(why, "--label-selector");
	*ret_mapping = (struct mapping_principal){ .by_destination = o->destination_mapping,
						   .namespace = o->namespace,
						   .allowed = p->allowed,
						   .selector = p->selector };
	return E_OK;
}

/* Measured: an object takes its text twice, and 2.8 KB; both are less than three times what is counted. 0: no limit. */
static uint64_t container_share(void)
{
	return cgroup_memory_bytes("") / 3;
}

static enum err open_hub(struct principal *p, struct why *why)
{
	const struct principal_options *o = p->options;
	struct hub_options options = { .backend = p->backend,
				       .journal = p->daemon.journal,
				       .outbox = o->outbox,
				       .inbox = o->inbox,
				       .guard = o->guard,
				       .limits = o->limits,
				       .peers_bytes = o->all_peers_bytes ? o->all_peers_bytes : container_share(),
				       .source = { 0 },
				       .message_max = o->grpc_max_message_size,
				       .seed = rand_u64(),
				       .now_ms = hub_now_ms,
				       .wall_ns = hub_wall_ns,
				       .events = observe_events(p) };
	enum err err = open_mapping(p, &options.mapping, why);

	if (err != E_OK)
		return err;
	options.principal_uid = buf_cstr(&p->uid);
	p->hub = options.principal_uid ? hub_new(&options) : NULL;
	if (!p->hub)
		return why_set(why, E_NOMEM, "start");
	err = daemon_load(&p->daemon, why);
	return err == E_OK ? hub_start(p->hub, why) : err;
}

/* ---- stop ------------------------------------------------------------------------------------------------------- */

static void on_credentials_closed(void *ctx)
{
	daemon_stop(&((struct principal *)ctx)->daemon);
}

static void on_backend_closed(void *ctx)
{
	struct principal *p = ctx;

	p->backend_open = false;
	credentials_close(&p->credentials, on_credentials_closed, p);
}

/* Sockets first, then sessions, then what they wrote to. */
void principal_ended(struct principal *p)
{
	if (!p->stopping || p->server || p->streams || web_is_open(&p->web) || !p->backend_open)
		return;
	if (!hub_is_idle(p->hub) || !journal_is_idle(p->daemon.journal) || p->closing)
		return;
	p->closing = true;
	loop_timer_stop(&p->daemon.loop, &p->drain);
	backend_close(p->backend, on_backend_closed, p);
}

static void on_server_stopped(void *ctx)
{
	struct principal *p = ctx;

	p->server = NULL;
	principal_ended(p);
}

static void on_drain(struct loop_timer *timer)
{
	struct principal *p = CONTAINER_OF(timer, struct principal, drain);

	if (p->cut) {
		/* Only a disk that does not come back holds it that long: nothing unconfirmed was promised. */
		log_error(PRINCIPAL_LOG, "some writes are still held by the disk: giving up on them");
		_exit(EXIT_FAILURE);
	}
	p->cut = true;
	if (p->server)
		rpc_server_stop(p->server, /* now= */ true, on_server_stopped, p);
	(void)loop_timer_start(&p->daemon.loop, &p->drain, DRAIN_MS);
}

static void on_terminate(struct daemon *daemon)
{
	struct principal *p = of(daemon);

	p->stopping = true;
	log_info(PRINCIPAL_LOG, "stopping: agents are told to come again, what is under way is finished");
	systemd_stopping();
	principal_tell_health(p);
	streams_end(p);
	logins_end(p);
	hub_stop(p->hub);
	rpc_server_stop(p->server, /* now= */ false, on_server_stopped, p);
	web_close(&p->web);
	p->drain.on_due = on_drain;
	(void)loop_timer_start(&p->daemon.loop, &p->drain, DRAIN_MS);
}

/* ---- reload ----------------------------------------------------------------------------------------------------- */

static void on_reload(struct daemon *daemon)
{
	struct principal *p = of(daemon);
	bool started = hub_is_synced(p->hub); /* else READY would end the start that systemd waits for */

	if (started)
		systemd_reloading();
	server_reload(p);
	access_reload(p);
	streams_review(p);
	log_info(PRINCIPAL_LOG, "reloaded");
	if (started)
		systemd_ready("running");
}

/* ---- life ------------------------------------------------------------------------------------------------------- */

void principal_tell_health(struct principal *p)
{
	(void)rpc_health_set(p->health, "", daemon_is_ready(&p->daemon, hub_is_synced(p->hub)));
}

static uint64_t on_turn(struct daemon *daemon)
{
	struct principal *p = of(daemon);
	uint64_t due_ms = hub_turn(p->hub);

	principal_ended(p);
	return due_ms;
}

static void on_ledger(struct daemon *daemon, enum err err)
{
	(void)err;
	principal_tell_health(of(daemon));
}

static enum err on_row(struct daemon *daemon, enum ledger_table table, const struct ledger_row *row)
{
	return hub_load(of(daemon)->hub, table, row);
}

static const struct daemon_user user = { .on_turn = on_turn,
					 .on_terminate = on_terminate,
					 .on_reload = on_reload,
					 .on_ledger = on_ledger,
					 .on_row = on_row };

static enum err start(struct principal *p, struct why *why)
{
	const struct principal_options *o = p->options;
	enum err err = daemon_init(&p->daemon, o->data_dir, &user, PRINCIPAL_LOG, why);

	if (err != E_OK)
		return err;
	err = observe_init(p);
	if (err == E_OK)
		err = credentials_open(&p->credentials, &o->credentials, &o->backend, &p->daemon, why);
	if (err == E_OK)
		err = access_open(p, why);
	if (err == E_OK)
		err = know_uid(p, why);
	if (err == E_OK)
		err = backend_open(&o->backend, &p->daemon.loop, p->daemon.ledger, p->daemon.metrics, why, &p->backend);
	p->backend_open = err == E_OK;
	if (err == E_OK)
		err = open_hub(p, why);
	if (err == E_OK)
		err = server_start(p, why);
	return err == E_OK ? web_start(p, why) : err;
}

static void release(struct principal *p)
{
	hub_free(p->hub);
	rpc_health_free(p->health);
	rpc_reflection_free(p->reflection);
	work_pool_free(p->pool);
	turns_release(&p->waiting);
	daemon_release(&p->daemon);
	tls_server_free(p->tls);
	jwt_keys_free(p->keys);
	credentials_release(&p->credentials);
	passwords_free(p->passwords);
	blocklist_free(p->blocklist);
	patterns_free(p->accept);
	patterns_free(p->allowed);
	selector_free(p->selector);
	auth_rule_release(&p->auth);
	observe_release(p);
	buf_release(&p->uid);
	mem_free(p);
}

int principal_run(const struct principal_options *options)
{
	struct principal *p = mem_alloc(sizeof(*p));
	struct why why = { 0 };

	log_setup(STDERR_FILENO, options->level, options->format);
	(void)signal(SIGPIPE, SIG_IGN);
	if (!p)
		return EXIT_FAILURE;
	p->options = options;
	if (start(p, &why) != E_OK) {
		log_error(PRINCIPAL_LOG, "cannot start", LOG_WHY(&why));
		_exit(EXIT_FAILURE); /* threads that did start end with it; nothing was promised yet */
	}
	log_info(PRINCIPAL_LOG, "serving", LOG_U("port", options->listen_port), LOG_S("backend", options->backend.name),
		 LOG_S("principal_uid", buf_cstr(&p->uid)));
	daemon_run(&p->daemon);
	release(p);
	log_info(PRINCIPAL_LOG, "stopped");
	return EXIT_SUCCESS;
}
