/*
 * source_impl.h -- the inside of a source, shared by its files.
 *
 * Shape     source.c          life, the truth, the guard, what is asked
 *           source_copies.c   names and their copies
 *           source_commands.c the commands of a copy: made, kept, into the outbox, forgotten
 *           source_rows.c     copies and commands as rows of the ledger
 *           source_sync.c     the difference between truth and copies, into the outbox
 *           source_answer.c   what answers and commits change
 *           source_compare.c  what a peer that compares is told
 */
#pragma once

#include "base/map.h"
#include "delivery/list.h"
#include "sync/source.h"

/* A command that the peer has not confirmed. */
struct command {
	struct command *next;
	struct blob *message; /* the event, finished */
	bool kept;            /* its row is durable */
	bool held;            /* it is in the outbox */
	bool over;            /* the peer has answered: its row is to be removed */
	uint64_t number;      /* rises with each command of its copy */
	char event_id[];
};

#define NOT_SENT UINT64_MAX

/* What was offered last of one part, and under which version; freed when it is confirmed. */
struct offer {
	struct digest digest;
	char version[64];
	bool open;        /* the peer has not refused it */
	bool too_large;   /* and why it has, if it has: it need not try again before it takes more */
	uint64_t sent_at; /* events of the peer's that had come when it first left; NOT_SENT */
};

/* In place of a version: we know of the copy from the peer alone, and it takes the peer's room. */
#define SOURCE_LEARNED "?"

/* An object that the peer has, or may have. */
struct copy {
	struct copy *next; /* of its entry, oldest first */
	struct entry *entry;
	struct digest desired;         /* confirmed */
	char version[64];              /* of `desired`, as the peer knows it; "": none was confirmed */
	struct digest status;          /* confirmed */
	char status_version[64];       /* of the object that had it; "": none was confirmed */
	struct digest operation;       /* the peer's own, or of the newest command row; "": none since it was empty */
	struct digest terminate;       /* likewise */
	struct offer *offered_desired; /* NULL: what was offered, if anything, is confirmed */
	struct offer *offered_status;
	uint64_t desired_at;      /* events of the peer's that had come before it can have had `desired` */
	uint64_t operation_at;    /* likewise its last command */
	uint64_t compared;        /* the comparison during which it confirmed `desired`; 0: before the first */
	char *remembered;         /* for its deletion; NULL: nothing */
	struct command *commands; /* oldest first */
	unsigned burials;         /* rows of answered commands whose removal is not durable yet */
	bool kept;                /* its row is durable */
	bool recalled;            /* it is a former process's, and not looked at yet */
	bool doubtful;            /* the peer may have got something else since it confirmed `desired` */
	bool offered;             /* something of it may have left */
	bool deleting;            /* its delete is in the outbox */
	bool forced;        /* the peer does not have what it confirmed: send it again under a version of its own */
	bool forced_status; /* likewise its status */
	bool too_large;     /* something of it was larger than a message to this peer may be */
	struct room_share share; /* what it takes of the peer's room */
	uint64_t number; /* of all copies: an object that goes and comes again has another, of the same resource id */
	char *uid;       /* behind resource_id */
	char resource_id[];
};

/* A name. */
struct entry {
	struct link in_all;
	struct link in_later; /* source: had no room or memory */
	enum object_kind kind;
	char *namespace, *name; /* behind key */
	struct object *truth;   /* NULL: there is none, or not for this peer */
	struct source_state state;
	struct copy *copies;
	bool gone;   /* it was there and is gone: its copies may go whether or not the truth is complete */
	bool held;   /* by the guard */
	bool has;    /* counted as an object */
	bool behind; /* counted as such */
	size_t key_n;
	char key[];
};

struct source {
	struct source_options o;
	struct journal_listener listener;
	struct map entries; /* by kind, namespace, name */
	struct map copies;  /* by resource id */
	struct link all;
	struct link later;
	struct buf arena; /* of the event that is being composed */
	bool complete;
	uint64_t now_ms;      /* of the last thing that happened */
	uint64_t again_ms;    /* when to try what had no memory; 0: nothing had none */
	uint64_t answered_at; /* events of the peer's that had come when it last answered a deletion or a request */
	uint64_t refused;     /* times that something had no room or memory */
	bool any_refused;     /* by the peer for good, and not for its size, since source_offer_refused() */
	uint64_t objects;     /* entries, as the next two */
	uint64_t behind;
	uint64_t held;
	uint64_t comparison; /* counts them */
	uint64_t copied;     /* counts copies */
	uint64_t loaded;     /* the number of the last that came from the ledger */
	struct {
		unsigned char sum[WIRE_CHECKSUM];
		size_t truths; /* that the peer should have */
		bool has;      /* anything */
		bool known;    /* since nothing has changed */
	} list;                /* of a comparison, for those who ask for it in a loop */
	uint64_t compared_deletes;
	uint64_t peer_copies;  /* that the peer said to have when it compared last */
	uint64_t peer_surplus; /* of these, more than there are objects for it */
	uint64_t released;
	char held_text[256];
};

/* What source_tell() may be told of beside a command, which is its event id: the copy's own row, and that rows of commands are removed. */
#define SOURCE_COPY   ""
#define SOURCE_BURIAL "-"

/* The peer has refused the desired state that it was offered last: it is offered again. False: it has not. */
bool source_copy_refused_again(struct copy *c);

#define ENTRY_OF(l, member) CONTAINER_OF(l, struct entry, member)

/* source.c */

/* The guard holds its delete. */
void source_hold(struct source *s, struct entry *e, const struct guard_verdict *verdict);

/* source_copies.c */

/* The entry of this key; made when it is missing. NULL: no memory, or none and not `make`. */
struct entry *source_entry(struct source *s, enum object_kind kind, const char *namespace, const char *name, bool make);

/* After every change: count it, or free it when nothing is left of it. */
void source_settle(struct source *s, struct entry *e);

/* The entry's copy with this UID, or NULL. */
struct copy *source_copy_of(const struct entry *e, const char *uid);

/* A new one, confirmed of nothing. NULL: no memory, or there is a copy of the same resource id. */
struct copy *source_copy_add(struct source *s, struct entry *e, struct str uid);

/* Forget it with its commands; its row stays as it is. */
void source_copy_drop(struct source *s, struct copy *c);

/* It has another version: it is known from more than what the peer says, or (SOURCE_LEARNED) from that alone. */
void source_copy_version(struct source *s, struct copy *c, const char *version);
bool source_copy_is_learned(const struct copy *c);

/* Whatever the peer should have of it is sent again, confirmed or not. */
void source_copy_force(struct copy *c);

/* source_commands.c */

/* Put it where its number wants it. */
void source_command_put(struct copy *c, struct command *command);

/* It is not the copy's any more, and freed. */
void source_command_drop(struct copy *c, struct command *command);

/* Begin the commands that the truth asks for, and add to the outbox those whose rows are durable. E_LIMIT, E_NOMEM: do it again later. */
enum err source_sync_commands(struct source *s, struct copy *c, uint64_t now_ms);

/* Remove the rows of commands that are over, and forget those. E_NOMEM: the next source_sync() does it. */
enum err source_bury_commands(struct source *s, struct copy *c);

/* source_rows.c */

/* Put or remove a row, in the batch of this turn. */
enum err source_write_copy(struct source *s, const struct copy *c, bool remove);
enum err source_write_command(struct source *s, const struct copy *c, const struct command *command, bool remove);

/* Remove the copy's row, and those of its commands. */
enum err source_remove_rows(struct source *s, const struct copy *c);

/* Be told, in source_on_durable(), when that is durable. */
enum err source_tell(struct source *s, const struct copy *c, const char *what);

/* source_sync.c */

/* Add to the outbox what the peer lacks of this name. The entry may be gone afterwards. */
void source_sync(struct source *s, struct entry *e, uint64_t now_ms);

/* Has the peer confirmed the desired state as it is? */
bool source_is_confirmed(const struct copy *c);

/* Is something of it not confirmed? */
bool source_is_behind(const struct entry *e);

/* source_answer.c: a row is durable. */
void source_on_durable(struct journal_listener *l, struct str tag);
