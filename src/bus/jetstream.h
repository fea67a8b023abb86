/*
 * jetstream.h -- NATS JetStream as the bus.
 *
 * Shape     one connection for all threads; many publishes in flight, each answered by its PubAck, by its timeout, or at
 *           once when the connection goes. Nothing is kept back while the server is away: publishes are refused, and a new
 *           connection is made for ever, with backoff and jitter. One log line per state change.
 *           NATS ends the connection of a client that breaks a rule, so what a server can never take is refused before
 *           it is sent.
 * Errors    E_LIMIT       over max_payload (INFO), or error 10054 or 10097 of the stream
 *           E_MALFORMED   a name with '.', '*', '>', white space or control characters; names over 2048 bytes
 *           E_UNAVAILABLE not connected, connection lost, in_flight reached, or any other refusal of the server
 *           E_TIMEOUT     no ack within timeout_ms; of a publish that may wait, only when the server has read it
 * Source    facts argo-events 4.1 (subject, Nats-Msg-Id, stream), 4.0 (auth file); NATS ADR-1 (JetStream API)
 */
#pragma once

#include "bus/bus.h"
#include "bus/tls_client.h"

struct jetstream_config {
	char *url;              /* comma list */
	char *auth_path;        /* YAML with username+password or token; NULL: none */
	char *credentials_path; /* NATS .creds file; NULL: none */
	struct tls_client_config tls;
	/* stream creation when it is absent; -1 as NATS means it; an existing stream is used unchanged */
	int64_t max_msgs;
	int64_t max_bytes;
	uint64_t max_age_ns;
	uint64_t duplicates_ns;
	int replicas;
	int retention;      /* 0 limits, 1 interest, 2 workqueue */
	int discard;        /* 0 old, 1 new */
	bool strict;        /* refuse a server that acknowledges before it syncs, or does not say */
	char *monitor_url;  /* http://host:8222, the server's monitoring port, asked for its sync policy; NULL: none */
	uint32_t in_flight; /* publishes that wait for their ack at a time; more answer E_UNAVAILABLE */
};

/*
 * Starts connecting in the background and returns at once: a bus that is away is not an error. E_CONFIG: a file cannot be
 * read or does not parse, a URL is malformed. `config` is copied. `on_state` (may be NULL) is called in a bus thread at
 * each change of bus->ops->state().
 */
enum err jetstream_open(const struct jetstream_config *config, struct metrics *metrics,
			void (*on_state)(void *ctx, enum bus_state state), void *ctx, struct why *why,
			struct bus **ret_bus);

/*
 * Before the process ends, with every bus closed: the library's own threads, which exit() would let run on beside the end of OpenSSL.
 * Waits for them, 2 s at most.
 */
void jetstream_end(void);

/* Whether jetstream_open() would take it: E_CONFIG, or E_NOMEM. No server is asked. */
enum err jetstream_check(const struct jetstream_config *config, struct why *why);
