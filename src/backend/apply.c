#include "backend/apply.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/rand.h"

static enum err check_uid(const struct backend_write *w, const struct object *current, struct why *why)
{
	if (!w->expect_uid)
		return E_OK;
	if (!w->expect_uid[0])
		return current ? why_set(why, E_EXISTS, "it exists, with UID %s", current->uid) : E_OK;
	if (!current)
		return why_set(why, E_NOT_FOUND, "there is none, expected was UID %s", w->expect_uid);
	if (strcmp(current->uid, w->expect_uid) != 0)
		return why_set(why, E_CONFLICT, "it has UID %s, expected was %s", current->uid, w->expect_uid);
	return E_OK;
}

enum err apply_check(const struct backend_write *w, const struct object *current, struct why *why)
{
	enum err err = check_uid(w, current, why);

	if (err != E_OK)
		return err;
	if (!current && w->verb != BACKEND_PUT)
		return why_set(why, E_NOT_FOUND, "there is none");
	if (!w->expect_version)
		return E_OK;
	if (!current)
		return why_set(why, E_CONFLICT, "there is none, expected was version %s", w->expect_version);
	if (strcmp(current->version, w->expect_version) != 0)
		return why_set(why, E_CONFLICT, "it has version %s, expected was %s", current->version,
			       w->expect_version);
	return E_OK;
}

/* The member of `from` in place of that of `tree`. False: no memory. */
static bool move_member(json_object *tree, json_object *from, const char *key)
{
	json_object *value = tree_get(from, key, NULL);

	json_object_object_del(tree, key);
	if (!value)
		return true;
	if (tree_put(tree, key, json_object_get(value)) == 0)
		return true;
	json_object_put(value);
	return false;
}

json_object *apply_tree(enum backend_verb verb, json_object *wanted, json_object *current)
{
	bool is_put = verb == BACKEND_PUT;
	json_object *tree = tree_fork(is_put ? wanted : current), *from = is_put ? current : wanted;

	if (tree && move_member(tree, from, "status") && (is_put || move_member(tree, from, "operation")))
		return tree;
	json_object_put(tree);
	return NULL;
}

static enum err stamp(json_object *tree, enum object_kind kind, const char *uid, const char *version, struct why *why,
		      struct object **ret_object)
{
	enum err err = tree_meta_set(tree, "uid", uid);

	if (err == E_OK)
		err = tree_meta_set(tree, "resourceVersion", version);
	if (err != E_OK)
		return why_set(why, err, "metadata");
	return object_share(kind, tree, why, ret_object);
}

/* Does `o` say the same as `current` but for its version? */
static bool is_same(const struct object *o, const struct object *current)
{
	CLEANUP(buf_release) struct buf text = { 0 };
	json_object *tree = NULL;
	bool same;

	/* Where the rest differs in length there is no need to look. */
	if (o->json->n - strlen(o->version) != current->json->n - strlen(current->version))
		return false;
	tree = object_tree_own(o);
	same = tree && tree_meta_set(tree, "resourceVersion", current->version) == E_OK &&
	       tree_write(tree, &text, NULL) == E_OK && str_eq(buf_view(&text), blob_view(current->json));
	json_object_put(tree);
	return same;
}

enum err apply_merge(const struct backend_write *w, const struct object *current, const char *uid, const char *version,
		     struct why *why, struct object **ret_object, bool *ret_changed)
{
	json_object *wanted = object_tree(w->object), *there = current ? object_tree(current) : NULL, *tree = NULL;
	enum err err;

	if (wanted && (there || !current))
		tree = apply_tree(w->verb, wanted, there);
	err = tree ? stamp(tree, w->object->kind, uid, version, why, ret_object) : why_set(why, E_NOMEM, "object");
	if (err == E_OK)
		*ret_changed = !current || !is_same(*ret_object, current);
	json_object_put(tree);
	json_object_put(wanted);
	json_object_put(there);
	return err;
}

void apply_uid(char ret_uid[static UUID_MAX])
{
	unsigned char bits[16];

	rand_bytes(bits, sizeof(bits));
	uuid_write(bits, ret_uid);
}
