/*
 * role_impl.h -- what the four roles share. Internal to sync.
 *
 * Shape     roles.c the table of ends, and their rules as those of a source and a replica; role_names.c what the peer calls
 *           things; role_common.c events and plans; role_managed_agent.c, role_autonomous_agent.c, role_principal_managed.c,
 *           role_principal_autonomous.c the rules of each end.
 */
#pragma once

#include "sync/project.h"
#include "sync/roles.h"

/* The rules of one end; NULL functions: it has none of that. */
struct role_rules {
	enum err (*describe)(const struct role *r, const struct object *truth, json_object *tree,
			     struct source_state *ret_state);
	/* Make of `tree` (the truth, forked: tree_fork()) what the peer gets. `*tree` may be replaced. */
	enum err (*prepare)(const struct role *r, enum wire_type type, enum object_kind kind, json_object **tree);
	/* What a deletion says beside key and UID: into the text that is kept, and from there into the stub. */
	enum err (*remember)(const struct role *r, const struct object *truth, struct buf *text);
	enum err (*recall)(const struct role *r, struct str remembered, json_object *stub);
	enum err (*locate)(const struct role *r, const struct wire_event *e, enum object_kind kind,
			   json_object **incoming, struct replica_place *ret_place, struct why *why);
	enum err (*apply)(struct role *r, const struct replica_case *c, json_object *local, struct replica_plan *plan,
			  struct why *why);
	enum err (*revert)(struct role *r, const struct replica_case *c, json_object *local, struct replica_plan *plan,
			   struct why *why);
	/* Of an object with a source-uid: is it a copy of the peer's, where the peer's copies lie? */
	bool (*is_copy)(const struct role *r, const struct object *local, json_object *tree);
	bool sends_excerpt; /* all but projects go as excerpt.h says: the same as prepare() with a tree makes of them */
	bool names_principal; /* events carry principaluid (facts 4.2) */
};

extern const struct role_rules role_managed_agent;
extern const struct role_rules role_autonomous_agent;
extern const struct role_rules role_principal_of_managed;
extern const struct role_rules role_principal_of_autonomous;

/* In place of a digest: that there is none is told as well. */
extern const struct digest role_no_status;

/* ---- what is sent ------------------------------------------------------------------------------------------------ */

/* Digests of the operation, and of the one that is being terminated. */
enum err role_describe_operation(json_object *tree, struct source_state *ret_state);

/* Those of mark_wishes that an object has: put on `said` (NULL: E_NOMEM); the digest of them alone, "" without any. */
enum err role_add_wishes(json_object *tree, json_object *said);
enum err role_describe_wishes(json_object *tree, struct digest *ret_digest);

/* ---- what comes -------------------------------------------------------------------------------------------------- */

/* Seen with the rules of identity.h. `foreign`: what is there belongs to another agent. */
struct identity_verdict role_decide(const struct role *r, enum identity_end end, const struct replica_case *c,
				    json_object *local, bool foreign);

/* The plan of a verdict that writes nothing, or only deletes. False: it writes. */
bool role_plan_simple(const struct replica_case *c, const struct identity_verdict *v, json_object *local,
		      struct replica_plan *plan, enum err *ret_err, struct why *why);

/*
 * What came lacks the refresh that we ask for, and is from after we sent it to a Go agent, which has not answered yet: whether the
 * refresh is done, or was never seen, is known with the answer. It is on its way.
 */
bool role_is_early(const struct role *r, const struct replica_case *c, json_object *local);

/* Is it being deleted at its source? Then it is not put back here any more. */
bool role_is_going(const struct replica_case *c);

/* An operation of `m`, which is to be written over `local`, comes from the peer: it must not go back. Not written while nobody could know. */
enum err role_takes_over(struct role *r, const struct replica_case *c, json_object *local, const struct merged *m,
			 struct replica_plan *plan);

/* Add the writes of `m` to the plan, and release it. With `record`: what is written is what is reverted to. */
enum err role_plan_merged(const struct replica_case *c, struct merged *m, bool record, struct replica_plan *plan,
			  struct why *why);

/* Without its finalizers, on which nobody works there, and then gone: a delete at the principal. `again`: to be made anew. */
enum err role_plan_delete(const struct replica_case *c, json_object *local, bool again, struct replica_plan *plan,
			  struct why *why);

/* RFC 3339 of the turn. */
const char *role_now(struct role *r);
