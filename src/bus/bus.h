/*
 * bus.h -- where gateway events go, behind one small table.
 *
 * Shape     publish and be told: any number in flight; each publish is answered once, by ack, refusal or timeout.
 * Units     times in ms.
 * Owner     a bus_publish is the caller's and lent until on_done.
 * Threads   publish() from any thread. on_done in a thread of the bus, or in the caller's before publish() returns (what
 *           is refused at once); on_state in a thread of the bus. Both must only hand over; neither may close the bus.
 * Errors    E_UNAVAILABLE  not connected, or the connection went away before the ack: worth sending again
 *           E_TIMEOUT      no ack in time (`may_wait`): worth sending again, with the same msg_id
 *           E_LIMIT        larger than the bus takes, E_MALFORMED  a subject it cannot have: never worth sending again
 */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/metrics.h"
#include "base/mpsc.h"
#include "base/str.h"
#include "base/why.h"

struct bus_publish {
	struct str source;  /* EventSource name and */
	struct str name;    /* event name: the subject */
	struct str msg_id;  /* for the bus's own de-duplication */
	struct str payload; /* CloudEvent JSON, upstream form */
	uint32_t timeout_ms;
	/*
	 * JetStream asks, in a thread of its own, after timeout_ms and then now and then, while nothing shows that the server has read it:
	 * may it wait on? NULL: no. So it is not sent again while it is on its way over a slow link.
	 */
	bool (*may_wait)(const struct bus_publish *p);
	enum err err;   /* the outcome, set before on_done */
	bool duplicate; /* the bus had this msg_id already */
	struct why why; /* the reason, when err is not E_OK */
	void (*on_done)(struct bus_publish *p);
	struct mpsc_node node; /* the bus's while in flight, as is impl */
	void *impl;
};

enum bus_state { BUS_DOWN, BUS_UP };

/* Does the bus acknowledge before its disk has it? */
enum bus_sync { BUS_SYNC_UNKNOWN, BUS_SYNC_ALWAYS, BUS_SYNC_LATER };

struct bus;

struct bus_ops {
	const char *kind;                                        /* "embedded", "jetstream", "kafka" */
	void (*publish)(struct bus *bus, struct bus_publish *p); /* never blocks */
	enum bus_state (*state)(const struct bus *bus);
	enum bus_sync (*sync)(const struct bus *bus);
	size_t (*max_payload)(const struct bus *bus); /* bytes, headers included; 0: not known yet or no limit */
	void (*trouble)(struct bus *bus,
			struct buf *ret_text); /* appends why it is down, without a secret; any thread */
	void (*close)(struct bus *bus);        /* every publish in flight is answered, then all is freed */
};

struct bus {
	const struct bus_ops *ops;
};
