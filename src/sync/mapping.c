#include "sync/mapping.h"

#include <stdio.h>
#include <string.h>

#include "sync/graft.h"

static const char *const reason_texts[] = {
#define X(name, text) [MAPPING_##name] = text,
	MAPPING_REASONS(X)
#undef X
};

const char *mapping_reason_text(enum mapping_reason reason)
{
	return reason_texts[reason];
}

/* ---- names ------------------------------------------------------------------------------------------------------ */

enum err mapping_prefixed(const char *agent, const char *name, char *ret_name, struct why *why)
{
	int n = snprintf(ret_name, OBJECT_NAME_MAX + 1, "%s-%s", agent, name[0] ? name : "default");

	if (n < 0 || n > OBJECT_NAME_MAX)
		return why_set(why, E_LIMIT, "project %.80s: with the prefix '%s-' the name is longer than %d bytes",
			       name, agent, OBJECT_NAME_MAX);
	return E_OK;
}

const char *mapping_unprefixed(const char *agent, const char *name)
{
	size_t n = strlen(agent);

	if (strncmp(name, agent, n) != 0 || name[n] != '-' || !name[n + 1])
		return NULL;
	return name + n + 1;
}

/* ---- the principal ---------------------------------------------------------------------------------------------- */

static bool says_skip(json_object *labels)
{
	return strcmp(graft_text(graft_member(labels, LABEL_SKIP_SYNC)), "true") == 0;
}

bool mapping_skipped(json_object *tree)
{
	return says_skip(tree_get(tree, "metadata", "labels", NULL));
}

static bool is_allowed(const struct patterns *allowed, const char *namespace)
{
	return allowed && patterns_match(allowed, str_of(namespace));
}

static enum mapping_reason owner_by_namespace(const struct mapping_principal *m, const char *namespace,
					      const char **ret_agent)
{
	if (strcmp(namespace, m->namespace) == 0)
		return MAPPING_OWN_NAMESPACE;
	if (!is_allowed(m->allowed, namespace))
		return MAPPING_NAMESPACE;
	if (!agent_name_ok(str_of(namespace)))
		return MAPPING_BAD_AGENT;
	*ret_agent = namespace;
	return MAPPING_OK;
}

static enum mapping_reason owner_by_destination(const struct mapping_principal *m, const char *namespace,
						json_object *app, const char **ret_agent)
{
	const char *name = graft_text(tree_get(app, "spec", "destination", "name", NULL));

	if (strcmp(namespace, m->namespace) != 0 && !is_allowed(m->allowed, namespace))
		return MAPPING_NAMESPACE;
	if (!name[0])
		return MAPPING_NO_DESTINATION;
	if (strcmp(name, DESTINATION_IN_CLUSTER) == 0)
		return MAPPING_IN_CLUSTER;
	if (!agent_name_ok(str_of(name)) || strcmp(name, m->namespace) == 0)
		return MAPPING_BAD_AGENT;
	*ret_agent = name;
	return MAPPING_OK;
}

enum mapping_reason mapping_owner(const struct mapping_principal *m, json_object *app, const char **ret_agent)
{
	const char *namespace = tree_meta(app, "namespace");

	if (mapping_skipped(app))
		return MAPPING_SKIPPED;
	if (!selector_match(m->selector, tree_get(app, "metadata", "labels", NULL)))
		return MAPPING_SELECTOR;
	if (m->by_destination)
		return owner_by_destination(m, namespace, app, ret_agent);
	return owner_by_namespace(m, namespace, ret_agent);
}

enum err mapping_reported(const struct mapping_principal *m, const char *agent, const char *incoming, bool remapped,
			  const char **ret_namespace, struct why *why)
{
	if (m->by_destination && !incoming[0])
		return why_set(why, E_MALFORMED, "it names no namespace, and objects are mapped by destination");
	*ret_namespace = !m->by_destination ? agent : remapped ? m->namespace : incoming;
	return E_OK;
}

/* A member that is an object, made when it is missing; NULL without memory. */
static json_object *ensure_object(json_object *tree, const char *key, enum err *err)
{
	json_object *object = graft_object(tree, key);

	if (!object) {
		object = json_object_new_object();
		graft_put(tree, key, object, err);
	}
	return *err == E_OK ? object : NULL;
}

static void map_resources(json_object *app, const char *agent, enum err *err)
{
	json_object *resources = tree_get(app, "status", "resources", NULL);
	size_t n = json_object_is_type(resources, json_type_array) ? json_object_array_length(resources) : 0;

	for (size_t i = 0; i < n; i++) {
		json_object *resource = json_object_array_get_idx(resources, i);

		if (strcmp(graft_text(graft_member(resource, "kind")), "Application") == 0 &&
		    strcmp(graft_text(graft_member(resource, "group")), "argoproj.io") == 0)
			graft_put_text(resource, "namespace", agent, err);
	}
}

enum err mapping_from_autonomous(json_object *app, const char *agent, struct why *why)
{
	char project[OBJECT_NAME_MAX + 1];
	json_object *spec = graft_object(app, "spec"), *destination;
	enum err err;

	if (!spec)
		return why_set(why, E_MALFORMED, "application without spec");
	err = mapping_prefixed(agent, graft_text(graft_member(spec, "project")), project, why);
	if (err != E_OK)
		return err;
	err = tree_meta_set(app, "namespace", agent);
	graft_put_text(spec, "project", project, &err);
	destination = ensure_object(spec, "destination", &err);
	graft_put_text(destination, "name", agent, &err);
	graft_share(destination, "server", NULL, &err);
	map_resources(app, agent, &err);
	return err == E_OK ? E_OK : why_set(why, err, "map an application of '%s'", agent);
}

/* ---- the agent -------------------------------------------------------------------------------------------------- */

static bool is_mapped(const struct mapping_agent *m, enum object_kind kind)
{
	return m->by_destination && kind == OBJECT_APPLICATION;
}

static enum err no_principal_namespace(struct why *why)
{
	return why_set(why, E_CONFIG,
		       "objects are mapped by destination, and the principal did not say what its namespace is");
}

static bool knows_principal(const struct mapping_agent *m)
{
	return m->principal_namespace && m->principal_namespace[0];
}

enum err mapping_place(const struct mapping_agent *m, enum object_kind kind, const char *incoming,
		       struct mapping_place *ret_place, struct why *why)
{
	struct mapping_place place = { .namespace = m->namespace };

	if (is_mapped(m, kind)) {
		if (!knows_principal(m))
			return no_principal_namespace(why);
		if (!incoming[0])
			return why_set(why, E_MALFORMED,
				       "it names no namespace, and objects are mapped by destination");
		place.remapped = strcmp(incoming, m->principal_namespace) == 0 && strcmp(incoming, m->namespace) != 0;
		place.namespace = place.remapped ? m->namespace : incoming;
	}
	if (strcmp(place.namespace, m->namespace) != 0 && !is_allowed(m->allowed, place.namespace))
		return why_set(why, E_FORBIDDEN, "namespace '%.80s' is not among --allowed-namespaces",
			       place.namespace);
	*ret_place = place;
	return E_OK;
}

enum err mapping_reported_as(const struct mapping_agent *m, enum object_kind kind, json_object *local,
			     const char **ret_namespace, struct why *why)
{
	bool remapped = strcmp(tree_mark(local, "annotations", MARK_REMAPPED), "true") == 0;

	if (is_mapped(m, kind) && remapped && !knows_principal(m))
		return no_principal_namespace(why);
	*ret_namespace = is_mapped(m, kind) && remapped ? m->principal_namespace : tree_meta(local, "namespace");
	return E_OK;
}

enum mapping_reason mapping_admits(const struct mapping_agent *m, const struct object *local, json_object *labels)
{
	if (says_skip(labels))
		return MAPPING_SKIPPED;
	if (strcmp(local->namespace, m->namespace) != 0 &&
	    (local->kind != OBJECT_APPLICATION || !is_allowed(m->allowed, local->namespace)))
		return MAPPING_NAMESPACE;
	if (local->kind != OBJECT_APPLICATION)
		return MAPPING_OK;
	if (!selector_match(m->selector, labels))
		return MAPPING_SELECTOR;
	if (m->ignore_unmanaged && !local->source_uid[0])
		return MAPPING_UNMANAGED;
	return MAPPING_OK;
}
