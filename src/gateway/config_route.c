#include <string.h>

#include "base/mem.h"
#include "filter/filter.h"
#include "gateway/config_read.h"
#include "gateway/hooks/plan.h"

#define DEFAULT_PAYLOAD  (1 << 20) /* facts argo-events 2.1 */
#define DEFAULT_DEADLINE 2000

#define AT(member)       offsetof(struct context_options, member)

/* clang-format off */
static const struct field context_rows[] = {
	{ .key = "endpoint", .type = FIELD_STRING, .offset = AT(endpoint), .missing = "endpoint can't be empty",
	  .fix = "add `endpoint: /a/path`",
	  .meaning = "Path of the endpoint: literal text, `{name}` for one segment, `{name:pattern}` with a regular expression (Go's syntax)." },
	{ .key = "port", .type = FIELD_PORT, .offset = AT(port), .missing = "port can't be empty",
	  .fix = "add `port: \"12000\"`", .meaning = "Port to listen on, on all addresses; endpoints may share one." },
	{ .key = "method", .type = FIELD_STRING, .offset = AT(method), .dflt_text = "none (`webhook` requires it)",
	  .meaning = "The one method that is answered; in capitals." },
	{ .key = "url", .type = FIELD_STRING, .offset = AT(url),
	  .meaning = "Public address of the endpoint; for sources that register themselves with a provider." },
	{ .key = "serverCertSecret", .type = FIELD_SECRET, .offset = AT(cert),
	  .meaning = "Certificate chain (PEM); with `serverKeySecret` the port speaks TLS." },
	{ .key = "serverKeySecret", .type = FIELD_SECRET, .offset = AT(key), .meaning = "Its private key (PEM)." },
	{ .key = "authSecret", .type = FIELD_SECRET, .offset = AT(auth),
	  .meaning = "Bearer token that a request must carry; read again when the file changes." },
	{ .key = "metadata", .type = FIELD_MAP, .offset = AT(metadata), .meaning = "Put into each event as `metadata`." },
	{ .key = "maxPayloadSize", .type = FIELD_SIZE, .offset = AT(max_payload), .min = 1, .max = 1 << 30,
	  .dflt = DEFAULT_PAYLOAD, .meaning = "Largest body; more answers 413." },
};
#undef AT

/* What an event holds beside the context and the source's own keys. */
struct event_keys {
	const struct node *filter;
	const struct node *holdfast;
	const struct node *webhook;
	struct text_map metadata;
};
#define AT(member) offsetof(struct event_keys, member)

static const struct field event_rows[] = {
	{ .key = "filter", .type = FIELD_NODE, .offset = AT(filter) },
	{ .key = "holdfast", .type = FIELD_NODE, .offset = AT(holdfast) },
	{ .key = "webhook", .type = FIELD_NODE, .offset = AT(webhook), .table = &config_context_table },
	{ .key = "metadata", .type = FIELD_MAP, .offset = AT(metadata) },
};
/* clang-format on */

const struct field_table config_context_table = { .rows = context_rows, .count = ARRAY_LEN(context_rows) };

/* The context stands in the event itself: then "webhook" and "metadata" are not the event's. */
static const struct field_table inlined_table = { .rows = event_rows, .count = 2 };
static const struct field_table outer_table = { .rows = event_rows, .count = ARRAY_LEN(event_rows) };
/* The source has a filter of its own, which is no expression. */
static const struct field_table own_filter_table = { .rows = event_rows + 1, .count = ARRAY_LEN(event_rows) - 1 };

/* One event while it is read. */
struct draft {
	const struct manifest *manifest;
	const struct source_ops *ops;
	const struct node *event;
	struct context_options context;
	struct event_keys keys;
	struct route_options options;
	struct route_config *route;
};

static const struct field_table *event_table(const struct source_ops *ops)
{
	return ops->inlined ? &inlined_table : ops->own_filter ? &own_filter_table : &outer_table;
}

static enum err read_keys(const struct config_reader *r, const struct fields_ctx *ctx, struct draft *d)
{
	struct fields_ctx own = config_own_ctx(r, d->manifest->file);
	static const struct field_table no_settings = { 0 };
	const struct field_table *settings = d->ops->settings ? d->ops->settings : &no_settings;
	const struct field_table *ours = d->ops->holdfast ? d->ops->holdfast : &no_settings;
	struct fields_part options[] = { { &config_option_table, &d->options },
					 { ours, d->route->settings },
					 { &config_hooks_part, &d->route->hooks } };
	size_t option_count = hook_kind_find(d->ops->kind) ? 3 : 2;
	struct fields_part parts[] = { { event_table(d->ops), &d->keys },
				       { settings, d->route->settings },
				       { &config_context_table, &d->context } };
	enum err err;

	fields_defaults(settings, d->route->settings);
	fields_defaults(ours, d->route->settings);
	fields_defaults(&config_hooks_part, &d->route->hooks);
	fields_defaults(&config_context_table, &d->context);
	err = fields_read_parts(ctx, parts, d->ops->inlined ? 3 : 2, d->event, d->event);
	if (err != E_NOMEM && !d->ops->inlined)
		err = fields_read(ctx, &config_context_table, d->keys.webhook, d->event, &d->context);
	d->options = d->manifest->options;
	if (err != E_NOMEM && d->keys.holdfast)
		err = fields_read_parts(&own, options, option_count, d->keys.holdfast, d->event);
	return err;
}

/* What `filter` holds. */
struct filter_keys {
	char *expression;
};

/* clang-format off */
static const struct field filter_rows[] = {
	{ .key = "expression", .type = FIELD_STRING, .offset = offsetof(struct filter_keys, expression),
	  .missing = "expression can't be empty", .fix = "write one, or remove `filter`",
	  .meaning = "Only events for which it gives true are stored; docs/guide/filters.md." },
};
/* clang-format on */

const struct field_table config_filter_table = { .rows = filter_rows, .count = ARRAY_LEN(filter_rows) };

/* A block keeps its lines: the problem stands on the one that the expression's line is. */
static void report_filter(const struct fields_ctx *ctx, const struct node *expression, struct filter_place place,
			  const struct why *why)
{
	struct node at = *expression;

	at.line += expression->block + place.line - 1;
	problem_at(ctx->problems, ctx->file, &at, NULL, "%s", why->text);
}

static enum err read_filter(const struct fields_ctx *ctx, struct draft *d)
{
	struct filter_keys keys = { 0 };
	struct filter_place place = { 1, 1 };
	struct why why = { 0 };
	enum err err;

	if (!d->keys.filter)
		return E_OK;
	err = fields_read(ctx, &config_filter_table, d->keys.filter, d->event, &keys);
	if (err == E_OK)
		err = filter_compile(str_of(keys.expression), &why, &place, &d->route->filter);
	if (err != E_OK && keys.expression && why.err != E_OK)
		report_filter(ctx, node_get(d->keys.filter, "expression"), place, &why);
	fields_release(&config_filter_table, &keys);
	return err == E_NOMEM ? problem_nomem(ctx->problems) : E_OK;
}

static bool set_names(struct draft *d)
{
	struct route_config *route = d->route;

	route->event_source = str_dup(str_of(d->manifest->name));
	route->namespace = str_dup(str_of(d->manifest->namespace));
	route->event_name = str_dup(d->event->key);
	route->file = str_dup(str_of(d->manifest->file->path));
	route->line = d->event->key_line;
	return route->event_source && route->namespace && route->event_name && route->file;
}

/* Everything of the context goes over to the route. */
static bool set_context(struct draft *d)
{
	struct context_options *c = &d->context;
	struct route_config *route = d->route;

	route->endpoint = TAKE(c->endpoint);
	route->port = (uint16_t)c->port;
	route->method = c->method ? TAKE(c->method) : str_dup(STR(""));
	route->url = TAKE(c->url);
	route->tls_cert = c->cert;
	route->tls_key = c->key;
	route->auth = c->auth;
	route->max_payload = c->max_payload;
	c->cert = c->key = c->auth = (struct secret_ref){ 0 };
	/* Sources with a context of its own carry the metadata of the event, not of the context (facts 1.0). */
	struct text_map *metadata = d->ops->inlined ? &c->metadata : &d->keys.metadata;
	route->metadata = TAKE(metadata->items);
	route->metadata_count = metadata->count;
	metadata->count = 0;
	return route->method != NULL;
}

/* The embedded bus is the store: what is not in it is nowhere, and what is in it the bus has. */
static enum ack_mode ack_of(const struct gateway_config *config, const struct route_options *o)
{
	if (config->bus.kind == BUS_EMBEDDED)
		return ACK_SPOOL;
	if (o->ack >= 0)
		return (enum ack_mode)o->ack;
	return config->data_dir ? ACK_SPOOL : ACK_BUS;
}

static void set_options(struct draft *d, const struct gateway_config *config)
{
	const struct route_options *o = &d->options;
	struct route_config *route = d->route;

	route->ack = ack_of(config, o);
	route->deadline_ms = o->deadline_ms        ? (uint32_t)o->deadline_ms
			     : d->ops->deadline_ms ? d->ops->deadline_ms
						   : DEFAULT_DEADLINE;
	route->rate = (uint32_t)o->rate;
	route->burst = (uint32_t)(o->burst ? o->burst : o->rate);
	route->compat_strict = o->compat != 0;
	route->mask_secrets = o->mask_secrets;
	route->secret_overlap_ms = o->secret_overlap_ms;
}

static const struct node *context_of(const struct draft *d)
{
	return d->ops->inlined || !d->keys.webhook ? d->event : d->keys.webhook;
}

static bool is_method(const char *s)
{
	for (; *s; s++)
		if ((*s < 'A' || *s > 'Z') && *s != '-')
			return false;
	return true;
}

static bool is_usual_method(const char *s)
{
	static const char *const usual[] = { "POST",    "PUT",     "GET",   "PATCH", "DELETE",
					     "OPTIONS", "CONNECT", "TRACE", "HEAD" };

	for (size_t i = 0; i < ARRAY_LEN(usual); i++)
		if (strcmp(s, usual[i]) == 0)
			return true;
	return false;
}

static void check_method(const struct fields_ctx *ctx, const struct node *context, const char *method)
{
	const struct node *n = node_get(context, "method");

	if (!is_method(method))
		problem_at(ctx->problems, ctx->file, n, "write it in capitals: POST",
			   "\"%.20s\" never matches a request", method);
	else if (*method && !is_usual_method(method))
		warning_at(ctx->problems, ctx->file, n, "most senders use POST",
			   "\"%.20s\" is no usual method: any other one is answered 405", method);
}

/* What the rows cannot say about one route. */
static void check_route(const struct fields_ctx *ctx, const struct draft *d)
{
	const struct node *context = context_of(d);
	const struct route_config *route = d->route;

	if (route->endpoint)
		config_check_endpoint(ctx, node_get(context, "endpoint"));
	check_method(ctx, context, route->method);
	if (route->tls_cert.path && !route->tls_key.path)
		problem_at(ctx->problems, ctx->file, node_get(context, "serverCertSecret"), "add serverKeySecret",
			   "a certificate without its key");
	if (route->tls_key.path && !route->tls_cert.path)
		problem_at(ctx->problems, ctx->file, node_get(context, "serverKeySecret"), "add serverCertSecret",
			   "a key without its certificate");
	if (d->ops->check)
		d->ops->check(ctx, d->event, route);
	config_check_hooks(ctx, d->event, route);
}

static bool grow(struct config_reader *r)
{
	size_t n = r->config->route_count;
	struct route_config *routes = r->config->routes;
	struct route_place *places = r->places;

	/* Room for twice as many each time they fill a power of two. */
	if (n & (n - 1) || n == 1)
		return true;
	n = n ? 2 * n : 2;
	routes = mem_realloc(routes, n * sizeof(*routes));
	if (!routes)
		return false;
	r->config->routes = routes;
	places = mem_realloc(places, n * sizeof(*places));
	if (!places)
		return false;
	r->places = places;
	return true;
}

static bool fill(struct config_reader *r, struct draft *d)
{
	struct fields_ctx ctx = config_ctx(r, d->manifest->file);

	if (d->ops->settings_size) {
		d->route->settings = mem_alloc(d->ops->settings_size);
		if (!d->route->settings)
			return false;
	}
	if (read_keys(r, &ctx, d) == E_NOMEM || read_filter(&ctx, d) == E_NOMEM || !set_names(d) || !set_context(d))
		return false;
	set_options(d, r->config);
	check_route(&ctx, d);
	r->places[r->config->route_count - 1] = (struct route_place){ d->manifest->file, d->event, context_of(d) };
	return true;
}

bool config_read_route(struct config_reader *r, const struct manifest *m, const struct source_ops *ops,
		       const struct node *event)
{
	struct draft d = { .manifest = m, .ops = ops, .event = event };
	bool ok;

	if (!grow(r))
		return false;
	d.route = &r->config->routes[r->config->route_count++];
	*d.route = (struct route_config){ .ops = ops };
	ok = fill(r, &d);
	fields_release(&config_context_table, &d.context);
	fields_release(&outer_table, &d.keys);
	return ok;
}

void config_route_release(struct route_config *route)
{
	struct text_map metadata = { route->metadata, route->metadata_count };

	mem_free(route->event_source);
	mem_free(route->namespace);
	mem_free(route->event_name);
	mem_free(route->endpoint);
	mem_free(route->method);
	mem_free(route->url);
	mem_free(route->file);
	secret_release(&route->auth);
	secret_release(&route->tls_cert);
	secret_release(&route->tls_key);
	text_map_release(&metadata);
	filter_free(route->filter);
	fields_release(&config_hooks_part, &route->hooks);
	if (route->settings && route->ops->settings)
		fields_release(route->ops->settings, route->settings);
	if (route->settings && route->ops->holdfast)
		fields_release(route->ops->holdfast, route->settings);
	mem_free(route->settings);
}
