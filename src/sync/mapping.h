/*
 * mapping.h -- which agent an object belongs to, and under which names the two ends know it.
 *
 * Shape     two ways: by namespace (an agent's name is the namespace of its applications at the principal) and by destination
 *           (it is spec.destination.name; both ends must be told). Autonomous agents are always mapped by namespace.
 *           A function that decides answers with a row of MAPPING_REASONS.
 * Owner     configurations borrow everything; names returned are borrowed from the arguments.
 * Errors    E_MALFORMED, E_LIMIT, E_FORBIDDEN, E_CONFIG as each function says; E_NOMEM where a tree is changed
 * Source    argocd-agent facts 4.4, 4.6, 8.4 #37-44, #110-114
 */
#pragma once

#include "auth/agent.h"
#include "auth/pattern.h"
#include "backend/object.h"
#include "sync/marks.h"
#include "sync/selector.h"

/*    name             text for people */
#define MAPPING_REASONS(X)                                                                \
	X(OK, "is synchronised")                                                          \
	X(SKIPPED, "carries the label argocd-agent.argoproj-labs.io/ignore-sync=true")    \
	X(SELECTOR, "does not match the label selector")                                  \
	X(NAMESPACE, "lives in a namespace that --allowed-namespaces does not name")      \
	X(OWN_NAMESPACE, "lives in the principal's own namespace, which is no agent")     \
	X(NO_DESTINATION, "has no spec.destination.name, which would name its agent")     \
	X(IN_CLUSTER, "has the destination in-cluster: it is the principal's own")        \
	X(BAD_AGENT, "would belong to an agent whose name is no RFC 1123 label")          \
	X(REPLICA, "is itself the copy of an agent's object")                             \
	X(UNMANAGED, "has no source-uid and --ignore-unmanaged-apps is set")              \
	X(NOT_MATCHED, "has no destination (or sourceNamespaces) that matches the agent") \
	X(DENIED, "has a destination that denies the agent")                              \
	X(NO_PROJECT, "is a repository without a project")                                \
	X(NO_SYNC_KIND, "is of a kind, or has a name or namespace, that is not synchronised")

enum mapping_reason {
#define X(name, text) MAPPING_##name,
	MAPPING_REASONS(X)
#undef X
		MAPPING_REASON_COUNT,
};

/* The row's text: "application a/b " text. Never NULL. */
const char *mapping_reason_text(enum mapping_reason reason);

/* ---- names ------------------------------------------------------------------------------------------------------ */

/*
 * The name at the principal of an autonomous agent's project, "<agent>-<name>", into `ret_name` (OBJECT_NAME_MAX + 1 bytes);
 * no name is "default". E_LIMIT: longer than OBJECT_NAME_MAX.
 */
enum err mapping_prefixed(const char *agent, const char *name, char *ret_name, struct why *why);

/* The reverse; NULL: it has not this agent's prefix. Borrowed from `name`. */
const char *mapping_unprefixed(const char *agent, const char *name);

/* ---- the principal ---------------------------------------------------------------------------------------------- */

struct mapping_principal {
	bool by_destination;             /* --destination-based-mapping */
	const char *namespace;           /* --namespace: its own */
	const struct patterns *allowed;  /* --allowed-namespaces; none of them: nothing is admitted by namespace */
	const struct selector *selector; /* --label-selector; NULL: all */
};

/*
 * Which managed agent does this Application of the principal belong to? MAPPING_OK: *ret_agent, borrowed from the tree.
 * Anything else: it is sent to nobody, and who has a copy gets a delete while the object stays at the principal: that is
 * what adding the skip label to a synchronised object means (facts 8.4 #114), and what moving it elsewhere means.
 */
enum mapping_reason mapping_owner(const struct mapping_principal *m, json_object *app, const char **ret_agent);

/* Does it carry the skip label? Of any kind. */
bool mapping_skipped(json_object *tree);

/*
 * Where the principal keeps what this managed agent reports about the application of namespace `incoming`, borrowed; `remapped`:
 * what came carries MARK_REMAPPED. E_MALFORMED: mapped by destination, and it names no namespace. That the object there is this
 * agent's remains to be looked at with mapping_owner().
 */
enum err mapping_reported(const struct mapping_principal *m, const char *agent, const char *incoming, bool remapped,
			  const char **ret_namespace, struct why *why);

/*
 * Turn an Application of an autonomous agent into the principal's copy, in place: namespace and those of Applications among
 * status.resources[] := agent, project := its prefixed name, destination.name := agent (the cluster's name at the principal),
 * destination.server removed. To be done once to what came. E_MALFORMED: it has no spec. E_LIMIT: the project's name gets too
 * long. E_NOMEM.
 */
enum err mapping_from_autonomous(json_object *app, const char *agent, struct why *why);

/* ---- the agent -------------------------------------------------------------------------------------------------- */

struct mapping_agent {
	bool by_destination;
	bool ignore_unmanaged;           /* --ignore-unmanaged-apps */
	const char *namespace;           /* --namespace: its own */
	const char *principal_namespace; /* as the principal said when it let us in; "" or NULL: it did not */
	const struct patterns *allowed;  /* --allowed-namespaces, beside its own */
	const struct selector *selector; /* --label-selector; NULL: all */
};

struct mapping_place {
	const char *namespace; /* where to store it, borrowed */
	bool remapped;         /* mark it with MARK_REMAPPED */
};

/*
 * Where an incoming object of the namespace `incoming` is stored. Kinds other than Application always lie in the agent's own
 * namespace, and so does everything of an autonomous agent (ask with by_destination false). E_FORBIDDEN: by destination, and
 * the namespace is not allowed. E_CONFIG: by destination, and the principal named no namespace of its own. E_MALFORMED: by
 * destination, and there is no namespace in it.
 */
enum err mapping_place(const struct mapping_agent *m, enum object_kind kind, const char *incoming,
		       struct mapping_place *ret_place, struct why *why);

/* The namespace under which the principal knows a local object: the reverse. */
enum err mapping_reported_as(const struct mapping_agent *m, enum object_kind kind, json_object *local,
			     const char **ret_namespace, struct why *why);

/* Does the agent look at this local object, with these labels (NULL: none)? What is no application counts in its own namespace alone. */
enum mapping_reason mapping_admits(const struct mapping_agent *m, const struct object *local, json_object *labels);
