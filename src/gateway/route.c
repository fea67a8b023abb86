#include "gateway/route.h"

#include "base/clock.h"
#include "base/mem.h"
#include "event/event.h"
#include "gateway/path.h"
#include "gateway/sources/source.h"

static void release_secret(struct route_secret *s)
{
	for (size_t i = 0; i < s->count; i++)
		secret_file_release(&s->files[i]);
	mem_free(s->files);
}

static void route_release(struct route *r)
{
	if (!r->config)
		return;
	buf_release(&r->meta);
	secret_file_release(&r->auth);
	for (size_t i = 0; i < r->secret_count; i++)
		release_secret(&r->secrets[i]);
	mem_free(r->secrets);
	pthread_mutex_destroy(&r->rate_lock);
	regex_free(r->expression);
}

static void table_free(struct route_table *t)
{
	for (size_t i = 0; i < t->route_count; i++)
		route_release(&t->routes[i]);
	for (size_t i = 0; i < t->port_count; i++) {
		map_release(&t->ports[i].literals);
		mem_free(t->ports[i].templates);
	}
	gateway_config_unref(t->config);
	mem_free(t->routes);
	mem_free(t->ports);
	mem_free(t);
}

struct route_table *route_table_ref(struct route_table *t)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

void route_table_unref(struct route_table *t)
{
	if (t && atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) == 1)
		table_free(t);
}

DEFINE_FREEP(route_table, struct route_table, route_table_unref)

static struct route_port *port_of(struct route_table *t, uint16_t port)
{
	for (size_t i = 0; i < t->port_count; i++)
		if (t->ports[i].port == port)
			return &t->ports[i];
	t->ports[t->port_count].port = port;
	return &t->ports[t->port_count++];
}

static enum err add_template(struct route_port *port, struct route *r)
{
	struct route **templates = mem_realloc(port->templates, (port->template_count + 1) * sizeof(struct route *));

	if (!templates)
		return E_NOMEM;
	port->templates = templates;
	port->templates[port->template_count++] = r;
	return E_OK;
}

static size_t count_secrets(const struct source_ops *ops)
{
	size_t n = 0;

	while (ops->secrets && ops->secrets[n].key)
		n++;
	return n;
}

/* What stands in a file today is what an overlap begins with. */
static enum err open_secret(struct route *r, const struct source_secret *row, struct route_secret *ret_secret)
{
	size_t count;
	const struct secret_ref *refs = source_secret_refs(row, r->config->settings, &count);

	ret_secret->files = mem_array(count, sizeof(*ret_secret->files));
	if (!ret_secret->files)
		return E_NOMEM;
	for (; ret_secret->count < count; ret_secret->count++) {
		struct secret_file *file = &ret_secret->files[ret_secret->count];

		secret_file_init(file, refs[ret_secret->count].path);
		file->overlap_ms = r->config->secret_overlap_ms;
		secret_file_look(file, clock_mono_ms());
	}
	return E_OK;
}

static enum err open_secrets(struct route *r)
{
	const struct source_ops *ops = r->config->ops;
	size_t count = count_secrets(ops);

	secret_file_init(&r->auth, r->config->auth.path);
	r->secrets = mem_array(count, sizeof(*r->secrets));
	if (!r->secrets)
		return E_NOMEM;
	for (; r->secret_count < count; r->secret_count++)
		if (open_secret(r, &ops->secrets[r->secret_count], &r->secrets[r->secret_count]) != E_OK) {
			r->secret_count++;
			return E_NOMEM;
		}
	return E_OK;
}

static enum err write_shared(struct route *r)
{
	struct event event = {
		.source = str_of(r->config->event_source),
		.type = str_of(r->config->ops->type),
		.subject = str_of(r->config->event_name),
		.datacontenttype = STR("application/json"),
	};

	event_write_shared(&event, &r->meta);
	return r->meta.err;
}

static enum err add_route(struct route_table *t, struct route *r, const struct route_config *config,
			  struct metrics *metrics, struct why *why)
{
	struct route_port *port = port_of(t, config->port);
	struct str endpoint = str_of(config->endpoint);

	r->config = config;
	pthread_mutex_init(&r->rate_lock, NULL);
	rate_init(&r->rate, config->rate, config->burst, /* now_ms= */ 0);
	route_metrics_init(&r->metrics, metrics, config);
	if (open_secrets(r) != E_OK || write_shared(r) != E_OK)
		return E_NOMEM;
	if (config->tls_cert.path && !port->tls)
		port->tls = config;
	if (!path_is_template(endpoint))
		return map_get(&port->literals, endpoint) ? E_OK : map_put(&port->literals, endpoint, r);
	if (path_template_compile(endpoint, why, &r->expression) != E_OK)
		return why_add(why, "endpoint %s", config->endpoint);
	return add_template(port, r);
}

enum err route_table_new(struct gateway_config *config, struct metrics *metrics, struct why *why,
			 struct route_table **ret_table)
{
	CLEANUP(route_table_freep) struct route_table *t = mem_alloc(sizeof(*t));

	if (!t)
		return why_set(why, E_NOMEM, "build the route table");
	t->refs = 1;
	t->config = gateway_config_ref(config);
	t->routes = mem_array(config->route_count, sizeof(*t->routes));
	t->ports = mem_array(config->route_count, sizeof(*t->ports));
	if (!t->routes || !t->ports)
		return why_set(why, E_NOMEM, "build the route table");
	for (size_t i = 0; i < config->route_count; i++) {
		enum err err = add_route(t, &t->routes[t->route_count++], &config->routes[i], metrics, why);

		if (err != E_OK)
			return err == E_NOMEM ? why_set(why, E_NOMEM, "build the route table") : err;
	}
	*ret_table = TAKE(t);
	return E_OK;
}

/* Calls `visit` for every file of a secret. */
static void each_secret(struct route_table *t, struct map *known,
			void (*visit)(struct map *known, struct secret_file *file))
{
	for (size_t i = 0; i < t->route_count; i++)
		for (size_t k = 0; k < t->routes[i].secret_count; k++)
			for (size_t f = 0; f < t->routes[i].secrets[k].count; f++)
				visit(known, &t->routes[i].secrets[k].files[f]);
}

/* A path that stands twice has one content: any of them will do. */
static void remember(struct map *known, struct secret_file *file)
{
	if (!map_get(known, str_of(file->path)))
		(void)map_put(known, str_of(file->path), file); /* no memory: this overlap ends early */
}

static void inherit(struct map *known, struct secret_file *file)
{
	struct secret_file *from = map_get(known, str_of(file->path));

	if (from)
		secret_file_inherit(file, from);
}

void route_table_inherit(struct route_table *t, struct route_table *before)
{
	struct map known = { 0 };

	each_secret(before, &known, remember);
	each_secret(t, &known, inherit);
	map_release(&known);
}

const struct route_port *route_table_port(const struct route_table *t, uint16_t port)
{
	for (size_t i = 0; i < t->port_count; i++)
		if (t->ports[i].port == port)
			return &t->ports[i];
	return NULL;
}

static bool template_matches(const struct route *r, struct str path)
{
	bool matches = false;

	return regex_match(r->expression, path, &matches, NULL) == E_OK && matches;
}

static struct route *find(const struct route_port *port, struct route *literal, struct str path)
{
	/* Routes lie in the order of the manifests, so the earlier of two has the lower address. */
	for (size_t i = 0; i < port->template_count; i++) {
		if (literal && literal < port->templates[i])
			break;
		if (template_matches(port->templates[i], path))
			return port->templates[i];
	}
	return literal;
}

/* Expressions read UTF-8. In a path that is none each byte beyond ASCII is U+FFFD; to Go only those are that make no character. */
static void write_readable(struct str path, struct buf *b)
{
	for (size_t i = 0; i < path.n; i++) {
		if ((unsigned char)path.p[i] < 0x80)
			buf_char(b, path.p[i]);
		else
			buf_lit(b, "\xef\xbf\xbd");
	}
}

struct route *route_find(const struct route_port *port, struct str path)
{
	struct route *literal = map_get(&port->literals, path);
	struct buf readable = { 0 };

	if (port->template_count == 0 || str_is_utf8(path))
		return find(port, literal, path);
	write_readable(path, &readable);
	if (readable.err == E_OK)
		literal = find(port, literal, buf_view(&readable));
	buf_release(&readable);
	return literal;
}

bool route_take_rate(struct route *r, uint64_t now_ms, uint64_t *ret_wait_ms)
{
	bool taken;

	if (r->config->rate == 0)
		return true;
	pthread_mutex_lock(&r->rate_lock);
	if (now_ms < r->rate.at_ms) /* of another loop: what it has counted must not be counted again */
		now_ms = r->rate.at_ms;
	taken = rate_take(&r->rate, now_ms, ret_wait_ms);
	pthread_mutex_unlock(&r->rate_lock);
	return taken;
}
