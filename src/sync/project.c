#include "sync/project.h"

#include <string.h>

#include "auth/regex.h"
#include "base/base64.h"
#include "base/buf.h"
#include "base/glob.h"
#include "sync/destination.h"
#include "sync/graft.h"
#include "sync/policy.h"

/* ---- who gets one ----------------------------------------------------------------------------------------------- */

static size_t length(json_object *array)
{
	return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

static enum mapping_reason destinations_reach(json_object *project, struct str agent)
{
	json_object *destinations = tree_get(project, "spec", "destinations", NULL);
	bool named = false;

	for (size_t i = 0; i < length(destinations); i++) {
		enum destination_says said = destination_says(json_object_array_get_idx(destinations, i), agent);

		if (said == DESTINATION_DENIED)
			return MAPPING_DENIED;
		named |= said == DESTINATION_NAMED;
	}
	return named ? MAPPING_OK : MAPPING_NOT_MATCHED;
}

/* A glob, or an expression between slashes. One that is wrong matches nothing. E_NOMEM */
static enum err namespace_matches(struct str pattern, struct str agent, bool *ret_match)
{
	CLEANUP(regex_freep) struct regex *regex = NULL;
	enum err err = E_OK;

	*ret_match = false;
	if (pattern.n < 2 || pattern.p[0] != '/' || pattern.p[pattern.n - 1] != '/')
		*ret_match = glob_matches(pattern, agent);
	else if ((err = regex_new(str_sub(pattern, 1, pattern.n - 2), NULL, &regex)) == E_OK)
		err = regex_match(regex, agent, ret_match, NULL);
	return err == E_NOMEM ? err : E_OK;
}

static enum err source_namespaces_reach(json_object *project, struct str agent, bool *ret_reach)
{
	json_object *namespaces = tree_get(project, "spec", "sourceNamespaces", NULL);
	enum err err = E_OK;

	*ret_reach = false;
	for (size_t i = 0; i < length(namespaces) && err == E_OK && !*ret_reach; i++)
		err = namespace_matches(str_of(graft_text(json_object_array_get_idx(namespaces, i))), agent, ret_reach);
	return err;
}

enum err project_reaches(json_object *project, const char *agent, bool by_destination, enum mapping_reason *ret_reason)
{
	bool reach = true;
	enum err err = E_OK;

	if (mapping_skipped(project))
		*ret_reason = MAPPING_SKIPPED;
	else if (tree_mark(project, "annotations", MARK_SOURCE_UID)[0])
		*ret_reason = MAPPING_REPLICA;
	else
		*ret_reason = destinations_reach(project, str_of(agent));
	if (*ret_reason == MAPPING_OK && !by_destination)
		err = source_namespaces_reach(project, str_of(agent), &reach);
	if (!reach)
		*ret_reason = MAPPING_NOT_MATCHED;
	return err;
}

/* ---- copies ----------------------------------------------------------------------------------------------------- */

/* Takes over `value`. */
static void append(json_object *array, json_object *value, enum err *err)
{
	if (array && value && json_object_array_add(array, value) == 0)
		return;
	*err = E_NOMEM;
	json_object_put(value);
}

/* With the metadata and the spec its own, the rest shared. NULL without memory. */
static json_object *copy_project(json_object *project, json_object **ret_metadata, json_object **ret_spec,
				 enum err *err)
{
	json_object *copy = graft_copy(project, err);

	*ret_metadata = graft_copy(graft_object(project, "metadata"), err);
	*ret_spec = graft_copy(graft_object(project, "spec"), err);
	graft_put(copy, "metadata", *ret_metadata, err);
	graft_put(copy, "spec", *ret_spec, err);
	if (*err == E_OK)
		return copy;
	json_object_put(copy);
	return NULL;
}

static void put_destination(json_object *array, json_object *destination, const char *name, const char *server,
			    enum err *err)
{
	json_object *copy = graft_copy(destination, err);

	graft_put_text(copy, "name", name, err);
	graft_put_text(copy, "server", server, err);
	append(array, copy, err);
}

static json_object *agent_destinations(json_object *project, struct str agent, enum err *err)
{
	json_object *destinations = tree_get(project, "spec", "destinations", NULL), *copies = json_object_new_array();

	for (size_t i = 0; i < length(destinations); i++) {
		json_object *destination = json_object_array_get_idx(destinations, i);

		if (destination_says(destination, agent) == DESTINATION_NAMED)
			put_destination(copies, destination, DESTINATION_IN_CLUSTER, DESTINATION_IN_CLUSTER_SERVER,
					err);
	}
	return copies;
}

enum err project_for_agent(json_object *project, const char *agent, bool by_destination, json_object **ret_copy)
{
	enum err err = E_OK;
	json_object *metadata, *spec, *copy = copy_project(project, &metadata, &spec, &err);

	if (!copy)
		return err;
	graft_put(spec, "destinations", agent_destinations(project, str_of(agent), &err), &err);
	graft_share(spec, "roles", NULL, &err);
	if (!by_destination)
		graft_share(spec, "sourceNamespaces", NULL, &err);
	if (err == E_OK)
		*ret_copy = copy;
	else
		json_object_put(copy);
	return err;
}

static json_object *principal_destinations(json_object *project, const char *agent, enum err *err)
{
	json_object *destinations = tree_get(project, "spec", "destinations", NULL), *copies = json_object_new_array();

	for (size_t i = 0; i < length(destinations); i++)
		put_destination(copies, json_object_array_get_idx(destinations, i), agent, "*", err);
	return copies;
}

/* One policy line, rewritten when it speaks of its own project. */
static json_object *rewritten(json_object *line, const struct policy_names *names, enum err *err)
{
	struct buf text = { 0 };
	json_object *copy = NULL;

	if (policy_rewrite(str_of(graft_text(line)), names, &text) && text.err == E_OK)
		copy = json_object_new_string_len(text.p, (int)text.n);
	else if (text.err == E_OK)
		copy = line ? json_object_get(line) : json_object_new_string("");
	if (!copy)
		*err = E_NOMEM;
	buf_release(&text);
	return copy;
}

static json_object *role_copy(json_object *role, const struct policy_names *names, enum err *err)
{
	json_object *copy = graft_copy(role, err), *policies = graft_member(role, "policies"), *lines;

	if (length(policies) == 0)
		return copy;
	lines = json_object_new_array();
	for (size_t i = 0; i < length(policies); i++)
		append(lines, rewritten(json_object_array_get_idx(policies, i), names, err), err);
	graft_put(copy, "policies", lines, err);
	return copy;
}

static void put_roles(json_object *spec, const struct policy_names *names, enum err *err)
{
	json_object *roles = graft_member(spec, "roles"), *copies;

	if (length(roles) == 0)
		return;
	copies = json_object_new_array();
	for (size_t i = 0; i < length(roles); i++)
		append(copies, role_copy(json_object_array_get_idx(roles, i), names, err), err);
	graft_put(spec, "roles", copies, err);
}

static json_object *just(const char *text, enum err *err)
{
	json_object *array = json_object_new_array();

	append(array, json_object_new_string(text), err);
	return array;
}

enum err project_from_agent(json_object *project, const char *agent, const char *namespace, struct why *why,
			    json_object **ret_copy)
{
	char name[OBJECT_NAME_MAX + 1];
	const char *old = tree_meta(project, "name");
	struct policy_names names = { .agent = agent, .old_project = old, .new_project = name };
	json_object *metadata, *spec, *copy;
	enum err err;

	if (!old[0])
		return why_set(why, E_MALFORMED, "project without a name");
	err = mapping_prefixed(agent, old, name, why);
	if (err != E_OK)
		return err;
	copy = copy_project(project, &metadata, &spec, &err);
	if (!copy)
		return why_set(why, err, "copy a project");
	graft_put_text(metadata, "name", name, &err);
	graft_put_text(metadata, "namespace", namespace, &err);
	graft_share(metadata, "ownerReferences", NULL, &err);
	graft_put(spec, "sourceNamespaces", just(agent, &err), &err);
	graft_put(spec, "destinations", principal_destinations(project, agent, &err), &err);
	put_roles(spec, &names, &err);
	if (err == E_OK) {
		*ret_copy = copy;
		return E_OK;
	}
	json_object_put(copy);
	return why_set(why, err, "copy a project");
}

bool project_is_copy_of(json_object *project, const char *agent)
{
	json_object *namespaces = tree_get(project, "spec", "sourceNamespaces", NULL);

	return mapping_unprefixed(agent, tree_meta(project, "name")) &&
	       tree_mark(project, "annotations", MARK_SOURCE_UID)[0] && length(namespaces) == 1 &&
	       strcmp(graft_text(json_object_array_get_idx(namespaces, 0)), agent) == 0;
}

/* ---- what follows a project ------------------------------------------------------------------------------------- */

static bool is_repository(json_object *secret)
{
	const char *type = tree_mark(secret, "labels", LABEL_SECRET_TYPE);

	return strcmp(type, "repository") == 0 || strcmp(type, "repo-creds") == 0;
}

/* The decoded member `project` of a secret, checked to be a name. E_NOT_FOUND: there is none. E_NOMEM */
static enum err secret_project(json_object *secret, char *ret_name)
{
	struct str plain = str_of(graft_text(tree_get(secret, "stringData", "project", NULL)));
	struct str coded = str_of(graft_text(tree_get(secret, "data", "project", NULL)));
	struct buf text = { .max = OBJECT_NAME_MAX + 1 };
	enum err err;

	if (plain.n)
		buf_str(&text, plain);
	else
		(void)base64_read(coded, &text);
	err = text.err == E_OK && object_name_ok(buf_view(&text)) ? E_OK : text.err == E_NOMEM ? E_NOMEM : E_NOT_FOUND;
	if (err == E_OK) {
		memcpy(ret_name, text.p, text.n);
		ret_name[text.n] = '\0';
	}
	buf_release(&text);
	return err;
}

enum err project_of_repository(json_object *secret, char *ret_name, enum mapping_reason *ret_reason)
{
	enum err err = E_NOT_FOUND;

	*ret_reason = MAPPING_NO_PROJECT;
	if (!is_repository(secret))
		*ret_reason = MAPPING_NO_SYNC_KIND;
	else if (mapping_skipped(secret))
		*ret_reason = MAPPING_SKIPPED;
	else if (tree_mark(secret, "annotations", MARK_SOURCE_UID)[0])
		*ret_reason = MAPPING_REPLICA;
	else if ((err = secret_project(secret, ret_name)) == E_OK)
		*ret_reason = MAPPING_OK;
	return err == E_NOMEM ? err : E_OK;
}
