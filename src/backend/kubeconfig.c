#include "backend/kubeconfig.h"

#include <assert.h>

#include "backend/kubeconfig_impl.h"
#include "backend/object_yaml.h"
#include "base/mem.h"

#define NAMES_MAX 200 /* bytes of names that an error lists */
struct kubeconfig_file {
	char *path;
	json_object *tree;
};

/* A list of named things. */
struct section {
	const char *list, *what;
};

static const struct section contexts = { "contexts", "context" };
static const struct section clusters = { "clusters", "cluster" };
static const struct section users = { "users", "user" };

static enum err nomem(struct why *why)
{
	return why_set(why, E_NOMEM, "read a kubeconfig");
}

/* ---- the files --------------------------------------------------------------------------------------------------- */

static const char *name_of(json_object *item)
{
	return json_object_get_string(tree_member(item, "name"));
}

static enum err check_section(json_object *tree, const struct section *s, struct why *why)
{
	json_object *list = tree_member(tree, s->list);

	if (!list)
		return E_OK;
	if (!json_object_is_type(list, json_type_array))
		return why_set(why, E_CONFIG, "%s is no list", s->list);
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		json_object *name = tree_member(json_object_array_get_idx(list, i), "name");

		if (!json_object_is_type(name, json_type_string))
			return why_set(why, E_CONFIG, "%s: number %zu has no name, or one that is no text", s->list,
				       i + 1);
	}
	return E_OK;
}

static enum err check_file(json_object *tree, struct why *why)
{
	json_object *kind = tree_member(tree, "kind");
	enum err err;

	if (!json_object_is_type(tree, json_type_object) ||
	    (kind && strcmp(json_object_get_string(kind), "Config") != 0))
		return why_set(why, E_CONFIG, "this is no kubeconfig (kind: Config)");
	err = check_section(tree, &contexts, why);
	if (err == E_OK)
		err = check_section(tree, &clusters, why);
	return err == E_OK ? check_section(tree, &users, why) : err;
}

/* Every text of a tree. */
static void wipe(json_object *tree)
{
	if (json_object_is_type(tree, json_type_string)) {
		explicit_bzero((void *)(uintptr_t)json_object_get_string(tree),
			       (size_t)json_object_get_string_len(tree));
	} else if (json_object_is_type(tree, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(tree); i++)
			wipe(json_object_array_get_idx(tree, i));
	} else if (json_object_is_type(tree, json_type_object)) {
		json_object_object_foreach(tree, key, value)
		{
			(void)key;
			wipe(value);
		}
	}
}

static void file_release(struct kubeconfig_file *f)
{
	wipe(f->tree);
	json_object_put(f->tree);
	mem_free(f->path);
}

enum err kubeconfig_add(struct kubeconfig *k, const char *path, struct str text, struct why *why)
{
	struct kubeconfig_file *grown = mem_realloc(k->files, (k->n + 1) * sizeof(*grown));
	struct kubeconfig_file f = { 0 };
	enum err err;

	if (!grown)
		return nomem(why);
	k->files = grown;
	err = yaml_read(text, why, &f.tree);
	if (err == E_OK)
		err = check_file(f.tree, why);
	if (err == E_OK) {
		f.path = str_dup(str_of(path));
		err = f.path ? E_OK : nomem(why);
	}
	if (err == E_OK) {
		k->files[k->n++] = f;
		return E_OK;
	}
	file_release(&f);
	(void)why_add(why, "%s", path);
	if (why && err != E_NOMEM)
		why->err = E_CONFIG;
	return err == E_NOMEM ? E_NOMEM : E_CONFIG;
}

void kubeconfig_release(struct kubeconfig *k)
{
	for (size_t i = 0; i < k->n; i++)
		file_release(&k->files[i]);
	mem_free(k->files);
	*k = (struct kubeconfig){ 0 };
}

/* ---- who is asked for -------------------------------------------------------------------------------------------- */

static json_object *find_in(const struct kubeconfig_file *f, const struct section *s, const char *name,
			    size_t *ret_times)
{
	json_object *list = tree_member(f->tree, s->list), *found = NULL;

	*ret_times = 0;
	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		json_object *item = json_object_array_get_idx(list, i);

		if (strcmp(name_of(item), name) == 0 && (*ret_times)++ == 0)
			found = item;
	}
	return found;
}

static enum err fail_missing(const struct kubeconfig *k, const struct section *s, const char *name, struct why *why)
{
	CLEANUP(buf_release) struct buf names = { .max = NAMES_MAX };

	for (size_t i = 0; i < k->n; i++) {
		json_object *list = tree_member(k->files[i].tree, s->list);

		for (size_t j = 0; list && j < json_object_array_length(list); j++)
			buf_addf(&names, "%s%s", names.n ? ", " : "", name_of(json_object_array_get_idx(list, j)));
	}
	if (!names.n)
		buf_lit(&names, "none");
	if (!name)
		return why_set(why, E_CONFIG,
			       "%s: no current-context: name one of its contexts (%.*s) with --kubecontext",
			       k->files[0].path, STR_ARG(buf_view(&names)));
	return why_set(why, E_CONFIG, "%s: there is no %s %.80s: its %s are (%.*s)", k->files[0].path, s->what, name,
		       s->list, STR_ARG(buf_view(&names)));
}

static enum err find(const struct kubeconfig *k, const struct section *s, const char *name, struct why *why,
		     struct kubeconfig_entry *ret_entry)
{
	for (size_t i = 0; i < k->n; i++) {
		struct kubeconfig_entry e = { .path = k->files[i].path, .what = s->what, .name = name };
		size_t times;

		e.value = tree_member(find_in(&k->files[i], s, name, &times), s->what);
		if (times > 1)
			return kubeconfig_refuse(&e, NULL, why, "it stands twice: drop one");
		if (times && e.value && !json_object_is_type(e.value, json_type_object))
			return kubeconfig_refuse(&e, NULL, why, "it is no map");
		if (times) {
			*ret_entry = e;
			return E_OK;
		}
	}
	return fail_missing(k, s, name, why);
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static enum err take_namespace(const struct kubeconfig_entry *context, struct why *why, struct kubernetes_config *c)
{
	enum err err = kubeconfig_copy(context, "namespace", why, &c->namespace);

	if (err == E_OK && !c->namespace) {
		c->namespace = str_dup(STR("default"));
		return c->namespace ? E_OK : nomem(why);
	}
	if (err == E_OK && !object_name_ok(str_of(c->namespace)))
		return kubeconfig_refuse(context, "namespace", why, "is no name that Kubernetes would take");
	return err;
}

/* Without a user: who is not asked who he is. */
static enum err take_all(const struct kubeconfig *k, const struct kubeconfig_entry *context, struct why *why,
			 struct kubernetes_config *c, const char **ret_secrets)
{
	const char *cluster = NULL, *user = NULL;
	struct kubeconfig_entry of_cluster = { 0 }, of_user = { 0 };
	enum err err = kubeconfig_text(context, "cluster", why, &cluster);

	if (err == E_OK)
		err = kubeconfig_text(context, "user", why, &user);
	if (err != E_OK)
		return err;
	if (!cluster)
		return kubeconfig_refuse(context, NULL, why, "it names no cluster");
	err = take_namespace(context, why, c);
	if (err == E_OK)
		err = find(k, &clusters, cluster, why, &of_cluster);
	if (err == E_OK)
		err = kubeconfig_cluster(&of_cluster, why, c);
	if (err == E_OK && user)
		err = find(k, &users, user, why, &of_user);
	if (err == E_OK && user)
		err = kubeconfig_user(&of_user, why, c);
	if (err == E_OK)
		err = kubeconfig_check_clear(&of_cluster, why, c);
	if (err == E_OK)
		*ret_secrets = c->token.n || c->key.n ? of_user.path : NULL;
	return err;
}

static const char *current_context(const struct kubeconfig *k)
{
	for (size_t i = 0; i < k->n; i++) {
		json_object *name = tree_member(k->files[i].tree, "current-context");

		if (json_object_is_type(name, json_type_string) && json_object_get_string_len(name))
			return json_object_get_string(name);
	}
	return NULL;
}

enum err kubeconfig_choose(const struct kubeconfig *k, const char *context, struct why *why,
			   struct kubernetes_config *ret_config, const char **ret_secrets)
{
	const char *name = context ? context : current_context(k);
	CLEANUP(buf_release) struct buf origin = { 0 };
	struct kubeconfig_entry e = { 0 };
	enum err err;

	assert(k->n);
	if (!name)
		return fail_missing(k, &contexts, NULL, why);
	err = find(k, &contexts, name, why, &e);
	if (err != E_OK)
		return err;
	buf_addf(&origin, "%s, context %s", e.path, name);
	ret_config->origin = origin.err == E_OK ? str_dup(buf_view(&origin)) : NULL;
	return ret_config->origin ? take_all(k, &e, why, ret_config, ret_secrets) : nomem(why);
}
