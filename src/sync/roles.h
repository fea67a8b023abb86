/*
 * roles.h -- the four ends of a sync: what each sends, and what it does with what comes.
 *
 * Shape     a principal faces a managed or an autonomous agent, and each of these faces its principal. A role is the rules of a
 *           source and of a replica, made of mapping.h, project.h, identity.h and merge.h.
 *
 *               end                      sends                                   takes
 *               managed agent            status, deletions, errors               objects, deletions, commands
 *               principal of managed     objects, deletions, commands            status, deletions, errors
 *               autonomous agent         objects with their status, deletions    commands, refresh
 *               principal of autonomous  commands, refresh                       objects, deletions
 *
 * Owner     a role borrows its configuration, and lives in its session.
 * Source    argocd-agent facts 2.8, 4.3, 4.4, 4.5
 */
#pragma once

#include "sync/identity.h"
#include "sync/mapping.h"
#include "sync/merge.h"
#include "sync/replica.h"
#include "sync/source.h"

enum role_end {
	ROLE_MANAGED_AGENT,
	ROLE_AUTONOMOUS_AGENT,
	ROLE_PRINCIPAL_OF_MANAGED,
	ROLE_PRINCIPAL_OF_AUTONOMOUS,
};

struct role_config {
	enum role_end end;
	const char *agent;                         /* the agent's name */
	const char *principal_uid;                 /* a principal's: its lasting identity, facts 4.2; "" at an agent */
	const struct mapping_principal *principal; /* a principal's */
	const struct mapping_agent *site;          /* an agent's */
	struct identity_policy policy;             /* an agent's */
	enum merge_recreate recreate;              /* an agent's */
	/* A principal's: does the AppProject of this name go to the agent? Repositories go where their project goes. */
	enum err (*project_goes)(void *ctx, const char *project, const char *agent);
	void *ctx;
};

struct role {
	struct role_config config;
	int64_t wall_ns;         /* of the turn; for stamps */
	struct source *source;   /* set by the session: what the peer knows (merge.h) */
	struct replica *replica; /* likewise: what is being applied */
	bool remembers;          /* set by the session: the peer speaks our dialect, so it forgets no deletion */
	char now[40];
};

/* Is it right that this end sends "create", or deletions? */
bool role_creates(enum role_end end);
bool role_deletes(enum role_end end);

/* The rules; `ctx` is the role. */
struct source_rules role_source(struct role *r);
struct replica_rules role_replica(struct role *r);

/* May this end have objects of this kind for its peer? And may an event of the peer change them, where they are no copies? */
bool role_has_kind(enum role_end end, enum object_kind kind);
bool role_takes_kind(enum role_end end, enum object_kind kind);

/*
 * A name as the peer says it, into the place that it has here; and the reverse for what we say. `uid`: of the original, as far as the
 * peer names it. False: nowhere.
 */
bool role_place_of(const struct role *r, enum object_kind kind, struct str namespace, struct str name, struct str uid,
		   struct replica_place *ret_place);
void role_said_as(const struct role *r, const struct replica_place *place, json_object *local,
		  struct str *ret_namespace, struct str *ret_name);
