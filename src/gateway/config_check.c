#include <assert.h>

#include "base/map.h"
#include "base/mem.h"
#include "gateway/config_read.h"

/* Routes seen so far under a key of text; the keys are ours until the end. */
struct index {
	struct map map;
	struct buf *keys;
	size_t count;
};

static bool index_init(struct index *x, size_t routes)
{
	*x = (struct index){ .keys = mem_array(routes, sizeof(struct buf)) };
	return x->keys != NULL;
}

static void index_release(struct index *x)
{
	for (size_t i = 0; i < x->count; i++)
		buf_release(&x->keys[i]);
	mem_free(x->keys);
	map_release(&x->map);
}

/* The route that has the key of the last buffer already; else it is `route`'s now, and NULL. */
static const struct route_config *index_put(struct index *x, const struct route_config *route, struct config_reader *r)
{
	struct buf *key = &x->keys[x->count - 1];
	const struct route_config *first = map_get(&x->map, buf_view(key));

	if (first)
		return first;
	if (key->err != E_OK || map_put(&x->map, buf_view(key), (void *)route) != E_OK)
		problem_nomem(r->problems);
	return NULL;
}

static const struct route_place *place_of(const struct config_reader *r, const struct route_config *route)
{
	return &r->places[route - r->config->routes];
}

static const struct node *node_or(const struct node *map, const char *key)
{
	const struct node *n = node_get(map, key);

	return n ? n : map;
}

/* ---- each pair of routes ------------------------------------------------------------------------------------------ */

static void check_endpoint_twice(struct config_reader *r, struct index *x, const struct route_config *route)
{
	const struct route_place *place = place_of(r, route);
	struct buf *key = &x->keys[x->count++];
	const struct route_config *first;

	if (!route->endpoint || !route->port)
		return;
	buf_addf(key, "%u", route->port);
	config_endpoint_shape(str_of(route->endpoint), key);
	first = index_put(x, route, r);
	if (first)
		problem_at(r->problems, place->file, node_or(place->context, "endpoint"),
			   "take another endpoint or port",
			   "port %u and this endpoint belong to event %s already: %s:%u", route->port,
			   first->event_name, first->file, first->line);
}

static bool same_file(const struct secret_ref *a, const struct secret_ref *b)
{
	return str_eq(str_of(a->path), str_of(b->path));
}

static void check_tls_on_port(struct config_reader *r, struct index *x, const struct route_config *route)
{
	const struct route_place *place = place_of(r, route);
	struct buf *key = &x->keys[x->count++];
	const struct route_config *first;

	if (!route->port)
		return;
	buf_addf(key, "%u", route->port);
	first = index_put(x, route, r);
	if (first && (!same_file(&first->tls_cert, &route->tls_cert) || !same_file(&first->tls_key, &route->tls_key)))
		problem_at(r->problems, place->file, node_or(place->context, "serverCertSecret"),
			   "give all events of a port the same secrets, or take another port",
			   "event %s on port %u has other TLS secrets: %s:%u", first->event_name, route->port,
			   first->file, first->line);
}

/* Source and event name are the subject on the bus: within an EventSource a name stands once, whatever the type. */
static void check_name_twice(struct config_reader *r, struct index *x, const struct route_config *route)
{
	const struct route_place *place = place_of(r, route);
	struct buf *key = &x->keys[x->count++];
	const struct route_config *first;

	buf_str(key, str_of(route->event_source));
	buf_char(key, '\0');
	buf_str(key, str_of(route->event_name));
	first = index_put(x, route, r);
	if (first)
		problem_at(r->problems, place->file, place->event, "give it another name",
			   "more than one \"%.60s\" found in the spec; first at %s:%u", route->event_name, first->file,
			   first->line);
}

static bool each_pair(struct config_reader *r,
		      void (*check)(struct config_reader *r, struct index *x, const struct route_config *route))
{
	struct index x;

	if (!index_init(&x, r->config->route_count))
		return false;
	for (size_t i = 0; i < r->config->route_count; i++)
		check(r, &x, &r->config->routes[i]);
	index_release(&x);
	return !r->problems->lost;
}

/* ---- each route --------------------------------------------------------------------------------------------------- */

static bool can_be_subject(const char *token)
{
	for (const char *c = token; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f || strchr(".*>", *c))
			return false;
	return *token;
}

static void check_event_name(struct config_reader *r, const struct route_config *route)
{
	const struct route_place *place = place_of(r, route);

	if (r->config->bus.kind == BUS_JETSTREAM && !can_be_subject(route->event_name))
		problem_at(r->problems, place->file, place->event, "rename it: without . * > and spaces",
			   "\"%.60s\" cannot be part of a NATS subject", route->event_name);
}

static void check_source_name(struct config_reader *r, const struct manifest *m)
{
	if (r->config->bus.kind == BUS_JETSTREAM && *m->name && !can_be_subject(m->name))
		problem_at(r->problems, m->file, node_get(node_get(m->root, "metadata"), "name"),
			   "rename it: without . * > and spaces", "\"%.60s\" cannot be part of a NATS subject",
			   m->name);
}

/* The name is the CloudEvents source: two of one name could not be told apart. */
static void check_source_twice(struct config_reader *r, const struct manifest *m)
{
	for (const struct manifest *other = r->sources.items; other < m; other++) {
		if (!*m->name || !str_eq(str_of(other->name), str_of(m->name)))
			continue;
		problem_at(r->problems, m->file, node_get(node_get(m->root, "metadata"), "name"),
			   "give it another name, or put the events into one",
			   "EventSource %.60s stands twice; first at %s:%u", m->name, other->file->path,
			   other->root->line);
		return;
	}
}

static void check_store(struct config_reader *r, const struct route_config *route)
{
	const struct route_place *place = place_of(r, route);

	if (route->ack == ACK_SPOOL && !r->config->data_dir && r->config->bus.kind != BUS_EMBEDDED)
		problem_at(r->problems, place->file, place->event, "add spec.holdfast.dataDir, or write `ack: bus`",
			   "ack: spool needs a dataDir");
}

static void check_sizes(struct config_reader *r, const struct route_config *route)
{
	const struct route_place *place = place_of(r, route);
	uint64_t body_memory = r->config->limits.body_memory;

	if (route->max_payload > (body_memory ? body_memory : BODY_MEMORY_MOST))
		problem_at(r->problems, place->file, node_or(place->context, "maxPayloadSize"),
			   "lower it, or raise spec.holdfast.limits.bodyMemory",
			   "a body of maxPayloadSize never fits into bodyMemory");
	if (route->port && route->port == r->config->admin_port)
		problem_at(r->problems, place->file, node_or(place->context, "port"),
			   "take another port, or move spec.holdfast.admin.address", "port %u is the admin port",
			   route->port);
}

bool config_check(struct config_reader *r)
{
	for (size_t i = 0; i < r->sources.count; i++) {
		check_source_name(r, &r->sources.items[i]);
		check_source_twice(r, &r->sources.items[i]);
	}
	for (size_t i = 0; i < r->config->route_count; i++) {
		check_event_name(r, &r->config->routes[i]);
		check_store(r, &r->config->routes[i]);
		check_sizes(r, &r->config->routes[i]);
	}
	if (!each_pair(r, check_name_twice) || !each_pair(r, check_endpoint_twice) || !each_pair(r, check_tls_on_port))
		return false;
	config_check_files(r);
	return !r->problems->lost;
}
