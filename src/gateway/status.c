#include "gateway/status.h"

#include "base/clock.h"
#include "gateway/process.h"
#include "gateway/sources/source.h"

static const char *sync_text(enum bus_sync sync)
{
	static const char *const texts[] = {
		[BUS_SYNC_UNKNOWN] = "unknown",
		[BUS_SYNC_ALWAYS] = "always",
		[BUS_SYNC_LATER] = "later",
	};

	return texts[sync];
}

static uint64_t waiting_for(const struct process *p, int64_t *ret_age_ms)
{
	int64_t since_ms = 0;
	uint64_t n = p->gateway.forwarder ? forwarder_waiting(p->gateway.forwarder, &since_ms) : 0;
	int64_t age = since_ms ? clock_wall_ms() - since_ms : 0;

	*ret_age_ms = age > 0 ? age : 0;
	return n;
}

/* What the bus said last, while it is down. */
static void write_trouble(struct bus *bus, struct buf *b)
{
	struct buf text = { 0 };

	bus->ops->trouble(bus, &text);
	if (text.n) {
		buf_lit(b, ",\"error\":");
		buf_json(b, buf_view(&text));
	}
	buf_release(&text);
}

static void write_bus(const struct process *p, struct buf *b)
{
	struct bus *bus = p->gateway.bus;
	bool up = bus->ops->state(bus) == BUS_UP;

	buf_lit(b, "\"bus\":{\"kind\":");
	buf_json(b, str_of(bus->ops->kind));
	buf_lit(b, ",\"name\":");
	buf_json(b, str_of(p->opened->bus.name));
	buf_addf(b, ",\"state\":\"%s\",\"sync\":\"%s\"", up ? "up" : "down", sync_text(bus->ops->sync(bus)));
	if (!up)
		write_trouble(bus, b);
	buf_char(b, '}');
}

static void write_store(const struct process *p, struct buf *b)
{
	static const char *const states[] = {
		[STORE_OK] = "ok",
		[STORE_NEARLY_FULL] = "nearly full",
		[STORE_FULL] = "full",
		[STORE_FAILED] = "failed",
	};
	const struct store *s = p->gateway.store;

	if (!s)
		return;
	buf_lit(b, ",\"store\":{\"dir\":");
	buf_json(b, str_of(p->opened->data_dir));
	buf_addf(b, ",\"state\":\"%s\",\"last\":%llu,\"bytes\":%llu,\"max_bytes\":%llu}", states[store_state(s)],
		 (unsigned long long)store_last(s), (unsigned long long)store_bytes(s),
		 (unsigned long long)p->config->limits.store_max);
}

static void write_routes(const struct process *p, struct buf *b)
{
	buf_lit(b, ",\"routes\":[");
	for (size_t i = 0; i < p->table->route_count; i++) {
		const struct route *r = &p->table->routes[i];

		buf_addf(b, "%s{\"type\":\"%s\",\"source\":", i ? "," : "", r->config->ops->kind);
		buf_json(b, str_of(r->config->event_source));
		buf_lit(b, ",\"name\":");
		buf_json(b, str_of(r->config->event_name));
		buf_addf(b, ",\"port\":%u,\"endpoint\":", r->config->port);
		buf_json(b, str_of(r->config->endpoint));
		buf_addf(b, ",\"ack\":\"%s\",\"stored\":%lld,\"duplicates\":%lld,\"failed\":%lld}",
			 r->config->ack == ACK_BUS ? "bus" : "spool", (long long)metric_value(r->metrics.sent),
			 (long long)metric_value(r->metrics.duplicates),
			 (long long)metric_value(r->metrics.processing_failed));
	}
	buf_char(b, ']');
}

void status_write_json(const struct process *p, struct buf *b)
{
	struct buf text = { 0 };
	int64_t age_ms;
	bool ready = health_ready(p, &text);
	uint64_t n = waiting_for(p, &age_ms);

	buf_addf(b, "{\"ready\":%s,\"state\":", ready ? "true" : "false");
	buf_json(b, str_sub(buf_view(&text), 0, text.n ? text.n - 1 : 0));
	buf_char(b, ',');
	write_bus(p, b);
	write_store(p, b);
	buf_addf(b, ",\"forwarding\":{\"waiting\":%llu,\"oldest_ms\":%lld}", (unsigned long long)n, (long long)age_ms);
	write_routes(p, b);
	buf_lit(b, "}\n");
	buf_release(&text);
}
