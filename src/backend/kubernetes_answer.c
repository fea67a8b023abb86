#include <stdio.h>

#include "backend/kubernetes_impl.h"
#include "event/json_members.h"

#define KEYS_NAME "argocd-gpg-keys-cm"

static const struct {
	const char *path;     /* before the namespace */
	const char *plural;   /* behind it */
	const char *selector; /* of a list or watch */
} resources[OBJECT_KIND_COUNT] = {
	[OBJECT_APPLICATION] = { "/apis/argoproj.io/v1alpha1", "applications", "" },
	[OBJECT_APPPROJECT] = { "/apis/argoproj.io/v1alpha1", "appprojects", "" },
	/* Argo CD knows a repository, and credentials for several, by this label (facts 4.5). */
	[OBJECT_REPOSITORY] = { "/api/v1", "secrets",
				"labelSelector=argocd.argoproj.io%2Fsecret-type+in+%28repository%2Crepo-creds%29" },
	[OBJECT_GPGKEY] = { "/api/v1", "configmaps", "fieldSelector=metadata.name%3D" KEYS_NAME },
};

void kube_path(struct buf *to, enum object_kind kind, const char *namespace, const char *name)
{
	buf_str(to, str_of(resources[kind].path));
	if (namespace[0])
		buf_addf(to, "/namespaces/%s", namespace);
	buf_addf(to, "/%s", resources[kind].plural);
	if (name)
		buf_addf(to, "/%s", name);
}

const char *kube_selector(enum object_kind kind)
{
	return resources[kind].selector;
}

static bool is_repository(const struct object *o)
{
	json_object *tree = object_tree(o);
	const char *type = tree_mark(tree, "labels", "argocd.argoproj.io/secret-type");
	bool is = strcmp(type, "repository") == 0 || strcmp(type, "repo-creds") == 0;

	json_object_put(tree);
	return is;
}

bool kube_is_selected(const struct object *o)
{
	if (o->kind == OBJECT_REPOSITORY)
		return is_repository(o);
	return o->kind != OBJECT_GPGKEY || strcmp(o->name, KEYS_NAME) == 0;
}

/* Who wrote which field is as long as the rest, changes with each write, and is the server's own. */
enum err kube_object(enum object_kind kind, json_object *tree, struct why *why, struct object **ret_object)
{
	json_object *metadata = tree_member(tree, "metadata");

	if (metadata && json_object_is_type(metadata, json_type_object))
		json_object_object_del(metadata, "managedFields");
	return object_from_tree(kind, tree, why, ret_object);
}

static bool is_that(const struct object *o, const struct object *asked)
{
	return strcmp(o->name, asked->name) == 0 && strcmp(o->namespace, asked->namespace) == 0;
}

enum err kube_object_read(const struct object *asked, struct str json, struct why *why, struct object **ret_object)
{
	json_object *tree = NULL;
	struct object *o = NULL;
	enum err err = tree_parse(json, why, &tree);

	if (err == E_OK)
		err = kube_object(asked->kind, tree, why, &o);
	json_object_put(tree);
	if (err == E_OK && is_that(o, asked)) {
		*ret_object = o;
		return E_OK;
	}
	object_unref(o);
	/* Somebody else's page, or object. What became of the request is open, and it may be asked again. */
	return err == E_OK || err == E_MALFORMED
		       ? why_set(why, E_UNAVAILABLE, "the answer is not the object that was asked for")
		       : err;
}

enum err kube_name_alone(struct str object, json_object **ret_tree)
{
	struct json_member m[] = { { .name = "name" }, { .name = "namespace" } };
	CLEANUP(buf_release) struct buf text = { 0 };
	enum err err = json_members(json_member_raw(object, "metadata"), m, ARRAY_LEN(m));

	if (err != E_OK)
		return err;
	buf_lit(&text, "{\"metadata\":{");
	for (size_t i = 0; i < ARRAY_LEN(m); i++)
		if (m[i].raw.n)
			buf_addf(&text, "%s\"%s\":%.*s", i ? "," : "", m[i].name, STR_ARG(m[i].raw));
	buf_lit(&text, "}}");
	return text.err == E_OK ? tree_parse(buf_view(&text), NULL, ret_tree) : text.err;
}

/* ---- what went wrong ------------------------------------------------------------------------------------------------ */

static const char *text_in(json_object *tree, const char *key)
{
	json_object *value = tree_member(tree, key);

	return value && json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
}

static bool is_status(json_object *tree)
{
	return strcmp(text_in(tree, "kind"), "Status") == 0;
}

/* The two ways in which the API server passes on that its store takes no object of this size (1.5 MiB). */
static bool is_too_large(const char *message)
{
	return strstr(message, "request is too large") || strstr(message, "message larger than max");
}

/*
 * A webhook denies with the code that its author likes (400 without one, 409 as well), a policy with 422, 403 or 413. What the site does
 * not want it may want later: in another week, with another policy, when something else is there.
 */
static bool is_denied(const char *message)
{
	return str_starts(str_of(message), STR("admission webhook \"")) ||
	       (strstr(message, "ValidatingAdmissionPolicy '") && strstr(message, " denied request"));
}

static enum err err_of(unsigned status, const char *reason, const char *message)
{
	if (is_denied(message))
		return E_FORBIDDEN;
	switch (status) {
	case 400:
	case 405:
	case 406:
	case 413:
	case 415:
	case 422:
		return E_MALFORMED;
	case 403:
		return strstr(message, "exceeded quota") ? E_FULL : E_FORBIDDEN;
	case 401:
		return E_FORBIDDEN;
	case 404:
		return E_NOT_FOUND;
	case 408:
	case 504:
		return E_TIMEOUT;
	case 409:
		return strcmp(reason, "AlreadyExists") == 0 ? E_EXISTS : E_CONFLICT;
	case 429:
		return E_BUSY;
	case 500:
		return is_too_large(message) ? E_MALFORMED : E_UNAVAILABLE;
	default:
		return E_UNAVAILABLE;
	}
}

/* What is no Status comes from a proxy, or of a kind that is not served yet: it says nothing about an object. */
static enum err err_of_page(unsigned code)
{
	enum err err = err_of(code, "", "");

	return code != 413 && (err == E_MALFORMED || err == E_NOT_FOUND || err == E_CONFLICT) ? E_UNAVAILABLE : err;
}

/* Of a Status object, or of none (NULL), and its HTTP code. */
static enum err status_err(json_object *status, unsigned code, struct why *why)
{
	const char *reason = text_in(status, "reason"), *message = text_in(status, "message");
	enum err err = is_status(status) ? err_of(code, reason, message) : err_of_page(code);

	return why_set(why, err, "the API server answered %u%s%.300s", code, message[0] ? ": " : "", message);
}

enum err kube_outcome(const struct http_fetch *f, struct why *why)
{
	json_object *status = NULL;
	enum err err;

	if (f->err != E_OK) {
		if (why)
			*why = f->why;
		return f->err;
	}
	if (f->status / 100 == 2)
		return E_OK;
	if (tree_parse(buf_view(&f->answer), NULL, &status) != E_OK)
		status = NULL; /* a proxy's page */
	err = status_err(status, f->status, why);
	json_object_put(status);
	return err;
}

bool kube_is_status(struct str answer)
{
	json_object *tree = NULL;
	bool is = tree_parse(answer, NULL, &tree) == E_OK && is_status(tree);

	json_object_put(tree);
	return is;
}
