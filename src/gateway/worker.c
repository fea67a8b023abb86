#include "gateway/worker.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "gateway/listener.h"

/* ---- listeners ------------------------------------------------------------------------------------------------------ */

static struct http_limits limits_of(struct worker *w, const struct gateway_limits *l)
{
	return (struct http_limits){
		.head_max = l->head_max,
		.quota = &w->gateway->connections,
		.conns_max = gateway_connections(w->gateway, l),
		.conns_per_addr_max = l->conns_per_addr_max,
		.head_ms = (uint32_t)l->head_ms,
		.body_ms = (uint32_t)l->body_ms,
		.idle_ms = (uint32_t)l->idle_ms,
		.write_ms = (uint32_t)l->write_ms,
		.first_ms = (uint32_t)(l->drain_ms / 5), /* and time is left to take it */
	};
}

static struct listener *find_listener(struct worker *w, uint16_t port)
{
	for (struct listener *l = w->listeners; l; l = l->next)
		if (l->port == port && !l->given_up)
			return l;
	return NULL;
}

static void drop_listener(struct worker *w, struct listener *gone)
{
	struct listener **at = &w->listeners;

	while (*at != gone)
		at = &(*at)->next;
	*at = gone->next;
	mem_free(gone);
}

/* The store or the bus may still hold exchanges whose clients are gone: their answers come through this loop. */
void worker_finish_if_done(struct worker *w)
{
	if (w->stopping && !w->listeners && w->live == 0)
		loop_stop(&w->loop);
}

static void on_listener_stopped(void *ctx)
{
	struct listener *l = ctx;
	struct worker *w = l->worker;

	drop_listener(w, l);
	worker_finish_if_done(w);
}

static void open_listener(struct worker *w, const struct worker_port *port, const struct http_limits *limits)
{
	struct listener *l = mem_alloc(sizeof(*l));
	struct http_handler handler;
	struct why why = { 0 };

	if (!l) {
		close(port->fd);
		log_error("gateway", "no memory for a listener", LOG_U("port", port->port));
		return;
	}
	l->worker = w;
	l->port = port->port;
	handler = listener_handler(l);
	if (http_server_start(&w->loop, port->fd, port->tls, limits, &handler, &why, &l->server) != E_OK) {
		log_error("gateway", "cannot serve", LOG_U("port", port->port), LOG_WHY(&why));
		mem_free(l);
		return;
	}
	l->next = w->listeners;
	w->listeners = l;
}

static void give_up_listener(struct listener *l, bool now)
{
	l->given_up = true;
	http_server_stop(l->server, now, on_listener_stopped, l);
}

/* Its connections go on with the certificate they began with. */
static void set_certificate(struct worker *w, const struct worker_port *port)
{
	struct listener *l = find_listener(w, port->port);

	if (l)
		http_server_set_tls(l->server, port->tls);
}

static void update_listeners(struct worker *w, const struct worker_update *u)
{
	struct http_limits limits = limits_of(w, &u->table->config->limits);
	struct listener *next;

	for (size_t i = 0; i < u->port_count; i++) {
		if (u->ports[i].fd >= 0)
			open_listener(w, &u->ports[i], &limits);
		else
			set_certificate(w, &u->ports[i]);
	}
	for (struct listener *l = w->listeners; l; l = next) {
		next = l->next;
		l->routes = route_table_port(u->table, l->port);
		http_server_set_limits(l->server, &limits);
		if (!l->routes && !l->given_up)
			give_up_listener(l, /* now= */ false);
	}
}

static void run_update(struct loop_task *task)
{
	struct worker_update *u = CONTAINER_OF(task, struct worker_update, task);
	struct worker *w = u->worker;
	struct route_table *before = w->table;

	update_listeners(w, u);
	w->table = u->table;
	route_table_unref(before);
	mem_free(u);
}

void worker_apply(struct worker *w, struct worker_update *u)
{
	u->worker = w;
	u->task.run = run_update;
	loop_post(&w->loop, &u->task);
}

/* ---- life ------------------------------------------------------------------------------------------------------------ */

/* Before the loop waits again: behind tasks and timers, too, which may begin with a request that was sent ahead. */
static void on_turn_end(uv_prepare_t *handle)
{
	exchange_submit_all(handle->data);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	loop_run(&w->loop);
	atomic_store(&w->connections, 0);
	w->on_stopped(w);
	return NULL;
}

/* Until here others may post: what came after the last turn runs in loop_release(). */
void worker_join(struct worker *w)
{
	pthread_join(w->thread, NULL);
	uv_close((uv_handle_t *)&w->turn_end, NULL);
	exchange_free_all(w);
	route_table_unref(w->table);
	w->table = NULL;
	loop_release(&w->loop);
}

enum err worker_start(struct worker *w, struct gateway *gateway, struct why *why)
{
	enum err err;

	w->gateway = gateway;
	atomic_store(&w->alive_ms, clock_mono_ms());
	if (loop_init(&w->loop, why) != E_OK)
		return why_add(why, "start an event loop");
	w->last_ready = &w->ready;
	w->turn_end.data = w;
	uv_prepare_init(&w->loop.uv, &w->turn_end);
	uv_prepare_start(&w->turn_end, on_turn_end);
	err = thread_start("gateway-loop", worker_main, w, why, &w->thread);
	if (err != E_OK) {
		uv_close((uv_handle_t *)&w->turn_end, NULL);
		loop_release(&w->loop);
		return why_add(why, "start an event loop");
	}
	return E_OK;
}

static void run_ping(struct loop_task *task)
{
	struct worker *w = CONTAINER_OF(task, struct worker, ping);
	size_t connections = 0;

	for (const struct listener *l = w->listeners; l; l = l->next)
		connections += http_server_connections(l->server);
	atomic_store(&w->connections, connections);
	atomic_store(&w->alive_ms, clock_mono_ms());
	atomic_store(&w->pinged, false);
}

void worker_ping(struct worker *w)
{
	if (atomic_exchange(&w->pinged, true))
		return; /* the last one has not been answered yet */
	w->ping.run = run_ping;
	loop_post(&w->loop, &w->ping);
}

static void stop_listeners(struct worker *w, bool now)
{
	struct listener *next;

	w->stopping = true;
	for (struct listener *l = w->listeners; l; l = next) {
		next = l->next;
		if (!l->given_up || now)
			give_up_listener(l, now);
	}
	worker_finish_if_done(w);
}

static void run_stop(struct loop_task *task)
{
	stop_listeners(CONTAINER_OF(task, struct worker, stop), /* now= */ false);
}

static void run_cut(struct loop_task *task)
{
	struct worker *w = CONTAINER_OF(task, struct worker, cut);

	if (w->listeners) /* else the loop has ended, or ends with its last exchange */
		stop_listeners(w, /* now= */ true);
}

void worker_stop(struct worker *w)
{
	w->stop.run = run_stop;
	loop_post(&w->loop, &w->stop);
}

void worker_cut(struct worker *w)
{
	w->cut.run = run_cut;
	loop_post(&w->loop, &w->cut);
}
