#include "sync/role_impl.h"

#include <stdio.h>

const struct digest role_no_status = { "none" };

/*
 * What the principal is told of a copy: its status, its operation, and whether the refresh that was asked for is done; that there is
 * none of them, too, because it may show those of a copy that was here before. Without source-uid it is no copy.
 */
static enum err describe(const struct role *r, const struct object *truth, json_object *tree,
			 struct source_state *ret_state)
{
	json_object *said, *status = tree_get(tree, "status", NULL), *operation = tree_get(tree, "operation", NULL);
	enum err err = E_NOMEM;

	if (truth->kind != OBJECT_APPLICATION || !truth->source_uid[0] ||
	    mapping_admits(r->config.site, truth, tree_get(tree, "metadata", "labels", NULL)) != MAPPING_OK)
		return E_NOT_FOUND;
	ret_state->status = role_no_status;
	said = json_object_new_object();
	if (said && json_object_object_add(said, "status", json_object_get(status)) == 0 &&
	    json_object_object_add(said, "operation", json_object_get(operation)) == 0 &&
	    role_add_wishes(tree, said) == E_OK)
		err = digest_of(said, DIGEST_WHOLE, &ret_state->status);
	if (err == E_OK && digest_is_empty(&ret_state->status))
		ret_state->status = role_no_status;
	json_object_put(said);
	return err;
}

static enum err prepare(const struct role *r, enum wire_type type, enum object_kind kind, json_object **tree)
{
	const char *namespace;
	enum err err = mapping_reported_as(r->config.site, kind, *tree, &namespace, &(struct why){ 0 });

	(void)type;
	return err == E_OK ? tree_meta_set(*tree, "namespace", namespace) : err;
}

static enum err locate(const struct role *r, const struct wire_event *e, enum object_kind kind, json_object **incoming,
		       struct replica_place *ret_place, struct why *why)
{
	struct mapping_place place;
	enum err err = mapping_place(r->config.site, kind, tree_meta(*incoming, "namespace"), &place, why);

	(void)e;
	if (err != E_OK)
		return err;
	if (!replica_place_set(ret_place, kind, str_of(place.namespace), str_of(tree_meta(*incoming, "name"))))
		return why_set(why, E_MALFORMED, "no name, or one longer than %d bytes", OBJECT_NAME_MAX);
	return E_OK;
}

/* The stamp of a copy that lies at `c->place`. */
static struct merge_stamp stamp_of(const struct role *r, const struct replica_case *c, const char *source_uid,
				   const char *principal_uid)
{
	struct mapping_place place = { .namespace = c->place->namespace };

	if (c->incoming)
		(void)mapping_place(r->config.site, c->place->kind, tree_meta(c->incoming, "namespace"), &place,
				    &(struct why){ 0 });
	return (struct merge_stamp){ .namespace = c->place->namespace,
				     .source_uid = source_uid,
				     .principal_uid = principal_uid,
				     .remapped = place.remapped };
}

static enum err merge(struct role *r, const struct replica_case *c, const struct identity_verdict *v,
		      json_object *local, struct merged *ret_merged)
{
	char principal_uid[OBJECT_NAME_MAX + 1];

	if (c->event->type == WIRE_SET_OPERATION)
		return merge_set_operation(local, c->incoming, ret_merged);
	if (c->event->type == WIRE_TERMINATE_OPERATION)
		return merge_terminate(local, ret_merged);
	str_copy(c->event->principal_uid, principal_uid, sizeof(principal_uid));
	struct merge_stamp stamp = stamp_of(r, c, v->source_uid, principal_uid);

	return merge_to_managed(c->place->kind, local, c->incoming, &stamp, ret_merged);
}

static enum err apply(struct role *r, const struct replica_case *c, json_object *local, struct replica_plan *plan,
		      struct why *why)
{
	struct identity_verdict v = role_decide(r, IDENTITY_MANAGED_AGENT, c, local, /* foreign= */ false);
	bool command = c->event->type == WIRE_SET_OPERATION || c->event->type == WIRE_TERMINATE_OPERATION;
	struct merged m = { 0 };
	enum err err;

	if (role_plan_simple(c, &v, local, plan, &err, why))
		return err;
	err = merge(r, c, &v, local, &m);
	if (err != E_OK)
		return why_set(why, err, "%s", v.reason);
	err = role_plan_merged(c, &m, /* record= */ !command && !role_is_going(c), plan, why);
	plan->record_removed = !command && role_is_going(c);
	plan->untold = c->event->bare && v.decision == IDENTITY_DO_CREATE &&
		       source_has_told_nothing(r->source, c->place->kind, c->place->namespace, c->place->name, c->came);
	plan->known = c->event->type == WIRE_CREATE && v.decision == IDENTITY_DO_UPDATE;
	return err;
}

static enum err revert(struct role *r, const struct replica_case *c, json_object *local, struct replica_plan *plan,
		       struct why *why)
{
	json_object *recorded = object_tree(c->record->object);
	json_object *last = c->last ? object_tree(c->last) : NULL;
	struct merge_stamp stamp = stamp_of(r, c, NULL, NULL);
	struct merged m = { 0 };
	enum err err = E_NOMEM;

	if (recorded && local)
		err = merge_revert(c->place->kind, /* end_managed= */ true, local, recorded, &stamp, &m);
	else if (recorded)
		err = merge_recreated(c->place->kind, /* end_managed= */ true, recorded, last, &stamp,
				      r->config.recreate, &m);
	if (err == E_OK)
		err = role_plan_merged(c, &m, /* record= */ false, plan, why);
	plan->note = local ? "put back as the principal has it" : "made again as the principal has it";
	json_object_put(recorded);
	json_object_put(last);
	return err;
}

static bool is_copy(const struct role *r, const struct object *local, json_object *tree)
{
	const struct mapping_agent *site = r->config.site;
	bool anywhere = site->by_destination && local->kind == OBJECT_APPLICATION;

	return (anywhere || strcmp(local->namespace, site->namespace) == 0) &&
	       mapping_admits(site, local, tree_get(tree, "metadata", "labels", NULL)) == MAPPING_OK;
}

#define REMAPPED " remapped"

/* At the principal it has another UID, and perhaps lies in another namespace. */
static enum err remember(const struct role *r, const struct object *truth, struct buf *text)
{
	json_object *tree = r->config.site->by_destination ? object_tree(truth) : NULL;

	if (r->config.site->by_destination && !tree)
		return E_NOMEM;
	buf_str(text, str_of(truth->source_uid));
	if (strcmp(tree_mark(tree, "annotations", MARK_REMAPPED), "true") == 0)
		buf_lit(text, REMAPPED);
	json_object_put(tree);
	return text->err;
}

static enum err recall(const struct role *r, struct str remembered, json_object *tree)
{
	bool remapped = str_ends(remembered, (struct str)STR(REMAPPED));
	const char *namespace = r->config.site->principal_namespace;
	char uid[OBJECT_NAME_MAX + 1];
	enum err err = E_OK;

	(void)snprintf(uid, sizeof(uid), "%.*s",
		       STR_ARG(str_sub(remembered, 0, remembered.n - (remapped ? sizeof(REMAPPED) - 1 : 0))));
	if (uid[0])
		err = tree_mark_set(tree, "annotations", MARK_SOURCE_UID, uid);
	if (err == E_OK && remapped)
		err = tree_mark_set(tree, "annotations", MARK_REMAPPED, "true");
	if (err == E_OK && remapped && namespace)
		err = tree_meta_set(tree, "namespace", namespace);
	return err;
}

const struct role_rules role_managed_agent = { .remember = remember,
					       .recall = recall,
					       .describe = describe,
					       .prepare = prepare,
					       .locate = locate,
					       .apply = apply,
					       .revert = revert,
					       .is_copy = is_copy };
