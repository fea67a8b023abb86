/*
 * identity.h -- what to do with an event about an object, seeing what is there: facts 4.3 as one table.
 *
 * Shape     a decision is the first row of the table (identity.c) whose end, kind, verb and conditions fit. Two of the four ends
 *           hold replicas (a managed agent; the principal of an autonomous one) and two the original. At a replica identity is
 *           the annotation source-uid against the incoming source-uid, or the incoming metadata.uid without one; at the
 *           original it is metadata.uid against the incoming source-uid.
 * Owner     everything is borrowed.
 * Source    argocd-agent facts 4.3, 4.5, 6.5, 9.2, 10 (#1056, #831); docs/sync-rules.md says where we differ
 */
#pragma once

#include "backend/object.h"

enum identity_end {
	IDENTITY_MANAGED_AGENT,           /* the principal writes here */
	IDENTITY_AUTONOMOUS_AGENT,        /* the principal sends operations here */
	IDENTITY_PRINCIPAL_OF_MANAGED,    /* the agent reports here */
	IDENTITY_PRINCIPAL_OF_AUTONOMOUS, /* the agent writes here */
};

enum identity_verb {
	IDENTITY_CREATE,
	IDENTITY_SPEC,   /* spec-update */
	IDENTITY_STATUS, /* status-update, and the event "error" */
	IDENTITY_SET_OPERATION,
	IDENTITY_TERMINATE,
	IDENTITY_DELETE,
};

enum identity_decision {
	IDENTITY_DO_CREATE,
	IDENTITY_DO_UPDATE,     /* the same object: write it (set it, terminate it) */
	IDENTITY_DO_TRANSITION, /* in place, and stamp the new source-uid and principal-uid */
	IDENTITY_DO_ADOPT,      /* likewise: it was nobody's until now */
	IDENTITY_DO_RECREATE,   /* delete what is there; when it is gone, decide again */
	IDENTITY_DO_DELETE,     /* at the principal: remove the finalizers first */
	IDENTITY_DO_REFUSE,     /* rejected for good */
	IDENTITY_DO_ERROR,      /* rejected for good, and the event "error" to the principal */
	IDENTITY_DO_IGNORE,     /* nothing to do: done */
	IDENTITY_DO_GONE, /* nothing to do, but the source waits to hear that it is deleted here: say so (#1056) */
};

enum identity_mismatch { IDENTITY_RECREATE, IDENTITY_UPSERT };
enum identity_adoption { IDENTITY_ALWAYS, IDENTITY_NEVER };

struct identity_policy {
	enum identity_mismatch mismatch; /* --source-uid-mismatch-policy */
	enum identity_adoption adoption; /* --adoption-policy */
};

/* What is there. */
struct identity_local {
	const char *uid;           /* metadata.uid */
	const char *source_uid;    /* annotation, "" without */
	const char *principal_uid; /* annotation, "" without */
	const char *adoption;      /* annotation adoption-policy, "" without */
	const char *phase;         /* status.operationState.phase; "" without; NULL: there is no operationState */
	bool deleting;             /* it has a deletionTimestamp */
	bool foreign; /* the caller's: it belongs to another agent (mapping_owner(), project_is_copy_of()) */
};

/* What came. */
struct identity_event {
	enum object_kind kind;
	enum identity_verb verb;
	const char *source_uid;      /* annotation, "" without */
	const char *uid;             /* metadata.uid, "" without */
	const char *principal_uid;   /* of the event; "": it carries none */
	const char *mismatch_policy; /* annotation, "" without */
	bool deleting;               /* it is being deleted at its source */
};

struct identity_verdict {
	enum identity_decision decision;
	const char *reason; /* for logs, and for the peer when refused; static */
	/* To be stamped on what is written: that of the event, else the one already there; "". */
	const char *source_uid;
};

/* What the rules want to know of a tree. `principal_uid` of the event: NULL is "". */
void identity_local_of(json_object *tree, struct identity_local *ret_local);
void identity_event_of(json_object *tree, enum object_kind kind, enum identity_verb verb, const char *principal_uid,
		       struct identity_event *ret_event);

/* `local` NULL: there is nothing of this name. */
struct identity_verdict identity_decide(enum identity_end end, const struct identity_event *event,
					const struct identity_local *local, const struct identity_policy *policy);

/* The policy of this name; false: there is none. */
bool identity_mismatch_of(const char *name, enum identity_mismatch *ret_policy);
bool identity_adoption_of(const char *name, enum identity_adoption *ret_policy);
