#include "sim_sync_people.h"

/* ---- when all is quiet ----------------------------------------------------------------------------------------- */

static void exclude_or_include(struct sim *s, const struct object *o)
{
	json_object *tree = object_tree_own(o);

	if (o->source_uid[0] || !tree_get(tree, "status", NULL)) {
		json_object_put(tree);
		return;
	}
	people_toggle(s, o, tree);
	people_edit(&s->principal, OBJECT_APPLICATION, tree, "exclude or include");
}

void people_exclude_or_include(struct sim *s)
{
	struct object *all[APPLICATIONS_MAX];
	size_t n = people_applications(s->principal.store, all);

	for (size_t k = 0; k < n; k++) {
		exclude_or_include(s, all[k]);
		object_unref(all[k]);
	}
}

static void touch(struct end *e, const struct object *o, json_object *tree)
{
	char text[32];

	if (o->source_uid[0])
		set_text(ensure(tree, "status"), "reconciledAt", number_text(e->sim, text, sizeof(text), "at"));
	else
		people_change_spec(e->sim, tree);
	people_edit(e, OBJECT_APPLICATION, tree, "touch");
}

/* An original's spec, a managed copy's status. */
void people_touch(struct sim *s)
{
	for (int i = 0; i < SIM_AGENTS; i++) {
		struct end *ends[] = { &s->agents[i].end, &s->principal };

		for (size_t k = 0; k < ARRAY_LEN(ends); k++) {
			struct object *o = people_any(s, ends[k]->store, "");

			if (o && o->kind == OBJECT_APPLICATION && (ends[k]->agent || !o->source_uid[0]))
				touch(ends[k], o, object_tree_own(o));
		}
	}
}

/* ---- who does what --------------------------------------------------------------------------------------------- */

void people_act(struct sim *s)
{
	struct agent *a = &s->agents[sim_below(s, SIM_AGENTS)];
	uint64_t what = sim_below(s, 1000);

	if (what < 400)
		truth_change_app(s, a);
	else if (what < 420)
		truth_move_app(s, a);
	else if (what < 450)
		truth_change_shared(s);
	else if (what < 470 && a->mode == AGENT_AUTONOMOUS)
		truth_change_project(s, a);
	else if (what < 500)
		copies_drift(s, a->mode == AGENT_MANAGED ? &a->end : &s->principal,
			     people_any(s, a->mode == AGENT_MANAGED ? a->end.store : s->principal.store, ""));
	else if (what < 520)
		copies_operate(s, a);
	else if (what < 570)
		copies_command(s, a);
	else if (what < 580)
		copies_terminate(s);
	else if (what < 581)
		truth_change_much(s, a);
	else
		copies_reconcile(s, a);
}
