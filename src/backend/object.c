#include "backend/object.h"

#include <assert.h>

#include "backend/recent.h"
#include "base/mem.h"

static const struct {
	const char *name;
	const char *api;
} kinds[] = {
#define X(id, name, api) [OBJECT_##id] = { name, api },
	OBJECT_KINDS(X)
#undef X
};

/* The kind that stands in the object itself: "Secret" for a repository, "ConfigMap" for GPG keys. */
static const char *manifest_kind(enum object_kind kind)
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

static char *put_part(char *to, const char *part)
{
	size_t n = strnlen(part, OBJECT_NAME_MAX);

	*to = '/';
	memcpy(to + 1, part, n);
	return to + 1 + n;
}

struct str object_key(enum object_kind kind, const char *namespace, const char *name,
		      char ret_text[static OBJECT_KEY_MAX])
{
	char *end = ret_text;

	*end++ = (char)('0' + kind);
	end = put_part(end, namespace);
	end = put_part(end, name);
	*end = '\0';
	return (struct str){ ret_text, (size_t)(end - ret_text) };
}

/* ---- what it says about itself -------------------------------------------------------------------------------------- */

/* A string member, "" when there is none. False: something else stands there, or it holds a NUL. */
static bool string_in(json_object *object, const char *key, struct str *ret_text)
{
	json_object *value = tree_member(object, key);

	*ret_text = STR("");
	if (!value)
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
	if (name.n && !str_is(name, manifest_kind(kind)) && !str_is(name, kinds[kind].name))
		return why_set(why, E_MALFORMED, "kind is %.*s, not %s", STR_ARG(str_sub(name, 0, 60)),
			       manifest_kind(kind));
	if (api.n && !str_is(api, kinds[kind].api))
		return why_set(why, E_MALFORMED, "apiVersion is %.*s, not %s", STR_ARG(str_sub(api, 0, 60)),
			       kinds[kind].api);
	*ret_missing = !api.n || !str_is(name, manifest_kind(kind));
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
		  add_text(whole, "kind", manifest_kind(kind));

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

/* The tree as an object of this kind has it: a reference to it, or to a copy with what was missing. */
static enum err whole_of(enum object_kind kind, json_object *tree, struct why *why, json_object **ret_whole)
{
	bool missing = false;
	enum err err;

	assert(kind < OBJECT_KIND_COUNT);
	if (!json_object_is_type(tree, json_type_object))
		return why_set(why, E_MALFORMED, "not an object");
	err = check_kind(kind, tree, why, &missing);
	if (err != E_OK)
		return err;
	*ret_whole = missing ? with_kind(kind, tree) : json_object_get(tree);
	return *ret_whole ? E_OK : why_set(why, E_NOMEM, "object");
}

struct identity {
	struct str namespace;
	struct str name;
	struct str uid;
	struct str version;
	struct str source_uid;
};

/* Kubernetes has nothing else there, so that a Go peer lets go of the whole object: `sync-wave: 5` wants quotes. */
static enum err check_texts(json_object *metadata, const char *field, struct why *why)
{
	json_object *map = tree_get(metadata, field, NULL);

	if (!map)
		return E_OK;
	if (!json_object_is_type(map, json_type_object))
		return why_set(why, E_MALFORMED, "metadata.%s is not a map", field);
	json_object_object_foreach(map, key, value)
	{
		if (value && !json_object_is_type(value, json_type_string))
			return why_set(why, E_MALFORMED,
				       "metadata.%s: the value of \"%.80s\" is not a string: put it in quotes", field,
				       key);
	}
	return E_OK;
}

static enum err read_identity(json_object *tree, struct why *why, struct identity *ret_id)
{
	json_object *metadata = tree_get(tree, "metadata", NULL);
	struct identity id = { 0 };

	if (!json_object_is_type(metadata, json_type_object))
		return why_set(why, E_MALFORMED, "no metadata");
	if (!string_in(metadata, "name", &id.name) || !string_in(metadata, "namespace", &id.namespace) ||
	    !string_in(metadata, "uid", &id.uid) || !string_in(metadata, "resourceVersion", &id.version))
		return why_set(why, E_MALFORMED, "name, namespace, uid and resourceVersion must be strings");
	if (check_texts(metadata, "labels", why) != E_OK || check_texts(metadata, "annotations", why) != E_OK)
		return E_MALFORMED;
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

/* Put `text` behind *at; returns where it begins, and moves *at behind its terminating zero. */
static char *put_text(char **at, struct str text)
{
	char *to = *at;

	if (text.n)
		memcpy(to, text.p, text.n);
	to[text.n] = '\0';
	*at = to + text.n + 1;
	return to;
}

static enum err object_of(enum object_kind kind, const struct identity *id, struct str json, struct why *why,
			  struct object **ret_object)
{
	size_t n = id->namespace.n + id->name.n + id->uid.n + id->version.n + id->source_uid.n + 5;
	struct object *o = mem_alloc(sizeof(*o) + n);
	struct blob *bytes = o ? blob_new(json) : NULL;
	char *at;

	if (!bytes) {
		mem_free(o);
		return why_set(why, E_NOMEM, "object");
	}
	*o = (struct object){ .refs = 1, .kind = kind, .json = bytes };
	at = (char *)(o + 1);
	o->namespace = put_text(&at, id->namespace);
	o->name = put_text(&at, id->name);
	o->uid = put_text(&at, id->uid);
	o->version = put_text(&at, id->version);
	o->source_uid = put_text(&at, id->source_uid);
	*ret_object = o;
	return E_OK;
}

static enum err from_whole(enum object_kind kind, json_object *whole, struct why *why, struct object **ret_object)
{
	CLEANUP(buf_release) struct buf text = { 0 };
	struct identity id = { 0 };
	enum err err = read_identity(whole, why, &id);

	if (err == E_OK)
		err = tree_write(whole, &text, why);
	return err == E_OK ? object_of(kind, &id, buf_view(&text), why, ret_object) : err;
}

enum err object_from_tree(enum object_kind kind, json_object *tree, struct why *why, struct object **ret_object)
{
	json_object *whole = NULL;
	enum err err = whole_of(kind, tree, why, &whole);

	if (err == E_OK)
		err = from_whole(kind, whole, why, ret_object);
	json_object_put(whole);
	return err;
}

enum err object_with(const struct object *o, const char *uid, const char *version, struct str written, struct why *why,
		     struct object **ret_object)
{
	struct identity id = { str_of(o->namespace), str_of(o->name), str_of(uid), str_of(version),
			       str_of(o->source_uid) };

	return object_of(o->kind, &id, written, why, ret_object);
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

enum err object_parse(enum object_kind kind, struct str json, struct why *why, json_object **ret_tree)
{
	json_object *tree = NULL, *whole = NULL;
	struct identity id;
	enum err err = tree_parse(json, why, &tree);

	if (err == E_OK)
		err = whole_of(kind, tree, why, &whole);
	json_object_put(tree);
	if (err == E_OK)
		err = read_identity(whole, why, &id);
	if (err == E_OK)
		*ret_tree = whole;
	else
		json_object_put(whole);
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
	recent_forget(o);
	blob_unref(o->json);
	mem_free(o);
}

json_object *object_tree_own(const struct object *o)
{
	return tree_again(blob_view(o->json));
}

json_object *object_tree(const struct object *o)
{
	json_object *tree = o->tree ? json_object_get(o->tree) : object_tree_own(o);

	if (tree && !o->tree)
		recent_keep((struct object *)o, tree);
	return tree;
}
