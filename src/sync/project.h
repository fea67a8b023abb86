/*
 * project.h -- AppProjects between principal and agents: who gets one, and what its copy says; and what follows a project.
 *
 * Shape     a copy is a new tree that shares with the original what it does not change: change neither afterwards.
 * Errors    E_LIMIT (a name gets too long), E_MALFORMED (not a project), E_NOMEM
 * Source    argocd-agent facts 4.4 (internal/manager/appproject/appproject.go, principal/event.go), 4.5, 8.4 #16-20, #61-68,
 *           #87-109
 */
#pragma once

#include "sync/mapping.h"

/*
 * Does this project of the principal go to the managed agent? MAPPING_OK, or why not: it carries the skip label, is itself a
 * copy (has a source-uid), names the agent in no destination, or denies it ("!pattern"). A destination names the agent by a
 * glob on its name, or without a name by the server "*" or a server URL whose parameter agentName is a glob. Mapped by
 * namespace, spec.sourceNamespaces must match the agent as well. E_NOMEM: that cannot be said now.
 */
enum err project_reaches(json_object *project, const char *agent, bool by_destination, enum mapping_reason *ret_reason);

/*
 * The copy for that agent: only the destinations that name it, each now in-cluster; without sourceNamespaces (unless mapped by
 * destination) and without roles.
 */
enum err project_for_agent(json_object *project, const char *agent, bool by_destination, json_object **ret_copy);

/*
 * The principal's copy of an autonomous agent's project: prefixed name, sourceNamespaces [agent], each destination's name the
 * agent and server "*", no owners, and in each role's policies its own name and objects replaced:
 * "p, proj:<old>:<role>, applications, *, <old>/<app>, allow" becomes "p, proj:<new>:<role>, applications, *, <new>/<agent>/<app>,
 * allow". Lines that are not of this form (facts 4.4) stay as they are.
 */
enum err project_from_agent(json_object *project, const char *agent, const char *namespace, struct why *why,
			    json_object **ret_copy);

/* Is this object of the principal the copy of this autonomous agent's project (and not of agent "a-b" for agent "a")? */
bool project_is_copy_of(json_object *project, const char *agent);

/*
 * The project a repository or credential template of the principal belongs to, into `ret_name` (OBJECT_NAME_MAX + 1 bytes):
 * it goes where its project goes. MAPPING_OK, or why it goes nowhere. E_NOMEM: that cannot be said now.
 */
enum err project_of_repository(json_object *secret, char *ret_name, enum mapping_reason *ret_reason);
