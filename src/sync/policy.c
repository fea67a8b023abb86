#include "sync/policy.h"

#include "base/mem.h"

enum { TYPE, SUBJECT, RESOURCE, ACTION, OBJECT, EFFECT, FIELDS };

/* Exactly so many fields? */
static bool split(struct str line, struct str fields[FIELDS])
{
	size_t commas = 0;

	for (size_t i = 0; i < line.n; i++)
		commas += line.p[i] == ',';
	for (size_t i = 0; i < FIELDS; i++)
		fields[i] = str_cut(&line, ',');
	return commas == FIELDS - 1;
}

static bool is_moved_resource(struct str resource)
{
	static const char *const moved[] = { "applications", "applicationsets", "logs", "exec" };

	for (size_t i = 0; i < ARRAY_LEN(moved); i++)
		if (str_is(resource, moved[i]))
			return true;
	return false;
}

/* Cut `prefix` off the front; false: it is not there, or nothing follows. */
static bool skip(struct str *text, struct str prefix)
{
	if (!str_starts(*text, prefix) || text->n == prefix.n)
		return false;
	*text = str_sub(*text, prefix.n, text->n);
	return true;
}

/* The role in "proj:<project>:<role>". */
static bool role_of(struct str subject, struct str project, struct str *ret_role)
{
	*ret_role = subject;
	return skip(ret_role, STR("proj:")) && skip(ret_role, project) && skip(ret_role, STR(":"));
}

/* The application in "<project>/<app>" or "<project>/<namespace>/<app>"; at the principal the namespace is the agent's. */
static bool app_of(struct str object, struct str project, struct str *ret_app)
{
	size_t slash;

	*ret_app = object;
	if (!skip(ret_app, project) || !skip(ret_app, STR("/")))
		return false;
	slash = str_find(*ret_app, '/');
	if (slash < ret_app->n)
		*ret_app = str_sub(*ret_app, slash + 1, ret_app->n);
	return ret_app->n > 0;
}

bool policy_rewrite(struct str line, const struct policy_names *names, struct buf *ret_line)
{
	struct str fields[FIELDS], role, app, old = str_of(names->old_project);

	if (!split(line, fields) || !str_is(str_trim(fields[TYPE]), "p") ||
	    !is_moved_resource(str_trim(fields[RESOURCE])) || !role_of(str_trim(fields[SUBJECT]), old, &role) ||
	    !app_of(str_trim(fields[OBJECT]), old, &app))
		return false;
	buf_addf(ret_line, "%.*s, proj:%s:%.*s,%.*s,%.*s, %s/%s/%.*s,%.*s", STR_ARG(fields[TYPE]), names->new_project,
		 STR_ARG(role), STR_ARG(fields[RESOURCE]), STR_ARG(fields[ACTION]), names->new_project, names->agent,
		 STR_ARG(app), STR_ARG(fields[EFFECT]));
	return true;
}
