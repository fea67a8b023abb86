/*
 * object.h -- one resource as a backend holds it: who it is, and its content.
 *
 * Shape     an immutable value behind a reference. The content is the whole object as compact JSON (apiVersion, kind, metadata,
 *           spec, status, operation, data); what everybody asks for is taken out of it once. A tree is parsed when somebody
 *           needs it, and stays for a while (recent.h). Numbers keep their text, or are 64-bit integers. apiVersion and kind may be
 *           missing in what comes (a Go peer leaves them out) and are filled in; a Repository is a Secret there and a GPGKey a ConfigMap.
 * Owner     reference counted, not atomically: objects stay in one loop's thread; what crosses to another is the blob.
 * Errors    E_MALFORMED  not an object of this kind, a bad name, or no JSON; a key that stands twice
 *           E_LIMIT      larger than OBJECT_MAX, of more values, or nested too deeply
 * Source    Kubernetes API conventions (metadata, names: RFC 1123 subdomains); argocd-agent facts 2.8, 4.5
 */
#pragma once

#include <json-c/json.h>

#include "base/blob.h"
#include "base/buf.h"
#include "base/str.h"
#include "base/why.h"

/*    name         kind           apiVersion */
#define OBJECT_KINDS(X)                                       \
	X(APPLICATION, "Application", "argoproj.io/v1alpha1") \
	X(APPPROJECT, "AppProject", "argoproj.io/v1alpha1")   \
	X(REPOSITORY, "Repository", "v1")                     \
	X(GPGKEY, "GPGKey", "v1")

enum object_kind {
#define X(name, kind, api) OBJECT_##name,
	OBJECT_KINDS(X)
#undef X
		OBJECT_KIND_COUNT,
};

/*
 * One object in bytes and in values; the longest name and namespace (Kubernetes: a DNS subdomain). An API server stores at most 1.5 MiB,
 * which is some ten thousand values of an Application. A value costs many times its bytes, in time and in memory: who sends a list of
 * zeros must not hold up all others.
 */
#define OBJECT_MAX        (4u << 20)
#define OBJECT_VALUES_MAX 100000 /* objects, lists and scalars, the outermost included */
#define OBJECT_NAME_MAX   253
#define OBJECT_DEPTH_MAX  128 /* levels of objects and lists, the outermost included */

struct object {
	unsigned refs;
	enum object_kind kind;
	const char *namespace;
	const char *name;
	const char *uid;        /* metadata.uid: given by this backend; "" before it was */
	const char *version;    /* metadata.resourceVersion: another one after each change; "" likewise */
	const char *source_uid; /* annotation argocd.argoproj.io/source-uid; "" when there is none */
	struct blob *json;      /* all of it */
	json_object *tree;      /* of recent.h, as is the slot; NULL: none is kept */
	unsigned short slot;
	struct object *missed_next; /* of missed.h */
};

/* Name of a kind: "Application". Never NULL. */
const char *object_kind_name(enum object_kind kind);

/* The kind of this name, or OBJECT_KIND_COUNT. */
enum object_kind object_kind_of(struct str name);

/* An object from compact or other JSON, of `kind`; metadata.name is needed, metadata.namespace may be missing ("" then). */
enum err object_new(enum object_kind kind, struct str json, struct why *why, struct object **ret_object);

/* The same from a tree, which stays the caller's. */
enum err object_from_tree(enum object_kind kind, json_object *tree, struct why *why, struct object **ret_object);

struct object *object_ref(struct object *o);
void object_unref(struct object *o); /* takes NULL */

DEFINE_FREEP(object_unref, struct object, object_unref)

/* One that is called as `o` is, with these ids, of a text made of what tree_write() wrote: it is not looked at again. */
enum err object_with(const struct object *o, const char *uid, const char *version, struct str written, struct why *why,
		     struct object **ret_object);

/* The tree of an object that came as `json`, checked and with its kind as object_new() has it. */
enum err object_parse(enum object_kind kind, struct str json, struct why *why, json_object **ret_tree);

/*
 * Its content, shared by all who ask: not to be changed (tree_fork()). json_object_put() it. NULL without memory. In the thread of
 * the object alone.
 */
json_object *object_tree(const struct object *o);

/* The same, parsed for the caller alone, in any thread. */
json_object *object_tree_own(const struct object *o);

/* The key of an object in maps, "<kind>/<namespace>/<name>" with the kind as a number, terminated. What is longer than a name is cut. */
#define OBJECT_KEY_MAX (2 * OBJECT_NAME_MAX + 8)
struct str object_key(enum object_kind kind, const char *namespace, const char *name,
		      char ret_text[static OBJECT_KEY_MAX]);

/* Is this a name that Kubernetes would take (RFC 1123 subdomain)? */
bool object_name_ok(struct str name);

/* ---- trees ------------------------------------------------------------------------------------------------------- */

/*
 * Strictly: RFC 8259, UTF-8, no key twice or with a NUL, at most OBJECT_MAX bytes, OBJECT_VALUES_MAX values and OBJECT_DEPTH_MAX
 * levels. `null` is a NULL tree.
 */
enum err tree_parse(struct str json, struct why *why, json_object **ret_tree);

/*
 * A copy whose members may be set and removed, and so may those of its metadata: these two levels are its own, what lies deeper is
 * shared (tree_mark_set() knows). NULL without memory.
 */
json_object *tree_fork(json_object *tree);

/* NULL: `object` is none, or has no such member, or null there. */
json_object *tree_member(json_object *object, const char *key);

/*
 * Set a member, which takes over the value; of keys that nearly every object has json-c needs no copy. Not 0: no memory, and the value
 * is still the caller's. tree_put_new(): there is none of this key yet.
 */
int tree_put(json_object *object, const char *key, json_object *value);
int tree_put_new(json_object *object, const char *key, json_object *value);

/* Appends it as compact JSON, within the same limits. E_LIMIT, E_NOMEM */
enum err tree_write(json_object *tree, struct buf *ret_text, struct why *why);

/* The tree of what tree_write() wrote, which is not looked at a second time. NULL without memory. */
json_object *tree_again(struct str written);

/* The value of a number's text; NULL without memory. */
json_object *tree_number(struct str text);

/* A member on a path such as "metadata", "annotations"; NULL: not there, or not an object on the way. Ends with NULL. */
json_object *tree_get(json_object *tree, ...) __attribute__((sentinel));

/* A string member of metadata; "" when there is none. Borrowed from the tree. */
const char *tree_meta(json_object *tree, const char *key);
/* E_NOMEM; E_MALFORMED: what should hold it is not an object. */
enum err tree_meta_set(json_object *tree, const char *key, const char *value); /* NULL: remove */

/* An annotation or label; "" when there is none. `map`: "annotations" or "labels". */
const char *tree_mark(json_object *tree, const char *map, const char *key);
/* E_NOMEM; E_MALFORMED: what should hold it is not an object. Of a fork, what it was forked of stays as it is. */
enum err tree_mark_set(json_object *tree, const char *map, const char *key, const char *value); /* NULL: remove */
