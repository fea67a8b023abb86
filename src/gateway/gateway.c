#include "gateway/gateway.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cgroup.h"
#include "base/cpus.h"
#include "base/mem.h"
#include "gateway/process.h"
#include "net/descriptors.h"
#include "net/systemd.h"

/* One thread: two requests that need the same thing fetch it once. */
#define ERRAND_THREADS 1
#define ERRANDS_MAX    64 /* that wait; behind them requests are refused */

#define GRACE_MS       5000 /* after the drain timeout, for what was cut to be gone */

/* ---- stop ------------------------------------------------------------------------------------------------------------- */

static void finish(struct process *p)
{
	for (size_t i = 0; i < p->gateway.worker_count; i++)
		worker_join(&p->gateway.workers[i]);
	loop_timer_stop(&p->loop, &p->drain);
	health_stop(p);
	admin_stop(&p->admin);
	for (size_t i = 0; i < ARRAY_LEN(p->signals); i++)
		uv_close((uv_handle_t *)&p->signals[i], NULL);
	loop_stop(&p->loop);
}

static void run_stopped(struct loop_task *task)
{
	struct worker *w = CONTAINER_OF(task, struct worker, stopped);
	struct process *p = CONTAINER_OF(w->gateway, struct process, gateway);

	w->ended = true;
	if (--p->workers_running == 0)
		finish(p);
}

/* In the worker's thread. */
static void on_worker_stopped(struct worker *w)
{
	struct process *p = CONTAINER_OF(w->gateway, struct process, gateway);

	w->stopped.run = run_stopped;
	loop_post(&p->loop, &w->stopped);
}

static void on_drain(struct loop_timer *timer)
{
	struct process *p = CONTAINER_OF(timer, struct process, drain);

	if (p->cut) {
		/* Only a disk that does not come back holds an exchange that long: nothing unanswered is promised. */
		log_error("gateway", "some requests are still held by the disk or the bus: giving up on them");
		_exit(EXIT_FAILURE);
	}
	p->cut = true;
	log_warn("gateway", "the drain timeout is over: cutting the requests in flight");
	for (size_t i = 0; i < p->gateway.worker_count; i++)
		worker_cut(&p->gateway.workers[i]);
	(void)loop_timer_start(&p->loop, &p->drain, GRACE_MS);
}

static void drain(struct process *p)
{
	if (p->stopping)
		return;
	p->stopping = true;
	log_info("gateway", "stopping: no new connections, finishing what is in flight");
	systemd_stopping();
	p->drain.on_due = on_drain;
	(void)loop_timer_start(&p->loop, &p->drain, p->config->limits.drain_ms);
	hooks_stop(&p->hooks); /* what is to go is gone while the last requests are answered */
	for (size_t i = 0; i < p->gateway.worker_count; i++)
		worker_stop(&p->gateway.workers[i]);
}

static void on_signal(uv_signal_t *handle, int number)
{
	struct process *p = handle->data;

	if (number == SIGHUP && !p->stopping)
		config_reload(p);
	else if (number == SIGTERM || number == SIGINT)
		drain(p);
}

/* ---- start ------------------------------------------------------------------------------------------------------------ */

static void watch_signal(struct process *p, size_t i, int number)
{
	uv_signal_init(&p->loop.uv, &p->signals[i]);
	p->signals[i].data = p;
	uv_signal_start(&p->signals[i], on_signal, number);
}

/* How many loops, and whose word that is: the CPU limit of a container is easily forgotten. */
static size_t loop_count(const struct gateway_config *config, char *ret_by, size_t size)
{
	struct cpus cpus = cpus_find("");

	if (config->limits.loops) {
		(void)snprintf(ret_by, size, "limits.loops");
		return (size_t)config->limits.loops;
	}
	if (cpus.usable < cpus.allowed)
		(void)snprintf(ret_by, size, "a CPU quota of %" PRIu64 ".%03" PRIu64, cpus.quota_milli / 1000,
			       cpus.quota_milli % 1000);
	else
		(void)snprintf(ret_by, size, "the number of CPUs");
	return cpus.usable;
}

static uint64_t wanted_connections(const struct gateway *g, const struct gateway_limits *l)
{
	return limit_or_share(l->conns_max, CONNECTIONS_MOST, g->memory, CONNECTIONS_PARTS);
}

uint64_t gateway_connections(const struct gateway *g, const struct gateway_limits *l)
{
	return descriptors_for(g->open_files, wanted_connections(g, l));
}

/* Every connection is a descriptor: take what the hard limit gives. */
static void find_room(struct gateway *g, const struct gateway_limits *l)
{
	g->memory = cgroup_memory_bytes("");
	g->open_files = descriptors_raise();
	if (gateway_connections(g, l) < wanted_connections(g, l))
		log_warn("gateway", "the limit of open files allows fewer connections than limits.connections",
			 LOG_U("open_files", g->open_files), LOG_U("connections", gateway_connections(g, l)));
}

static enum err start_workers(struct process *p, size_t count, struct why *why)
{
	p->gateway.workers = mem_array(count, sizeof(*p->gateway.workers));
	if (!p->gateway.workers)
		return why_set(why, E_NOMEM, "start the event loops");
	for (size_t i = 0; i < count; i++) {
		p->gateway.workers[i].on_stopped = on_worker_stopped;
		if (worker_start(&p->gateway.workers[i], &p->gateway, why) != E_OK)
			return why->err;
		p->gateway.worker_count++;
		p->workers_running++;
	}
	return E_OK;
}

static enum err start(struct process *p, struct why *why)
{
	char loops_by[64];
	size_t loops = loop_count(p->config, loops_by, sizeof(loops_by));

	find_room(&p->gateway, &p->config->limits);
	if (loop_init(&p->loop, why) != E_OK)
		return why->err;
	watch_signal(p, 0, SIGHUP); /* it waits for the loop: what changes while a large store is opened is read then */
	if (ports_init(&p->ports, why) != E_OK || outlet_open(p, why) != E_OK)
		return why->err;
	if (work_pool_new(ERRAND_THREADS, ERRANDS_MAX, why, &p->gateway.errands) != E_OK)
		return why->err;
	outlet_set_limits(p);
	watch_signal(p, 1, SIGTERM); /* until here they end the process at once: nothing is promised yet */
	watch_signal(p, 2, SIGINT);
	if (start_workers(p, loops, why) != E_OK || config_apply(p, p->config, why) != E_OK ||
	    admin_start(&p->admin, p, why) != E_OK)
		return why->err;
	health_start(p);
	log_info("gateway", "serving", LOG_U("routes", p->table->route_count), LOG_U("ports", p->table->port_count),
		 LOG_U("loops", p->gateway.worker_count), LOG_S("loops_by", loops_by),
		 LOG_U("connections", gateway_connections(&p->gateway, &p->config->limits)),
		 LOG_U("body_memory", atomic_load(&p->gateway.body_max)), LOG_S("bus", p->gateway.bus->ops->kind));
	systemd_ready("running");
	return E_OK;
}

static void release(struct process *p)
{
	hooks_release(&p->hooks);
	outlet_close(p);
	loop_release(&p->loop);
	ports_release(&p->ports);
	route_table_unref(p->table);
	gateway_config_unref(p->config);
	gateway_config_unref(p->opened);
	mem_free(p->gateway.workers);
	http_quota_release(&p->gateway.connections);
	work_pool_free(p->gateway.errands);
	certificates_release(&p->gateway.certificates);
	metrics_free(p->gateway.registry);
	mem_free(p);
}

static int run(struct process *p)
{
	struct why why = { 0 };

	if (start(p, &why) != E_OK) {
		log_error("gateway", "cannot start", LOG_WHY(&why));
		_exit(EXIT_FAILURE); /* threads that did start end with it; nothing was promised yet */
	}
	loop_run(&p->loop);
	release(p);
	log_info("gateway", "stopped");
	return EXIT_SUCCESS;
}

int gateway_run(const struct gateway_options *options)
{
	struct process *p;

	log_setup(STDERR_FILENO, options->level, options->format);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN); /* until it is watched there is nothing to read again, and no reason to end */
	p = mem_alloc(sizeof(*p));
	if (!p) {
		log_error("gateway", "no memory to start");
		return EXIT_FAILURE;
	}
	p->options = options;
	p->gateway.registry = metrics_new();
	if (!p->gateway.registry || config_read(options, /* running= */ false, &p->config) != E_OK) {
		metrics_free(p->gateway.registry);
		mem_free(p);
		return EXIT_FAILURE;
	}
	p->opened = gateway_config_ref(p->config);
	gateway_metrics_init(&p->gateway.metrics, p->gateway.registry);
	gateway_metrics_build(p->gateway.registry, options->version);
	http_quota_init(&p->gateway.connections);
	certificates_init(&p->gateway.certificates);
	hooks_init(&p->hooks, p->gateway.registry);
	return run(p);
}
