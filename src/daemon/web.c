#include "daemon/web.h"

#include <stdio.h>

#include "base/mem.h"
#include "net/listen.h"

void web_json(struct http_request *r, const struct buf *json)
{
	http_respond(r, &(struct http_response){ .status = json->err == E_OK ? 200 : 503,
						 .content_type = STR("application/json"),
						 .body = buf_view(json) });
}

void web_livez(struct web *web, struct http_request *r)
{
	(void)web;
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

/* ---- requests --------------------------------------------------------------------------------------------------- */

static bool is_authorized(const struct web *web, const struct http_request *r)
{
	struct str value = http_field(r, (struct str)STR("Authorization"), NULL), scheme = STR("Bearer ");

	return web->file.path && str_starts(value, scheme) &&
	       str_eq_secret(str_sub(value, scheme.n, value.n), str_of(web->file.token));
}

static void refuse_method(struct http_request *r, const char *method)
{
	char allow[32];

	(void)snprintf(allow, sizeof(allow), "Allow: %s\r\n", method);
	http_respond(r, &(struct http_response){ .status = 405,
						 .content_type = STR("text/plain; charset=utf-8"),
						 .headers = str_of(allow),
						 .body = STR("use the method in the Allow header\n") });
}

static void refuse_token(struct http_request *r)
{
	http_respond(r, &(struct http_response){
				.status = 401,
				.content_type = STR("text/plain; charset=utf-8"),
				.headers = STR("WWW-Authenticate: Bearer\r\n"),
				.body = STR("send `Authorization: Bearer TOKEN` with the token of admin.json "
					    "in the data directory\n") });
}

static void on_head(void *ctx, struct http_request *r)
{
	const struct web_port *port = ctx;

	for (size_t i = 0; i < port->pages.n; i++) {
		const struct web_page *page = &port->pages.pages[i];

		if (!str_is(r->path, page->path))
			continue;
		if (!str_is(r->method, page->method) && !(str_is(r->method, "HEAD") && page->method[0] == 'G'))
			refuse_method(r, page->method);
		else if (page->token && !is_authorized(port->web, r))
			refuse_token(r);
		else
			page->handle(port->web, r);
		return;
	}
	http_text(r, 404, (struct str)STR("404 page not found\n"));
}

/* Every page answers in on_head: what follows is read and dropped by the server. */
static void on_body(void *ctx, struct http_request *r, struct str chunk)
{
	(void)ctx, (void)r, (void)chunk;
}

static void on_end(void *ctx, struct http_request *r)
{
	(void)ctx, (void)r;
}

static void on_close(void *ctx, struct http_request *r)
{
	(void)ctx, (void)r;
}

/* The daemon works without it: a full disk must not keep it from that. */
static void describe(struct web *web, uint16_t port, const char *data_dir)
{
	struct why why = { 0 };

	if (admin_file_write(&web->file, data_dir, (struct str)STR(""), port, &why) != E_OK)
		log_error(web->daemon->logger, "the commands of this machine will not find this process",
			  LOG_WHY(&why));
}

/* ---- life ------------------------------------------------------------------------------------------------------- */

static const struct http_limits limits = {
	.head_max = 16 << 10,
	.conns_max = 1024,
	.head_ms = 10000,
	.body_ms = 10000,
	.idle_ms = 120000,
	.write_ms = 10000,
};

static enum err port_open(struct web *web, struct web_port *port, struct web_pages pages, uint16_t number,
			  struct why *why)
{
	struct http_handler handler = {
		.on_head = on_head, .on_body = on_body, .on_end = on_end, .on_close = on_close, .ctx = port
	};
	enum err err;
	int fd;

	*port = (struct web_port){ .web = web, .pages = pages };
	err = listen_open((struct str)STR(""), number, /* share= */ false, why, &fd);
	if (err == E_OK)
		err = http_server_start(&web->daemon->loop, fd, NULL, &limits, &handler, why, &port->server);
	web->open += err == E_OK;
	return err;
}

enum err web_open(struct web *web, struct daemon *daemon, const struct web_config *config, struct why *why)
{
	enum err err = E_OK;

	*web = (struct web){ .daemon = daemon, .on_closed = config->on_closed, .ctx = config->ctx };
	admin_file_init(&web->file);
	if (config->metrics_port)
		err = port_open(web, &web->metrics, config->metrics, (uint16_t)config->metrics_port, why);
	if (err == E_OK && config->metrics_port && config->data_dir)
		describe(web, (uint16_t)config->metrics_port, config->data_dir);
	if (err == E_OK && config->health_port)
		err = port_open(web, &web->health, config->health, (uint16_t)config->health_port, why);
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
