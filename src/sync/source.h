/*
 * source.h -- one peer, as the end sees it that owns the objects: what the peer should have, what it has confirmed, and so
 * what must be sent.
 *
 * Shape     a name has at most one object of ours (the truth) and any number of copies that the peer may have: one per UID that was
 *           ever offered. What differs goes to the peer's outbox: deletes of copies that are gone from the truth, oldest first;
 *           the object; its status; its commands. The outbox itself is never stored; copies and commands are rows of the ledger.
 *
 *               copy   NEW --journal--> KEPT --create leaves--> ... --delete confirmed--> (gone)
 *
 *           Nothing of a UID is sent before its copy is KEPT: whatever happens then, its deletion is not forgotten.
 * Units     ms of the caller's monotonic clock.
 * Owner     objects are referenced; journal and peer are borrowed and live longer.
 * Errors    E_NOMEM  what could not be done is done by the next source_again()
 * Source    docs/delivery.md "What must be on disk"; argocd-agent facts 2.9, 2.10, 4.5
 */
#pragma once

#include "backend/object.h"
#include "sync/digest.h"
#include "sync/guard.h"
#include "sync/journal.h"
#include "sync/peer.h"
#include "sync/room.h"
#include "wire/checksum.h"

/* What of an object the peer should know, as digests. An empty one: there is none, or it is not for this peer. */
struct source_state {
	struct digest desired;
	struct digest status;
	struct digest operation;
	struct digest terminate; /* of the operation that is to be terminated */
};

/* An object that is gone from the truth. */
struct source_lost {
	enum object_kind kind;
	const char *namespace;
	const char *name;
	struct str uid;
	struct str remembered;
};

/* What depends on the end and on the mode; roles.h. */
struct source_rules {
	/* E_NOT_FOUND: not for this peer (any more). */
	enum err (*describe)(void *ctx, const struct object *truth, struct source_state *ret_state);
	/*
	 * What the peer is known to have of the status of `truth`, of which a copy begins; left as it is, empty: nothing. NULL: of none.
	 */
	void (*known_status)(void *ctx, const struct object *truth, struct digest *ret_status);
	/*
	 * Fill target, subject, principal_uid, bare and data (JSON, in `arena`) of an event about `truth`, of any type but DELETE.
	 */
	enum err (*compose)(void *ctx, enum wire_type type, const struct object *truth, struct buf *arena,
			    struct wire_event *e);
	/*
	 * What the deletion of this object will have to say beside its key and UID, when there is nothing left to look at; appended to
	 * `text`, kept in the copy's row. NULL: nothing.
	 */
	enum err (*remember)(void *ctx, const struct object *truth, struct buf *text);
	/* As compose, for the deletion of the object that had this key and UID; `remembered` of it. */
	enum err (*compose_delete)(void *ctx, const struct source_lost *lost, struct buf *arena, struct wire_event *e);
	/* The checksum of the spec as the peer should have it (wire/checksum.h). */
	enum err (*checksum)(void *ctx, const struct object *truth, unsigned char ret_sum[static WIRE_CHECKSUM]);
	void *ctx;
};

struct source_options {
	const char *name; /* of the peer, in the ledger's rows; borrowed for ever */
	bool creates;     /* a new object goes as "create" (else as spec-update) */
	bool deletes;     /* deletions are sent (else the copy is merely forgotten) */
	struct peer *peer;
	struct journal *journal;
	struct source_rules rules;
	struct guard_limits guard;
	struct room *room; /* of copies that the peer says to have; borrowed */
	/* The guard holds deletes, and held none before: the first of them. NULL: not of interest. */
	void (*on_held)(void *ctx, const char *text);
	/* Something was added that nobody of the caller's turn has asked for: a row became durable. NULL: not of interest. */
	void (*on_wake)(void *ctx);
	void *ctx;
};

struct source;

struct source *source_new(const struct source_options *options);

/* May only be called when source_is_idle(), or when the journal is gone. Takes NULL. */
void source_free(struct source *s);

/* The namespace of the object that the peer knows by this UID; without one, `said`, if one of this name is there; NULL: there is none. */
const char *source_namespace_of(const struct source *s, enum object_kind kind, const char *said, const char *name,
				struct str uid);

/* The ledger forgets all that it keeps of this peer; what there is no memory for stays. */
enum err source_forget(struct source *s);
bool source_is_idle(const struct source *s);

/* From the ledger, before anything else: a copy, a command. E_MALFORMED: not a row of ours. */
enum err source_load_copy(struct source *s, const struct ledger_row *row);
enum err source_load_command(struct source *s, const struct ledger_row *row);

/* The truth: an object is there, new or changed; an object is gone, or no longer for this peer. */
enum err source_truth(struct source *s, struct object *o, uint64_t now_ms);
enum err source_gone(struct source *s, enum object_kind kind, const char *namespace, const char *name, uint64_t now_ms);

/* Everything that there is has been said: copies without an object are to be deleted, if the guard lets us. */
void source_complete(struct source *s, uint64_t now_ms);

/* Deletes that the guard holds; 0: none. And the operator lets them go. */
uint64_t source_held(const struct source *s, const char **ret_text);
void source_release(struct source *s, uint64_t now_ms);

/* The peer answered an event of ours: peer_receive() said PEER_ANSWERED. */
void source_answered(struct source *s, const struct peer_heard *heard, uint64_t now_ms);

/*
 * Do what had no room, or no memory: after a new stream and at source_due(); source_answered() does it by itself. Room comes with
 * answers, but when memory ran out, nothing may be about to be answered. UINT64_MAX: never.
 */
void source_again(struct source *s, uint64_t now_ms);
uint64_t source_due(const struct source *s);

/* What the peer rejected for good of objects that are as they were may be right for it now: it is sent once more. */
void source_offer_refused(struct source *s, uint64_t now_ms);

/* The peer takes larger messages than before: what it could not be sent is sent. */
void source_larger(struct source *s, uint64_t now_ms);

/* For peer_take(). */
enum err source_compose(struct source *s, const struct outbox_frame *frame, struct wire_event *e);

/*
 * A new stream: what a comparison deletes is counted from here. A peer of upstream's does not say which versions it has: what it
 * may have got of a former process is sent.
 */
void source_resync(struct source *s, uint64_t now_ms);

/*
 * The peer compares (facts 2.10): its list has this checksum ({NULL, 0}: it has nothing). Is ours another? In our dialect the peer
 * says which version it has of each (docs/sync.md), and how many `copies`; else 0.
 */
enum err source_compare_list(struct source *s, struct str checksum, uint64_t copies, bool *ret_differs);

/* Name to the peer everything that it should have (response-synced-resource). */
enum err source_list(struct source *s, uint64_t now_ms);

/*
 * The peer has an object of this key (ours), with this source UID (empty: it does not know) and spec (empty: it has none; in our
 * dialect the version of what it applied): what differs is sent, what we do not have is deleted there. E_LIMIT: it says to have too many
 * of which we know nothing.
 */
enum err source_compare(struct source *s, enum object_kind kind, const char *namespace, const char *name,
			struct str uid, struct str checksum, uint64_t now_ms);

/*
 * Say of this object once more what it is, behind what leaves next: the peer has to know that it is later than an answer of ours (to a
 * command that may be executed by now).
 */
void source_say_again(struct source *s, const struct object *truth, uint64_t now_ms);

/*
 * What the peer is known to have had of an object (merge.h, struct merge_known) when it sent the event that was the `came`-th of its
 * events here: what it has confirmed since, it may have got after it wrote that. Borrowed until the next call.
 */
const char *source_known_operation(const struct source *s, const struct object *truth, uint64_t came);
bool source_knows_desired(const struct source *s, const struct object *truth, uint64_t came);

/*
 * A peer of upstream's dialect may have had our newest desired state when it sent the `came`-th of its events, but whether it has
 * is known only when it answers.
 */
bool source_awaits_answer(const struct source *s, const struct object *truth, uint64_t came);

/*
 * Was all that was told of this name, if anything ever was, answered before the peer sent the `came`-th of its events, and so were our
 * requests? Then what that event says of the peer's object is not changed any more by what is on its way.
 */
bool source_has_told_nothing(const struct source *s, enum object_kind kind, const char *namespace, const char *name,
			     uint64_t came);

/*
 * Is it known as something that the peer has, or is to have? Not yet, when it was reported a moment ago, or there was no memory to
 * keep it: once it is, an operation that is in it would count as somebody's order.
 */
bool source_knows(const struct source *s, const struct object *truth);

/*
 * The object is written with what the peer says of the operation and of its termination (NULL: nothing): it is not sent back, whenever
 * the object is reported.
 */
void source_takes_over(struct source *s, const struct object *truth, const struct digest *operation,
		       const struct digest *terminate);

struct source_stats {
	uint64_t objects; /* that the peer should have */
	uint64_t copies;  /* that it has or may have */
	uint64_t behind;  /* names of which something is not confirmed */
	uint64_t held;    /* deletes held by the guard */
};

void source_stats(const struct source *s, struct source_stats *ret_stats);
