#include "gateway/bus_open.h"

#include "bus/embedded.h"
#include "bus/servers.h"

static enum err open_embedded(struct why *why, struct bus **ret_bus)
{
	struct bus *bus = embedded_open();

	if (!bus)
		return why_set(why, E_NOMEM, "open the embedded bus");
	*ret_bus = bus;
	return E_OK;
}

enum err bus_open(const struct bus_config *config, struct metrics *metrics,
		  void (*on_state)(void *ctx, enum bus_state state), void *ctx, struct why *why, struct bus **ret_bus)
{
	switch (config->kind) {
	case BUS_JETSTREAM:
		return jetstream_open(&config->jetstream, metrics, on_state, ctx, why, ret_bus);
	case BUS_KAFKA:
		return kafka_open(&config->kafka, metrics, on_state, ctx, why, ret_bus);
	default:
		return open_embedded(why, ret_bus);
	}
}

enum err bus_check(const struct bus_config *config, struct why *why)
{
	switch (config->kind) {
	case BUS_JETSTREAM:
		return jetstream_check(&config->jetstream, why);
	case BUS_KAFKA:
		return kafka_check(&config->kafka, why);
	default:
		return E_OK;
	}
}

void bus_write_place(const struct bus_config *config, struct buf *ret_text)
{
	struct servers servers = { 0 };

	if (config->kind == BUS_KAFKA)
		buf_addf(ret_text, "%s, topic %s", config->kafka.url, config->kafka.topic);
	if (config->kind != BUS_JETSTREAM || servers_parse(config->jetstream.url, &servers, NULL) != E_OK)
		return;
	for (size_t i = 0; i < servers.n; i++)
		buf_addf(ret_text, "%s%s", i ? ", " : "", servers.list[i].shown);
	servers_release(&servers);
}
