#include "sync/marks.h"
#include "sync/role_impl.h"

/* The principal gets everything, the status included, in one event. */
static enum err describe(const struct role *r, const struct object *truth, json_object *tree,
			 struct source_state *ret_state)
{
	if (mapping_admits(r->config.site, truth, tree_get(tree, "metadata", "labels", NULL)) != MAPPING_OK)
		return E_NOT_FOUND;
	return digest_of(tree, DIGEST_WHOLE, &ret_state->desired);
}

static enum err prepare(const struct role *r, enum wire_type type, enum object_kind kind, json_object **tree)
{
	(void)r, (void)type, (void)kind;
	/* Of what it was a copy once, when the agent was managed: here it is the original. */
	return tree_mark_set(*tree, "annotations", MARK_SOURCE_UID, NULL);
}

static enum err locate(const struct role *r, const struct wire_event *e, enum object_kind kind, json_object **incoming,
		       struct replica_place *ret_place, struct why *why)
{
	struct str name = str_of(tree_meta(*incoming, "name"));
	struct str uid = str_of(tree_mark(*incoming, "annotations", MARK_SOURCE_UID));

	(void)e;
	if (!role_place_of(r, kind, str_of(tree_meta(*incoming, "namespace")), name, uid, ret_place))
		return why_set(why, E_MALFORMED, "%s '%.*s' cannot lie here", object_kind_name(kind), STR_ARG(name));
	return E_OK;
}

static enum err apply(struct role *r, const struct replica_case *c, json_object *local, struct replica_plan *plan,
		      struct why *why)
{
	struct identity_verdict v = role_decide(r, IDENTITY_AUTONOMOUS_AGENT, c, local, /* foreign= */ false);
	struct merged m = { 0 };
	enum err err;

	if (role_plan_simple(c, &v, local, plan, &err, why))
		return err;
	if (c->event->type == WIRE_SET_OPERATION)
		err = merge_set_operation(local, c->incoming, &m);
	else if (c->event->type == WIRE_TERMINATE_OPERATION)
		err = merge_terminate(local, &m);
	else
		err = merge_to_autonomous(local, c->incoming, &m);
	return err == E_OK ? role_plan_merged(c, &m, /* record= */ false, plan, why)
			   : why_set(why, err, "%s", v.reason);
}

const struct role_rules role_autonomous_agent = {
	.describe = describe, .prepare = prepare, .locate = locate, .apply = apply
};
