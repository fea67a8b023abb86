/*
 * merge.h -- the object to be written, from what is there and what came.
 *
 * Shape     each function gives a new tree and the writes it takes; doing it a second time takes none. The tree shares with its
 *           arguments what it took over from them: change none of them afterwards, make an object of it.
 * Owner     merged_release() the result. Arguments stay the caller's.
 * Errors    E_MALFORMED  the incoming tree is no object with metadata
 *           E_NOT_FOUND  terminate: no operation has ever run
 *           E_NOMEM
 * Source    argocd-agent facts 4.4, 4.5, 9.2 (application.go:594), 10 (#840, #839); docs/sync-rules.md says where we differ
 */
#pragma once

#include "backend/object.h"

/* What must be written so that the backend has the tree. In this order. */
enum merge_writes {
	MERGE_PUT = 1,    /* BACKEND_PUT: something outside status and operation differs */
	MERGE_STATUS = 2, /* BACKEND_STATUS: status or operation differs */
	MERGE_DELETE = 4, /* BACKEND_DELETE (foreground): the source deletes it, here it is not yet being deleted */
};

struct merged {
	json_object *tree;
	unsigned writes; /* enum merge_writes; 0: nothing to do */
};

/* Takes a zeroed one. */
void merged_release(struct merged *m);

/* What is put on a copy. */
struct merge_stamp {
	const char *namespace;     /* where it lies here; NULL: where it came from */
	const char *source_uid;    /* of identity_verdict; "" or NULL: the one that is there stays */
	const char *principal_uid; /* of the event; likewise */
	bool remapped;             /* of mapping_place */
	const char *now; /* RFC 3339: last-updated, when something is put at all; NULL: none. For the principal */
};

/*
 * What the peer is known to have of us when it wrote what came, so that it does not wipe what it has not seen yet (#840).
 * Toward a peer that does not say so itself this is what it confirmed last.
 */
struct merge_known {
	/*
	 * Digest of the operation the peer has got since ours last changed; "": none yet. (Forget it when ours is cleared: the
	 * same operation asked for again is another one.)
	 */
	const char *operation;
	bool desired; /* it has got our newest desired state, the refresh annotation included */
};

/* ---- replicas --------------------------------------------------------------------------------------------------- */

/*
 * A managed agent writes what the principal sent. Labels, annotations, finalizers and content are replaced, the destination of
 * an Application becomes in-cluster, the operation is taken when there is one and the local one is not being terminated; the
 * status stays, and so do a refresh that is still to be done here and NOTIFIED. `existing` NULL: create.
 */
enum err merge_to_managed(enum object_kind kind, json_object *existing, json_object *incoming,
			  const struct merge_stamp *stamp, struct merged *ret_merged);

/*
 * The principal writes what an autonomous agent sent and mapping_from_autonomous() or project_from_agent() mapped: everything, the
 * status included. NOTIFIED stays as it is at the principal, and so do an operation and a refresh that the agent has not seen; a
 * refresh of the agent's own is not taken over, it would come back to it as ours. At a create the operation is left out.
 * `known` NULL: the agent knows all.
 */
enum err merge_from_autonomous(enum object_kind kind, json_object *existing, json_object *incoming,
			       const struct merge_stamp *stamp, const struct merge_known *known,
			       struct merged *ret_merged);

/*
 * Someone changed a replica: `recorded` is the result of the merge_to_managed() or merge_from_autonomous() that was last written.
 * What the source decides is put back, and so are our marks (the recorded ones where the stamp names none); status, operation,
 * refresh and NOTIFIED stay as they are here. `writes` is 0 when nothing was changed. `end_managed`: of a managed agent.
 */
enum err merge_revert(enum object_kind kind, bool end_managed, json_object *local, json_object *recorded,
		      const struct merge_stamp *stamp, struct merged *ret_merged);

enum merge_recreate { MERGE_RECREATE_IGNORE, MERGE_RECREATE_CLEAR_STATUS, MERGE_RECREATE_RESYNC };

/* The action of this name (--on-application-recreate: ignore, clear-status, resync); false: there is none. */
bool merge_recreate_of(const char *name, enum merge_recreate *ret_action);

/*
 * Someone deleted a replica: it is made again from `recorded`, with the status it had (`last`, as it was when it went; NULL:
 * unknown). clear-status: without operationState; resync: with an empty sync operation. An operation that was on it does not
 * come back by itself.
 */
enum err merge_recreated(enum object_kind kind, bool end_managed, json_object *recorded, json_object *last,
			 const struct merge_stamp *stamp, enum merge_recreate action, struct merged *ret_merged);

/* ---- originals -------------------------------------------------------------------------------------------------- */

/*
 * The principal takes over what a managed agent reports: status; operation, unless ours is one that the agent has not seen;
 * the refresh annotation goes when the agent has seen it and has removed it. (It is never added: a refresh asked for at the agent
 * is the agent's; carried back it would come again as a change of ours, #839.) An operation taken over here is one that the agent knows.
 */
enum err merge_status(json_object *existing, json_object *incoming, const struct merge_known *known,
		      struct merged *ret_merged);

/* An autonomous agent takes from the principal's copy: the operation, when there is one and none is being terminated; refresh. */
enum err merge_to_autonomous(json_object *existing, json_object *incoming, struct merged *ret_merged);

/* The principal's application shows what its agent could not do: condition AgentError, health Degraded. `now`: RFC 3339. */
enum err merge_agent_error(json_object *existing, const char *message, const char *now, struct merged *ret_merged);

/* Before a delete at the principal: without finalizers, so that it really goes. */
enum err merge_without_finalizers(json_object *existing, struct merged *ret_merged);

/* ---- commands, at either agent ---------------------------------------------------------------------------------- */

/* The incoming operation, nothing else. Nothing while one is being terminated. */
enum err merge_set_operation(json_object *existing, json_object *incoming, struct merged *ret_merged);

/* status.operationState.phase := Terminating; nothing when the operation has ended already. */
enum err merge_terminate(json_object *existing, struct merged *ret_merged);
