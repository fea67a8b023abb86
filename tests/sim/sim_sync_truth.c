#include <stdio.h>

#include "backend/apply.h"
#include "sim_sync_people.h"
#include "sync/marks.h"

/* ---- what there is --------------------------------------------------------------------------------------------- */

static bool is_in_a_team(const struct sim *s, const struct agent *a)
{
	return s->by_destination && a->index % 2;
}

const char *people_namespace(const struct sim *s, const struct agent *a)
{
	if (s->by_destination && a->mode == AGENT_MANAGED)
		return is_in_a_team(s, a) ? "team" : PRINCIPAL_NAMESPACE;
	return a->name;
}

static void app_name(struct sim *s, const struct agent *a, char ret_name[static 32])
{
	(void)snprintf(ret_name, 32, "%s-app%u", s->by_destination ? a->name : "an", (unsigned)sim_below(s, SIM_NAMES));
}

static json_object *new_app(struct sim *s, const struct agent *a, const char *namespace, const char *name)
{
	json_object *tree = json_object_new_object(), *meta = ensure(tree, "metadata"), *spec = ensure(tree, "spec");
	json_object *destination = ensure(spec, "destination"), *from = ensure(spec, "source");
	char text[32];

	set_text(meta, "name", name);
	set_text(meta, "namespace", namespace);
	set_text(spec, "project", "default");
	set_text(destination, "name", a->mode == AGENT_MANAGED ? a->name : "in-cluster");
	set_text(destination, "namespace", "guestbook");
	set_text(from, "repoURL", "https://example.com/r.git");
	set_text(from, "targetRevision", number_text(s, text, sizeof(text), "r"));
	if (s->holds)
		set_finalizers(tree, (unsigned)sim_below(s, 3));
	return tree;
}

/* Where people make the objects of this agent. */
static struct end *source_end(struct sim *s, struct agent *a)
{
	return a->mode == AGENT_MANAGED ? &s->principal : &a->end;
}

/* At a site one namespace for each name: at the principal all of an autonomous agent lie in one. */
static const char *source_namespace(const struct sim *s, const struct agent *a)
{
	if (a->mode == AGENT_MANAGED)
		return people_namespace(s, a);
	return is_in_a_team(s, a) ? "team" : SITE_NAMESPACE;
}

static bool excluded(json_object *tree)
{
	return strcmp(text_at(tree, "metadata", "labels", LABEL_SKIP_SYNC), "true") == 0;
}

/* ---- operations ------------------------------------------------------------------------------------------------ */

/* What is too large for a message gets none (change_size()): it is refused for good. */
bool people_may_operate(const struct sim *s, const struct story *story, json_object *tree)
{
	return !story->closed && !story->outstanding && !tree_get(tree, "operation", NULL) && !excluded(tree) &&
	       !apply_is_going(tree) && !tree_get(tree, "spec", "source", "path", NULL) &&
	       (!s->picky || text_at(tree, "metadata", "labels", "team")[0]);
}

void people_operate(struct sim *s, struct story *story, struct agent *a, json_object *tree)
{
	json_object *operation = json_object_new_object();

	story->agent = a;
	story->outstanding = true;
	story->op_crashes = s->crashes;
	story->executed = 0;
	story->op = s->calm && sim_once_in(s, 2) ? 1 : ++s->next_number + 1; /* 1: the same as the last time */
	sim_trace(s, "%-9s is to execute operation %llu of %s", a->name, (unsigned long long)story->op,
		  tree_meta(tree, "name"));
	(void)json_object_object_add(operation, "sync", json_object_new_object());
	(void)json_object_object_add(operation, "number", json_object_new_int64((int64_t)story->op));
	(void)json_object_object_add(tree, "operation", operation);
}

/* ---- applications ---------------------------------------------------------------------------------------------- */

/* Something new, or to and fro between two. */
void people_change_spec(struct sim *s, json_object *tree)
{
	json_object *from = ensure(ensure(tree, "spec"), "source");
	bool even = strcmp(text_at(from, "targetRevision", NULL, NULL), "even") == 0;
	char text[32];

	if (sim_once_in(s, 4))
		set_text(from, "targetRevision", even ? "odd" : "even");
	else
		set_text(from, "targetRevision", number_text(s, text, sizeof(text), "r"));
}

/* More than a message may have, or no longer. What is asked of it then is refused for good. */
static void change_size(struct sim *s, json_object *tree)
{
	json_object *from = ensure(ensure(tree, "spec"), "source");
	char path[SIM_MESSAGE_MAX + 1];

	story_closed(s, tree_meta(tree, "uid"));
	memset(path, 'p', sizeof(path) - 1);
	path[sizeof(path) - 1] = 0;
	set_text(from, "path", tree_get(from, "path", NULL) ? NULL : path);
}

static void change_marks(struct sim *s, json_object *tree)
{
	json_object *meta = ensure(tree, "metadata");
	char text[32];

	set_text(ensure(meta, "labels"), "team", sim_once_in(s, 4) ? NULL : number_text(s, text, sizeof(text), "t"));
	set_text(ensure(meta, "annotations"), "note",
		 sim_once_in(s, 4) ? NULL : number_text(s, text, sizeof(text), "n"));
}

void people_toggle(struct sim *s, const struct object *o, json_object *tree)
{
	bool was = excluded(tree);

	set_text(ensure(ensure(tree, "metadata"), "labels"), LABEL_SKIP_SYNC, was ? NULL : "true");
	story_unwanted(s, o);
}

/* At the principal all applications of an autonomous agent lie in one namespace: of each name there is one at its site. */
struct object *people_original(struct sim *s, struct agent *a, const char *name)
{
	const struct memory_store *store = source_end(s, a)->store;
	struct object *o;

	if (a->mode == AGENT_MANAGED)
		return memory_store_get(store, OBJECT_APPLICATION, source_namespace(s, a), name);
	for (size_t at = 0; (o = memory_store_next(store, &at));)
		if (o->kind == OBJECT_APPLICATION && strcmp(o->name, name) == 0)
			return o;
	return NULL;
}

/* The truth about an application of this agent changes. */
void truth_change_app(struct sim *s, struct agent *a)
{
	struct end *e = source_end(s, a);
	char name[32];
	struct object *o;
	json_object *tree;
	uint64_t what = sim_below(s, 100);

	app_name(s, a, name);
	o = people_original(s, a, name);
	if (!o) {
		people_edit(e, OBJECT_APPLICATION, new_app(s, a, source_namespace(s, a), name), "create");
		return;
	}
	if (what < 10) {
		story_unwanted(s, o);
		people_delete(e, o);
		if (what < 5 && !people_original(s, a, name)) /* and made again: another object */
			people_edit(e, OBJECT_APPLICATION, new_app(s, a, source_namespace(s, a), name), "create again");
		return;
	}
	tree = object_tree_own(o);
	if (what < 16) {
		people_toggle(s, o, tree);
	} else if (what < 19 && a->mode == AGENT_MANAGED) {
		story_unwanted(s, o);
		set_text(ensure(tree, "metadata"), "deletionTimestamp", "2030-01-01T00:00:00Z");
	} else if (what < 23 && s->holds) {
		set_finalizers(tree, (unsigned)sim_below(s, 3));
	} else if (what < 24 && s->narrow) {
		change_size(s, tree);
	} else if (what < 60) {
		people_change_spec(s, tree);
	} else if (what < 70) {
		change_marks(s, tree);
		if (s->picky)
			story_unwanted(s, o);
	} else if (what < 75) {
		set_text(ensure(ensure(tree, "metadata"), "annotations"), MARK_REFRESH, "normal");
	} else if (people_may_operate(s, story_about(s, o), tree)) {
		people_operate(s, story_about(s, o), a, tree);
	}
	people_edit(e, OBJECT_APPLICATION, tree, "change");
}

/* Much about one application, all at once. */
void truth_change_much(struct sim *s, struct agent *a)
{
	struct end *e = source_end(s, a);
	char name[32];
	struct object *o;

	app_name(s, a, name);
	for (int i = 0; i < 100 && (o = people_original(s, a, name)); i++) {
		json_object *tree = object_tree_own(o);

		people_change_spec(s, tree);
		people_edit(e, OBJECT_APPLICATION, tree, "change");
	}
}

/* It goes to another agent. */
void truth_move_app(struct sim *s, struct agent *a)
{
	struct agent *to = &s->agents[sim_below(s, SIM_AGENTS)];
	char name[32];
	struct object *o;
	json_object *tree;

	if (!s->by_destination || a->mode != AGENT_MANAGED || to->mode != AGENT_MANAGED)
		return;
	app_name(s, a, name);
	o = memory_store_get(s->principal.store, OBJECT_APPLICATION, people_namespace(s, a), name);
	if (!o)
		return;
	story_unwanted(s, o);
	tree = object_tree_own(o);
	set_text(ensure(ensure(tree, "spec"), "destination"), "name", to->name);
	people_edit(&s->principal, OBJECT_APPLICATION, tree, "move");
}

/* ---- other kinds ----------------------------------------------------------------------------------------------- */

static json_object *new_object(const char *namespace, const char *name)
{
	json_object *tree = json_object_new_object(), *meta = ensure(tree, "metadata");

	set_text(meta, "name", name);
	set_text(meta, "namespace", namespace);
	return tree;
}

static void add_destination(json_object *list, const char *name)
{
	json_object *destination = json_object_new_object();

	set_text(destination, "name", name);
	set_text(destination, "namespace", "*");
	set_text(destination, "server", "*");
	(void)json_object_array_add(list, destination);
}

/* A project that names some of the agents. */
static json_object *new_project(struct sim *s, const char *namespace, const char *name)
{
	json_object *tree = new_object(namespace, name), *spec = ensure(tree, "spec");
	json_object *destinations = json_object_new_array(), *from = json_object_new_array();
	char text[32];

	for (int i = 0; i < SIM_AGENTS; i++)
		if (sim_once_in(s, 2))
			add_destination(destinations, s->agents[i].name);
	(void)json_object_array_add(from, json_object_new_string("*"));
	(void)json_object_object_add(spec, "destinations", destinations);
	(void)json_object_object_add(spec, "sourceNamespaces", from);
	set_text(spec, "description", number_text(s, text, sizeof(text), "d"));
	return tree;
}

static json_object *new_repository(struct sim *s, const char *name)
{
	json_object *tree = new_object(PRINCIPAL_NAMESPACE, name), *data = ensure(tree, "data");
	char text[32];

	set_text(ensure(ensure(tree, "metadata"), "labels"), LABEL_SECRET_TYPE, "repository");
	set_text(data, "project", sim_once_in(s, 2) ? "cDA=" : "cDE="); /* p0, p1 */
	set_text(data, "url", number_text(s, text, sizeof(text), "aHR0"));
	return tree;
}

static json_object *new_keys(struct sim *s)
{
	json_object *tree = new_object(PRINCIPAL_NAMESPACE, GPG_KEYS_NAME);
	char text[32];

	set_text(ensure(tree, "data"), "KEY", number_text(s, text, sizeof(text), "k"));
	return tree;
}

static void put_or_remove(struct sim *s, struct end *e, enum object_kind kind, json_object *tree)
{
	struct object *there = memory_store_get(e->store, kind, tree_meta(tree, "namespace"), tree_meta(tree, "name"));

	story_unwanted(s, there); /* a project may reach others from now on */
	if (there && sim_once_in(s, 4)) {
		people_delete(e, there);
		json_object_put(tree);
		return;
	}
	if (there)
		set_text(ensure(tree, "metadata"), "uid", there->uid);
	people_edit(e, kind, tree, "put");
}

void truth_change_shared(struct sim *s)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "p%u", (unsigned)sim_below(s, 2));
	switch (sim_below(s, 3)) {
	case 0:
		put_or_remove(s, &s->principal, OBJECT_APPPROJECT, new_project(s, PRINCIPAL_NAMESPACE, name));
		break;
	case 1:
		/* A repository may come and go with its project: whatever it is, its copies may. */
		name[0] = 'r';
		put_or_remove(s, &s->principal, OBJECT_REPOSITORY, new_repository(s, name));
		break;
	default:
		put_or_remove(s, &s->principal, OBJECT_GPGKEY, new_keys(s));
	}
}

void truth_change_project(struct sim *s, struct agent *a)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "own%u", (unsigned)sim_below(s, 2));
	put_or_remove(s, &a->end, OBJECT_APPPROJECT, new_project(s, SITE_NAMESPACE, name));
}
