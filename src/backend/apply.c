#include "backend/apply.h"

#include <stdio.h>

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
	if (json_object_object_add(tree, key, json_object_get(value)) == 0)
		return true;
	json_object_put(value);
	return false;
}

static bool merge_put(json_object *wanted, json_object *current)
{
	return move_member(wanted, current, "status");
}

static bool merge_status(json_object *current, json_object *wanted)
{
	return move_member(current, wanted, "status") && move_member(current, wanted, "operation");
}

enum err apply_tree(const struct backend_write *w, const struct object *current, struct why *why,
		    json_object **ret_tree)
{
	json_object *wanted = object_tree(w->object);
	json_object *old = current ? object_tree(current) : NULL;
	bool is_put = w->verb == BACKEND_PUT;
	bool ok = wanted && (old || !current);

	if (ok)
		ok = is_put ? merge_put(wanted, old) : merge_status(old, wanted);
	if (ok)
		*ret_tree = json_object_get(is_put ? wanted : old);
	json_object_put(wanted);
	json_object_put(old);
	return ok ? E_OK : why_set(why, E_NOMEM, "object");
}

static enum err stamp(json_object *tree, enum object_kind kind, const char *uid, const char *version, struct why *why,
		      struct object **ret_object)
{
	enum err err = tree_meta_set(tree, "uid", uid);

	if (err == E_OK)
		err = tree_meta_set(tree, "resourceVersion", version);
	if (err != E_OK)
		return why_set(why, err, "metadata");
	return object_from_tree(kind, tree, why, ret_object);
}

static bool is_changed(json_object *tree, const struct object *current)
{
	struct str text;

	return !current || tree_meta_set(tree, "resourceVersion", current->version) != E_OK ||
	       tree_text(tree, NULL, &text) != E_OK || !str_eq(text, blob_view(current->json));
}

enum err apply_merge(const struct backend_write *w, const struct object *current, const char *uid, const char *version,
		     struct why *why, struct object **ret_object, bool *ret_changed)
{
	json_object *tree = NULL;
	enum err err = apply_tree(w, current, why, &tree);

	if (err == E_OK)
		err = stamp(tree, w->object->kind, uid, version, why, ret_object);
	if (err == E_OK)
		*ret_changed = is_changed(tree, current);
	json_object_put(tree);
	return err;
}

void apply_uid_of(const unsigned char bits[static 16], char ret_uid[static APPLY_UID_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < 16; i++) {
		unsigned char byte = bits[i];

		if (i == 4 || i == 6 || i == 8 || i == 10)
			ret_uid[n++] = '-';
		if (i == 6)
			byte = (unsigned char)((byte & 0x0f) | 0x40); /* version 4, RFC 9562 5.4 */
		if (i == 8)
			byte = (unsigned char)((byte & 0x3f) | 0x80);
		(void)snprintf(ret_uid + n, 3, "%02x", byte);
		n += 2;
	}
}

void apply_uid(char ret_uid[static APPLY_UID_MAX])
{
	unsigned char bits[16];

	rand_bytes(bits, sizeof(bits));
	apply_uid_of(bits, ret_uid);
}

void apply_key(enum object_kind kind, const char *namespace, const char *name, char ret_key[static APPLY_KEY_MAX])
{
	(void)snprintf(ret_key, APPLY_KEY_MAX, "%d/%s/%s", (int)kind, namespace, name);
}
