#include "backend/directory_file.h"

#include <openssl/evp.h>
#include <stdio.h>

#include "backend/directory_texts.h"
#include "backend/object_yaml.h"
#include "base/hex.h"
#include "base/mem.h"

static const char *const endings[] = {
	[DIRECTORY_YAML] = ".yaml",
	[DIRECTORY_YML] = ".yml",
	[DIRECTORY_JSON] = ".json",
	[DIRECTORY_STATUS] = ".status.yaml",
};

/* ---- names ---------------------------------------------------------------------------------------------------------- */

bool directory_name(struct str file, struct str *ret_name, enum directory_part *ret_part)
{
	if (file.n == 0 || file.p[0] == '.')
		return false;
	for (int part = DIRECTORY_PART_COUNT - 1; part >= 0; part--) { /* the longest ending first */
		struct str ending = str_of(endings[part]);

		if (file.n <= ending.n || !str_ends(file, ending))
			continue;
		*ret_name = str_sub(file, 0, file.n - ending.n);
		*ret_part = (enum directory_part)part;
		return true;
	}
	return false;
}

bool directory_name_ok(struct str name)
{
	char file[DIRECTORY_FILE_MAX];

	return object_name_ok(name) && !str_ends(name, STR(".status")) &&
	       name.n + strlen(endings[DIRECTORY_STATUS]) < sizeof(file);
}

bool directory_file_name(const char *name, enum directory_part part, char ret_file[static DIRECTORY_FILE_MAX])
{
	size_t n = strlen(name), end = strlen(endings[part]);

	if (n + end >= DIRECTORY_FILE_MAX)
		return false;
	memcpy(ret_file, name, n + 1);
	memcpy(ret_file + n, endings[part], end + 1);
	return true;
}

/* ---- order ---------------------------------------------------------------------------------------------------------- */

static const char *const first_members[] = { "apiVersion", "kind", "metadata", NULL };
static const char *const last_members[] = { "operation", "status", NULL };
static const char *const first_metadata[] = { "name", "namespace", "labels", "annotations", "finalizers", NULL };
static const char *const no_metadata[] = { "uid", "resourceVersion", NULL };

static bool is_one_of(const char *key, const char *const *names)
{
	while (*names && strcmp(*names, key) != 0)
		names++;
	return *names;
}

static bool add(json_object *to, const char *key, json_object *value)
{
	if (json_object_object_add(to, key, json_object_get(value)) == 0)
		return true;
	json_object_put(value);
	return false;
}

static bool add_named(json_object *to, json_object *from, const char *const *names)
{
	for (; *names; names++) {
		json_object *value;

		if (json_object_object_get_ex(from, *names, &value) && !add(to, *names, value))
			return false;
	}
	return true;
}

/* `first`, then what is in neither list, in its own order. */
static bool add_in_order(json_object *to, json_object *from, const char *const *first, const char *const *left_out)
{
	bool ok = add_named(to, from, first);

	json_object_object_foreach(from, key, value)
	{
		if (ok && !is_one_of(key, first) && !is_one_of(key, left_out))
			ok = add(to, key, value);
	}
	return ok;
}

enum err directory_arrange(json_object *tree, json_object **ret_tree)
{
	json_object *whole = json_object_new_object();
	json_object *metadata = json_object_new_object();
	bool ok = whole && metadata && add_in_order(whole, tree, first_members, last_members) &&
		  add_named(whole, tree, last_members) &&
		  add_in_order(metadata, tree_get(tree, "metadata", NULL), first_metadata, no_metadata) &&
		  add(whole, "metadata", metadata);

	json_object_put(metadata);
	if (ok)
		*ret_tree = whole;
	else
		json_object_put(whole);
	return ok ? E_OK : E_NOMEM;
}

/* ---- reading -------------------------------------------------------------------------------------------------------- */

static enum err read_object(enum directory_part part, struct str text, struct why *why, json_object **ret_tree)
{
	enum err err = part == DIRECTORY_JSON ? tree_parse(text, why, ret_tree) : yaml_read(text, why, ret_tree);

	if (err != E_OK || json_object_is_type(*ret_tree, json_type_object))
		return err;
	json_object_put(*ret_tree);
	return why_set(why, E_MALFORMED, "not a map of apiVersion, kind, metadata and so on");
}

/* Only these two may stand in it: what else somebody puts there would be lost without a word. */
static enum err check_status(json_object *status, struct why *why)
{
	if (!json_object_is_type(status, json_type_object))
		return why_set(why, E_MALFORMED, "status file: not a map");
	json_object_object_foreach(status, key, value)
	{
		(void)value;
		if (!is_one_of(key, last_members))
			return why_set(why, E_MALFORMED, "status file: \"%.60s\" is neither status nor operation", key);
	}
	return E_OK;
}

static enum err merge_status(json_object *tree, struct str text, struct why *why)
{
	json_object *status = NULL;
	enum err err = yaml_read(text, why, &status);

	if (err != E_OK)
		return why_add(why, "status file");
	err = check_status(status, why);
	for (const char *const *name = last_members; *name; name++)
		json_object_object_del(tree, *name);
	if (err == E_OK && !add_named(tree, status, last_members))
		err = why_set(why, E_NOMEM, "object");
	json_object_put(status);
	return err;
}

/* null is the same as absent, and so is written as absent. */
static void drop_nulls(json_object *tree)
{
	for (const char *const *name = last_members; *name; name++)
		if (!tree_get(tree, *name, NULL))
			json_object_object_del(tree, *name);
}

static enum err check_meta(json_object *tree, const char *field, const char *want, struct why *why)
{
	json_object *value = tree_get(tree, "metadata", field, NULL);
	enum err err;

	if (value && !json_object_is_type(value, json_type_string))
		return why_set(why, E_MALFORMED, "metadata.%s is not a string", field);
	if (value && strcmp(json_object_get_string(value), want) != 0)
		return why_set(why, E_MALFORMED, "metadata.%s is %.80s, the file's place says %s", field,
			       json_object_get_string(value), want);
	err = tree_meta_set(tree, field, want);
	return err == E_OK ? E_OK : why_set(why, err, "metadata");
}

static bool is_uid(struct str s)
{
	if (s.n == 0 || s.n > DIRECTORY_UID_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '-')
			return false;
	}
	return true;
}

static void take_uid(json_object *tree, char ret_uid[static DIRECTORY_UID_MAX + 1])
{
	const char *uid = tree_meta(tree, "uid");

	(void)snprintf(ret_uid, DIRECTORY_UID_MAX + 1, "%s", is_uid(str_of(uid)) ? uid : "");
}

/* As an object of its kind would be: kind and apiVersion filled in, names checked. */
static enum err as_object(enum object_kind kind, json_object *tree, struct why *why, json_object **ret_tree)
{
	struct object *o = NULL;
	json_object *whole = NULL;
	enum err err;

	tree_meta_set(tree, "uid", NULL);
	tree_meta_set(tree, "resourceVersion", NULL);
	drop_nulls(tree);
	err = object_from_tree(kind, tree, why, &o);
	if (err != E_OK)
		return err;
	whole = object_tree_own(o);
	object_unref(o);
	err = whole ? directory_arrange(whole, ret_tree) : E_NOMEM;
	json_object_put(whole);
	return err == E_OK ? E_OK : why_set(why, err, "object");
}

enum err directory_content(const struct directory_key *key, enum directory_part part, struct str object,
			   struct str status, struct why *why, json_object **ret_tree,
			   char ret_uid[static DIRECTORY_UID_MAX + 1])
{
	json_object *tree = NULL;
	enum err err = read_object(part, object, why, &tree);

	if (err != E_OK)
		return err;
	if (status.p)
		err = merge_status(tree, status, why);
	if (err == E_OK)
		err = check_meta(tree, "name", key->name, why);
	if (err == E_OK)
		err = check_meta(tree, "namespace", key->namespace, why);
	if (err == E_OK)
		err = directory_texts(key->kind, tree, why);
	if (err == E_OK) {
		take_uid(tree, ret_uid);
		err = as_object(key->kind, tree, why, ret_tree);
	}
	json_object_put(tree);
	return err;
}

/* ---- writing -------------------------------------------------------------------------------------------------------- */

/* The members of one file: all but `left_out`, or `names` alone. */
static json_object *part_of(json_object *tree, const char *const *names, const char *const *left_out)
{
	static const char *const none[] = { NULL };
	json_object *part = json_object_new_object();
	bool ok = part && (names ? add_named(part, tree, names) : add_in_order(part, tree, none, left_out));

	if (ok)
		return part;
	json_object_put(part);
	return NULL;
}

static enum err write_part(json_object *part, enum directory_part how, struct buf *ret_text, struct why *why)
{
	const char *json;

	if (!part)
		return why_set(why, E_NOMEM, "object");
	if (how != DIRECTORY_JSON)
		return yaml_write(part, ret_text, why);
	json = json_object_to_json_string_ext(part, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
							    JSON_C_TO_STRING_NOSLASHESCAPE);
	if (json)
		buf_addf(ret_text, "%s\n", json);
	return json && ret_text->err == E_OK ? E_OK : why_set(why, E_NOMEM, "object");
}

enum err directory_object_text(json_object *tree, enum directory_part part, struct buf *ret_text, struct why *why)
{
	json_object *object = part_of(tree, NULL, last_members);
	enum err err = write_part(object, part, ret_text, why);

	json_object_put(object);
	return err;
}

enum err directory_status_text(json_object *tree, struct buf *ret_text, struct why *why)
{
	json_object *status = part_of(tree, last_members, NULL);
	enum err err = write_part(status, DIRECTORY_STATUS, ret_text, why);

	json_object_put(status);
	return err;
}

enum err directory_same(json_object *a, json_object *b, struct why *why, bool *ret_same)
{
	CLEANUP(buf_release) struct buf x = { 0 };
	CLEANUP(buf_release) struct buf y = { 0 };
	enum err err = tree_write(a, &x, why);

	if (err == E_OK)
		err = tree_write(b, &y, why);
	*ret_same = err == E_OK && str_eq(buf_view(&x), buf_view(&y));
	return err;
}

static bool same_part(json_object *a, json_object *b, const char *const *names, const char *const *left_out)
{
	json_object *x = part_of(a, names, left_out);
	json_object *y = part_of(b, names, left_out);
	bool same = false;

	if (x && y)
		(void)directory_same(x, y, NULL, &same);
	json_object_put(x);
	json_object_put(y);
	return same;
}

bool directory_same_object(json_object *a, json_object *b)
{
	return same_part(a, b, NULL, last_members);
}

bool directory_same_status(json_object *a, json_object *b)
{
	return same_part(a, b, last_members, NULL);
}

bool directory_has_status(json_object *tree)
{
	return tree_get(tree, "status", NULL) || tree_get(tree, "operation", NULL);
}

/* ---- sums ----------------------------------------------------------------------------------------------------------- */

enum err directory_sum(enum directory_part part, struct str text, struct why *why,
		       unsigned char ret_sum[static DIRECTORY_SUM])
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) &&
		  EVP_DigestUpdate(md, HOLDFAST_VERSION, sizeof(HOLDFAST_VERSION)) &&
		  EVP_DigestUpdate(md, endings[part], strlen(endings[part]) + 1) &&
		  EVP_DigestUpdate(md, text.p, text.n) && EVP_DigestFinal_ex(md, hash, NULL);

	EVP_MD_CTX_free(md);
	if (!ok)
		return why_set(why, md ? E_INTERNAL : E_NOMEM, "SHA-256");
	memcpy(ret_sum, hash, DIRECTORY_SUM);
	return E_OK;
}

bool directory_same_sums(const struct directory_sums *a, const struct directory_sums *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

_Static_assert(2 * sizeof(struct directory_sums) + 1 == DIRECTORY_SUMS_MAX, "two digits a byte");

void directory_sums_text(const struct directory_sums *sums, char ret_text[static DIRECTORY_SUMS_MAX])
{
	hex_write(sums->object, sizeof(*sums), ret_text);
	ret_text[DIRECTORY_SUMS_MAX - 1] = '\0';
}

struct directory_sums directory_sums_of(struct str text)
{
	unsigned char bytes[sizeof(struct directory_sums)];
	struct directory_sums sums = { 0 };

	if (text.n != 2 * sizeof(bytes))
		return sums;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		int high = hex_value(text.p[2 * i]), low = hex_value(text.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return sums;
		bytes[i] = (unsigned char)(high << 4 | low);
	}
	memcpy(&sums, bytes, sizeof(sums));
	return sums;
}
