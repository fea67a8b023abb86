#include "backend/apply.h"
#include "sync/role_impl.h"

static bool is_copy(const struct role *r, const struct object *o, json_object *tree)
{
	if (o->kind == OBJECT_APPPROJECT)
		return project_is_copy_of(tree, r->config.agent);
	return strcmp(o->namespace, r->config.agent) == 0 && o->source_uid[0];
}

/* The agent owns the object; what it hears of us are commands, and that somebody wants a refresh. */
static enum err describe(const struct role *r, const struct object *truth, json_object *tree,
			 struct source_state *ret_state)
{
	enum err err;

	if (truth->kind != OBJECT_APPLICATION || !is_copy(r, truth, tree))
		return E_NOT_FOUND;
	err = role_describe_wishes(tree, &ret_state->desired);
	return err == E_OK ? role_describe_operation(tree, ret_state) : err;
}

static enum err prepare(const struct role *r, enum wire_type type, enum object_kind kind, json_object **tree)
{
	(void)r, (void)kind;
	if (type == WIRE_SPEC_UPDATE)
		json_object_object_del(*tree, "operation"); /* it goes as a command of its own */
	json_object_object_del(*tree, "status");
	return E_OK;
}

/* What comes becomes the principal's copy before anything else looks at it: names, project, destinations. */
static enum err map_incoming(const struct role *r, enum object_kind kind, json_object **incoming, struct why *why)
{
	json_object *copy = NULL;
	enum err err;

	if (kind == OBJECT_APPLICATION)
		return mapping_from_autonomous(*incoming, r->config.agent, why);
	err = project_from_agent(*incoming, r->config.agent, r->config.principal->namespace, why, &copy);
	if (err == E_OK) {
		json_object_put(*incoming);
		*incoming = copy;
	}
	return err;
}

/* Of a deletion the key and the UID are enough: there need not be more in it. */
static enum err locate(const struct role *r, const struct wire_event *e, enum object_kind kind, json_object **incoming,
		       struct replica_place *ret_place, struct why *why)
{
	struct str namespace = str_of(tree_meta(*incoming, "namespace")), name = str_of(tree_meta(*incoming, "name"));
	enum err err;

	if (!role_place_of(r, kind, namespace, name, (struct str){ 0 }, ret_place))
		return why_set(why, E_MALFORMED, "%s '%.*s' has no place here", object_kind_name(kind), STR_ARG(name));
	if (e->type == WIRE_DELETE)
		return E_OK;
	err = map_incoming(r, kind, incoming, why);
	return err;
}

/*
 * A Go agent answers a comparison with a project that lacks the destinations which do not match its own name, "in-cluster" among
 * them. What it told by itself, with the same version, has them all.
 */
static bool is_pruned(const struct role *r, const struct replica_case *c)
{
	return !r->remembers && c->again && c->record->object && c->place->kind == OBJECT_APPPROJECT &&
	       c->event->type == WIRE_SPEC_UPDATE;
}

static enum err merge(struct role *r, const struct replica_case *c, const struct identity_verdict *v,
		      json_object *local, struct merged *ret_merged)
{
	struct merge_stamp stamp = { .namespace = c->place->namespace,
				     .source_uid = v->source_uid,
				     .now = role_now(r) };
	struct merge_known known = { .operation = "", .desired = true };
	bool another;

	if (c->local) {
		known.operation = source_known_operation(r->source, c->local, c->came);
		known.desired = source_knows_desired(r->source, c->local, c->came);
	}
	/* What was asked of the copy of another object ends with that. */
	another = c->local && c->local->source_uid[0] && strcmp(c->local->source_uid, v->source_uid) != 0;
	return merge_from_autonomous(c->place->kind, local, c->incoming, &stamp, another ? NULL : &known, ret_merged);
}

static enum err apply(struct role *r, const struct replica_case *c, json_object *local, struct replica_plan *plan,
		      struct why *why)
{
	/* In the agent's namespace an application is the agent's, whoever made it; a project may be anybody's. */
	bool foreign = local && c->place->kind == OBJECT_APPPROJECT && !is_copy(r, c->local, local);
	struct identity_verdict v = role_decide(r, IDENTITY_PRINCIPAL_OF_AUTONOMOUS, c, local, foreign);
	struct merged m = { 0 };
	enum err err;

	plan->note = v.reason;
	if (v.decision == IDENTITY_DO_UPDATE && is_pruned(r, c)) {
		plan->note = "of this version it is here already";
		return E_OK;
	}
	if (v.decision == IDENTITY_DO_DELETE || v.decision == IDENTITY_DO_RECREATE)
		return role_plan_delete(c, local, /* again= */ v.decision == IDENTITY_DO_RECREATE, plan, why);
	if (role_plan_simple(c, &v, local, plan, &err, why))
		return err;
	err = merge(r, c, &v, local, &m);
	/* What is taken over is not known as the agent's yet: its operation would count as ours. As at a create it comes later. */
	if (err == E_OK && v.decision == IDENTITY_DO_ADOPT)
		json_object_object_del(m.tree, "operation");
	else if (err == E_OK)
		err = role_takes_over(r, c, local, &m, plan);
	if (err != E_OK) {
		merged_release(&m);
		return why_set(why, err, "%s", v.reason);
	}
	err = role_plan_merged(c, &m, /* record= */ !role_is_going(c), plan, why);
	plan->record_removed = role_is_going(c);
	plan->early |= role_is_early(r, c, local);
	return err;
}

static enum err revert(struct role *r, const struct replica_case *c, json_object *local, struct replica_plan *plan,
		       struct why *why)
{
	json_object *recorded = object_tree(c->record->object);
	json_object *last = c->last ? object_tree(c->last) : NULL;
	struct merge_stamp stamp = { .namespace = c->place->namespace, .now = role_now(r) };
	struct merged m = { 0 };
	enum err err = E_NOMEM;

	/* Somebody deletes the copy, and nobody here works on its finalizers: when it has gone, it is made again. A file may say the same. */
	if (recorded && local && apply_is_going(local) && apply_is_held(local))
		err = merge_without_finalizers(local, &m);
	else if (recorded && local)
		err = merge_revert(c->place->kind, /* end_managed= */ false, local, recorded, &stamp, &m);
	else if (recorded)
		err = merge_recreated(c->place->kind, /* end_managed= */ false, recorded, last, &stamp,
				      MERGE_RECREATE_IGNORE, &m);
	if (err == E_OK)
		err = role_plan_merged(c, &m, /* record= */ false, plan, why);
	plan->note = local ? "put back as the agent has it" : "made again as the agent has it";
	json_object_put(recorded);
	json_object_put(last);
	return err;
}

const struct role_rules role_principal_of_autonomous = {
	.describe = describe, .prepare = prepare, .locate = locate, .apply = apply, .revert = revert, .is_copy = is_copy
};
