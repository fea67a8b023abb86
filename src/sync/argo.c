#include "sync/argo.h"

#include <string.h>

#include "base/mem.h"
#include "sync/draft.h"

static bool begins_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

static bool is_controllers(json_object *finalizer)
{
	const char *name = graft_text(finalizer);

	return begins_with(name, FINALIZER_PRE_DELETE) || begins_with(name, FINALIZER_POST_DELETE);
}

static void add(json_object *array, json_object *from, bool controllers, enum err *err)
{
	size_t n = json_object_is_type(from, json_type_array) ? json_object_array_length(from) : 0;

	for (size_t i = 0; i < n; i++) {
		json_object *finalizer = json_object_array_get_idx(from, i);

		if (is_controllers(finalizer) != controllers)
			continue;
		if (json_object_array_add(array, json_object_get(finalizer)) == 0)
			continue;
		json_object_put(finalizer);
		*err = E_NOMEM;
	}
}

json_object *argo_finalizers(json_object *existing, json_object *incoming, enum err *err)
{
	json_object *array = json_object_new_array();

	if (!array) {
		*err = E_NOMEM;
		return NULL;
	}
	add(array, incoming, /* controllers= */ false, err);
	add(array, existing, /* controllers= */ true, err);
	if (json_object_array_length(array))
		return array;
	json_object_put(array);
	return NULL;
}

static bool says_something(json_object *object, const char *key)
{
	return graft_member(object, key) && !draft_says_nothing(graft_member(object, key));
}

static json_object *normalized(json_object *source, enum err *err)
{
	static const char *const kinds[] = { "kustomize", "helm", "directory" };
	json_object *copy = graft_copy(source, err);

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (!says_something(copy, kinds[i]))
			graft_share(copy, kinds[i], NULL, err);
	return copy;
}

/* What is no object, the server refuses. */
static json_object *all_normalized(json_object *sources, enum err *err)
{
	json_object *array = json_object_new_array();

	for (size_t i = 0; array && i < json_object_array_length(sources); i++) {
		json_object *source = json_object_array_get_idx(sources, i);
		json_object *one = json_object_is_type(source, json_type_object) ? normalized(source, err)
										 : json_object_get(source);

		if (json_object_array_add(array, one) == 0)
			continue;
		json_object_put(one);
		*err = E_NOMEM;
	}
	return array;
}

/* One source counts only where there are not several. */
static void normalize_sources(json_object *spec, enum err *err)
{
	json_object *sources = graft_member(spec, "sources");

	if (json_object_is_type(sources, json_type_array) && json_object_array_length(sources))
		graft_put(spec, "sources", all_normalized(sources, err), err);
	else if (graft_object(spec, "source"))
		graft_put(spec, "source", normalized(graft_object(spec, "source"), err), err);
}

/* Automated sync is asked for by an object without members, too. */
static bool has_policy(json_object *policy)
{
	return graft_member(policy, "automated") || graft_member(policy, "retry") ||
	       graft_member(policy, "managedNamespaceMetadata") || says_something(policy, "syncOptions");
}

void argo_normalize(json_object *spec, enum err *err)
{
	if (graft_member(spec, "project") && !says_something(spec, "project"))
		graft_put_text(spec, "project", "default", err);
	if (!has_policy(graft_object(spec, "syncPolicy")))
		graft_share(spec, "syncPolicy", NULL, err);
	normalize_sources(spec, err);
}
