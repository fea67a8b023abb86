/*
 * policy.h -- one line of a project role's policies, moved to the principal's copy of the project.
 *
 * Shape     "p, proj:<project>:<role>, <resource>, <action>, <project>/<object>, <effect>"; spaces around fields do not count.
 * Source    Argo CD RBAC (Casbin CSV); argocd-agent facts 4.4 (principal/event.go:442-505), 8.4 #17, #18, #96
 */
#pragma once

#include "base/buf.h"

struct policy_names {
	const char *agent;
	const char *old_project;
	const char *new_project;
};

/*
 * Append the line as it is at the principal: subject proj:<new>:<role>, object <new>/<agent>/<app>. False: it is no line about
 * applications, applicationsets, logs or exec of the old project; nothing is appended, and it stays as it is.
 */
bool policy_rewrite(struct str line, const struct policy_names *names, struct buf *ret_line);
