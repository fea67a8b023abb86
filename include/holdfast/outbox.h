/*
 * outbox.h -- what one peer still has to confirm: says what to send, and again until it is answered.
 *
 * Shape     pure: no socket, thread, clock or file. The caller says what time it is, writes what hf_outbox_take() lends, passes on what
 *           the peer answers, and comes back when hf_outbox_due() says so. Events of one `key` go in order, one at a time; no key
 *           waits for another. Of a resource the newest state and the newest status replace older ones that have not left; a
 *           command is never replaced; a delete takes away what it makes pointless.
 * Units     ms of a monotonic clock of the caller's; sizes in bytes.
 * Owner     an outbox copies what it is given; what hf_outbox_take() lends lives until the next call.
 * Threads   one at a time.
 * Errors    HF_LIMIT         it holds all that it may; nothing was added. States that wait can still be replaced
 *           HF_MALFORMED     an empty text or one that is too long (1,000 bytes are not), or a resource that waits under another key
 *           HF_NOMEM         nothing was added
 *           HF_BAD_ARGUMENT  NULL where something is required, or a kind or outcome that does not exist
 * Source    argocd-agent's EventWriter; docs/delivery.md
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <holdfast/holdfast.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hf_outbox;

/* What an event is, and so what it replaces and how urgent it is: commands and deletes first, then states, then status. */
enum hf_kind {
	HF_COMMAND = 0, /* never replaced */
	HF_DELETE = 1,  /* the resource is gone */
	HF_CREATE = 2,  /* the resource is new; kept beside what follows */
	HF_STATE = 3,   /* how it shall be: the newest counts */
	HF_STATUS = 4   /* how it is: the newest counts */
};

/* What the peer says of an event. */
enum hf_outcome {
	HF_RECEIVED = 0, /* it will say how it went: not sent again meanwhile, unless the connection is lost */
	HF_APPLIED = 1,  /* done: the event is gone */
	HF_RETRY = 2,    /* it could not, and may later: sent again after a wait that grows */
	HF_REJECTED = 3  /* never: set aside with the reason until a newer version comes */
};

/* Zero it and set what differs: 0 is the default of each field. */
struct hf_outbox_options {
	uint64_t max_events;    /* held at most; default 1,000,000 */
	uint64_t max_bytes;     /* held at most; default 1 GiB */
	uint32_t window_events; /* in flight at most; default 256 */
	uint64_t window_bytes;  /* in flight at most, but one event always; default 16 MiB */
	uint32_t resend_ms;     /* the first wait for an answer is random up to this; default 5 s, growing fourfold */
	uint32_t resend_cap_ms; /* up to this; default 2 min */
	uint32_t events_per_minute; /* default 0: no limit */
};

/* One event to add. `resource` NULL: it is the key. */
struct hf_outgoing {
	enum hf_kind kind;
	const char *key;      /* what must stay in order, as the path of an object */
	const char *resource; /* what replaces what, as its UID: an object made anew under the same key is another */
	const char *version;  /* what the peer confirms */
	const void *bytes;    /* as they go to the peer; NULL: none */
	size_t size;
};

/* What to write to the peer now. */
struct hf_sending {
	enum hf_kind kind;
	const char *resource;
	const char *version;
	const void *bytes;
	size_t size;
	uint64_t number;  /* rises with each; for hf_outbox_sent() */
	uint32_t attempt; /* 1: the first on this connection */
};

struct hf_outbox_stats {
	uint64_t waiting;     /* not in flight, those that wait to be sent again included */
	uint64_t in_flight;   /* sent or received, not answered */
	uint64_t quarantined; /* rejected for good */
	uint64_t bytes;       /* of all */
	uint64_t oldest_ms;   /* since when the oldest that is not quarantined is here; UINT64_MAX: none */
	uint64_t replaced;    /* since the start, as what follows: by a newer version, or pointless after a delete */
	uint64_t resent;
	uint64_t confirmed;
	uint64_t refused; /* by hf_outbox_add() */
};

/* An empty outbox without a connection. NULL without memory. `options` NULL: all defaults. */
HF_API struct hf_outbox *hf_outbox_new(const struct hf_outbox_options *options, uint64_t now_ms);

/* Takes NULL. */
HF_API void hf_outbox_free(struct hf_outbox *o);

/* Holds the event until the peer has confirmed it. */
HF_API HF_CHECKED enum hf_error hf_outbox_add(struct hf_outbox *o, const struct hf_outgoing *event, uint64_t now_ms);

/* There is a new connection: what was in flight on the last one goes again at once. */
HF_API void hf_outbox_connected(struct hf_outbox *o);

/* The connection is lost: nothing is to be sent until there is another. */
HF_API void hf_outbox_disconnected(struct hf_outbox *o);

/* What to write next. False: nothing now. Call it until it says so. */
HF_API bool hf_outbox_take(struct hf_outbox *o, uint64_t now_ms, struct hf_sending *ret_sending);

/* All up to `number` has left: the wait for their answers begins. */
HF_API void hf_outbox_sent(struct hf_outbox *o, uint64_t number, uint64_t now_ms);

/*
 * The peer answered, on the connection of now. It counts only for what is in flight, with the same resource and version; false: it
 * did not. `reason` of a rejection, for people; it may be NULL.
 */
HF_API bool hf_outbox_answer(struct hf_outbox *o, const char *resource, const char *version, enum hf_outcome outcome,
			     const char *reason, uint64_t now_ms);

/* When hf_outbox_take() will have something, if nothing else happens: `now_ms` or before: at once; UINT64_MAX: never, so of NULL. */
HF_API uint64_t hf_outbox_due(const struct hf_outbox *o, uint64_t now_ms);

/* What it holds, and what it has done. */
HF_API void hf_outbox_read_stats(const struct hf_outbox *o, struct hf_outbox_stats *ret_stats);

/* Calls `on_entry` for each event that was rejected for good, the oldest first; false ends it. It may not change the outbox. */
HF_API void hf_outbox_quarantined(const struct hf_outbox *o,
				  bool (*on_entry)(void *ctx, const char *resource, const char *version,
						   const char *reason),
				  void *ctx);

#ifdef __cplusplus
}
#endif
