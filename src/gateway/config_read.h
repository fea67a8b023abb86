/*
 * config_read.h -- reading manifests into a snapshot: shared by the config_*.c files.
 *
 * Shape     in this order: files, what is process-wide, buses, event sources, then what must fit together.
 * Owner     the reader owns the files until the end; the snapshot copies what it keeps.
 * Errors    problems are collected; a function returns false only when there is no memory to go on
 */
#pragma once

#include "gateway/config.h"
#include "gateway/sources/source.h"

/* spec.holdfast of an EventSource, and `holdfast` of an event: what holds for routes. */
struct route_options {
	int ack;              /* enum ack_mode; -1: not said */
	uint64_t deadline_ms; /* 0: not said */
	uint64_t rate;
	uint64_t burst;
	int compat; /* 1: strict */
	bool mask_secrets;
	uint64_t secret_overlap_ms;
};

/* spec.holdfast: what holds for the process, whichever document says it. */
struct process_options {
	char *data_dir;
	char *secrets_dir;
	bool strict;
	struct {
		char *address;
		char *token_file;
	} admin;
	struct gateway_limits limits;
};

/* WebhookContext (facts argo-events 2.1). */
struct context_options {
	char *endpoint;
	uint64_t port;
	char *method;
	char *url;
	struct secret_ref cert;
	struct secret_ref key;
	struct secret_ref auth;
	struct text_map metadata;
	uint64_t max_payload;
};

extern const struct field_table config_option_table;  /* struct route_options */
extern const struct field_table config_process_table; /* struct process_options */
extern const struct field_table config_hooks_table;   /* config_hooks.c, as the next: struct hooks_config */
extern const struct field_table config_hooks_part;    /* the key that it stands under */
extern const struct field_table config_own_table;     /* keys of our own sources; no target */
extern const struct field_table config_context_table; /* struct context_options */
extern const struct field_table config_filter_table;  /* of its own file */
extern const struct field_table config_exotic_table;  /* of their own file, as the next three */
extern const struct field_table config_tls_table;
extern const struct field_table config_stream_table;
extern const struct field_table config_bus_table;
extern const struct field_table config_kafka_table; /* config_kafka.c, as the next */
extern const struct field_table config_sasl_table;

/* One document that is ours. */
struct manifest {
	const struct doc_file *file;
	const struct node *root;
	const struct node *spec;     /* NULL: none */
	const struct node *holdfast; /* spec.holdfast, or NULL */
	const char *name;            /* "" when it has none (which is reported) */
	const char *namespace;
	struct route_options options; /* EventSource only */
};

struct manifest_list {
	struct manifest *items;
	size_t count;
};

/* Where a route was written. */
struct route_place {
	const struct doc_file *file;
	const struct node *event;
	const struct node *context; /* the map that holds endpoint and port */
};

/* A process-wide key and where it was said first. */
struct said {
	const struct field *row;
	const struct doc_file *file;
	const struct node *node;
};

struct config_reader {
	struct problems *problems;
	const struct config_input *input;
	struct gateway_config *config;
	struct doc_file **files;
	size_t file_count;
	struct manifest_list sources;
	struct manifest_list buses;
	struct process_options process;
	struct said said[64];
	size_t said_count;
	struct route_place *places; /* one for each of config->routes */
	struct bus_config *parsed;  /* one for each of buses */
};

static inline struct fields_ctx config_ctx(const struct config_reader *r, const struct doc_file *file)
{
	return (struct fields_ctx){ r->problems, file, r->process.secrets_dir, r->input->take_unknown };
}

/* The same for keys of ours, which nobody knows better. */
static inline struct fields_ctx config_own_ctx(const struct config_reader *r, const struct doc_file *file)
{
	return (struct fields_ctx){ r->problems, file, r->process.secrets_dir, /* take_unknown= */ false };
}

/* config_manifest.c: the documents of the input, sorted by kind. */
bool config_read_manifests(struct config_reader *r);

/* config_holdfast.c: spec.holdfast of every EventSource. */
bool config_read_holdfast(struct config_reader *r);

/* config_eventbus.c, config_stream.c: every EventBus; then the one that the event sources name. */
bool config_read_buses(struct config_reader *r);
bool config_choose_bus(struct config_reader *r);

/* Plain manifests of a controller, looked at without their bus (input->no_bus). */
bool config_bus_is_elsewhere(const struct config_reader *r);
void config_bus_release(struct bus_config *bus);
bool config_read_stream(const struct fields_ctx *ctx, const struct node *text, struct jetstream_config *js);

/* config_tls.c: `tls` of any kind of bus. */
bool config_read_tls(const struct fields_ctx *ctx, const struct node *n, struct tls_client_config *tls);
void config_tls_release(struct tls_client_config *tls);

/* config_jetstream.c: spec.jetstreamExotic, and spec.jetstream, a bus that the controller runs. */
bool config_read_exotic(const struct fields_ctx *ctx, const struct manifest *m, const struct node *n,
			struct jetstream_config *js);
bool config_read_native(const struct fields_ctx *ctx, const struct manifest *m, const struct node *n,
			struct jetstream_config *js);
void config_jetstream_release(struct jetstream_config *js);

/* config_kafka.c: spec.kafka. */
bool config_read_kafka(const struct fields_ctx *ctx, const struct manifest *m, const struct node *n,
		       struct kafka_config *kafka);
void config_kafka_release(struct kafka_config *k);

/* config_eventsource.c, config_route.c: every EventSource. */
bool config_read_sources(struct config_reader *r);
bool config_read_route(struct config_reader *r, const struct manifest *m, const struct source_ops *ops,
		       const struct node *event);
void config_route_release(struct route_config *route);

/* config_hooks.c: a hook that is asked for and cannot be made. */
void config_check_hooks(const struct fields_ctx *ctx, const struct node *event, const struct route_config *route);

/* config_check.c, config_check_files.c: what single values cannot say. */
bool config_check(struct config_reader *r);
void config_check_files(struct config_reader *r);

/* config_endpoint.c: the path template. Reports against `n`, whose text it is. */
void config_check_endpoint(const struct fields_ctx *ctx, const struct node *n);

/* The template with the names of its variables left out: equal ones match the same requests. */
void config_endpoint_shape(struct str endpoint, struct buf *ret_shape);
