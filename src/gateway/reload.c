#include <stdio.h>

#include "base/mem.h"
#include "gateway/process.h"
#include "net/systemd.h"

enum err config_read(const struct gateway_options *options, struct gateway_config **ret_config)
{
	struct problems problems = { 0 };
	enum err err = gateway_config_read(&options->input, &problems, ret_config);
	struct buf text = { 0 };

	problems_write(&problems, &text);
	if (text.err == E_OK && text.n)
		(void)fwrite(text.p, 1, text.n, stderr);
	buf_release(&text);
	problems_release(&problems);
	return err;
}

static enum err send_updates(struct process *p, struct route_table *table, struct why *why)
{
	struct worker_update **updates = NULL;
	size_t workers = p->gateway.worker_count;

	if (ports_prepare(&p->ports, table, workers, why, &updates) != E_OK)
		return why->err;
	if (ports_commit(&p->ports, table) != E_OK)
		log_error("gateway", "no memory to remember the open ports");
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
	outlet_set_limits(p);
	hooks_apply(&p->hooks, config);
	return E_OK;
}

static bool same_text(const char *a, const char *b)
{
	return str_eq(str_of(a), str_of(b));
}

/* What is opened once: a change is said, and waits for the next start. */
static void warn_needs_restart(const struct gateway_config *now, struct gateway_config *next)
{
	const struct {
		bool changed;
		const char *what;
	} rows[] = {
		{ !same_text(now->data_dir, next->data_dir), "spec.holdfast.dataDir" },
		{ now->bus.kind != next->bus.kind || !same_text(now->bus.name, next->bus.name) ||
			  !same_text(now->bus.jetstream.url, next->bus.jetstream.url) ||
			  !same_text(now->bus.kafka.url, next->bus.kafka.url) ||
			  !same_text(now->bus.kafka.topic, next->bus.kafka.topic),
		  "EventBus" },
		{ !same_text(now->admin_host, next->admin_host) || now->admin_port != next->admin_port,
		  "spec.holdfast.admin.address" },
		{ now->limits.loops != next->limits.loops, "spec.holdfast.limits.loops" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].changed)
			log_warn("gateway", "this change takes effect at the next start", LOG_S("key", rows[i].what));
}

/* What a route needs and this process has not opened; NULL: all is there. */
static const char *missing_outlet(const struct process *p, const struct route_config *route)
{
	if (route->ack == ACK_SPOOL && !p->gateway.store)
		return "ack: spool needs a store";
	if (route->ack == ACK_BUS && p->embedded)
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
	metric_inc(p->gateway.metrics.reloads_refused);
	log_error("gateway", "the new configuration was refused; the old one goes on", LOG_WHY(why));
	systemd_ready("reload refused; the old configuration goes on", NULL);
}

void config_reload(struct process *p)
{
	struct gateway_config *next = NULL, *before = p->config;
	struct why why = { 0 };

	systemd_reloading(NULL);
	if (config_read(p->options, &next) != E_OK) {
		why_set(&why, E_CONFIG, "the manifests have problems: they stand above");
		refuse(p, &why);
		return;
	}
	gateway_config_ref(before);
	if (check_outlets(p, next, &why) != E_OK || config_apply(p, next, &why) != E_OK) {
		gateway_config_unref(next);
		refuse(p, &why);
	} else {
		warn_needs_restart(before, next);
		ports_reload_tls(&p->ports);
		metric_inc(p->gateway.metrics.reloads_ok);
		log_info("gateway", "the configuration was reloaded", LOG_U("routes", next->route_count));
		systemd_ready("running", NULL);
	}
	gateway_config_unref(before);
}
