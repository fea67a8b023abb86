#include "backend/apply.h"

#include "base/mem.h"
#include "base/rand.h"
#include "event/json_walk.h"

/* As keys stand in a text. */
#define STATUS    "\"status\""
#define OPERATION "\"operation\""

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

/* ---- what is there afterwards --------------------------------------------------------------------------------------- */

static void put_key(struct buf *text, struct str key)
{
	if (text->n && text->p[text->n - 1] != '{')
		buf_char(text, ',');
	buf_str(text, key);
	buf_char(text, ':');
}

static void put_member(struct buf *text, struct str key, struct str value)
{
	put_key(text, key);
	buf_str(text, value);
}

static void put_id(struct buf *text, struct str key, const char *id)
{
	if (!id)
		return;
	put_key(text, key);
	buf_json(text, str_of(id));
}

/* With these ids, in their places or behind the rest. */
static void put_metadata(struct buf *text, struct json_walk *w, const char *uid, const char *version)
{
	json_walk_enter(w);
	buf_char(text, '{');
	while (json_walk_next(w)) {
		struct str key = json_walk_key(w), value = json_walk_value(w);

		if (uid && str_is(key, "\"uid\""))
			put_id(text, key, TAKE(uid));
		else if (version && str_is(key, "\"resourceVersion\""))
			put_id(text, key, TAKE(version));
		else
			put_member(text, key, value);
	}
	put_id(text, (struct str)STR("\"uid\""), uid);
	put_id(text, (struct str)STR("\"resourceVersion\""), version);
	buf_char(text, '}');
}

/* All but what comes from the other object. */
static void put_base(struct buf *text, struct str base, bool with_operation, const char *uid, const char *version)
{
	struct json_walk w = json_walk(base);

	json_walk_enter(&w);
	while (json_walk_next(&w)) {
		struct str key = json_walk_key(&w);

		if (str_is(key, "\"metadata\"")) {
			put_key(text, key);
			put_metadata(text, &w, uid, version);
			continue;
		}
		struct str value = json_walk_value(&w);

		if (!str_is(key, STATUS) && (with_operation || !str_is(key, OPERATION)))
			put_member(text, key, value);
	}
}

static void put_other(struct buf *text, struct str other, const char *wanted)
{
	struct json_walk w = json_walk(other);

	json_walk_enter(&w);
	while (json_walk_next(&w)) {
		struct str key = json_walk_key(&w), value = json_walk_value(&w);

		if (str_is(key, wanted) && !str_is(value, "null"))
			put_member(text, key, value);
	}
}

/* Made of two it may have more than may be: a value takes two bytes at least. */
static enum err check_values(struct str text, struct why *why)
{
	json_object *tree = NULL;
	enum err err = text.n < 2 * (size_t)OBJECT_VALUES_MAX ? E_OK : tree_parse(text, why, &tree);

	json_object_put(tree);
	return err;
}

enum err apply_text(enum backend_verb verb, const struct object *wanted, const struct object *current,
		    const struct apply_ids *ids, struct buf *text, struct why *why)
{
	bool is_put = verb == BACKEND_PUT;
	struct str there = blob_view(current ? current->json : NULL), came = blob_view(wanted->json);
	struct str other = is_put ? there : came;

	(void)buf_reserve(text, there.n + came.n + 2 * (size_t)UUID_MAX);
	buf_char(text, '{');
	put_base(text, is_put ? came : there, /* with_operation= */ is_put, ids->uid, ids->version);
	put_other(text, other, STATUS);
	if (!is_put)
		put_other(text, other, OPERATION);
	buf_char(text, '}');
	return text->err == E_OK ? check_values(buf_view(text), why) : why_set(why, text->err, "object");
}

/* Is `text`, which has another version, what `current` says? */
static bool is_same(const struct backend_write *w, const struct object *current, const struct apply_ids *ids,
		    struct str text)
{
	CLEANUP(buf_release) struct buf as_it_was = { 0 };
	struct apply_ids was = { ids->uid, current->version };

	/* Where the rest differs in length there is no need to look. */
	return text.n - strlen(ids->version) == current->json->n - strlen(current->version) &&
	       apply_text(w->verb, w->object, current, &was, &as_it_was, NULL) == E_OK &&
	       str_eq(buf_view(&as_it_was), blob_view(current->json));
}

enum err apply_merge(const struct backend_write *w, const struct object *current, const struct apply_ids *ids,
		     struct why *why, struct object **ret_object, bool *ret_changed)
{
	CLEANUP(buf_release) struct buf text = { 0 };
	enum err err = apply_text(w->verb, w->object, current, ids, &text, why);

	if (err == E_OK)
		err = object_with(w->verb == BACKEND_PUT ? w->object : current, ids->uid, ids->version, buf_view(&text),
				  why, ret_object);
	if (err == E_OK)
		*ret_changed = !current || !is_same(w, current, ids, buf_view(&text));
	return err;
}

/* ---- finalizers ----------------------------------------------------------------------------------------------------- */

static size_t count(json_object *array)
{
	return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

static bool has_item(json_object *array, json_object *item)
{
	for (size_t i = 0; i < count(array); i++)
		if (json_object_equal(json_object_array_get_idx(array, i), item))
			return true;
	return false;
}

bool apply_is_going(json_object *tree)
{
	return tree_get(tree, "metadata", "deletionTimestamp", NULL) != NULL;
}

bool apply_is_held(json_object *tree)
{
	return count(tree_get(tree, "metadata", "finalizers", NULL)) > 0;
}

/* Those of `wanted` that are there; the array may be shared with others. */
static enum err both(json_object *there, json_object *wanted, json_object **ret_array)
{
	json_object *array = json_object_new_array();
	enum err err = array ? E_OK : E_NOMEM;

	for (size_t i = 0; err == E_OK && i < count(wanted); i++) {
		json_object *item = json_object_array_get_idx(wanted, i);

		if (has_item(there, item) && json_object_array_add(array, json_object_get(item)) != 0)
			err = E_NOMEM;
	}
	*ret_array = array;
	return err;
}

enum err apply_to_going(json_object *there, json_object *tree)
{
	json_object *metadata = tree_member(tree, "metadata");
	json_object *wanted = tree_member(metadata, "finalizers"), *left = NULL;
	enum err err = E_OK;

	if (wanted)
		err = both(tree_get(there, "metadata", "finalizers", NULL), wanted, &left);
	if (err == E_OK && left && tree_put(metadata, "finalizers", json_object_get(left)) != 0)
		err = E_NOMEM;
	json_object_put(left);
	if (err == E_OK)
		err = tree_meta_set(tree, "deletionTimestamp", tree_meta(there, "deletionTimestamp"));
	return err;
}

void apply_uid(char ret_uid[static UUID_MAX])
{
	unsigned char bits[16];

	rand_bytes(bits, sizeof(bits));
	uuid_write(bits, ret_uid);
}
