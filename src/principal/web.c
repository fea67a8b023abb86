#include <inttypes.h>

#include "base/clock.h"
#include "principal/process.h"

/* ---- over all agents ---------------------------------------------------------------------------------------------- */

struct totals {
	uint64_t agents, waiting, in_flight, quarantined, held, oldest_ms;
};

static uint64_t age_ms(const struct principal *p, uint64_t since_ms)
{
	return since_ms == UINT64_MAX ? 0 : p->daemon.loop.now_ms - since_ms;
}

static void add_agent(const struct principal *p, struct hub_agent *a, struct totals *t)
{
	struct outbox_stats stats;
	const char *text;

	outbox_stats(peer_outbox(session_peer(a->session)), &stats);
	t->agents++;
	t->waiting += stats.waiting;
	t->in_flight += stats.in_flight;
	t->quarantined += stats.quarantined;
	t->held += source_held(session_source(a->session), &text);
	if (age_ms(p, stats.oldest_ms) > t->oldest_ms)
		t->oldest_ms = age_ms(p, stats.oldest_ms);
}

static void refresh(struct principal *p)
{
	struct totals t = { 0 };
	struct hub_agent *a;
	size_t at = 0;

	while ((a = hub_next(p->hub, &at)))
		add_agent(p, a, &t);
	metric_set(p->metrics.agents, (int64_t)t.agents);
	metric_set(p->metrics.waiting, (int64_t)t.waiting);
	metric_set(p->metrics.in_flight, (int64_t)t.in_flight);
	metric_set(p->metrics.quarantined, (int64_t)t.quarantined);
	metric_set(p->metrics.held, (int64_t)t.held);
	metric_set(p->metrics.oldest_ms, (int64_t)t.oldest_ms);
	metric_set(p->metrics.objects, (int64_t)hub_objects(p->hub));
}

static void get_metrics(struct web *web, struct http_request *r)
{
	refresh(web->ctx);
	web_metrics(web, r);
}

/* ---- /status ------------------------------------------------------------------------------------------------------ */

static void write_quarantine(struct hub_agent *a, struct buf *json)
{
	struct outbox_quarantined q;
	const void *cursor = NULL;
	bool first = true;

	while (outbox_quarantine_next(peer_outbox(session_peer(a->session)), &cursor, &q)) {
		buf_addf(json, "%s{\"type\":\"%s\",\"resource_id\":", first ? "" : ",", delivery_type_name(q.type));
		buf_json(json, q.resource_id);
		buf_lit(json, ",\"reason\":");
		buf_json(json, q.reason);
		buf_char(json, '}');
		first = false;
	}
}

static void write_agent(const struct principal *p, struct hub_agent *a, struct buf *json)
{
	const struct stream *s = a->user;
	struct source_stats source;
	struct outbox_stats o;
	const char *held_text;

	outbox_stats(peer_outbox(session_peer(a->session)), &o);
	source_stats(session_source(a->session), &source);
	(void)source_held(session_source(a->session), &held_text);
	buf_lit(json, "{\"name\":");
	buf_json(json, agent_name(&a->name));
	buf_addf(json,
		 ",\"mode\":\"%s\",\"connected\":%s,\"since_ms\":%" PRIu64 ",\"objects\":%" PRIu64
		 ",\"behind\":%" PRIu64 ",\"waiting\":%" PRIu64 ",\"in_flight\":%" PRIu64 ",\"oldest_ms\":%" PRIu64
		 ",\"confirmed\":%" PRIu64 ",\"resent\":%" PRIu64 ",\"held\":%" PRIu64 ",\"held_reason\":",
		 agent_mode_text(a->mode), s ? "true" : "false", s ? s->since_ms : 0, source.objects, source.behind,
		 o.waiting, o.in_flight, age_ms(p, o.oldest_ms), o.confirmed, o.resent, source.held);
	buf_json(json, str_of(held_text));
	buf_lit(json, ",\"quarantined\":[");
	write_quarantine(a, json);
	buf_lit(json, "]}");
}

static void get_status(struct web *web, struct http_request *r)
{
	struct principal *p = web->ctx;
	struct buf json = { 0 };
	struct hub_agent *a;
	size_t at = 0;
	bool first = true;

	buf_addf(&json, "{\"ready\":%s,\"principal\":{\"uid\":", hub_is_synced(p->hub) ? "true" : "false");
	buf_json(&json, buf_view(&p->uid));
	buf_addf(&json, ",\"objects\":%" PRIu64 "},\"agents\":[", hub_objects(p->hub));
	while ((a = hub_next(p->hub, &at))) {
		buf_str(&json, first ? (struct str){ 0 } : (struct str)STR(","));
		write_agent(p, a, &json);
		first = false;
	}
	buf_lit(&json, "]}");
	web_json(r, &json);
	buf_release(&json);
}

/* POST /release?agent=NAME: an operator lets the deletes go that the guard holds. */
static void post_release(struct web *web, struct http_request *r)
{
	struct principal *p = web->ctx;
	struct str name = r->query, key = str_cut(&name, '=');
	struct hub_agent *a = str_is(key, "agent") ? hub_find(p->hub, name) : NULL;

	if (!a) {
		web_text(r, 404, (struct str)STR("no such agent: POST /release?agent=NAME\n"));
		return;
	}
	source_release(session_source(a->session), daemon_now_ms(&p->daemon));
	hub_ready(a);
	log_warn(PRINCIPAL_LOG, "an operator released the deletes that were held", LOG_S("agent", a->name.text));
	web_text(r, 200, (struct str)STR("released\n"));
}

/* ---- probes ------------------------------------------------------------------------------------------------------- */

static void get_healthz(struct web *web, struct http_request *r)
{
	(void)web;
	web_text(r, 200, (struct str)STR("ok\n"));
}

static void get_readyz(struct web *web, struct http_request *r)
{
	struct principal *p = web->ctx;

	if (!hub_is_synced(p->hub))
		web_text(r, 503, (struct str)STR("the backend has not reported everything yet\n"));
	else if (p->daemon.ledger_failed)
		web_text(r, 503, (struct str)STR("the ledger cannot be written\n"));
	else if (p->stopping)
		web_text(r, 503, (struct str)STR("stopping\n"));
	else
		web_text(r, 200, (struct str)STR("ready\n"));
}

static const struct web_page metrics_pages[] = {
	{ "GET", "/metrics", false, get_metrics },
	{ "GET", "/status", true, get_status },
	{ "POST", "/release", true, post_release },
};

static const struct web_page health_pages[] = {
	{ "GET", "/healthz", false, get_healthz },
	{ "GET", "/readyz", false, get_readyz },
};

enum err web_start(struct principal *p, struct why *why)
{
	const struct principal_options *o = p->options;
	enum err err = E_OK;

	if (o->metrics_port) {
		err = web_open(&p->metrics_web, &p->daemon, (struct str){ 0 }, (uint16_t)o->metrics_port, metrics_pages,
			       ARRAY_LEN(metrics_pages), p, o->data_dir, why);
		p->web_count += err == E_OK;
	}
	if (err == E_OK && o->healthz_port) {
		err = web_open(&p->health_web, &p->daemon, (struct str){ 0 }, (uint16_t)o->healthz_port, health_pages,
			       ARRAY_LEN(health_pages), p, NULL, why);
		p->web_count += err == E_OK;
	}
	return err;
}

static void on_closed(struct web *web)
{
	struct principal *p = web->ctx;

	p->web_count--;
	principal_ended(p);
}

void web_stop(struct principal *p)
{
	if (p->metrics_web.server)
		web_close(&p->metrics_web, on_closed);
	if (p->health_web.server)
		web_close(&p->health_web, on_closed);
}
