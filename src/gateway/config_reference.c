#include <stdio.h>

#include "base/mem.h"
#include "gateway/config_read.h"

static const struct {
	const char *heading;
	const char *about;
	const struct field_table *table;
	const char *path;
} parts[] = {
	{ "An event",
	  "Under `spec.webhook.<event>` of an EventSource; of any other type under the event's `webhook`, `metadata` "
	  "beside it.",
	  &config_context_table, "spec.webhook.<event>" },
	{ "A filter", "Of an event of any type but `storageGrid`: [guide/filters.md](../guide/filters.md).",
	  &config_filter_table, "spec.webhook.<event>.filter" },
	{ "Routes", "For all events of the EventSource under `spec.holdfast`; for one event under its own `holdfast`.",
	  &config_option_table, "spec.holdfast" },
	{ "Hooks",
	  "For one event of `bitbucket`, `bitbucketserver`, `gerrit`, `github`, `gitlab`, `sns`, `storageGrid` and "
	  "`stripe`: "
	  "[guide/providers.md](../guide/providers.md#hooks).",
	  &config_hooks_table, "spec.<type>.<event>.holdfast.hooks" },
	{ "The process", "Said in any EventSource; holds for the whole gateway.", &config_process_table,
	  "spec.holdfast" },
	{ "Sources of our own", "", &config_own_table, "spec.holdfast" },
	{ "EventBus: JetStream", "", &config_exotic_table, "spec.jetstreamExotic" },
	{ "EventBus: TLS", "The same under `spec.kafka.tls`.", &config_tls_table, "spec.jetstreamExotic.tls" },
	{ "EventBus: the stream", "Keys in the text of `streamConfig`, in any case.", &config_stream_table,
	  "streamConfig" },
	{ "EventBus: Kafka", "", &config_kafka_table, "spec.kafka" },
	{ "EventBus: Kafka, SASL", "", &config_sasl_table, "spec.kafka.sasl" },
	{ "EventBus: ours", "", &config_bus_table, "spec.holdfast" },
};

static void write_part(const char *heading, const char *about, const struct field_table *table, const char *path,
		       struct buf *ret_text)
{
	buf_addf(ret_text, "%s### %s\n\n%s%s| key | value | default | meaning |\n|---|---|---|---|\n",
		 ret_text->n ? "\n" : "", heading, about, *about ? "\n\n" : "");
	fields_reference(table, path, ret_text);
}

/* A source's keys, and ours beside them. */
static void write_source(const struct source_ops *ops, struct buf *ret_text)
{
	const struct field_table *first = ops->settings ? ops->settings : ops->holdfast;
	char path[96], heading[96], inner[112];

	if (!first)
		return;
	(void)snprintf(heading, sizeof(heading), "Source `%s`", ops->kind);
	(void)snprintf(path, sizeof(path), "spec.%s%s.<event>", ops->own ? "holdfast." : "", ops->kind);
	(void)snprintf(inner, sizeof(inner), "%s.holdfast", path);
	write_part(heading, first->about ? first->about : "", first, ops->settings ? path : inner, ret_text);
	if (ops->settings && ops->holdfast)
		fields_reference(ops->holdfast, inner, ret_text);
}

void gateway_config_reference(struct buf *ret_text)
{
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		write_part(parts[i].heading, parts[i].about, parts[i].table, parts[i].path, ret_text);
	for (size_t i = 0; sources[i]; i++)
		write_source(sources[i], ret_text);
}
