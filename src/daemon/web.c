#include "daemon/web.h"

void web_livez(void *ctx, struct http_request *r)
{
	(void)ctx;
	http_text(r, 200, STR("ok\n"));
}

void web_readyz(const struct web *web, struct http_request *r, bool synced)
{
	if (!synced)
		http_text(r, 503, STR("the backend has not reported everything yet\n"));
	else if (ledger_has_failed(web->daemon->ledger))
		http_text(r, 503, STR("the ledger cannot be written\n"));
	else if (!daemon_is_ready(web->daemon, synced))
		http_text(r, 503, STR("stopping\n"));
	else
		http_text(r, 200, STR("ready\n"));
}

/* ---- life ------------------------------------------------------------------------------------------------------- */

/* The daemon works without it: a full disk must not keep it from that. */
static void describe(struct web *web, uint16_t port, const char *data_dir)
{
	struct why why = { 0 };

	if (admin_file_write(&web->file, data_dir, (struct str)STR(""), port, &why) != E_OK)
		log_error(web->daemon->logger, "the commands of this machine will not find this process",
			  LOG_WHY(&why));
}

static enum err port_open(struct web *web, struct web_port *port, const struct http_page *rows, size_t n,
			  uint64_t number, void (*on_close)(void *ctx, struct http_request *r), struct why *why)
{
	enum err err;

	port->web = web;
	port->pages = (struct http_pages){
		.rows = rows,
		.n = n,
		.file = &web->file,
		.token_missing =
			"send `Authorization: Bearer TOKEN` with the token of admin.json in the data directory\n",
		.on_close = on_close,
		.ctx = web->ctx,
	};
	err = http_pages_start(&port->pages, &web->daemon->loop, (struct str)STR(""), (uint16_t)number, why,
			       &port->server);
	web->open += err == E_OK;
	return err;
}

enum err web_open(struct web *web, struct daemon *daemon, const struct web_config *config, struct why *why)
{
	enum err err = E_OK;

	*web = (struct web){ .daemon = daemon, .on_closed = config->on_closed, .ctx = config->ctx };
	admin_file_init(&web->file);
	if (config->metrics_port)
		err = port_open(web, &web->metrics, config->metrics, config->metrics_n, config->metrics_port,
				config->on_request_closed, why);
	if (err == E_OK && config->metrics_port && config->data_dir)
		describe(web, (uint16_t)config->metrics_port, config->data_dir);
	if (err == E_OK && config->health_port)
		err = port_open(web, &web->health, config->health, config->health_n, config->health_port,
				/* on_close= */ NULL, why);
	return err;
}

static void on_stopped(void *ctx)
{
	struct web_port *port = ctx;
	struct web *web = port->web;

	port->server = NULL;
	web->open--;
	web->on_closed(web->ctx);
}

void web_close(struct web *web)
{
	admin_file_remove(&web->file);
	if (web->metrics.server)
		http_server_stop(web->metrics.server, /* now= */ true, on_stopped, &web->metrics);
	if (web->health.server)
		http_server_stop(web->health.server, /* now= */ true, on_stopped, &web->health);
}
