#include "sync/identity.h"

#include <string.h>

#include "base/mem.h"
#include "sync/graft.h"
#include "sync/marks.h"

/* What can be said about an event and what is there. */
enum {
	ABSENT = 1 << 0,          /* there is nothing of this name */
	FOREIGN = 1 << 1,         /* it is another agent's */
	UNMANAGED = 1 << 2,       /* at a replica: it has no source-uid */
	SAME = 1 << 3,            /* both sides name a UID, the same */
	OTHER = 1 << 4,           /* both sides name a UID, different ones */
	NO_UID = 1 << 5,          /* the event names none */
	OTHER_PRINCIPAL = 1 << 6, /* both sides name a principal, different ones */
	FIRST_PRINCIPAL = 1 << 7, /* only the event names a principal */
	DELETING = 1 << 8,        /* here it is being deleted */
	SOURCE_DELETING = 1 << 9, /* at its source it is being deleted */
	UPSERT = 1 << 10,         /* the policies that hold for this event */
	NEVER = 1 << 11,
	NOTHING_RAN = 1 << 12, /* no operationState */
	ENDED = 1 << 13,       /* the last operation has ended */
};

#define END(e)      (1u << IDENTITY_##e)
#define AGENT_M     END(MANAGED_AGENT)
#define AGENT_A     END(AUTONOMOUS_AGENT)
#define PRINCIPAL_M END(PRINCIPAL_OF_MANAGED)
#define PRINCIPAL_A END(PRINCIPAL_OF_AUTONOMOUS)
#define REPLICA     (AGENT_M | PRINCIPAL_A)
#define ORIGINAL    (AGENT_A | PRINCIPAL_M)
#define AGENTS      (AGENT_M | AGENT_A)
#define PRINCIPALS  (PRINCIPAL_M | PRINCIPAL_A)

#define KIND(k)     (1u << OBJECT_##k)
#define APP         KIND(APPLICATION)
#define PROJECT     KIND(APPPROJECT)
#define REPOSITORY  KIND(REPOSITORY)
#define ANY_KIND    (APP | PROJECT | REPOSITORY | KIND(GPGKEY))

#define VERB(v)     (1u << IDENTITY_##v)
#define WRITE       (VERB(CREATE) | VERB(SPEC))
#define OPERATE     (VERB(SET_OPERATION) | VERB(TERMINATE))

/*
 * The first row whose conditions hold decides: all of `has`, none of `lacks`.
 *
 *     end, kind, verb, has, lacks, decision, reason
 */
static const struct row {
	unsigned ends;
	unsigned kinds;
	unsigned verbs;
	unsigned has;
	unsigned lacks;
	enum identity_decision decision;
	const char *reason;
} rows[] = {
	/* Who may do what at all. */
	{ REPLICA | ORIGINAL, ANY_KIND, ~0u, FOREIGN, 0, IDENTITY_DO_REFUSE, "it belongs to another agent" },
	{ PRINCIPAL_M, ANY_KIND, WRITE, 0, 0, IDENTITY_DO_REFUSE, "a managed agent does not decide about specs" },
	{ PRINCIPAL_M, ANY_KIND & ~APP, ~0u, 0, 0, IDENTITY_DO_REFUSE,
	  "a managed agent reports about applications only" },
	{ PRINCIPALS, ANY_KIND, OPERATE, 0, 0, IDENTITY_DO_REFUSE, "operations go from the principal to the agents" },
	{ PRINCIPAL_A, ANY_KIND & ~(APP | PROJECT), ~0u, 0, 0, IDENTITY_DO_REFUSE,
	  "an autonomous agent has applications and projects only" },
	{ AGENT_A, ANY_KIND & ~APP, ~0u, 0, 0, IDENTITY_DO_REFUSE,
	  "an autonomous agent takes operations on applications only" },
	{ AGENT_A, APP, VERB(CREATE) | VERB(DELETE), 0, 0, IDENTITY_DO_REFUSE,
	  "an autonomous agent creates and deletes on its own" },
	{ AGENTS, ANY_KIND, VERB(STATUS), 0, 0, IDENTITY_DO_REFUSE, "the status goes from the agent to the principal" },
	{ AGENTS, ANY_KIND & ~APP, OPERATE, 0, 0, IDENTITY_DO_REFUSE, "only applications have operations" },

	/* Deletes: what carries another UID, or none, means another object (facts 9.2, agent/inbound.go:856-905). */
	{ REPLICA | ORIGINAL, ANY_KIND, VERB(DELETE), ABSENT, 0, IDENTITY_DO_IGNORE, "it is gone already" },
	{ REPLICA, ANY_KIND, VERB(DELETE), UNMANAGED, 0, IDENTITY_DO_IGNORE, "what is here came from nowhere else" },
	{ REPLICA | ORIGINAL, ANY_KIND, VERB(DELETE), 0, SAME, IDENTITY_DO_IGNORE,
	  "what is here has another UID than what was deleted" },
	{ REPLICA, ANY_KIND, VERB(DELETE), SAME, 0, IDENTITY_DO_DELETE, "deleted at its source" },
	{ PRINCIPAL_M, APP, VERB(DELETE), SAME | DELETING, 0, IDENTITY_DO_DELETE,
	  "the agent has deleted it, as asked" },
	{ PRINCIPAL_M, APP, VERB(DELETE), SAME, 0, IDENTITY_DO_IGNORE,
	  "it is still wanted: the agent has to make it again" },

	/* Reports, to the original. */
	{ PRINCIPALS, ANY_KIND, VERB(STATUS), ABSENT, 0, IDENTITY_DO_IGNORE, "the status of something that is gone" },
	{ PRINCIPALS, ANY_KIND, VERB(STATUS), SAME, 0, IDENTITY_DO_UPDATE, "the status" },
	{ PRINCIPALS, ANY_KIND, VERB(STATUS), 0, 0, IDENTITY_DO_IGNORE, "the status of an object with another UID" },

	/* Operations. */
	{ AGENTS, APP, OPERATE, ABSENT, 0, IDENTITY_DO_REFUSE, "there is no such application" },
	{ AGENT_M, APP, OPERATE, UNMANAGED, 0, IDENTITY_DO_REFUSE, "the application here came from nowhere else" },
	{ AGENTS, APP, OPERATE, OTHER, 0, IDENTITY_DO_REFUSE, "the application here has another UID" },
	{ AGENTS, APP, VERB(SET_OPERATION), 0, SAME, IDENTITY_DO_REFUSE, "the operation names no UID" },
	{ AGENTS, APP, VERB(TERMINATE), NOTHING_RAN, 0, IDENTITY_DO_REFUSE, "no operation has ever run" },
	{ AGENTS, APP, VERB(TERMINATE), ENDED, 0, IDENTITY_DO_IGNORE, "the operation has ended by itself" },
	{ AGENTS, APP, OPERATE, 0, 0, IDENTITY_DO_UPDATE, "an operation" },

	/* What an autonomous agent takes over of an update: operation and refresh. */
	{ AGENT_A, APP, VERB(SPEC), ABSENT, 0, IDENTITY_DO_IGNORE, "it is gone: the principal will hear of it" },
	{ AGENT_A, APP, VERB(SPEC), SAME, 0, IDENTITY_DO_UPDATE, "operation and refresh" },
	{ AGENT_A, APP, VERB(SPEC), 0, 0, IDENTITY_DO_IGNORE,
	  "the principal's copy is that of an object with another UID" },

	/* Replicas. What is being deleted at its source and is not here need not be made (#1056). */
	{ AGENT_M, APP, WRITE, ABSENT | SOURCE_DELETING, 0, IDENTITY_DO_GONE, "it is being deleted, and is not here" },
	{ REPLICA, ANY_KIND, WRITE, ABSENT | SOURCE_DELETING, 0, IDENTITY_DO_IGNORE,
	  "it is being deleted, and is not here" },
	{ REPLICA, ANY_KIND, WRITE, ABSENT, 0, IDENTITY_DO_CREATE, "it is new" },

	/* Something of that name is here and came from nowhere else. */
	{ AGENT_M, APP, VERB(SPEC), UNMANAGED, 0, IDENTITY_DO_REFUSE,
	  "an application of this name is here without source-uid: only a create may take it over" },
	{ AGENT_M, APP, VERB(CREATE), UNMANAGED | NEVER, 0, IDENTITY_DO_ERROR,
	  "an application of this name is here already, and its adoption policy is never" },
	{ AGENT_M, REPOSITORY, WRITE, UNMANAGED, 0, IDENTITY_DO_REFUSE,
	  "a repository of this name is here without source-uid" },
	{ PRINCIPAL_A, PROJECT, WRITE, UNMANAGED, 0, IDENTITY_DO_REFUSE,
	  "the principal has a project of this name of its own" },
	{ REPLICA, ANY_KIND, WRITE, UNMANAGED | DELETING, SOURCE_DELETING, IDENTITY_DO_RECREATE,
	  "what is here is being deleted: it is made anew" },
	{ REPLICA, ANY_KIND, WRITE, UNMANAGED, 0, IDENTITY_DO_ADOPT, "what was here without source-uid is taken over" },

	/* A copy is here. */
	{ PRINCIPAL_A, ANY_KIND, WRITE, DELETING, SOURCE_DELETING, IDENTITY_DO_RECREATE,
	  "somebody deletes the copy, the agent still has the object" },
	{ REPLICA, ANY_KIND, WRITE, OTHER | DELETING, 0, IDENTITY_DO_RECREATE,
	  "the former object of this name is going away" },
	{ AGENT_M, ANY_KIND, WRITE, OTHER_PRINCIPAL, 0, IDENTITY_DO_TRANSITION, "another principal has taken over" },
	{ REPLICA, ANY_KIND, WRITE, NO_UID, 0, IDENTITY_DO_UPDATE, "it names no UID" },
	{ REPLICA, ANY_KIND, WRITE, SAME, 0, IDENTITY_DO_UPDATE, "the same object" },
	{ AGENT_M, ANY_KIND, WRITE, OTHER | FIRST_PRINCIPAL, 0, IDENTITY_DO_TRANSITION,
	  "the first principal that says who it is" },
	{ REPLICA, ANY_KIND, WRITE, OTHER | UPSERT, 0, IDENTITY_DO_TRANSITION, "another UID, policy upsert" },
	{ REPLICA, ANY_KIND, WRITE, OTHER, 0, IDENTITY_DO_RECREATE,
	  "another UID: the original was deleted and made again" },
};

/* ---- conditions ------------------------------------------------------------------------------------------------- */

static bool is_replica(enum identity_end end)
{
	return (1u << end & REPLICA) != 0;
}

/* At a replica a source without the annotation is the original itself; at the original only the annotation says whose copy it is. */
static const char *incoming_uid(enum identity_end end, const struct identity_event *e)
{
	return e->source_uid[0] || !is_replica(end) ? e->source_uid : e->uid;
}

static bool says_upsert(const struct identity_event *e, const struct identity_policy *policy)
{
	enum identity_mismatch mismatch = policy->mismatch;

	(void)identity_mismatch_of(e->mismatch_policy, &mismatch);
	return mismatch == IDENTITY_UPSERT;
}

static bool says_never(const struct identity_local *l, const struct identity_policy *policy)
{
	enum identity_adoption adoption = policy->adoption;

	(void)identity_adoption_of(l->adoption, &adoption);
	return adoption == IDENTITY_NEVER;
}

static unsigned uid_conditions(const char *incoming, const char *stored)
{
	if (!incoming[0])
		return NO_UID;
	if (!stored[0])
		return 0;
	return strcmp(incoming, stored) == 0 ? SAME : OTHER;
}

static unsigned principal_conditions(const char *incoming, const char *stored)
{
	if (!incoming[0])
		return 0;
	if (!stored[0])
		return FIRST_PRINCIPAL;
	return strcmp(incoming, stored) != 0 ? OTHER_PRINCIPAL : 0;
}

static unsigned local_conditions(enum identity_end end, const struct identity_local *l)
{
	return (l->foreign ? FOREIGN : 0) | (is_replica(end) && !l->source_uid[0] ? UNMANAGED : 0) |
	       (l->deleting ? DELETING : 0) |
	       (!l->phase                   ? NOTHING_RAN
		: phase_has_ended(l->phase) ? ENDED
					    : 0);
}

static unsigned conditions(enum identity_end end, const struct identity_event *e, const struct identity_local *l,
			   const struct identity_policy *policy)
{
	unsigned c = (e->deleting ? SOURCE_DELETING : 0) | (says_upsert(e, policy) ? UPSERT : 0);

	if (!l)
		return c | ABSENT;
	return c | local_conditions(end, l) | (says_never(l, policy) ? NEVER : 0) |
	       uid_conditions(incoming_uid(end, e), is_replica(end) ? l->source_uid : l->uid) |
	       principal_conditions(e->principal_uid, l->principal_uid);
}

/* ---- deciding --------------------------------------------------------------------------------------------------- */

static const struct row *find(enum identity_end end, const struct identity_event *e, unsigned holds)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];

		if (r->ends >> end & 1 && r->kinds >> e->kind & 1 && r->verbs >> e->verb & 1 &&
		    (holds & r->has) == r->has && (holds & r->lacks) == 0)
			return r;
	}
	return NULL;
}

struct identity_verdict identity_decide(enum identity_end end, const struct identity_event *event,
					const struct identity_local *local, const struct identity_policy *policy)
{
	const struct row *row = find(end, event, conditions(end, event, local, policy));
	const char *uid = incoming_uid(end, event);

	/* Every combination has a row: the test goes through all of them. */
	return (struct identity_verdict){
		.decision = row ? row->decision : IDENTITY_DO_REFUSE,
		.reason = row ? row->reason : "there is no rule for this",
		.source_uid = uid[0] || !local ? uid : local->source_uid,
	};
}

/* ---- out of trees ----------------------------------------------------------------------------------------------- */

static const char *annotation(json_object *tree, const char *key)
{
	return tree_mark(tree, "annotations", key);
}

static bool is_deleting(json_object *tree)
{
	return tree_get(tree, "metadata", "deletionTimestamp", NULL) != NULL;
}

void identity_local_of(json_object *tree, struct identity_local *ret_local)
{
	json_object *state = tree_get(tree, "status", "operationState", NULL);

	*ret_local = (struct identity_local){
		.uid = tree_meta(tree, "uid"),
		.source_uid = annotation(tree, MARK_SOURCE_UID),
		.principal_uid = annotation(tree, MARK_PRINCIPAL_UID),
		.adoption = annotation(tree, MARK_ADOPTION_POLICY),
		.phase = state ? graft_text(graft_member(state, "phase")) : NULL,
		.deleting = is_deleting(tree),
	};
}

void identity_event_of(json_object *tree, enum object_kind kind, enum identity_verb verb, const char *principal_uid,
		       struct identity_event *ret_event)
{
	*ret_event = (struct identity_event){
		.kind = kind,
		.verb = verb,
		.source_uid = annotation(tree, MARK_SOURCE_UID),
		.uid = tree_meta(tree, "uid"),
		.principal_uid = principal_uid ? principal_uid : "",
		.mismatch_policy = annotation(tree, MARK_MISMATCH_POLICY),
		.deleting = is_deleting(tree),
	};
}

/* ---- names ------------------------------------------------------------------------------------------------------ */

bool identity_mismatch_of(const char *name, enum identity_mismatch *ret_policy)
{
	if (strcmp(name, "recreate") != 0 && strcmp(name, "upsert") != 0)
		return false;
	*ret_policy = name[0] == 'r' ? IDENTITY_RECREATE : IDENTITY_UPSERT;
	return true;
}

bool identity_adoption_of(const char *name, enum identity_adoption *ret_policy)
{
	if (strcmp(name, "always") != 0 && strcmp(name, "never") != 0)
		return false;
	*ret_policy = name[0] == 'a' ? IDENTITY_ALWAYS : IDENTITY_NEVER;
	return true;
}
