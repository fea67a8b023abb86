#include "sync/role_impl.h"

#include <stdio.h>

#include "wire/resync.h"

#define MESSAGE_MAX 1024 /* bytes of an agent's complaint that are shown */

static enum err describe_application(const struct role *r, json_object *tree, struct source_state *ret_state)
{
	const char *owner;
	enum err err;

	if (mapping_owner(r->config.principal, tree, &owner) != MAPPING_OK || strcmp(owner, r->config.agent) != 0)
		return E_NOT_FOUND;
	err = digest_of(tree, DIGEST_DESIRED, &ret_state->desired);
	return err == E_OK ? role_describe_operation(tree, ret_state) : err;
}

static enum err describe_project(const struct role *r, json_object *tree, struct source_state *ret_state)
{
	json_object *copy = NULL;
	bool by_destination = r->config.principal->by_destination;
	enum mapping_reason reason;
	enum err err = project_reaches(tree, r->config.agent, by_destination, &reason);

	if (err != E_OK || reason != MAPPING_OK)
		return err == E_OK ? E_NOT_FOUND : err;
	err = project_for_agent(tree, r->config.agent, by_destination, &copy);
	if (err == E_OK)
		err = digest_of(copy, DIGEST_DESIRED, &ret_state->desired);
	json_object_put(copy);
	return err;
}

static enum err describe_repository(const struct role *r, json_object *tree, struct source_state *ret_state)
{
	char project[OBJECT_NAME_MAX + 1];
	enum mapping_reason reason;
	enum err err = project_of_repository(tree, project, &reason);

	if (err != E_OK || reason != MAPPING_OK)
		return err == E_OK ? E_NOT_FOUND : err;
	err = r->config.project_goes(r->config.ctx, project, r->config.agent);
	return err == E_OK ? digest_of(tree, DIGEST_DESIRED, &ret_state->desired) : err;
}

static enum err describe(const struct role *r, const struct object *truth, json_object *tree,
			 struct source_state *ret_state)
{
	if (truth->kind == OBJECT_APPLICATION)
		return describe_application(r, tree, ret_state);
	if (strcmp(truth->namespace, r->config.principal->namespace) != 0 || mapping_skipped(tree))
		return E_NOT_FOUND;
	if (truth->kind == OBJECT_APPPROJECT)
		return describe_project(r, tree, ret_state);
	if (truth->kind == OBJECT_REPOSITORY)
		return describe_repository(r, tree, ret_state);
	return digest_of(tree, DIGEST_DESIRED, &ret_state->desired);
}

/*
 * The status is the agent's: it goes to nobody. The operation goes as a command of its own. And what was a copy once, when the agent was
 * autonomous, is the original here: under the UID of the former one nothing that comes back would be of this.
 */
static enum err prepare(const struct role *r, enum wire_type type, enum object_kind kind, json_object **tree)
{
	enum err err = tree_mark_set(*tree, "annotations", MARK_SOURCE_UID, NULL);
	json_object *copy;

	if (err == E_OK && kind == OBJECT_APPPROJECT) {
		err = project_for_agent(*tree, r->config.agent, r->config.principal->by_destination, &copy);
		if (err == E_OK) {
			json_object_put(*tree);
			*tree = copy;
		}
		return err;
	}
	if (type == WIRE_CREATE || type == WIRE_SPEC_UPDATE) {
		json_object_object_del(*tree, "status");
		json_object_object_del(*tree, "operation");
	}
	return err;
}

/* An agent speaks of its own applications, whatever namespace it says. */
static enum err locate(const struct role *r, const struct wire_event *e, enum object_kind kind, json_object **incoming,
		       struct replica_place *ret_place, struct why *why)
{
	struct wire_failure failure = { 0 };
	struct buf arena = { 0 };
	char said[OBJECT_NAME_MAX + 1] = "";
	const char *namespace;
	struct str name;
	enum err err = E_OK;

	if (e->type == WIRE_ERROR) {
		err = wire_failure_read(e->data, &arena, &failure, why);
		name = failure.name;
		(void)snprintf(said, sizeof(said), "%.*s", STR_ARG(failure.namespace));
	} else {
		name = str_of(tree_meta(*incoming, "name"));
		str_copy(str_of(tree_meta(*incoming, "namespace")), said, sizeof(said));
	}
	bool remapped = *incoming && strcmp(tree_mark(*incoming, "annotations", MARK_REMAPPED), "true") == 0;

	if (err == E_OK)
		err = mapping_reported(r->config.principal, r->config.agent, said, remapped, &namespace, why);
	if (err == E_OK && !replica_place_set(ret_place, kind, str_of(namespace), name))
		err = why_set(why, E_MALFORMED, "no name, or one longer than %d bytes", OBJECT_NAME_MAX);
	buf_release(&arena);
	return err;
}

static bool is_foreign(const struct role *r, json_object *local)
{
	const char *owner;

	return mapping_owner(r->config.principal, local, &owner) != MAPPING_OK || strcmp(owner, r->config.agent) != 0;
}

static enum err apply_error(struct role *r, const struct replica_case *c, json_object *local, struct replica_plan *plan,
			    struct why *why)
{
	struct wire_failure failure;
	struct buf arena = { 0 };
	char text[MESSAGE_MAX] = "";
	struct merged m = { 0 };
	enum err err = wire_failure_read(c->event->data, &arena, &failure, why);

	if (err == E_OK)
		(void)snprintf(text, sizeof(text), "%.*s", STR_ARG(failure.message));
	buf_release(&arena);
	if (err == E_OK && (!local || is_foreign(r, local)))
		err = why_set(why, E_NOT_FOUND, "no such application of this agent");
	if (err == E_OK)
		err = merge_agent_error(local, text, role_now(r), &m);
	plan->note = "the agent could not do it";
	return err == E_OK ? role_plan_merged(c, &m, /* record= */ false, plan, why) : err;
}

/* What the agent had of ours when it wrote this (merge.h). */
static struct merge_known known(const struct role *r, const struct replica_case *c)
{
	return (struct merge_known){ .operation = source_known_operation(r->source, c->local, c->came),
				     .desired = source_knows_desired(r->source, c->local, c->came) };
}

/* It went to somebody else, or to nobody, and was deleted there because of that: the agent says what we asked it to do. */
static bool is_farewell(const struct replica_case *c)
{
	return c->event->type == WIRE_DELETE &&
	       strcmp(tree_mark(c->incoming, "annotations", MARK_SOURCE_UID), c->local->uid) == 0;
}

static enum err apply(struct role *r, const struct replica_case *c, json_object *local, struct replica_plan *plan,
		      struct why *why)
{
	struct identity_verdict v;
	struct merged m = { 0 };
	struct merge_known k;
	bool foreign;
	enum err err;

	if (c->event->type == WIRE_ERROR)
		return apply_error(r, c, local, plan, why);
	foreign = local && is_foreign(r, local);
	if (foreign && is_farewell(c)) {
		plan->note = "it is no longer this agent's";
		return E_OK;
	}
	v = role_decide(r, IDENTITY_PRINCIPAL_OF_MANAGED, c, local, foreign);
	plan->note = v.reason;
	if (v.decision == IDENTITY_DO_DELETE)
		return role_plan_delete(c, local, /* again= */ false, plan, why);
	if (role_plan_simple(c, &v, local, plan, &err, why))
		return err;
	k = known(r, c);
	err = merge_status(local, c->incoming, &k, &m);
	if (err == E_OK)
		err = role_takes_over(r, c, local, &m, plan);
	plan->early |= role_is_early(r, c, local);
	if (err == E_OK)
		return role_plan_merged(c, &m, /* record= */ false, plan, why);
	merged_release(&m);
	return why_set(why, err, "%s", v.reason);
}

const struct role_rules role_principal_of_managed = { .describe = describe,
						      .prepare = prepare,
						      .locate = locate,
						      .apply = apply,
						      .sends_excerpt = true,
						      .names_principal = true };
