/*
 * config_eventbus.c -- manifests of the kind EventBus: of which kind each is, and which one the event sources name.
 */
#include "base/mem.h"
#include "bus/monitor.h"
#include "gateway/config_read.h"

/* ---- rows --------------------------------------------------------------------------------------------------------- */

struct bus_options {
	char *credentials;
	char *auth;
	char *monitor;
	uint64_t message_max;
	bool strict;
};

/* clang-format off */
#define AT(member) offsetof(struct bus_options, member)
static const struct field bus_rows[] = {
	{ .key = "authFile", .type = FIELD_PATH, .offset = AT(auth),
	  .meaning = "The file of `accessSecret`, when it lies elsewhere." },
	{ .key = "credentialsFile", .type = FIELD_PATH, .offset = AT(credentials), .meaning = "A NATS credentials file (.creds)." },
	{ .key = "monitorUrl", .type = FIELD_STRING, .offset = AT(monitor), .dflt_text = "none: only the connection is asked",
	  .meaning = "The server's monitoring port, `http://host:8222`: asked whether the server syncs before it acknowledges." },
	{ .key = "strict", .type = FIELD_BOOL, .offset = AT(strict),
	  .meaning = "As `strict` of the EventSource, for this bus." },
	{ .key = "maxMessageBytes", .type = FIELD_SIZE, .offset = AT(message_max), .min = 1000, .max = 1000000000, .dflt = 1000000,
	  .meaning = "Kafka: the largest message, and batch, that the topic takes (its `max.message.bytes`)." },
	{ .key = "embedded", .type = FIELD_ANY, .dflt_text = "none",
	  .meaning = "An empty map: the store itself is the bus, no server is needed." },
};
#undef AT

static const struct field spec_rows[] = {
	{ .key = "jetstreamExotic", .type = FIELD_ANY }, { .key = "jetstream", .type = FIELD_ANY },
	{ .key = "nats", .type = FIELD_ANY }, { .key = "kafka", .type = FIELD_ANY }, { .key = "holdfast", .type = FIELD_ANY },
};
/* clang-format on */

const struct field_table config_bus_table = { .rows = bus_rows, .count = ARRAY_LEN(bus_rows) };
static const struct field_table spec_table = { .rows = spec_rows, .count = ARRAY_LEN(spec_rows) };

/* ---- one EventBus ------------------------------------------------------------------------------------------------- */

/* What is read, and from where. */
struct bus_draft {
	const struct fields_ctx *ctx;
	const struct manifest *manifest;
	struct bus_config *bus;
};

/* Keys of ours that a bus of this kind has no use for. */
static void check_own(const struct bus_draft *d)
{
	static const struct {
		const char *key;
		enum bus_kind kind;
	} rows[] = {
		{ "authFile", BUS_JETSTREAM }, { "credentialsFile", BUS_JETSTREAM }, { "monitorUrl", BUS_JETSTREAM },
		{ "strict", BUS_JETSTREAM },   { "maxMessageBytes", BUS_KAFKA },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct node *n = node_get(d->manifest->holdfast, rows[i].key);

		if (n && rows[i].kind != d->bus->kind)
			problem_at(d->ctx->problems, d->ctx->file, n, "remove it", "is for %s",
				   rows[i].kind == BUS_KAFKA ? "Kafka" : "JetStream");
	}
}

static bool read_own(const struct bus_draft *d)
{
	struct jetstream_config *js = &d->bus->jetstream;
	struct bus_options o = { 0 };
	enum err err;

	fields_defaults(&config_bus_table, &o);
	err = fields_read(d->ctx, &config_bus_table, d->manifest->holdfast, d->manifest->root, &o);

	if (o.auth) {
		mem_free(js->auth_path);
		js->auth_path = TAKE(o.auth);
	}
	if (o.monitor && monitor_check(o.monitor, NULL) != E_OK)
		problem_at(d->ctx->problems, d->ctx->file, node_get(d->manifest->holdfast, "monitorUrl"),
			   "write http://host:8222", "\"%.80s\" is not a monitoring URL", o.monitor);
	check_own(d);
	js->credentials_path = TAKE(o.credentials);
	js->monitor_url = TAKE(o.monitor);
	js->strict = o.strict;
	d->bus->kafka.message_max = o.message_max;
	fields_release(&config_bus_table, &o);
	return err != E_NOMEM;
}

static void check_kind(const struct bus_draft *d)
{
	static const char *const kinds[] = { "jetstreamExotic", "jetstream", "nats", "kafka" };
	const struct manifest *m = d->manifest;
	size_t n = node_get(m->holdfast, "embedded") != NULL;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		n += node_get(m->spec, kinds[i]) != NULL;
	if (n != 1)
		problem_at(d->ctx->problems, d->ctx->file, m->spec ? m->spec : m->root,
			   "write one of spec.jetstreamExotic, spec.jetstream, spec.kafka and spec.holdfast.embedded",
			   n ? "an EventBus is of one kind" : "the EventBus says no kind of bus");
	if (!node_get(m->spec, "nats"))
		return;
	d->bus->kind = BUS_JETSTREAM; /* as what takes its place: nothing more is said about it */
	problem_at(d->ctx->problems, d->ctx->file, node_get(m->spec, "nats"),
		   "make an EventBus of another name with spec.jetstream, name it as eventBusName in EventSources "
		   "and Sensors, and remove this one when its Sensors have read it empty",
		   "NATS Streaming (STAN) reached its end of life in June 2023 and is not served");
}

/* The kind that it says it is. */
static bool read_kind(const struct bus_draft *d)
{
	const struct manifest *m = d->manifest;
	const struct node *exotic = node_get(m->spec, "jetstreamExotic");
	const struct node *native = node_get(m->spec, "jetstream");
	const struct node *kafka = node_get(m->spec, "kafka");

	if (exotic || native)
		d->bus->kind = BUS_JETSTREAM;
	if (exotic)
		return config_read_exotic(d->ctx, m, exotic, &d->bus->jetstream);
	if (native)
		return config_read_native(d->ctx, m, native, &d->bus->jetstream);
	if (!kafka)
		return true;
	d->bus->kind = BUS_KAFKA;
	return config_read_kafka(d->ctx, m, kafka, &d->bus->kafka);
}

static bool read_bus(struct config_reader *r, const struct manifest *m, struct bus_config *bus)
{
	struct fields_ctx ctx = config_ctx(r, m->file);
	struct bus_draft d = { &ctx, m, bus };
	char unused;

	bus->name = str_dup(str_of(m->name));
	if (!bus->name || fields_read(&ctx, &spec_table, m->spec, m->root, &unused) == E_NOMEM)
		return false;
	check_kind(&d);
	return read_kind(&d) && read_own(&d);
}

static void report_twice(struct config_reader *r, const struct manifest *m)
{
	for (const struct manifest *other = r->buses.items; other < m; other++)
		if (*m->name && str_eq(str_of(other->name), str_of(m->name)))
			problem_at(r->problems, m->file, m->root, "give it another name, or remove one",
				   "EventBus %.60s stands twice; first at %s:%u", m->name, other->file->path,
				   other->root->line);
}

bool config_read_buses(struct config_reader *r)
{
	r->parsed = mem_array(r->buses.count, sizeof(*r->parsed));
	if (!r->parsed)
		return false;
	for (size_t i = 0; i < r->buses.count; i++) {
		report_twice(r, &r->buses.items[i]);
		if (!read_bus(r, &r->buses.items[i], &r->parsed[i]))
			return false;
	}
	return true;
}

/* ---- which one ------------------------------------------------------------------------------------------------------ */

bool config_bus_is_elsewhere(const struct config_reader *r)
{
	bool ours = !r->input->no_bus || r->buses.count;

	for (size_t i = 0; i < r->sources.count; i++)
		ours = ours || r->sources.items[i].holdfast;
	return !ours;
}

/* The bus that an EventSource names; SIZE_MAX: none of them, which is reported. */
static size_t named_bus(struct config_reader *r, const struct manifest *m)
{
	const struct node *n = node_get(m->spec, "eventBusName");
	const char *name = "default";

	if (n && n->kind != NODE_SCALAR) {
		problem_at(r->problems, m->file, n, "write the name of one EventBus", "is not a string");
		return SIZE_MAX;
	}
	if (n && !node_is_null(n))
		name = n->text.p;
	else if (r->buses.count <= 1)
		return 0;
	for (size_t i = 0; i < r->buses.count; i++)
		if (str_is(str_of(r->buses.items[i].name), name))
			return i;
	/* The name that stands for "the one there is" needs no document: the embedded bus takes its place. */
	if (r->buses.count == 0 && (str_is(str_of(name), "default") || config_bus_is_elsewhere(r)))
		return 0;
	problem_at(r->problems, m->file, n ? n : m->root, "give its manifest too, or name one that is given",
		   "there is no EventBus %.60s among the files", name);
	return SIZE_MAX;
}

/* A broker says nothing about its disk: what cannot be had is not promised. */
static void check_strict(struct config_reader *r, const struct bus_config *bus)
{
	for (size_t i = 0; i < r->sources.count && bus->kind == BUS_KAFKA; i++) {
		const struct manifest *m = &r->sources.items[i];
		const struct node *n = node_get(m->holdfast, "strict");

		if (n && r->process.strict)
			problem_at(r->problems, m->file, n,
				   "remove it; give the topic three replicas and min.insync.replicas=2",
				   "a Kafka broker does not say whether it syncs before it acknowledges");
	}
}

bool config_choose_bus(struct config_reader *r)
{
	struct bus_config *bus = &r->config->bus;
	size_t chosen = SIZE_MAX;

	for (size_t i = 0; i < r->sources.count; i++) {
		const struct manifest *m = &r->sources.items[i];
		size_t at = named_bus(r, m);

		if (at != SIZE_MAX && chosen != SIZE_MAX && at != chosen)
			problem_at(r->problems, m->file, m->root, "run a gateway for each bus",
				   "EventSources of one gateway must use one EventBus, and others use %s",
				   r->buses.items[chosen].name);
		chosen = chosen == SIZE_MAX ? at : chosen;
	}
	if (chosen < r->buses.count) {
		*bus = r->parsed[chosen];
		r->parsed[chosen] = (struct bus_config){ 0 };
		bus->jetstream.strict |= r->process.strict;
		bus->jetstream.in_flight = bus->kafka.in_flight = (uint32_t)r->process.limits.in_flight;
		check_strict(r, bus);
		return true;
	}
	bus->kind = BUS_EMBEDDED;
	bus->name = str_dup(STR("embedded"));
	return bus->name != NULL;
}

void config_bus_release(struct bus_config *bus)
{
	mem_free(bus->name);
	config_jetstream_release(&bus->jetstream);
	config_kafka_release(&bus->kafka);
	*bus = (struct bus_config){ 0 };
}
