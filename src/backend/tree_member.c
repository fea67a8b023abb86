#include <string.h>

#include "backend/object.h"

#define FEW 8 /* members that are sooner looked at one by one than a key is hashed */

/* By their length. json-c copies each key that it does not know to stay: these, which nearly every object has, stay. */
static const char *const common_keys[][6] = {
	[3] = { "uid" },
	[4] = { "name", "spec", "kind", "path", "sync", "helm" },
	[5] = { "prune", "phase" },
	[6] = { "source", "status", "labels", "server", "health" },
	[7] = { "project", "repoURL", "message", "sources", "syncedAt" },
	[8] = { "metadata", "selfHeal", "revision" },
	[9] = { "namespace", "automated", "operation", "resources", "startedAt" },
	[10] = { "apiVersion", "syncPolicy", "finalizers", "generation", "syncResult", "finishedAt" },
	[11] = { "destination", "annotations", "syncOptions" },
	[12] = { "reconciledAt" },
	[14] = { "targetRevision", "operationState" },
	[15] = { "resourceVersion" },
	[17] = { "creationTimestamp" },
	[29] = { "argocd.argoproj.io/source-uid" },
};

static const char *common_key(const char *key)
{
	size_t n = strlen(key);

	for (size_t i = 0; n < ARRAY_LEN(common_keys) && i < ARRAY_LEN(common_keys[n]) && common_keys[n][i]; i++)
		if (strcmp(common_keys[n][i], key) == 0)
			return common_keys[n][i];
	return NULL;
}

static int add_key(json_object *object, const char *key, json_object *value, unsigned flags)
{
	const char *common = common_key(key);

	if (common)
		return json_object_object_add_ex(object, common, value, flags | JSON_C_OBJECT_ADD_CONSTANT_KEY);
	return json_object_object_add_ex(object, key, value, flags);
}

int tree_put(json_object *object, const char *key, json_object *value)
{
	return add_key(object, key, value, 0);
}

int tree_put_new(json_object *object, const char *key, json_object *value)
{
	return add_key(object, key, value, JSON_C_OBJECT_ADD_KEY_IS_NEW);
}

json_object *tree_member(json_object *object, const char *key)
{
	json_object *value = NULL;

	if (!json_object_is_type(object, json_type_object))
		return NULL;
	if (json_object_object_length(object) > FEW) {
		(void)json_object_object_get_ex(object, key, &value);
		return value;
	}
	json_object_object_foreach(object, name, at)
	{
		if (name[0] == key[0] && strcmp(name, key) == 0)
			return at;
	}
	return NULL;
}
