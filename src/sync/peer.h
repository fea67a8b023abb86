/*
 * peer.h -- one peer: what goes to it, what comes from it, and how both are said on the wire.
 *
 * Shape     an outbox, an inbox and the dialect of the stream of the moment. Bytes of messages go in and come out; what a payload
 *           event contains is asked for when it leaves. Pure: time and randomness are arguments.
 *
 *               peer_receive() --> an answer to ours       told to the caller
 *                             \--> an event of the peer's  peer_next() ... peer_done() --> its answer, to be sent
 *                              \-> control, or unreadable  answered here
 *
 * Units     ms of the caller's monotonic clock.
 * Owner     strings given are copied; what comes out is lent until the next call.
 * Errors    of adding: as outbox_add()
 */
#pragma once

#include "base/buf.h"
#include "delivery/inbox.h"
#include "delivery/outbox.h"
#include "wire/dialect.h"
#include "wire/event.h"

struct peer_options {
	struct outbox_options outbox;
	struct inbox_options inbox;
	struct str source;    /* of our CloudEvents; may be empty */
	uint64_t seed;        /* of the ids of requests */
	uint64_t message_max; /* bytes of the largest message that we take, and send at most; 0: no limit */
};

struct peer;

struct peer *peer_new(const struct peer_options *options, uint64_t now_ms);
void peer_free(struct peer *p); /* takes NULL */

DEFINE_FREEP(peer_free, struct peer, peer_free)

/* A new stream. `agreed`: the dialect, and what the peer says it takes. E_CANCELLED: a newer one is there. */
enum err peer_open(struct peer *p, uint64_t epoch, const struct wire_dialect *agreed);

/* The stream `epoch` ended; that of an older one changes nothing. */
void peer_close(struct peer *p, uint64_t epoch);

/* The open stream, or 0. */
uint64_t peer_epoch(const struct peer *p);

/* Does a Go agent or principal speak there, or did on the last stream, and not one of ours? Before the first: yes. */
bool peer_speaks_upstream(const struct peer *p);

/* What we grant a peer that speaks our dialect: to be said when the stream is opened. */
struct wire_dialect peer_offer(const struct peer *p);

/* Bytes of the largest message that this stream, or the last one, carries: the smaller of ours and the peer's limit. 0: none. */
uint64_t peer_message_max(const struct peer *p);

/*
 * The peer ended a stream because it takes no message of more bytes. Holds for its next streams, for as long as it does not say
 * it when they begin. 0: it did not.
 */
void peer_told_max(struct peer *p, uint64_t message_max);

enum peer_heard_what {
	PEER_QUIET,    /* nothing for the caller to do */
	PEER_ANSWERED, /* an event of ours: `effect`, `type`, ids */
	PEER_EVENT,    /* an event of the peer's is in the inbox */
	PEER_REFUSED,  /* it could not be taken; `why`; the peer was answered as its dialect allows */
};

struct peer_heard {
	enum peer_heard_what what;
	enum outbox_effect effect;
	enum delivery_type type;
	struct str resource_id; /* of whatever came; borrowed from the message */
	struct str event_id;
	struct str type_text; /* of the peer's event, for the log */
	struct str target_text;
	struct str reason; /* of a rejection */
	enum err err;      /* of PEER_REFUSED; of PEER_ANSWERED: not the peer refused, it could not be sent */
	struct why why;    /* of PEER_REFUSED */
};

/*
 * A message came on the stream `epoch`. An answer needs no memory: it is said once. What there is no memory for is not answered, and so
 * comes again.
 */
void peer_receive(struct peer *p, uint64_t epoch, struct str message, uint64_t now_ms, uint64_t random,
		  struct peer_heard *ret_heard);

/* Events of the peer's that have come, since the start. */
uint64_t peer_came(const struct peer *p);

/* Is all that came on earlier streams dealt with? */
bool peer_has_caught_up(const struct peer *p);

/* Is the inbox so full that the caller should stop reading until peer_done() has made room? */
bool peer_is_full(const struct peer *p);

/* The next event of the peer's to deal with; NULL: none now. `ret_event` is what it says, borrowed until peer_done(). */
struct inbox_work *peer_next(struct peer *p, struct wire_event *ret_event);
void peer_done(struct peer *p, struct inbox_work *work, enum delivery_outcome outcome, bool retryable,
	       struct str reason);

/* Hold an event for the peer; see outbox_add(). `bytes` is what peer_take() hands to compose(). */
enum err peer_add(struct peer *p, const struct delivery_event *e, uint64_t now_ms);

/* Ask the peer something, or tell it: an event of its own, with a random id. `target` as upstream has it for `type`. */
enum err peer_request(struct peer *p, enum wire_type type, enum wire_target target, struct str data, uint64_t now_ms);

/* How many of these the peer has not answered. */
uint64_t peer_requests(const struct peer *p);

/* A sign of life: sent once, never repeated. E_UNAVAILABLE: no stream; E_LIMIT, E_NOMEM. */
enum err peer_ping(struct peer *p);

/* What we rejected for now may come again at once. A peer of upstream's dialect has no word for it. As peer_ping(). */
enum err peer_again(struct peer *p);

/* Make the message of a frame. */
struct peer_composer {
	/*
	 * Fill type, target, subject, principal_uid and data of `e`; the rest is filled in already. E_NOT_FOUND: it has become
	 * pointless, it is dropped; E_NOMEM: it is tried again later; else it is refused. What it points to must live until the next
	 * call. A command is finished: there is only to say whether it is pointless.
	 */
	enum err (*compose)(void *ctx, const struct outbox_frame *frame, struct wire_event *e);
	/*
	 * It never can be sent, being too large or for what compose() said, and is treated as what the peer rejects for good.
	 * `heard` is PEER_ANSWERED with the error and the reason, borrowed. It may add events.
	 */
	void (*on_refused)(void *ctx, const struct peer_heard *heard);
	void *ctx;
};

/*
 * The next message to write, into the empty `message`, never larger than peer_message_max(); false: nothing now. `*ret_order` is
 * for peer_sent(), 0 for a message that needs none. `wall_ns`: for the time of sending.
 */
bool peer_take(struct peer *p, const struct peer_composer *composer, uint64_t now_ms, int64_t wall_ns,
	       struct buf *message, uint64_t *ret_order);

/* The bytes of all messages up to `order` have left. */
void peer_sent(struct peer *p, uint64_t order, uint64_t now_ms, uint64_t random);

/* When peer_take() will have something without anything else happening; UINT64_MAX: never. */
uint64_t peer_due(const struct peer *p, uint64_t now_ms);

/* 16 bytes of the peer's own random numbers, for ids. */
void peer_random(struct peer *p, unsigned char ret_bytes[static 16]);

/* As given; borrowed. */
struct str peer_source(const struct peer *p);

/* What it holds, for status. */
struct outbox *peer_outbox(struct peer *p);
struct inbox *peer_inbox(struct peer *p);
