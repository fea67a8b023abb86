#include <stdio.h>

#include "backend/apply.h"
#include "sim_sync_people.h"
#include "sync/marks.h"

/* ---- people ---------------------------------------------------------------------------------------------------- */

/* At the principal, the copy of an application whose agent has been autonomous. */
static bool is_original_now(const struct end *e, const struct object *o)
{
	for (int i = 0; i < SIM_AGENTS; i++)
		if (strcmp(e->sim->agents[i].name, o->namespace) == 0)
			return !e->agent && e->sim->agents[i].mode == AGENT_MANAGED;
	return false;
}

void copies_drift(struct sim *s, struct end *e, struct object *o)
{
	json_object *tree;
	char text[32];

	if (!o || !o->source_uid[0])
		return;
	if (sim_once_in(s, 4)) {
		story_closed(s, o->source_uid);
		story_closed(s, o->uid);
		if (is_original_now(e, o))
			story_unwanted(s, o);
		people_delete(e, o);
		return;
	}
	tree = object_tree_own(o);
	if (o->kind == OBJECT_REPOSITORY || o->kind == OBJECT_GPGKEY)
		set_text(ensure(tree, "data"), "url", number_text(s, text, sizeof(text), "bG9j"));
	else if (s->holds && o->kind == OBJECT_APPLICATION && sim_once_in(s, 4))
		set_finalizers(tree, (unsigned)sim_below(s, 3));
	else if (sim_once_in(s, 2))
		set_text(ensure(tree, "spec"), "drift", number_text(s, text, sizeof(text), "x"));
	else
		set_text(ensure(ensure(tree, "metadata"), "labels"), "drift", number_text(s, text, sizeof(text), "x"));
	people_edit(e, o->kind, tree, "drift");
}

/* On a copy, or an application that has nothing to do with the principal. */
void copies_operate(struct sim *s, struct agent *a)
{
	struct object *o = people_any(s, a->end.store, "");
	struct story *story = o && o->kind == OBJECT_APPLICATION ? story_about(s, o) : NULL;
	json_object *tree;

	if (!story)
		return;
	tree = object_tree_own(o);
	if (people_may_operate(s, story, tree))
		people_operate(s, story, a, tree);
	people_edit(&a->end, OBJECT_APPLICATION, tree, "operation here");
}

/* At the principal, on the copy of an autonomous agent's application. */
void copies_command(struct sim *s, struct agent *a)
{
	struct object *o = people_any(s, s->principal.store, a->name);
	json_object *tree;

	if (!o || a->mode != AGENT_AUTONOMOUS || o->kind != OBJECT_APPLICATION || !o->source_uid[0])
		return;
	tree = object_tree_own(o);
	if (sim_once_in(s, 4))
		set_text(ensure(ensure(tree, "metadata"), "annotations"), MARK_REFRESH, "hard");
	else if (people_may_operate(s, story_about(s, o), tree))
		people_operate(s, story_about(s, o), a, tree);
	people_edit(&s->principal, OBJECT_APPLICATION, tree, "command");
}

/* The running operation is to be terminated. Nothing is promised about later ones: they may meet it. */
void copies_terminate(struct sim *s)
{
	struct object *o = people_any(s, s->principal.store, "");
	json_object *tree, *state;

	if (!o || o->kind != OBJECT_APPLICATION)
		return;
	tree = object_tree_own(o);
	state = tree_get(tree, "status", "operationState", NULL);
	if (strcmp(text_at(tree, "status", "operationState", "phase"), "Running") == 0) {
		story_closed(s, o->source_uid[0] ? o->source_uid : o->uid);
		set_text(state, "phase", "Terminating");
		people_edit(&s->principal, OBJECT_APPLICATION, tree, "terminate");
		return;
	}
	json_object_put(tree);
}

/* ---- controllers ----------------------------------------------------------------------------------------------- */

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

/* What it is held for takes its time. True: something was done. */
static bool release(struct agent *a, const struct object *o)
{
	struct sim *s = a->end.sim;
	json_object *tree = object_tree_own(o);
	bool held = apply_is_going(tree) && apply_is_held(tree);

	if (!held || !(s->healed || sim_once_in(s, 6))) {
		json_object_put(tree);
		return false;
	}
	set_finalizers(tree, sim_once_in(s, 2)); /* one after the other, or all at once */
	people_edit(&a->end, OBJECT_APPLICATION, tree, "controller lets go of");
	return true;
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

	if (s->holds && release(a, o)) {
		json_object_put(tree);
		return true;
	}
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
	people_edit(&a->end, OBJECT_APPLICATION, tree, "controller");
	return true;
}

void copies_reconcile(struct sim *s, struct agent *a)
{
	struct object *o = people_any(s, a->end.store, "");

	if (o && o->kind == OBJECT_APPLICATION)
		(void)reconcile(a, o);
}

bool people_controllers(struct sim *s)
{
	bool any = false;

	for (int i = 0; i < SIM_AGENTS; i++) {
		struct object *all[APPLICATIONS_MAX];
		size_t n = people_applications(s->agents[i].end.store, all);

		for (size_t k = 0; k < n; k++) {
			any |= reconcile(&s->agents[i], all[k]);
			object_unref(all[k]);
		}
	}
	return any;
}
