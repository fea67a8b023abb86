/*
 * kafka.h -- Kafka as the bus.
 *
 * Shape     one idempotent producer (acks=all) for all threads; many publishes in flight, each answered by its delivery
 *           report or by its timeout. Nothing is kept back while the brokers are away: publishes are refused, and a new
 *           producer is made for ever, with backoff and jitter; files are read anew each time. One log line per state change.
 * Order     per key, which is the route, as long as the partitioner keeps a key in one partition. After an event of a route was
 *           not taken, the route is refused until what was behind it has come back. One that the broker refuses for good may be
 *           overtaken by what the producer had before the refusal was heard: it numbers anew, and sends that at once.
 * Errors    E_LIMIT       over message_max, or refused by the broker as too large when it came alone
 *           E_MALFORMED   refused by the broker as no record it can keep, when it came alone
 *           E_UNAVAILABLE not connected, in_flight reached, the route is held, or any other refusal
 *           E_TIMEOUT     no delivery report within timeout_ms
 * Source    facts argo-events 4.3 (key, value, no headers), 4.5; librdkafka CONFIGURATION.md; docs/why/librdkafka.md
 */
#pragma once

#include "bus/bus.h"
#include "bus/tls_client.h"

/* How a key finds its partition: facts argo-events 4.3. Only the first and the third keep a route's order. */
enum kafka_partitioner { KAFKA_HASH, KAFKA_ROUNDROBIN, KAFKA_MANUAL, KAFKA_RANDOM };

enum kafka_mechanism { KAFKA_NO_SASL, KAFKA_PLAIN, KAFKA_SCRAM_256, KAFKA_SCRAM_512 };

struct kafka_config {
	char *url; /* comma list of host:port */
	char *topic;
	enum kafka_partitioner partitioner;
	enum kafka_mechanism mechanism;
	char *user_path; /* files; needed with a mechanism */
	char *password_path;
	struct tls_client_config tls;
	uint64_t message_max; /* bytes of a record, and of a batch; 0: 1000000 */
	uint32_t in_flight;   /* publishes that wait for their report at a time; more answer E_UNAVAILABLE */
};

/* What librdkafka takes as one message at most. */
#define KAFKA_MESSAGE_MAX_DEFAULT 1000000

/* Between this and a second more a message that cannot be delivered comes back from the producer. */
#define KAFKA_GIVE_UP_MS          4000

/*
 * Starts connecting in the background and returns at once: brokers that are away are no error. E_CONFIG: a file cannot be
 * read, or librdkafka refuses a setting. `config` is copied. `on_state` (may be NULL) is called in a bus thread at each
 * change of bus->ops->state().
 */
enum err kafka_open(const struct kafka_config *config, struct metrics *metrics,
		    void (*on_state)(void *ctx, enum bus_state state), void *ctx, struct why *why,
		    struct bus **ret_bus);

/* Whether kafka_open() would take it: E_CONFIG, or E_NOMEM. No broker is waited for. */
enum err kafka_check(const struct kafka_config *config, struct why *why);

/* Is it a list of host:port, with or without the port? */
bool kafka_url_ok(struct str list);
