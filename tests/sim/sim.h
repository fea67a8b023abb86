/*
 * sim.h -- a hub, its peers and the network between them, in one thread on a virtual clock.
 *
 * Shape     the hub owns the truth: a few named objects for each peer. One outbox and one inbox, the real ones, face each
 *           other over a network that lies in between. Everything that happens comes from one seed. "Durable" values
 *           survive a crash, the others do not.
 * Units     virtual ms.
 */
#pragma once

#include "base/heap.h"
#include "delivery/inbox.h"
#include "delivery/outbox.h"

#define SIM_PEERS    4
#define SIM_KEYS     6
#define SIM_UIDS     8 /* objects of one name that a peer may still have */
#define SIM_COMMANDS 8 /* not confirmed, of one name: what a receiver remembers at least */

/* How a peer and the network to it behave. */
enum nature {
	WILD,     /* our dialect; frames are dropped, repeated and reordered within a stream too */
	ORDERLY,  /* our dialect over a stream that keeps order until it is cut */
	UPSTREAM, /* one answer per event, no order numbers, an ordered stream */
	LIAR,     /* answers what it likes */
};

/* What an event says: the bytes of its blob. */
struct letter {
	enum delivery_type type;
	uint32_t key;
	uint32_t uid;     /* rises with each object made under a name */
	uint32_t version; /* rises with each change of an object */
	char resource_id[24];
	char event_id[40];
};

struct object {
	uint32_t uid; /* 0: there is none */
	uint32_t version;
	uint32_t status;
};

/* What the hub knows about a peer's copy of one name. */
struct known {
	struct object copies[SIM_UIDS]; /* version 0: offered, never confirmed */
	struct {
		uint32_t uid, version;
		bool done;
	} commands[SIM_COMMANDS]; /* oldest first; uid 0: free */
};

struct outstanding {
	struct letter letter;
	bool there;
	uint64_t sent_ms;
};

/* A peer's durable memory of one name. */
struct replica {
	struct object object;
	uint32_t newest_uid;
	uint32_t refused; /* the newest version of `newest_uid` that can never be applied */
	struct letter last_state;
	struct letter last_status;
	struct letter commands[SIM_COMMANDS];
	uint32_t executed;        /* in all */
	uint32_t command_version; /* the newest executed, of newest_uid */
};

struct sim;

struct peer {
	struct sim *sim;
	unsigned index;
	enum nature nature;
	uint64_t epoch; /* of the newest stream */
	bool connected;
	/* the hub's side */
	struct outbox *outbox;
	struct object truth[SIM_KEYS];
	uint32_t last_uid[SIM_KEYS];
	struct known known[SIM_KEYS];
	struct known durable[SIM_KEYS];
	struct object offered[SIM_KEYS];   /* the newest of the truth that the outbox took */
	bool held[SIM_KEYS][SIM_COMMANDS]; /* the command is in the outbox */
	struct outstanding outstanding[SIM_KEYS];
	uint64_t frames_until_ms; /* an ordered stream: nothing arrives before */
	uint64_t answers_until_ms;
	/* the peer's side */
	struct inbox *inbox;
	uint32_t life; /* counts its crashes */
	struct replica replica[SIM_KEYS];
};

struct sim {
	uint64_t seed;
	uint64_t random;
	uint64_t now;
	uint64_t steps;
	uint64_t deliveries;
	uint64_t confirmed;
	bool trace;
	bool healed; /* no more faults, no more changes */
	struct heap happenings;
	struct peer peers[SIM_PEERS];
};

/* -- sim_delivery.c -- */
uint64_t sim_random(struct sim *s);

/* True once in `n`. */
bool sim_once_in(struct sim *s, unsigned n);
void sim_trace(const struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A promise was broken: says which, and how to see it again; the process ends. */
_Noreturn void sim_broken(const struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* -- sim_net.c: what happens later -- */
enum happening_type { FRAME_ARRIVES, ANSWER_ARRIVES, APPLY_ENDS, BYTES_LEFT, RECONNECT };

struct happening {
	struct heap_node node;
	enum happening_type type;
	struct peer *peer;
	uint64_t epoch;
	uint64_t order;
	uint32_t life;
	struct blob *bytes;      /* FRAME_ARRIVES */
	struct inbox_work *work; /* APPLY_ENDS */
	struct delivery_answer answer;
	char text[64 + 256]; /* the answer's */
};

void net_later(struct sim *s, uint64_t at_ms, const struct happening *what);
void net_send_frame(struct peer *p, const struct outbox_frame *f);
void net_send_answer(struct peer *p, const struct delivery_answer *a);

/* The next happening at or before now, or NULL; the caller frees it with net_free(). */
struct happening *net_next(struct sim *s);
void net_free(struct happening *h);

/* -- sim_hub.c -- */
void hub_start(struct peer *p);
void hub_crash(struct peer *p);

/* The stream is gone: what was in flight may be replaced; a late answer to it still counts. */
void hub_void(struct peer *p);

/* Add to the outbox what the peer's copy lacks under this name. */
void hub_sync(struct peer *p, uint32_t key);

/* One random change of the truth. */
void hub_change(struct peer *p);

/* Send what may go. */
void hub_pump(struct peer *p);
void hub_answer(struct peer *p, const struct happening *h);

/* Group commit: what is known becomes durable. */
void hub_commit(struct peer *p);

/* At the end: everything arrived. */
void hub_check_settled(const struct peer *p);
bool hub_settled(const struct peer *p);

/* -- sim_site.c -- */
void site_start(struct peer *p);
void site_crash(struct peer *p);
void site_frame(struct peer *p, const struct happening *h);
void site_apply_ends(struct peer *p, const struct happening *h);

/* Let out what it has to say. */
void site_pump(struct peer *p);

struct letter letter_of(enum delivery_type type, uint32_t key, uint32_t uid, uint32_t version);
struct delivery_event letter_event(const struct letter *l, struct blob *bytes);
bool letter_poison(const struct letter *l);
