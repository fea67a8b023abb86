#include "auth/expiry.h"
#include "base/mem.h"
#include "gateway/process.h"
#include "net/systemd.h"

/* As `check-config` prints them, a line of the log each. */
static void tell_problems(const struct problems *p)
{
	struct buf text = { 0 };
	size_t all = p->errors + p->warnings;

	for (const struct problem *q = p->first; q; q = q->next) {
		buf_clear(&text);
		problem_write(q, &text);
		log_at(q->warning ? LOG_WARN : LOG_ERROR, "gateway", "the manifests have a problem",
		       LOG_STRN("problem", buf_view(&text)));
	}
	if (all > p->kept || p->lost)
		log_error("gateway", "the manifests have more problems: see holdfast check-config",
			  LOG_U("more", all - p->kept), LOG_B("out_of_memory", p->lost));
	buf_release(&text);
}

enum err config_read(const struct gateway_options *options, bool running, struct gateway_config **ret_config)
{
	struct config_input input = options->input;
	struct problems problems = { 0 };
	enum err err;

	input.running = running;
	err = gateway_config_read(&input, &problems, ret_config);
	tell_problems(&problems);
	problems_release(&problems);
	return err;
}

static enum err send_updates(struct process *p, struct route_table *table, struct why *why)
{
	struct worker_update **updates = NULL;
	size_t workers = p->gateway.worker_count;

	if (ports_prepare(&p->ports, table, workers, why, &updates) != E_OK)
		return why->err;
	ports_commit(&p->ports, table);
	for (size_t i = 0; i < workers; i++)
		worker_apply(&p->gateway.workers[i], updates[i]);
	mem_free(updates);
	return E_OK;
}

static void count_running(const struct route_table *table, int64_t delta)
{
	for (size_t i = 0; i < table->route_count; i++)
		metric_add(table->routes[i].metrics.running, delta);
}

enum err config_apply(struct process *p, struct gateway_config *config, struct why *why)
{
	struct route_table *table = NULL;

	if (route_table_new(config, p->gateway.registry, why, &table) != E_OK)
		return why->err;
	if (p->table)
		route_table_inherit(table, p->table);
	if (send_updates(p, table, why) != E_OK) {
		route_table_unref(table);
		return why->err;
	}
	if (p->table)
		count_running(p->table, -1);
	count_running(table, 1);
	route_table_unref(p->table);
	p->table = table;
	if (config != p->config) {
		gateway_config_unref(p->config);
		p->config = config;
	}
	expiry_show(p->gateway.registry, config->cert_expires_ms);
	outlet_set_limits(p);
	hooks_apply(&p->hooks, config);
	return E_OK;
}

static bool same_text(const char *a, const char *b)
{
	return str_eq(str_of(a), str_of(b));
}

static bool same_tls(const struct tls_client_config *a, const struct tls_client_config *b)
{
	return a->configured == b->configured && a->insecure_skip_verify == b->insecure_skip_verify &&
	       same_text(a->ca_path, b->ca_path) && same_text(a->cert_path, b->cert_path) &&
	       same_text(a->key_path, b->key_path);
}

/* What is asked for when the stream is made is of no interest to a bus that is connected. */
static bool same_jetstream(const struct jetstream_config *a, const struct jetstream_config *b)
{
	return same_text(a->url, b->url) && same_text(a->auth_path, b->auth_path) &&
	       same_text(a->credentials_path, b->credentials_path) && same_tls(&a->tls, &b->tls) &&
	       a->strict == b->strict && same_text(a->monitor_url, b->monitor_url);
}

static bool same_kafka(const struct kafka_config *a, const struct kafka_config *b)
{
	return same_text(a->url, b->url) && same_text(a->topic, b->topic) && a->partitioner == b->partitioner &&
	       a->mechanism == b->mechanism && same_text(a->user_path, b->user_path) &&
	       same_text(a->password_path, b->password_path) && same_tls(&a->tls, &b->tls) &&
	       a->message_max == b->message_max;
}

static bool same_bus(const struct bus_config *a, const struct bus_config *b)
{
	return a->kind == b->kind && same_text(a->name, b->name) && same_jetstream(&a->jetstream, &b->jetstream) &&
	       same_kafka(&a->kafka, &b->kafka);
}

/* What is opened once: a change is said, and waits for the next start. */
static void warn_needs_restart(const struct gateway_config *opened, const struct gateway_config *next)
{
	const struct gateway_limits *was = &opened->limits, *is = &next->limits;
	const struct {
		bool changed;
		const char *what;
	} rows[] = {
		{ !same_text(opened->data_dir, next->data_dir), "spec.holdfast.dataDir" },
		{ !same_bus(&opened->bus, &next->bus), "EventBus" },
		{ !same_text(opened->admin_host, next->admin_host) || opened->admin_port != next->admin_port,
		  "spec.holdfast.admin.address" },
		{ !same_text(opened->admin_token_file, next->admin_token_file), "spec.holdfast.admin.tokenFile" },
		{ was->loops != is->loops, "spec.holdfast.limits.loops" },
		{ was->dedup_memory != is->dedup_memory, "spec.holdfast.limits.dedupMemory" },
		{ was->in_flight != is->in_flight, "spec.holdfast.limits.busInFlight" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].changed)
			log_warn("gateway", "this change takes effect at the next start", LOG_S("key", rows[i].what));
}

static const struct route_config *same_route(const struct gateway_config *c, const struct route_config *route)
{
	for (size_t i = 0; i < c->route_count; i++)
		if (same_text(c->routes[i].event_source, route->event_source) &&
		    same_text(c->routes[i].event_name, route->event_name))
			return &c->routes[i];
	return NULL;
}

/* What waits in the store is forwarded from there, what comes from now on with `ack: bus` goes straight to the bus. */
static void warn_overtaking(const struct process *p, const struct gateway_config *before,
			    const struct gateway_config *next)
{
	int64_t oldest_ms;
	uint64_t waiting = p->gateway.forwarder ? forwarder_waiting(p->gateway.forwarder, &oldest_ms) : 0;

	for (size_t i = 0; waiting && i < next->route_count; i++) {
		const struct route_config *route = &next->routes[i];
		const struct route_config *was = route->ack == ACK_BUS ? same_route(before, route) : NULL;

		if (was && was->ack == ACK_SPOOL)
			log_warn("gateway", "new events of this route overtake those that wait in the store",
				 LOG_ROUTE(route), LOG_U("waiting", waiting));
	}
}

/* What a route needs and this process has not opened; NULL: all is there. */
static const char *missing_outlet(const struct process *p, const struct route_config *route)
{
	if (route->ack == ACK_SPOOL && !p->gateway.store)
		return "ack: spool needs a store";
	if (route->ack == ACK_BUS && outlet_embedded(p))
		return "ack: bus needs a bus";
	return NULL;
}

/* Routes must not outlive what carries them: a store or bus that this process has not opened. */
static enum err check_outlets(const struct process *p, const struct gateway_config *next, struct why *why)
{
	for (size_t i = 0; i < next->route_count; i++) {
		const struct route_config *route = &next->routes[i];
		const char *missing = missing_outlet(p, route);

		if (missing)
			return why_set(why, E_CONFIG, "%s:%u: %s, and this process started without one: restart it",
				       route->file, route->line, missing);
	}
	return E_OK;
}

static void refuse(struct process *p, const struct why *why)
{
	log_error("gateway", "the new configuration was refused; the old one goes on", LOG_WHY(why));
	metric_inc(p->gateway.metrics.reloads_refused); /* who has seen the number finds the reason in the log */
	systemd_ready("reload refused; the old configuration goes on");
}

void config_reload(struct process *p)
{
	struct gateway_config *next = NULL, *before;
	struct why why = { 0 };

	systemd_reloading();
	if (config_read(p->options, /* running= */ true, &next) != E_OK) {
		why_set(&why, E_CONFIG, "the manifests have problems, logged above");
		refuse(p, &why);
		return;
	}
	before = gateway_config_ref(p->config);
	if (check_outlets(p, next, &why) != E_OK || config_apply(p, next, &why) != E_OK) {
		gateway_config_unref(next);
		refuse(p, &why);
	} else {
		warn_needs_restart(p->opened, next);
		warn_overtaking(p, before, next);
		ports_reload_tls(&p->ports);
		log_info("gateway", "the configuration was reloaded", LOG_U("routes", next->route_count));
		metric_inc(p->gateway.metrics.reloads_ok);
		systemd_ready("running");
	}
	gateway_config_unref(before);
}
