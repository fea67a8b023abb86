#include "gateway/request_log.h"

#include "base/log.h"

void request_log_stored(const struct exchange *x)
{
	for (size_t i = 0; log_enabled(LOG_DEBUG) && i < x->count; i++)
		log_debug("gateway", x->route->config->ack == ACK_BUS ? "the bus has an event" : "an event was stored",
			  LOG_STRN("event_id", x->rows[i].id), LOG_ROUTE(x->route->config),
			  x->rows[i].pos ? LOG_U("position", x->rows[i].pos) : (struct log_field){ 0 },
			  LOG_B("duplicate", x->duplicates[i]));
}

void request_log_filtered(const struct exchange *x, const struct store_row *row)
{
	log_debug("gateway", "an event does not pass its filter", LOG_STRN("event_id", row->id),
		  LOG_ROUTE(x->route->config));
}

void request_log_refused(const struct exchange *x, enum answer answer, const struct answer_more *more)
{
	const struct route_config *config = x->route->config;

	log_debug("gateway", "a request was refused", LOG_ROUTE(config),
		  LOG_S("client", x->request ? x->request->peer : "gone"),
		  LOG_U("status", answer_status(answer, config->compat_strict)),
		  LOG_STRN("said", more->detail.n ? more->detail : answer_text(answer, config->compat_strict)));
}

void request_log_no_route(const struct listener *l, const struct http_request *r)
{
	log_debug("gateway", "no endpoint has this path", LOG_U("port", l->port), LOG_STRN("path", r->path),
		  LOG_S("client", r->peer), LOG_U("status", 404));
}

void request_log_malformed(const struct listener *l, unsigned status)
{
	if (status)
		log_debug("gateway", "a malformed request was refused", LOG_U("port", l->port),
			  LOG_U("status", status));
	else
		log_debug("gateway", "a connection beyond the limits was closed", LOG_U("port", l->port));
}

void request_log_tls_failed(const struct listener *l, const char *peer, const char *problem)
{
	log_debug("gateway", "a client did not get through TLS", LOG_U("port", l->port), LOG_S("client", peer),
		  LOG_S("error", problem));
}
