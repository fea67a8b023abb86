#include "gateway/ports.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

enum err ports_init(struct ports *p, struct why *why)
{
	enum err err = listen_inherit(p->inherited, ARRAY_LEN(p->inherited), why, &p->inherited_count);

	return err == E_OK ? E_OK : why_add(why, "take over the sockets of the service manager");
}

static void tls_free(struct port_tls *t)
{
	tls_server_free(t->server);
	mem_free(t->cert_path);
	mem_free(t->key_path);
	mem_free(t);
}

void ports_release(struct ports *p)
{
	while (p->tls) {
		struct port_tls *next = p->tls->next;

		tls_free(p->tls);
		p->tls = next;
	}
	for (size_t i = 0; i < p->inherited_count; i++)
		close(p->inherited[i].fd);
	mem_free(p->open);
	mem_free(p->next);
	*p = (struct ports){ 0 };
}

/* ---- certificates -------------------------------------------------------------------------------------------------- */

static bool has_paths(const struct port_tls *t, const struct route_config *route)
{
	return str_is(str_of(t->cert_path), route->tls_cert.path) && str_is(str_of(t->key_path), route->tls_key.path);
}

static struct port_tls *find_tls(const struct ports *p, uint16_t port)
{
	for (struct port_tls *t = p->tls; t; t = t->next)
		if (t->port == port && !t->retired)
			return t;
	return NULL;
}

static enum err add_tls(struct ports *p, const struct route_port *port, struct why *why)
{
	struct port_tls *t = mem_alloc(sizeof(*t));
	enum err err;

	if (!t)
		return why_set(why, E_NOMEM, "port %u", port->port);
	t->port = port->port;
	t->cert_path = str_dup(str_of(port->tls->tls_cert.path));
	t->key_path = str_dup(str_of(port->tls->tls_key.path));
	err = t->cert_path && t->key_path
		      ? tls_server_new(t->cert_path, t->key_path, "http/1.1,http/1.0", why, &t->server)
		      : why_set(why, E_NOMEM, "read the certificate");
	if (err != E_OK) {
		tls_free(t);
		return why_add(why, "port %u", port->port);
	}
	t->next = p->tls;
	p->tls = t;
	return E_OK;
}

void ports_reload_tls(struct ports *p)
{
	for (struct port_tls *t = p->tls; t; t = t->next) {
		struct why why = { 0 };

		if (!t->retired && tls_server_reload(t->server, &why) != E_OK)
			log_error("gateway", "the certificate was not replaced", LOG_U("port", t->port), LOG_WHY(&why));
	}
}

/* ---- sockets --------------------------------------------------------------------------------------------------------- */

static bool is_open(const struct ports *p, uint16_t port)
{
	for (size_t i = 0; i < p->open_count; i++)
		if (p->open[i] == port)
			return true;
	return false;
}

static int inherited_fd(const struct ports *p, uint16_t port)
{
	for (size_t i = 0; i < p->inherited_count; i++)
		if (listen_port(p->inherited[i].fd) == port)
			return p->inherited[i].fd;
	return -1;
}

/*
 * The workers share a port, and the kernel would let a second gateway of the same user share it too: it would get half of
 * the requests. So the first socket takes it alone. Only one of ours may be there still, which has not been closed yet.
 */
static enum err open_first(uint16_t port, struct why *why, int *ret_fd)
{
	enum err err = listen_open(STR(""), port, /* share= */ false, why, ret_fd);

	if (err != E_OK)
		err = listen_open(STR(""), port, listen_is_ours(port), why, ret_fd);
	if (err == E_OK)
		listen_share(*ret_fd);
	return err;
}

static enum err open_socket(const struct ports *p, uint16_t port, bool first, struct why *why, int *ret_fd)
{
	int from = inherited_fd(p, port), fd;

	if (from < 0 && first)
		return open_first(port, why, ret_fd);
	if (from < 0)
		return listen_open(STR(""), port, /* share= */ true, why, ret_fd);
	fd = fcntl(from, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return why_errno(why, E_UNAVAILABLE, errno, "share the socket of port %u", port);
	*ret_fd = fd;
	return E_OK;
}

static void updates_free(struct worker_update **updates, size_t workers)
{
	for (size_t w = 0; updates && w < workers; w++) {
		if (!updates[w])
			continue;
		for (size_t i = 0; i < updates[w]->port_count; i++)
			if (updates[w]->ports[i].fd >= 0)
				close(updates[w]->ports[i].fd);
		route_table_unref(updates[w]->table);
		mem_free(updates[w]);
	}
	mem_free(updates);
}

static struct worker_update **updates_new(struct route_table *table, size_t workers)
{
	struct worker_update **updates = mem_array(workers, sizeof(struct worker_update *));

	for (size_t w = 0; updates && w < workers; w++) {
		updates[w] = mem_alloc(sizeof(**updates) + table->port_count * sizeof(struct worker_port));
		if (!updates[w]) {
			updates_free(updates, workers);
			return NULL;
		}
		updates[w]->table = route_table_ref(table);
	}
	return updates;
}

/* The port in every update. One that is open stays so: connections that wait in its queue would be reset. */
static enum err prepare_port(struct ports *p, const struct route_port *port, struct worker_update **updates,
			     size_t workers, struct why *why)
{
	struct port_tls *tls = find_tls(p, port->port);
	bool open = is_open(p, port->port);

	if (port->tls && !(tls && has_paths(tls, port->tls))) {
		if (add_tls(p, port, why) != E_OK)
			return why->err;
		tls = p->tls;
	}
	for (size_t w = 0; w < workers; w++) {
		struct worker_port *to = &updates[w]->ports[updates[w]->port_count];

		*to = (struct worker_port){ .port = port->port, .fd = -1, .tls = port->tls ? tls->server : NULL };
		if (!open && open_socket(p, port->port, /* first= */ w == 0, why, &to->fd) != E_OK)
			return why->err;
		updates[w]->port_count++;
	}
	return E_OK;
}

static void drop_tls_above(struct ports *p, const struct port_tls *before)
{
	while (p->tls != before) {
		struct port_tls *next = p->tls->next;

		tls_free(p->tls);
		p->tls = next;
	}
}

enum err ports_prepare(struct ports *p, struct route_table *table, size_t workers, struct why *why,
		       struct worker_update ***ret_updates)
{
	struct worker_update **updates = updates_new(table, workers);
	struct port_tls *tls_before = p->tls;

	mem_free(p->next);
	p->next = mem_array(table->port_count, sizeof(*p->next));
	if (!updates || !p->next) {
		updates_free(updates, workers);
		return why_set(why, E_NOMEM, "prepare the listeners");
	}
	for (size_t i = 0; i < table->port_count; i++) {
		if (prepare_port(p, &table->ports[i], updates, workers, why) != E_OK) {
			updates_free(updates, workers);
			drop_tls_above(p, tls_before);
			return why->err;
		}
	}
	*ret_updates = updates;
	return E_OK;
}

/* The service manager's socket stays open, and nobody accepts: whoever connects waits in vain. */
static void warn_unserved(const struct ports *p)
{
	for (size_t i = 0; i < p->inherited_count; i++) {
		uint16_t port = listen_port(p->inherited[i].fd);

		if (!is_open(p, port))
			log_warn("gateway",
				 "a socket was handed over for a port that no endpoint has: connections to it hang",
				 LOG_U("port", port), LOG_S("socket", p->inherited[i].name),
				 LOG_S("fix", "give an endpoint that port, or take it out of the socket unit"));
	}
}

void ports_commit(struct ports *p, const struct route_table *table)
{
	mem_free(p->open);
	p->open = TAKE(p->next);
	p->open_count = table->port_count;
	for (size_t i = 0; i < table->port_count; i++)
		p->open[i] = table->ports[i].port;
	/* The newest of a port stands first in the list; what stands behind it serves only old connections. */
	for (struct port_tls *t = p->tls; t; t = t->next) {
		const struct route_port *port = route_table_port(table, t->port);

		t->retired = t->retired || !port || !port->tls || find_tls(p, t->port) != t;
	}
	warn_unserved(p);
}
