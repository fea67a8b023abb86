#include <stdio.h>

#include "base/mem.h"
#include "sim_sync.h"
#include "sync/marks.h"

/* ---- stories ------------------------------------------------------------------------------------------------------ */

struct story *story_of(struct sim *s, const char *uid)
{
	struct story *story = map_get(&s->stories, str_of(uid));

	if (story || !uid[0])
		return story;
	story = sim_alloc(s, sizeof(*story));
	(void)snprintf(story->uid, sizeof(story->uid), "%s", uid);
	if (map_put(&s->stories, str_of(story->uid), story) != E_OK)
		sim_broken(s, "no memory");
	return story;
}

void story_free_all(struct sim *s)
{
	const struct map_entry *e;
	size_t at = 0;

	while ((e = map_next(&s->stories, &at)))
		mem_free(e->value);
	map_release(&s->stories);
}

struct story *story_about(struct sim *s, const struct object *o)
{
	return story_of(s, o->source_uid[0] ? o->source_uid : o->uid);
}

static void unwanted(struct sim *s, const struct object *o)
{
	struct story *stories[] = { o ? story_of(s, o->uid) : NULL, o ? story_about(s, o) : NULL };

	for (size_t i = 0; i < ARRAY_LEN(stories); i++)
		if (stories[i])
			stories[i]->unwanted = stories[i]->closed = true;
}

/* Its operations are nobody's promise any more: the copy they were on is gone. */
static void closed(struct sim *s, const char *uid)
{
	struct story *story = story_of(s, uid);

	if (story)
		story->closed = true;
}

/* ---- trees -------------------------------------------------------------------------------------------------------- */

static json_object *ensure(json_object *tree, const char *key)
{
	json_object *member = NULL;

	if (!json_object_object_get_ex(tree, key, &member) || !json_object_is_type(member, json_type_object)) {
		member = json_object_new_object();
		(void)json_object_object_add(tree, key, member);
	}
	return member;
}

static void set_text(json_object *tree, const char *key, const char *value)
{
	if (value)
		(void)json_object_object_add(tree, key, json_object_new_string(value));
	else
		json_object_object_del(tree, key);
}

static const char *text_at(json_object *tree, const char *a, const char *b, const char *c)
{
	json_object *value = tree_get(tree, a, b, c, NULL);

	return value ? json_object_get_string(value) : "";
}

static void note_undo(struct end *e, struct object *before)
{
	struct undo *u = &e->undos[e->edits++ % SIM_UNDOS];

	object_unref(u->before);
	u->before = before;
	if (before)
		str_copy(str_of(memory_store_get(e->store, before->kind, before->namespace, before->name)->version),
			 u->version, sizeof(u->version));
}

static void edit(struct end *e, enum object_kind kind, json_object *tree, const char *what)
{
	struct object *o = NULL, *before;
	struct why why;

	if (object_from_tree(kind, tree, &why, &o) != E_OK)
		sim_broken(e->sim, "%s", why.text);
	sim_trace(e->sim, "%-9s somebody: %s %s/%s", end_name(e), what, o->namespace, o->name);
	before = memory_store_get(e->store, kind, o->namespace, o->name);
	before = before ? object_ref(before) : NULL;
	if (memory_store_edit(e->store, o) != E_OK)
		sim_broken(e->sim, "no memory");
	late_by_hand(e, memory_store_get(e->store, kind, o->namespace, o->name));
	note_undo(e, before);
	if (!e->agent)
		watch_edit(e->sim, o);
	object_unref(o);
	json_object_put(tree);
}

static void take_away(struct end *e, const struct object *o)
{
	struct object *kept = object_ref((struct object *)o);

	sim_trace(e->sim, "%-9s somebody: delete %s/%s", end_name(e), kept->namespace, kept->name);
	late_by_hand(e, kept);
	(void)memory_store_remove(e->store, kept->kind, kept->namespace, kept->name);
	if (!e->agent && end_is_up(e) && !hub_is_synced(e->hub))
		watch_seen_gone(e->sim, kept);
	object_unref(kept);
}

static char *number_text(struct sim *s, char *text, size_t n, const char *prefix)
{
	(void)snprintf(text, n, "%s%llu", prefix, (unsigned long long)++s->next_number);
	return text;
}

/* ---- what there is ------------------------------------------------------------------------------------------------ */

static bool is_in_a_team(const struct sim *s, const struct agent *a)
{
	return s->by_destination && a->index % 2;
}

static const char *namespace_at_principal(const struct sim *s, const struct agent *a)
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
		return namespace_at_principal(s, a);
	return is_in_a_team(s, a) ? "team" : SITE_NAMESPACE;
}

static bool excluded(json_object *tree)
{
	return strcmp(text_at(tree, "metadata", "labels", LABEL_SKIP_SYNC), "true") == 0;
}

/* ---- operations --------------------------------------------------------------------------------------------------- */

/* What is too large for a message gets none (change_size()): it is refused for good. */
static bool may_operate(const struct sim *s, const struct story *story, json_object *tree)
{
	return !story->closed && !story->outstanding && !tree_get(tree, "operation", NULL) && !excluded(tree) &&
	       !tree_get(tree, "metadata", "deletionTimestamp", NULL) &&
	       !tree_get(tree, "spec", "source", "path", NULL) &&
	       (!s->picky || text_at(tree, "metadata", "labels", "team")[0]);
}

static void put_operation(struct sim *s, struct story *story, struct agent *a, json_object *tree)
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

/* ---- people at the source of truth -------------------------------------------------------------------------------- */

/* Something new, or to and fro between two. */
static void change_spec(struct sim *s, json_object *tree)
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

	closed(s, tree_meta(tree, "uid"));
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

static void toggle_exclusion(struct sim *s, const struct object *o, json_object *tree)
{
	bool was = excluded(tree);

	set_text(ensure(ensure(tree, "metadata"), "labels"), LABEL_SKIP_SYNC, was ? NULL : "true");
	unwanted(s, o);
}

/* At the principal all applications of an autonomous agent lie in one namespace: of each name there is one at its site. */
static struct object *original(struct sim *s, struct agent *a, const char *name)
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
static void change_app(struct sim *s, struct agent *a)
{
	struct end *e = source_end(s, a);
	char name[32];
	struct object *o;
	json_object *tree;
	uint64_t what = sim_below(s, 100);

	app_name(s, a, name);
	o = original(s, a, name);
	if (!o) {
		edit(e, OBJECT_APPLICATION, new_app(s, a, source_namespace(s, a), name), "create");
		return;
	}
	if (what < 10) {
		unwanted(s, o);
		take_away(e, o);
		if (what < 5) /* and made again: another object */
			edit(e, OBJECT_APPLICATION, new_app(s, a, source_namespace(s, a), name), "create again");
		return;
	}
	tree = object_tree_own(o);
	if (what < 16) {
		toggle_exclusion(s, o, tree);
	} else if (what < 19 && a->mode == AGENT_MANAGED) {
		unwanted(s, o);
		set_text(ensure(tree, "metadata"), "deletionTimestamp", "2030-01-01T00:00:00Z");
	} else if (what < 24 && s->narrow) {
		change_size(s, tree);
	} else if (what < 60) {
		change_spec(s, tree);
	} else if (what < 70) {
		change_marks(s, tree);
		if (s->picky)
			unwanted(s, o);
	} else if (what < 75) {
		set_text(ensure(ensure(tree, "metadata"), "annotations"), MARK_REFRESH, "normal");
	} else if (may_operate(s, story_about(s, o), tree)) {
		put_operation(s, story_about(s, o), a, tree);
	}
	edit(e, OBJECT_APPLICATION, tree, "change");
}

/* Much about one application, all at once. */
static void change_much(struct sim *s, struct agent *a)
{
	struct end *e = source_end(s, a);
	char name[32];
	struct object *o;

	app_name(s, a, name);
	for (int i = 0; i < 100 && (o = original(s, a, name)); i++) {
		json_object *tree = object_tree_own(o);

		change_spec(s, tree);
		edit(e, OBJECT_APPLICATION, tree, "change");
	}
}

/* It goes to another agent. */
static void move_app(struct sim *s, struct agent *a)
{
	struct agent *to = &s->agents[sim_below(s, SIM_AGENTS)];
	char name[32];
	struct object *o;
	json_object *tree;

	if (!s->by_destination || a->mode != AGENT_MANAGED || to->mode != AGENT_MANAGED)
		return;
	app_name(s, a, name);
	o = memory_store_get(s->principal.store, OBJECT_APPLICATION, namespace_at_principal(s, a), name);
	if (!o)
		return;
	unwanted(s, o);
	tree = object_tree_own(o);
	set_text(ensure(ensure(tree, "spec"), "destination"), "name", to->name);
	edit(&s->principal, OBJECT_APPLICATION, tree, "move");
}

/* ---- other kinds -------------------------------------------------------------------------------------------------- */

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

	unwanted(s, there); /* a project may reach others from now on */
	if (there && sim_once_in(s, 4)) {
		take_away(e, there);
		json_object_put(tree);
		return;
	}
	if (there)
		set_text(ensure(tree, "metadata"), "uid", there->uid);
	edit(e, kind, tree, "put");
}

static void change_shared(struct sim *s)
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

static void change_project_at(struct sim *s, struct agent *a)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "own%u", (unsigned)sim_below(s, 2));
	put_or_remove(s, &a->end, OBJECT_APPPROJECT, new_project(s, SITE_NAMESPACE, name));
}

/* ---- people at the copies ----------------------------------------------------------------------------------------- */

static struct object *any_object(struct sim *s, const struct memory_store *store, const char *namespace)
{
	size_t at = 0, n = memory_store_count(store), skip = n ? sim_below(s, n) : 0;
	struct object *o = NULL;

	while ((o = memory_store_next(store, &at)))
		if (skip-- == 0)
			return strcmp(o->namespace, namespace) == 0 || !namespace[0] ? o : NULL;
	return NULL;
}

/* At the principal, the copy of an application whose agent has been autonomous. */
static bool is_original_now(const struct end *e, const struct object *o)
{
	for (int i = 0; i < SIM_AGENTS; i++)
		if (strcmp(e->sim->agents[i].name, o->namespace) == 0)
			return !e->agent && e->sim->agents[i].mode == AGENT_MANAGED;
	return false;
}

/* Edits a copy, or deletes it. */
static void drift(struct sim *s, struct end *e, struct object *o)
{
	json_object *tree;
	char text[32];

	if (!o || !o->source_uid[0])
		return;
	if (sim_once_in(s, 4)) {
		closed(s, o->source_uid);
		closed(s, o->uid);
		if (is_original_now(e, o))
			unwanted(s, o);
		take_away(e, o);
		return;
	}
	tree = object_tree_own(o);
	if (o->kind == OBJECT_REPOSITORY || o->kind == OBJECT_GPGKEY)
		set_text(ensure(tree, "data"), "url", number_text(s, text, sizeof(text), "bG9j"));
	else if (sim_once_in(s, 2))
		set_text(ensure(tree, "spec"), "drift", number_text(s, text, sizeof(text), "x"));
	else
		set_text(ensure(ensure(tree, "metadata"), "labels"), "drift", number_text(s, text, sizeof(text), "x"));
	edit(e, o->kind, tree, "drift");
}

/* An operation of the agent's own people on a copy, or an application that has nothing to do with the principal. */
static void local_business(struct sim *s, struct agent *a)
{
	struct object *o = any_object(s, a->end.store, "");
	struct story *story = o && o->kind == OBJECT_APPLICATION ? story_about(s, o) : NULL;
	json_object *tree;

	if (!story)
		return;
	tree = object_tree_own(o);
	if (may_operate(s, story, tree))
		put_operation(s, story, a, tree);
	edit(&a->end, OBJECT_APPLICATION, tree, "operation here");
}

/* At the principal, on the copy of an autonomous agent's application: an operation, a refresh. */
static void command(struct sim *s, struct agent *a)
{
	struct object *o = any_object(s, s->principal.store, a->name);
	json_object *tree;

	if (!o || a->mode != AGENT_AUTONOMOUS || o->kind != OBJECT_APPLICATION || !o->source_uid[0])
		return;
	tree = object_tree_own(o);
	if (sim_once_in(s, 4))
		set_text(ensure(ensure(tree, "metadata"), "annotations"), MARK_REFRESH, "hard");
	else if (may_operate(s, story_about(s, o), tree))
		put_operation(s, story_about(s, o), a, tree);
	edit(&s->principal, OBJECT_APPLICATION, tree, "command");
}

/* The running operation is to be terminated. Nothing is promised about later ones: they may meet it. */
static void terminate(struct sim *s)
{
	struct object *o = any_object(s, s->principal.store, "");
	json_object *tree, *state;

	if (!o || o->kind != OBJECT_APPLICATION)
		return;
	tree = object_tree_own(o);
	state = tree_get(tree, "status", "operationState", NULL);
	if (strcmp(text_at(tree, "status", "operationState", "phase"), "Running") == 0) {
		closed(s, o->source_uid[0] ? o->source_uid : o->uid);
		set_text(state, "phase", "Terminating");
		edit(&s->principal, OBJECT_APPLICATION, tree, "terminate");
		return;
	}
	json_object_put(tree);
}

/* ---- controllers -------------------------------------------------------------------------------------------------- */

static void execute(struct agent *a, const struct object *o, json_object *tree)
{
	json_object *status = ensure(tree, "status"), *state = ensure(status, "operationState");
	int64_t number = json_object_get_int64(tree_get(tree, "operation", "number", NULL));
	char text[48];

	watch_executed(a, o, (uint64_t)number);
	(void)snprintf(text, sizeof(text), "%llu-%lld", (unsigned long long)a->end.sim->now, (long long)number);
	set_text(state, "startedAt", text);
	set_text(state, "phase", sim_once_in(a->end.sim, 3) && !a->end.sim->healed ? "Running" : "Succeeded");
	set_text(status, "ran", text);
	json_object_object_del(tree, "operation");
}

/* True: there was something to do. */
static bool reconcile(struct agent *a, struct object *o)
{
	struct sim *s = a->end.sim;
	json_object *tree = object_tree(o);
	const char *phase = text_at(tree, "status", "operationState", "phase");
	bool running = strcmp(phase, "Running") == 0, terminating = strcmp(phase, "Terminating") == 0;
	bool refresh = tree_mark(tree, "annotations", MARK_REFRESH)[0] != 0;
	bool operation = tree_get(tree, "operation", NULL) != NULL;
	bool bare = !tree_get(tree, "status", NULL);
	bool fresh = bare && !s->healed && !s->lazy; /* later, that it has none has to show, too */
	char text[32];

	if (!running && !terminating && !refresh && !operation && !fresh &&
	    (s->healed || (s->lazy && bare) || !sim_once_in(s, 3))) {
		json_object_put(tree);
		return false;
	}
	json_object_put(tree);
	tree = object_tree_own(o);
	if (running || terminating)
		set_text(tree_get(tree, "status", "operationState", NULL), "phase", running ? "Succeeded" : "Failed");
	else if (operation)
		execute(a, o, tree);
	if (refresh)
		(void)tree_mark_set(tree, "annotations", MARK_REFRESH, NULL);
	set_text(ensure(ensure(tree, "status"), "health"), "status", sim_once_in(s, 2) ? "Healthy" : "Progressing");
	set_text(ensure(tree, "status"), "by", a->name);
	set_text(ensure(tree, "status"), "reconciledAt", number_text(s, text, sizeof(text), "at"));
	edit(&a->end, OBJECT_APPLICATION, tree, "controller");
	return true;
}

static void controller(struct sim *s, struct agent *a)
{
	struct object *o = any_object(s, a->end.store, "");

	if (o && o->kind == OBJECT_APPLICATION)
		(void)reconcile(a, o);
}

#define APPLICATIONS_MAX 64

/* References to all of a store. */
static size_t applications(const struct memory_store *store, struct object *ret_all[static APPLICATIONS_MAX])
{
	struct object *o;
	size_t at = 0, n = 0;

	while ((o = memory_store_next(store, &at)) && n < APPLICATIONS_MAX)
		if (o->kind == OBJECT_APPLICATION)
			ret_all[n++] = object_ref(o);
	return n;
}

bool people_controllers(struct sim *s)
{
	bool any = false;

	for (int i = 0; i < SIM_AGENTS; i++) {
		struct object *all[APPLICATIONS_MAX];
		size_t n = applications(s->agents[i].end.store, all);

		for (size_t k = 0; k < n; k++) {
			any |= reconcile(&s->agents[i], all[k]);
			object_unref(all[k]);
		}
	}
	return any;
}

/* What a managed agent had in many namespaces: original() says why. */
static void remove_namesakes(struct agent *a)
{
	struct object *all[APPLICATIONS_MAX];
	size_t n = applications(a->end.store, all);

	for (size_t k = 0; k < n; k++) {
		if (original(a->end.sim, a, all[k]->name) != all[k])
			take_away(&a->end, all[k]);
		object_unref(all[k]);
	}
}

void people_part_with(struct agent *a)
{
	struct end *ends[] = { &a->end, &a->end.sim->principal };
	struct object *o;

	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		for (size_t at = 0; (o = memory_store_next(ends[i]->store, &at));)
			unwanted(a->end.sim, o);
	people_forget_undos(&a->end);
	if (a->mode == AGENT_AUTONOMOUS)
		remove_namesakes(a);
}

/* ---- a bad restore ------------------------------------------------------------------------------------------------- */

static struct object *stash[SIM_NAMES + 2];
static size_t stashed;

/* The objects come back as they were. */
void people_good_restore(struct sim *s)
{
	for (size_t i = 0; i < stashed; i++) {
		const struct object *o = stash[i];

		if (!memory_store_get(s->principal.store, o->kind, o->namespace, o->name)) {
			sim_trace(s, "principal restores %s/%s", o->namespace, o->name);
			if (memory_store_edit(s->principal.store, stash[i]) != E_OK)
				sim_broken(s, "no memory");
			watch_edit(s, o);
		}
		object_unref(stash[i]);
	}
	stashed = 0;
}

static void on_restore(struct sim *s, struct happening *h)
{
	(void)h;
	people_good_restore(s);
}

void people_bad_restore(struct sim *s)
{
	struct agent *a = &s->agents[sim_below(s, SIM_AGENTS)];
	char name[32];

	if (a->mode != AGENT_MANAGED || stashed)
		return;
	sim_trace(s, "principal a bad restore: nothing of %s is left", a->name);
	for (unsigned i = 0; i < SIM_NAMES; i++) {
		struct object *o;

		(void)snprintf(name, sizeof(name), "%s-app%u", s->by_destination ? a->name : "an", i);
		o = memory_store_get(s->principal.store, OBJECT_APPLICATION, namespace_at_principal(s, a), name);
		if (!o)
			continue;
		stash[stashed++] = object_ref(o);
		unwanted(s, o);
		(void)memory_store_remove(s->principal.store, o->kind, o->namespace, o->name);
	}
	sim_later(s, 3000 + sim_below(s, 20000), &(struct happening){ .run = on_restore });
}

/* ---- objects as they were ------------------------------------------------------------------------------------------- */

void object_list_release(struct object_list *l)
{
	while (l->n)
		object_unref(l->all[--l->n]);
}

void people_save(struct end *e)
{
	struct object *o;

	object_list_release(&e->saved);
	for (size_t at = 0; (o = memory_store_next(e->store, &at)) && e->saved.n < SIM_OBJECTS;)
		e->saved.all[e->saved.n++] = object_ref(o);
}

static bool is_saved(const struct end *e, const struct object *o)
{
	for (size_t i = 0; i < e->saved.n; i++)
		if (strcmp(e->saved.all[i]->uid, o->uid) == 0)
			return true;
	return false;
}

/* What is not in the backup goes, and so may what it was copied to; nothing is promised of operations. */
static void remove_newer(struct end *e)
{
	struct object *all[SIM_OBJECTS], *o;
	size_t n = 0;

	for (size_t at = 0; (o = memory_store_next(e->store, &at)) && n < SIM_OBJECTS;)
		all[n++] = object_ref(o);
	while (n) {
		unwanted(e->sim, all[--n]);
		if (!is_saved(e, all[n]))
			(void)memory_store_remove(e->store, all[n]->kind, all[n]->namespace, all[n]->name);
		object_unref(all[n]);
	}
}

void people_rewind(struct end *e)
{
	sim_trace(e->sim, "%-9s has %zu objects as they were", end_name(e), e->saved.n);
	remove_newer(e);
	for (size_t i = 0; i < e->saved.n; i++) {
		struct object *o = e->saved.all[i], *there;

		unwanted(e->sim, o);
		there = memory_store_get(e->store, o->kind, o->namespace, o->name);
		if ((!there || strcmp(there->version, o->version) != 0) && memory_store_edit(e->store, o) != E_OK)
			sim_broken(e->sim, "no memory");
		if (!e->agent)
			watch_edit(e->sim, o);
	}
	people_forget_undos(e);
}

/* ---- another start -------------------------------------------------------------------------------------------------- */

void people_pick(struct sim *s)
{
	struct object *o;

	s->picks = !s->picks;
	sim_trace(s, "principal is to have %s selector", s->picks ? "a" : "no");
	for (size_t at = 0; (o = memory_store_next(s->principal.store, &at));)
		unwanted(s, o);
}

/* Another object of this name, as it would be made from a repository. */
static void make_again(struct end *e, const struct object *o)
{
	json_object *tree = object_tree_own(o), *meta = ensure(tree, "metadata");

	unwanted(e->sim, o);
	take_away(e, o);
	set_text(meta, "uid", NULL);
	set_text(meta, "deletionTimestamp", NULL);
	set_text(tree, "status", NULL);
	set_text(tree, "operation", NULL);
	edit(e, OBJECT_APPLICATION, tree, "create again");
}

void people_rebuild(struct sim *s)
{
	struct object *all[APPLICATIONS_MAX];
	size_t n = applications(s->principal.store, all);

	for (size_t k = 0; k < n; k++) {
		if (!all[k]->source_uid[0])
			make_again(&s->principal, all[k]);
		object_unref(all[k]);
	}
}

/* ---- when all is quiet --------------------------------------------------------------------------------------------- */

static void exclude_or_include(struct sim *s, const struct object *o)
{
	json_object *tree = object_tree_own(o);

	if (o->source_uid[0] || !tree_get(tree, "status", NULL)) {
		json_object_put(tree);
		return;
	}
	toggle_exclusion(s, o, tree);
	edit(&s->principal, OBJECT_APPLICATION, tree, "exclude or include");
}

void people_exclude_or_include(struct sim *s)
{
	struct object *all[APPLICATIONS_MAX];
	size_t n = applications(s->principal.store, all);

	for (size_t k = 0; k < n; k++) {
		exclude_or_include(s, all[k]);
		object_unref(all[k]);
	}
}

/* ---- as it was before ---------------------------------------------------------------------------------------------- */

static void touch(struct end *e, const struct object *o, json_object *tree)
{
	char text[32];

	if (o->source_uid[0])
		set_text(ensure(tree, "status"), "reconciledAt", number_text(e->sim, text, sizeof(text), "at"));
	else
		change_spec(e->sim, tree);
	edit(e, OBJECT_APPLICATION, tree, "touch");
}

/* An original's spec, a managed copy's status. */
void people_touch(struct sim *s)
{
	for (int i = 0; i < SIM_AGENTS; i++) {
		struct end *ends[] = { &s->agents[i].end, &s->principal };

		for (size_t k = 0; k < ARRAY_LEN(ends); k++) {
			struct object *o = any_object(s, ends[k]->store, "");

			if (o && o->kind == OBJECT_APPLICATION && (ends[k]->agent || !o->source_uid[0]))
				touch(ends[k], o, object_tree_own(o));
		}
	}
}

/* Of operations something else is promised, and what is going stays gone. */
static bool may_be_undone(const struct object *o)
{
	json_object *tree = object_tree(o);
	bool may = o->kind == OBJECT_APPLICATION && !tree_get(tree, "operation", NULL) &&
		   !tree_get(tree, "metadata", "deletionTimestamp", NULL);

	json_object_put(tree);
	return may;
}

void people_undo(struct end *e)
{
	for (size_t i = 0; i < SIM_UNDOS; i++) {
		struct object *before = e->undos[i].before, *there = NULL;

		if (before)
			there = memory_store_get(e->store, before->kind, before->namespace, before->name);
		if (!there || strcmp(there->version, e->undos[i].version) != 0 ||
		    strcmp(there->uid, before->uid) != 0 || !may_be_undone(there) || !may_be_undone(before))
			continue;
		sim_trace(e->sim, "%-9s somebody: undo %s/%s", end_name(e), before->namespace, before->name);
		if (memory_store_edit(e->store, before) != E_OK)
			sim_broken(e->sim, "no memory");
	}
	people_forget_undos(e);
}

void people_forget_undos(struct end *e)
{
	for (size_t i = 0; i < SIM_UNDOS; i++)
		object_unref(TAKE(e->undos[i].before));
}

/* ---- who does what ------------------------------------------------------------------------------------------------ */

void people_act(struct sim *s)
{
	struct agent *a = &s->agents[sim_below(s, SIM_AGENTS)];
	uint64_t what = sim_below(s, 1000);

	if (what < 400)
		change_app(s, a);
	else if (what < 420)
		move_app(s, a);
	else if (what < 450)
		change_shared(s);
	else if (what < 470 && a->mode == AGENT_AUTONOMOUS)
		change_project_at(s, a);
	else if (what < 500)
		drift(s, a->mode == AGENT_MANAGED ? &a->end : &s->principal,
		      any_object(s, a->mode == AGENT_MANAGED ? a->end.store : s->principal.store, ""));
	else if (what < 520)
		local_business(s, a);
	else if (what < 570)
		command(s, a);
	else if (what < 580)
		terminate(s);
	else if (what < 581)
		change_much(s, a);
	else
		controller(s, a);
}
