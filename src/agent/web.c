#include <inttypes.h>

#include "agent/process.h"
#include "auth/expiry.h"
#include "base/clock.h"
#include "daemon/session_json.h"

static struct session *session_of(const struct agent *a)
{
	return site_session(a->site);
}

static bool is_open(const struct agent *a)
{
	return a->connection.state == CONNECTION_OPEN;
}

/* ---- /metrics ----------------------------------------------------------------------------------------------------- */

static void refresh(struct agent *a)
{
	struct traffic_sums sums = { 0 };
	struct replica_stats replica;

	traffic_sum(session_of(a), daemon_now_ms(&a->daemon), &sums);
	traffic_refresh(&a->traffic, &sums);
	replica_stats(session_replica(session_of(a)), &replica);
	metric_set(a->metrics.records, (int64_t)replica.records);
}

static void get_metrics(void *ctx, struct http_request *r)
{
	struct agent *a = ctx;

	refresh(a);
	http_metrics(r, a->daemon.metrics);
}

/* ---- /status, /release -------------------------------------------------------------------------------------------- */

static void write_principal(const struct agent *a, struct buf *json)
{
	const struct agent_options *o = a->options;

	buf_lit(json, "{\"name\":\"principal\",\"address\":");
	buf_json(json, str_of(o->server_address));
	buf_addf(json, ",\"port\":%" PRIu64 ",\"mode\":\"%s\",\"connected\":%s,\"since_ms\":%" PRId64, o->server_port,
		 agent_mode_text(a->mode), is_open(a) ? "true" : "false",
		 is_open(a) ? metric_value(a->metrics.since_ms) : 0);
	buf_lit(json, ",\"failure\":");
	buf_json(json, str_of(a->failure));
	session_json(session_of(a), daemon_now_ms(&a->daemon), json);
	buf_char(json, '}');
}

static void get_status(void *ctx, struct http_request *r)
{
	struct agent *a = ctx;
	struct buf json = { 0 };

	buf_addf(&json, "{\"ready\":%s,\"agent\":{\"name\":",
		 daemon_is_ready(&a->daemon, site_is_synced(a->site)) ? "true" : "false");
	buf_json(&json, agent_name(&a->connection.claims.agent));
	buf_addf(&json, ",\"mode\":\"%s\",\"version\":", agent_mode_text(a->mode));
	buf_json(&json, str_of(a->options->build));
	buf_addf(&json,
		 ",\"problems\":%" PRId64 ",\"ledger_failed\":%s,\"certificate_expires_ms\":%" PRId64
		 "},\"principal\":",
		 metric_value(a->traffic.problems), ledger_has_failed(a->daemon.ledger) ? "true" : "false",
		 expiry_shown(a->daemon.metrics));
	write_principal(a, &json);
	buf_char(&json, '}');
	http_json(r, &json);
	buf_release(&json);
}

static void post_release(void *ctx, struct http_request *r)
{
	struct agent *a = ctx;
	const char *text;

	if (!str_is(r->query, "agent=principal")) {
		http_text(r, 404, STR("an agent has one peer: POST /release?agent=principal\n"));
		return;
	}
	if (source_held(session_source(session_of(a)), &text) == 0) {
		http_text(r, 200, STR("nothing is held\n"));
		return;
	}
	source_release(session_source(session_of(a)), daemon_now_ms(&a->daemon));
	site_ready(a->site);
	log_warn(AGENT_LOG, "an operator released the deletes that were held");
	http_text(r, 200, STR("released\n"));
}

/* ---- probes ------------------------------------------------------------------------------------------------------- */

/* As upstream's: only while it is connected (facts 7.5). */
static void get_healthz(void *ctx, struct http_request *r)
{
	struct agent *a = ctx;

	http_text(r, is_open(a) ? 200 : 503, is_open(a) ? STR("ok\n") : STR("not connected with the principal\n"));
}

static void get_readyz(void *ctx, struct http_request *r)
{
	struct agent *a = ctx;

	web_readyz(&a->web, r, site_is_synced(a->site));
}

static const struct http_page metrics_pages[] = {
	{ "GET", "/metrics", false, get_metrics },
	{ "GET", "/status", true, get_status },
	{ "POST", "/release", true, post_release },
};

static const struct http_page health_pages[] = {
	{ "GET", "/healthz", false, get_healthz },
	{ "GET", "/livez", false, web_livez },
	{ "GET", "/readyz", false, get_readyz },
};

static void on_closed(void *ctx)
{
	agent_ended(ctx);
}

enum err agent_web_start(struct agent *a, struct why *why)
{
	const struct web_config config = {
		.metrics_port = a->options->metrics_port,
		.health_port = a->options->healthz_port,
		.data_dir = a->options->data_dir,
		.metrics = metrics_pages,
		.metrics_n = ARRAY_LEN(metrics_pages),
		.health = health_pages,
		.health_n = ARRAY_LEN(health_pages),
		.on_closed = on_closed,
		.ctx = a,
	};

	return web_open(&a->web, &a->daemon, &config, why);
}
