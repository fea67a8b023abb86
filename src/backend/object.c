#include "backend/object.h"

#include <assert.h>

#include "base/mem.h"

static const struct {
	const char *name;
	const char *api;
} kinds[] = {
#define X(id, name, api, target) [OBJECT_##id] = { name, api },
	OBJECT_KINDS(X)
#undef X
};

const char *object_kind_manifest(enum object_kind kind)
{
	switch (kind) {
	case OBJECT_REPOSITORY:
		return "Secret";
	case OBJECT_GPGKEY:
		return "ConfigMap";
	default:
		return kinds[kind].name;
	}
}

const char *object_kind_name(enum object_kind kind)
{
	assert(kind < OBJECT_KIND_COUNT);
	return kinds[kind].name;
}

enum object_kind object_kind_of(struct str name)
{
	enum object_kind kind = 0;

	while (kind < OBJECT_KIND_COUNT && !str_is(name, kinds[kind].name))
		kind++;
	return kind;
}

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Labels of letters, digits and '-', which do not begin or end with '-', joined by dots. */
bool object_name_ok(struct str name)
{
	if (name.n == 0 || name.n > OBJECT_NAME_MAX || !is_alnum(name.p[0]) || !is_alnum(name.p[name.n - 1]))
		return false;
	for (size_t i = 1; i + 1 < name.n; i++) {
		char c = name.p[i];

		if (c == '.' && (!is_alnum(name.p[i - 1]) || !is_alnum(name.p[i + 1])))
			return false;
		if (c != '.' && c != '-' && !is_alnum(c))
			return false;
	}
	return true;
}

/* ---- what it says about itself -------------------------------------------------------------------------------------- */

/* A string member, "" when there is none. False: something else stands there, or it holds a NUL. */
static bool string_in(json_object *object, const char *key, struct str *ret_text)
{
	json_object *value = NULL;

	*ret_text = STR("");
	if (!json_object_object_get_ex(object, key, &value) || !value)
		return true;
	if (!json_object_is_type(value, json_type_string))
		return false;
	*ret_text = (struct str){ json_object_get_string(value), (size_t)json_object_get_string_len(value) };
	return str_find(*ret_text, '\0') == ret_text->n;
}

/* `*ret_missing`: apiVersion or kind is to be filled in. */
static enum err check_kind(enum object_kind kind, json_object *tree, struct why *why, bool *ret_missing)
{
	struct str api;
	struct str name;

	if (!string_in(tree, "apiVersion", &api) || !string_in(tree, "kind", &name))
		return why_set(why, E_MALFORMED, "apiVersion and kind must be strings");
	if (name.n && !str_is(name, object_kind_manifest(kind)) && !str_is(name, kinds[kind].name))
		return why_set(why, E_MALFORMED, "kind is %.*s, not %s", STR_ARG(str_sub(name, 0, 60)),
			       object_kind_manifest(kind));
	if (api.n && !str_is(api, kinds[kind].api))
		return why_set(why, E_MALFORMED, "apiVersion is %.*s, not %s", STR_ARG(str_sub(api, 0, 60)),
			       kinds[kind].api);
	*ret_missing = !api.n || !str_is(name, object_kind_manifest(kind));
	return E_OK;
}

static bool add_text(json_object *object, const char *key, const char *value)
{
	json_object *text = json_object_new_string(value);

	if (text && json_object_object_add(object, key, text) == 0)
		return true;
	json_object_put(text);
	return false;
}

/* Its members with apiVersion and kind in front. */
static json_object *with_kind(enum object_kind kind, json_object *tree)
{
	json_object *whole = json_object_new_object();
	bool ok = whole && add_text(whole, "apiVersion", kinds[kind].api) &&
		  add_text(whole, "kind", object_kind_manifest(kind));

	json_object_object_foreach(tree, key, value)
	{
		if (!ok || strcmp(key, "apiVersion") == 0 || strcmp(key, "kind") == 0)
			continue;
		ok = json_object_object_add(whole, key, json_object_get(value)) == 0;
		if (!ok)
			json_object_put(value);
	}
	if (ok)
		return whole;
	json_object_put(whole);
	return NULL;
}

struct identity {
	struct str namespace;
	struct str name;
	struct str uid;
	struct str version;
	struct str source_uid;
};

static enum err read_identity(json_object *tree, struct why *why, struct identity *ret_id)
{
	json_object *metadata = tree_get(tree, "metadata", NULL);
	struct identity id = { 0 };

	if (!json_object_is_type(metadata, json_type_object))
		return why_set(why, E_MALFORMED, "no metadata");
	if (!string_in(metadata, "name", &id.name) || !string_in(metadata, "namespace", &id.namespace) ||
	    !string_in(metadata, "uid", &id.uid) || !string_in(metadata, "resourceVersion", &id.version))
		return why_set(why, E_MALFORMED, "name, namespace, uid and resourceVersion must be strings");
	if (!object_name_ok(id.name))
		return why_set(why, E_MALFORMED, "the name \"%.*s\" is not an RFC 1123 subdomain",
			       STR_ARG(str_sub(id.name, 0, OBJECT_NAME_MAX)));
	if (id.namespace.n && !object_name_ok(id.namespace))
		return why_set(why, E_MALFORMED, "the namespace \"%.*s\" is not an RFC 1123 subdomain",
			       STR_ARG(str_sub(id.namespace, 0, OBJECT_NAME_MAX)));
	id.source_uid = str_of(tree_mark(tree, "annotations", "argocd.argoproj.io/source-uid"));
	*ret_id = id;
	return E_OK;
}

/* ---- objects -------------------------------------------------------------------------------------------------------- */

static enum err object_of(enum object_kind kind, const struct identity *id, struct str json, struct why *why,
			  struct object **ret_object)
{
	CLEANUP(object_unref_freep) struct object *o = mem_alloc(sizeof(*o));

	if (!o)
		return why_set(why, E_NOMEM, "object");
	o->refs = 1;
	o->kind = kind;
	o->namespace = str_dup(id->namespace);
	o->name = str_dup(id->name);
	o->uid = str_dup(id->uid);
	o->version = str_dup(id->version);
	o->source_uid = str_dup(id->source_uid);
	o->json = blob_new(json);
	if (!o->namespace || !o->name || !o->uid || !o->version || !o->source_uid || !o->json)
		return why_set(why, E_NOMEM, "object");
	*ret_object = TAKE(o);
	return E_OK;
}

static enum err from_whole(enum object_kind kind, json_object *tree, struct why *why, struct object **ret_object)
{
	struct identity id;
	struct str text;
	enum err err = read_identity(tree, why, &id);

	if (err == E_OK)
		err = tree_text(tree, why, &text);
	return err == E_OK ? object_of(kind, &id, text, why, ret_object) : err;
}

enum err object_from_tree(enum object_kind kind, json_object *tree, struct why *why, struct object **ret_object)
{
	bool missing;
	enum err err;

	assert(kind < OBJECT_KIND_COUNT);
	if (!json_object_is_type(tree, json_type_object))
		return why_set(why, E_MALFORMED, "not an object");
	err = check_kind(kind, tree, why, &missing);
	if (err != E_OK)
		return err;
	if (!missing)
		return from_whole(kind, tree, why, ret_object);
	tree = with_kind(kind, tree);
	err = tree ? from_whole(kind, tree, why, ret_object) : why_set(why, E_NOMEM, "object");
	json_object_put(tree);
	return err;
}

enum err object_new(enum object_kind kind, struct str json, struct why *why, struct object **ret_object)
{
	json_object *tree = NULL;
	enum err err = tree_parse(json, why, &tree);

	if (err == E_OK)
		err = object_from_tree(kind, tree, why, ret_object);
	json_object_put(tree);
	return err;
}

struct object *object_ref(struct object *o)
{
	o->refs++;
	return o;
}

void object_unref(struct object *o)
{
	if (!o || --o->refs)
		return;
	mem_free(o->namespace);
	mem_free(o->name);
	mem_free(o->uid);
	mem_free(o->version);
	mem_free(o->source_uid);
	blob_unref(o->json);
	mem_free(o);
}

json_object *object_tree(const struct object *o)
{
	json_object *tree = NULL;

	return tree_parse(blob_view(o->json), NULL, &tree) == E_OK ? tree : NULL;
}
