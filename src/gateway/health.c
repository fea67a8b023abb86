#include "base/clock.h"
#include "base/mem.h"
#include "gateway/process.h"
#include "net/systemd.h"

#define HEARTBEAT_MS 1000
#define SILENT_MS    10000 /* a loop that has not answered for so long hangs */

bool health_alive(const struct process *p)
{
	uint64_t now = clock_mono_ms();

	for (size_t i = 0; i < p->gateway.worker_count; i++) {
		const struct worker *w = &p->gateway.workers[i];

		/* Its answer may come after our look at the clock. */
		if (!w->ended && now > atomic_load(&w->alive_ms) + SILENT_MS)
			return false;
	}
	return true;
}

static const char *store_text(const struct gateway *g)
{
	static const char *const texts[] = {
		[STORE_OK] = "store takes writes",
		[STORE_NEARLY_FULL] = "store takes writes, nearly full (limits.storeSize)",
		[STORE_FULL] = "store is full (raise limits.storeSize and reload, or let the bus take events)",
		[STORE_FAILED] = "store failed (the log says why; it opens again by itself)",
	};

	return g->store ? texts[store_state(g->store)] : "no store";
}

/* Why the bus may be down although its server is there. */
static const char *strict_text(const struct process *p)
{
	static const char *const texts[] = {
		[BUS_SYNC_UNKNOWN] = " (strict: no server has said that it syncs before it acknowledges)",
		[BUS_SYNC_LATER] = " (strict: the server acknowledges before it syncs)",
		[BUS_SYNC_ALWAYS] = "",
	};
	const struct bus *bus = p->gateway.bus;

	return p->opened->bus.jetstream.strict ? texts[bus->ops->sync(bus)] : "";
}

bool health_ready(const struct process *p, struct buf *ret_text)
{
	const struct gateway *g = &p->gateway;
	bool bus_up = g->bus->ops->state(g->bus) == BUS_UP;
	enum store_state state = g->store ? store_state(g->store) : STORE_OK;
	bool outlet = g->store ? state == STORE_OK || state == STORE_NEARLY_FULL : bus_up;
	bool ready = outlet && !p->stopping && health_alive(p);

	buf_addf(ret_text, "%s: %s%s, bus %s is %s%s\n", ready ? "ready" : "not ready", p->stopping ? "draining, " : "",
		 store_text(g), g->bus->ops->kind, bus_up ? "up" : "down", bus_up ? "" : strict_text(p));
	return ready;
}

static void tell(struct process *p)
{
	struct buf text = { 0 };
	bool ready = health_ready(p, &text);
	const char *status;
	struct str line = str_sub(buf_view(&text), 0, text.n ? text.n - 1 : 0);

	metric_set(p->gateway.metrics.ready, ready);
	if (p->said_ready && ready != p->was_ready) {
		log_at(ready ? LOG_INFO : LOG_WARN, "gateway", ready ? "ready again" : "not ready",
		       LOG_STRN("state", line));
		if ((status = buf_cstr(&text)))
			systemd_status(status);
	}
	p->said_ready = true;
	p->was_ready = ready;
	buf_release(&text);
}

static void on_heartbeat(struct loop_timer *timer)
{
	struct process *p = CONTAINER_OF(timer, struct process, heartbeat);
	size_t connections = 0;

	for (size_t i = 0; i < p->gateway.worker_count; i++) {
		connections += atomic_load(&p->gateway.workers[i].connections);
		worker_ping(&p->gateway.workers[i]);
	}
	metric_set(p->gateway.metrics.connections, (int64_t)connections);
	if (health_alive(p))
		systemd_watchdog();
	tell(p);
	if (loop_timer_start(&p->loop, &p->heartbeat, p->heartbeat_ms) != E_OK)
		log_error("gateway", "no memory for the heartbeat: the watchdog will end this process");
}

void health_start(struct process *p)
{
	uint64_t watchdog_ms = systemd_watchdog_ms();

	p->heartbeat_ms = watchdog_ms && watchdog_ms < HEARTBEAT_MS ? watchdog_ms : HEARTBEAT_MS;
	metric_set(p->gateway.metrics.loops, (int64_t)p->gateway.worker_count);
	p->heartbeat.on_due = on_heartbeat;
	on_heartbeat(&p->heartbeat);
}

void health_stop(struct process *p)
{
	loop_timer_stop(&p->loop, &p->heartbeat);
}
