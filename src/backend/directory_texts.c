#include "backend/directory_texts.h"

#include <assert.h>
#include <string.h>

/* Steps from member to member; "*" is every member of a map and every item of a list. */
#define SOURCE(at) at ".repoURL", at ".path", at ".targetRevision", at ".chart", at ".ref", at ".name"
#define HELM(at)                                                                                \
	at ".helm.releaseName", at ".helm.values", at ".helm.version", at ".helm.valueFiles.*", \
		at ".helm.parameters.*.name", at ".helm.parameters.*.value"

static const char *const application[] = {
	"spec.project",           "spec.destination.*",   SOURCE("spec.source"),           HELM("spec.source"),
	SOURCE("spec.sources.*"), HELM("spec.sources.*"), "spec.syncPolicy.syncOptions.*", NULL,
};
static const char *const project[] = { "spec.description", "spec.sourceRepos.*", "spec.sourceNamespaces.*",
				       "spec.destinations.*.*", NULL };
static const char *const data[] = { "data.*", NULL };

static const char *const *const texts[] = {
	[OBJECT_APPLICATION] = application,
	[OBJECT_APPPROJECT] = project,
	[OBJECT_REPOSITORY] = data,
	[OBJECT_GPGKEY] = data,
};

static bool are_texts(json_object *value, const char *path);

static bool each_are_texts(json_object *value, const char *rest)
{
	bool ok = true;

	if (json_object_is_type(value, json_type_array)) {
		for (size_t i = 0; ok && i < json_object_array_length(value); i++)
			ok = are_texts(json_object_array_get_idx(value, i), rest);
	} else if (json_object_is_type(value, json_type_object)) {
		json_object_object_foreach(value, key, member)
		{
			(void)key;
			ok = ok && are_texts(member, rest);
		}
	}
	return ok;
}

/* What is not there, or no map on the way, is somebody else's business. */
static bool are_texts(json_object *value, const char *path)
{
	size_t n = strcspn(path, ".");
	const char *rest = path[n] ? path + n + 1 : path + n;
	char step[32];

	if (!value)
		return true;
	if (n == 0)
		return json_object_is_type(value, json_type_string);
	if (*path == '*')
		return each_are_texts(value, rest);
	assert(n < sizeof(step));
	memcpy(step, path, n);
	step[n] = '\0';
	return !json_object_is_type(value, json_type_object) || are_texts(tree_get(value, step, NULL), rest);
}

enum err directory_texts(enum object_kind kind, json_object *tree, struct why *why)
{
	for (const char *const *path = texts[kind]; *path; path++)
		if (!are_texts(tree, *path))
			return why_set(why, E_MALFORMED, "%s is not a string: put it in quotes", *path);
	return E_OK;
}
