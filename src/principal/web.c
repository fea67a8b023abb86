#include <inttypes.h>

#include "auth/expiry.h"
#include "base/clock.h"
#include "daemon/session_json.h"
#include "principal/process.h"

/* ---- over all agents ---------------------------------------------------------------------------------------------- */

static void sum_all(const struct principal *p, struct traffic_sums *ret_sums)
{
	struct hub_agent *a;
	size_t at = 0;

	*ret_sums = (struct traffic_sums){ 0 };
	while ((a = hub_next(p->hub, &at)))
		traffic_sum(a->session, daemon_now_ms(&p->daemon), ret_sums);
}

/* Of the open streams, on average. */
static int64_t connected_ms(const struct principal *p)
{
	uint64_t now_ms = (uint64_t)clock_wall_ms(), sum_ms = 0;
	struct hub_agent *a;
	size_t at = 0;

	while ((a = hub_next(p->hub, &at))) {
		const struct stream *s = a->user;

		if (s && s->since_ms < now_ms)
			sum_ms += now_ms - s->since_ms;
	}
	return p->streams ? (int64_t)(sum_ms / p->streams) : 0;
}

static uint64_t unowned(const struct principal *p)
{
	uint64_t n = 0;

	for (enum mapping_reason reason = 0; reason < MAPPING_REASON_COUNT; reason++)
		n += hub_unowned(p->hub, reason);
	return n;
}

static void refresh(struct principal *p)
{
	struct traffic_sums sums;

	sum_all(p, &sums);
	metric_set(p->metrics.connected_ms, connected_ms(p));
	metric_set(p->metrics.agents, (int64_t)sums.sessions);
	traffic_refresh(&p->traffic, &sums);
	metric_set(p->metrics.objects, (int64_t)hub_objects(p->hub));
	metric_set(p->metrics.unowned, (int64_t)unowned(p));
	metric_set(p->metrics.gpg_keys, (int64_t)hub_objects_of(p->hub, OBJECT_GPGKEY));
}

static void get_metrics(void *ctx, struct http_request *r)
{
	struct principal *p = ctx;

	refresh(p);
	http_metrics(r, p->daemon.metrics);
}

/* ---- /status ------------------------------------------------------------------------------------------------------ */

static bool is_recent(const struct principal *p, uint64_t then_ms)
{
	return daemon_now_ms(&p->daemon) - then_ms <= REMEMBERED_MS;
}

static void write_agent(const struct principal *p, struct hub_agent *a, struct buf *json)
{
	const struct stream *s = a->user;

	buf_lit(json, "{\"name\":");
	buf_json(json, agent_name(&a->name));
	buf_addf(json, ",\"mode\":\"%s\",\"connected\":%s,\"since_ms\":%" PRIu64, agent_mode_text(a->mode),
		 s ? "true" : "false", s ? s->since_ms : 0);
	buf_addf(json, ",\"replaced\":%" PRIu64, is_recent(p, a->replaced_ms) ? a->replaced : 0);
	session_json(a->session, daemon_now_ms(&p->daemon), json);
	buf_char(json, '}');
}

/* Who is not there, and why: perhaps the one that is missed. */
static void write_turned_away(const struct principal *p, struct buf *json)
{
	if (!is_recent(p, p->turned_away_ms) || !p->turned_away[0])
		return;
	buf_addf(json,
		 ",\"turned_away\":{\"age_ms\":%" PRIu64 ",\"who\":", daemon_now_ms(&p->daemon) - p->turned_away_ms);
	buf_json(json, str_of(p->turned_away));
	buf_char(json, '}');
}

/* How many applications are nobody's, and why. */
static void write_unowned(const struct principal *p, struct buf *json)
{
	bool first = true;

	buf_lit(json, ",\"unowned\":[");
	for (enum mapping_reason reason = 0; reason < MAPPING_REASON_COUNT; reason++) {
		uint64_t n = hub_unowned(p->hub, reason);

		if (n == 0)
			continue;
		buf_addf(json, "%s{\"count\":%" PRIu64 ",\"reason\":", first ? "" : ",", n);
		buf_json(json, str_of(mapping_reason_text(reason)));
		buf_char(json, '}');
		first = false;
	}
	buf_char(json, ']');
}

static void get_status(void *ctx, struct http_request *r)
{
	struct principal *p = ctx;
	struct buf json = { 0 };
	struct hub_agent *a;
	size_t at = 0;
	bool first = true;

	buf_addf(&json, "{\"ready\":%s,\"principal\":{\"uid\":",
		 daemon_is_ready(&p->daemon, hub_is_synced(p->hub)) ? "true" : "false");
	buf_json(&json, buf_view(&p->uid));
	buf_addf(&json,
		 ",\"objects\":%" PRIu64 ",\"problems\":%" PRId64
		 ",\"ledger_failed\":%s,\"certificate_expires_ms\":%" PRId64,
		 hub_objects(p->hub), metric_value(p->traffic.problems),
		 ledger_has_failed(p->daemon.ledger) ? "true" : "false", expiry_shown(p->daemon.metrics));
	write_turned_away(p, &json);
	write_unowned(p, &json);
	buf_lit(&json, "},\"agents\":[");
	while ((a = hub_next(p->hub, &at))) {
		if (!first)
			buf_char(&json, ',');
		write_agent(p, a, &json);
		first = false;
	}
	buf_lit(&json, "]}");
	http_json(r, &json);
	buf_release(&json);
}

/* POST /release?agent=NAME: an operator lets the deletes go that the guard holds. */
static void post_release(void *ctx, struct http_request *r)
{
	struct principal *p = ctx;
	struct str name = r->query, key = str_cut(&name, '=');
	struct hub_agent *a = str_is(key, "agent") ? hub_find(p->hub, name) : NULL;
	const char *text;

	if (!a) {
		http_text(r, 404, STR("no agent of this name is known\n"));
		return;
	}
	if (source_held(session_source(a->session), &text) == 0) {
		http_text(r, 200, STR("nothing is held\n"));
		return;
	}
	source_release(session_source(a->session), daemon_now_ms(&p->daemon));
	hub_ready(a);
	log_warn(PRINCIPAL_LOG, "an operator released the deletes that were held", LOG_S("agent", a->name.text));
	http_text(r, 200, STR("released\n"));
}

/* ---- probes ------------------------------------------------------------------------------------------------------- */

static void get_readyz(void *ctx, struct http_request *r)
{
	struct principal *p = ctx;

	web_readyz(&p->web, r, hub_is_synced(p->hub));
}

static const struct http_page metrics_pages[] = {
	{ "GET", "/metrics", false, get_metrics },
	{ "GET", "/status", true, get_status },
	{ "POST", "/release", true, post_release },
	{ "POST", "/forget", true, forget_post },
};

static const struct http_page health_pages[] = {
	{ "GET", "/healthz", false, web_livez },
	{ "GET", "/livez", false, web_livez },
	{ "GET", "/readyz", false, get_readyz },
};

static void on_closed(void *ctx)
{
	principal_ended(ctx);
}

enum err web_start(struct principal *p, struct why *why)
{
	const struct web_config config = {
		.metrics_port = p->options->metrics_port,
		.health_port = p->options->healthz_port,
		.data_dir = p->options->data_dir,
		.metrics = metrics_pages,
		.metrics_n = ARRAY_LEN(metrics_pages),
		.health = health_pages,
		.health_n = ARRAY_LEN(health_pages),
		.on_request_closed = forget_closed,
		.on_closed = on_closed,
		.ctx = p,
	};

	return web_open(&p->web, &p->daemon, &config, why);
}
