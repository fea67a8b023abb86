#include "bus/embedded.h"

#include "base/mem.h"

static void embedded_publish(struct bus *bus, struct bus_publish *p)
{
	(void)bus;
	p->duplicate = false;
	p->err = why_set(&p->why, E_UNSUPPORTED, "the embedded bus is the store, and keeps nothing else");
	p->on_done(p);
}

static enum bus_state embedded_state(const struct bus *bus)
{
	(void)bus;
	return BUS_UP;
}

/* The store commits with synchronous=FULL before anything is answered. */
static enum bus_sync embedded_sync(const struct bus *bus)
{
	(void)bus;
	return BUS_SYNC_ALWAYS;
}

static size_t embedded_max_payload(const struct bus *bus)
{
	(void)bus;
	return 0;
}

static void embedded_trouble(struct bus *bus, struct buf *ret_text)
{
	(void)bus;
	(void)ret_text;
}

static void embedded_close(struct bus *bus)
{
	mem_free(bus);
}

static const struct bus_ops embedded_ops = {
	.kind = "embedded",
	.publish = embedded_publish,
	.state = embedded_state,
	.sync = embedded_sync,
	.max_payload = embedded_max_payload,
	.trouble = embedded_trouble,
	.close = embedded_close,
};

struct bus *embedded_open(void)
{
	struct bus *bus = mem_alloc(sizeof(*bus));

	if (bus)
		bus->ops = &embedded_ops;
	return bus;
}
