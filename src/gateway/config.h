/*
 * config.h -- what the gateway is told to do: EventSource and EventBus manifests, read and checked.
 *
 * Shape     an immutable snapshot. Loops keep a reference while they use it; a reload makes a new one.
 * Owner     reference counted; everything inside belongs to the snapshot.
 * Source    facts argo-events 1.1, 2, 4.5, 5; our own keys under spec.holdfast: docs/reference/gateway-config.md
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "base/str.h"
#include "bus/jetstream.h"
#include "bus/kafka.h"
#include "config/fields.h"

struct filter;     /* filter/filter.h */
struct source_ops; /* gateway/sources/source.h */

enum ack_mode { ACK_SPOOL, ACK_BUS };

/* How an event's hook at the provider is looked after: rows of config_hooks.c. */
struct hooks_config {
	bool manage;
	uint64_t interval_ms; /* 0: the provider's own */
	char *url;            /* NULL: the provider's, or what the event's keys say */
	char *ca;             /* NULL: the system's */
};

/* One event of one EventSource: an endpoint on a port. */
struct route_config {
	const struct source_ops *ops;
	char *event_source; /* metadata.name */
	char *namespace;    /* metadata.namespace, "default" when absent */
	char *event_name;   /* the key under spec.<type> */
	char *endpoint;     /* path template: literal, {var}, {var:regex} */
	uint16_t port;
	char *method; /* "" when absent */
	char *url;    /* NULL when absent */
	struct secret_ref auth;
	struct secret_ref tls_cert;
	struct secret_ref tls_key;
	struct text_pair *metadata; /* sorted by key, bytewise */
	size_t metadata_count;
	uint64_t max_payload; /* bytes; 1 MiB by default */
	enum ack_mode ack;
	uint32_t deadline_ms;
	uint32_t rate; /* requests per minute; 0: no limit */
	uint32_t burst;
	bool compat_strict; /* the upstream's own status codes */
	bool mask_secrets;  /* tokens and signatures in header fields are masked in the event */
	uint64_t secret_overlap_ms;
	struct filter *filter; /* NULL: every event passes */
	struct hooks_config hooks;
	void *settings; /* of the source's kind: ops->settings_size bytes read by ops->settings and ops->holdfast */
	char *file;     /* where it was written: for messages */
	unsigned line;
};

/* What a log line about a route says of it; with base/log.h. */
#define LOG_ROUTE(config)                                                                         \
	LOG_S("event_source", (config)->event_source), LOG_S("event_name", (config)->event_name), \
		LOG_S("route", (config)->endpoint)

enum bus_kind { BUS_EMBEDDED, BUS_JETSTREAM, BUS_KAFKA };

/* EventBus spec.jetstreamExotic, spec.jetstream, spec.kafka, or none of them: embedded. */
struct bus_config {
	enum bus_kind kind;
	char *name;                        /* metadata.name; "embedded" */
	struct jetstream_config jetstream; /* the strings of both belong to the snapshot */
	struct kafka_config kafka;
};

/*
 * What a limit is where it is 0: so much, or one part in so many of a container's memory where that is less. What is left is for
 * the program itself, and for bodies on their way to the disk and the bus. A connection takes 1 KB, with TLS 15, in a head 17 more.
 */
#define CONNECTIONS_MOST   10000
#define CONNECTIONS_PARTS  65536 /* one for each 64 KiB */
#define BODY_MEMORY_MOST   (64 << 20)
#define BODY_MEMORY_PARTS  3
#define DEDUP_MEMORY_MOST  (4 << 20)
#define DEDUP_MEMORY_PARTS 48

/* `memory`: what the container has; 0: no limit. */
static inline uint64_t limit_or_share(uint64_t limit, uint64_t most, uint64_t memory, unsigned parts)
{
	if (limit)
		return limit;
	return memory && memory / parts < most ? memory / parts : most;
}

/* Process-wide limits: rows of src/gateway/gateway_limits.h. */
struct gateway_limits {
#define X(field, key, type, min, max, dflt, unit, meaning) uint64_t field;
#include "gateway/gateway_limits.h"
#undef X
};

struct gateway_config {
	atomic_int refs;
	struct route_config *routes;
	size_t route_count;
	struct bus_config bus;
	char *data_dir;         /* NULL: none given (then ack is bus everywhere) */
	char *admin_host;       /* "" all addresses */
	uint16_t admin_port;    /* 7777 */
	char *admin_token_file; /* NULL: the events API is off */
	struct gateway_limits limits;
	int64_t cert_expires_ms; /* when the first certificate of a port expires; 0: none has one, or it was not looked at */
};

/* Manifests that stand in no file. */
struct config_text {
	const char *name; /* in the place of a file's */
	struct str text;
};

struct config_input {
	const char *const *files;
	size_t file_count;
	const struct config_text *texts;
	size_t text_count;
	bool take_unknown; /* a newer controller may write keys that upstream did not have yet: they are warned of */
	bool elsewhere; /* the gateway runs on another machine: its secrets and its data directory are not looked at */
	bool running;   /* a gateway reads them again: what it has opened may be missing, with a warning */
	bool no_bus;    /* the manifests of a controller are looked at: the bus may stand elsewhere, with a warning */
	bool skip_bad; /* an event that has a problem is left out with a warning, as upstream does (facts argo-events 3.3) */
};

/*
 * Reads and checks all of it. On any error E_CONFIG: `problems` has them all. Warnings alone do not refuse.
 */
enum err gateway_config_read(const struct config_input *input, struct problems *problems,
			     struct gateway_config **ret_config);

/* The same of files alone, for tools: the files that only the gateway needs are not looked at (`elsewhere`). */
enum err gateway_config_load(const char *const *paths, size_t count, struct problems *problems,
			     struct gateway_config **ret_config);

struct gateway_config *gateway_config_ref(struct gateway_config *c);
void gateway_config_unref(struct gateway_config *c);

/* Every key there is, as Markdown: a heading and a table each for what stands together. */
void gateway_config_reference(struct buf *ret_text);
