#include "sync/role_impl.h"

#include <stdio.h>

/* A tree with nothing but this member. */
static enum err digest_alone(const char *key, json_object *value, enum digest_part part, struct digest *ret_digest)
{
	json_object *alone = json_object_new_object();
	enum err err = E_NOMEM;

	if (alone && json_object_object_add(alone, key, json_object_get(value)) == 0)
		err = digest_of(alone, part, ret_digest);
	json_object_put(alone);
	return err;
}

enum err role_describe_operation(json_object *tree, struct source_state *ret_state)
{
	json_object *state = tree_get(tree, "status", "operationState", NULL);
	const char *phase = json_object_get_string(tree_get(state, "phase", NULL));
	enum err err = digest_of(tree, DIGEST_OPERATION, &ret_state->operation);

	if (err != E_OK || !phase || strcmp(phase, "Terminating") != 0)
		return err;
	/* One operation is terminated once: it is known by when it began. */
	return digest_alone("status", tree_get(state, "startedAt", NULL), DIGEST_STATUS, &ret_state->terminate);
}

enum err role_add_wishes(json_object *tree, json_object *said)
{
	enum err err = said ? E_OK : E_NOMEM;

	for (size_t i = 0; i < MARK_WISHES && err == E_OK; i++) {
		const char *wish = tree_mark(tree, "annotations", mark_wishes[i]);

		if (wish[0])
			err = tree_mark_set(said, "annotations", mark_wishes[i], wish);
	}
	return err;
}

enum err role_describe_wishes(json_object *tree, struct digest *ret_digest)
{
	json_object *alone = json_object_new_object();
	enum err err = role_add_wishes(tree, alone);

	if (err == E_OK)
		err = digest_of(alone, DIGEST_DESIRED, ret_digest);
	json_object_put(alone);
	return err;
}

/* The verb of an object event; false: the role knows no such event. */
static bool verb_of(enum wire_type type, enum identity_verb *ret_verb)
{
	static const struct {
		enum wire_type type;
		enum identity_verb verb;
	} verbs[] = {
		{ WIRE_CREATE, IDENTITY_CREATE },
		{ WIRE_SPEC_UPDATE, IDENTITY_SPEC },
		{ WIRE_STATUS_UPDATE, IDENTITY_STATUS },
		{ WIRE_ERROR, IDENTITY_STATUS },
		{ WIRE_SET_OPERATION, IDENTITY_SET_OPERATION },
		{ WIRE_TERMINATE_OPERATION, IDENTITY_TERMINATE },
		{ WIRE_DELETE, IDENTITY_DELETE },
	};

	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (verbs[i].type == type) {
			*ret_verb = verbs[i].verb;
			return true;
		}
	return false;
}

struct identity_verdict role_decide(const struct role *r, enum identity_end end, const struct replica_case *c,
				    json_object *local, bool foreign)
{
	char principal_uid[OBJECT_NAME_MAX + 1];
	struct identity_policy policy = r->config.policy;
	struct identity_event event;
	struct identity_local there;
	enum identity_verb verb;

	if (!verb_of(c->event->type, &verb))
		return (struct identity_verdict){ .decision = IDENTITY_DO_REFUSE,
						  .reason = "no such event for this kind",
						  .source_uid = "" };
	str_copy(c->event->principal_uid, principal_uid, sizeof(principal_uid));
	identity_event_of(c->incoming, c->place->kind, verb, principal_uid, &event);
	if (local) {
		identity_local_of(local, &there);
		there.foreign = foreign;
	}
	/* It would have said that the former object is deleted; when it did not, its disk went back in time (docs/sync-rules.md). */
	if (r->remembers)
		policy.mismatch = IDENTITY_UPSERT;
	return identity_decide(end, &event, local ? &there : NULL, &policy);
}

static void add_step(struct replica_plan *plan, enum backend_verb verb, struct object *object)
{
	plan->steps[plan->step_count].verb = verb;
	plan->steps[plan->step_count++].object = object_ref(object);
}

bool role_plan_simple(const struct replica_case *c, const struct identity_verdict *v, json_object *local,
		      struct replica_plan *plan, enum err *ret_err, struct why *why)
{
	CLEANUP(object_unref_freep) struct object *o = NULL;

	*ret_err = E_OK;
	plan->note = v->reason;
	switch (v->decision) {
	case IDENTITY_DO_REFUSE:
	case IDENTITY_DO_ERROR:
		plan->what = REPLICA_REFUSE;
		plan->retryable = !local && c->record && c->record->object; /* it is about to be made again */
		(void)snprintf(plan->reason, sizeof(plan->reason), "%s", v->reason);
		if (v->decision == IDENTITY_DO_ERROR)
			(void)snprintf(plan->complaint, sizeof(plan->complaint), "%s", v->reason);
		return true;
	case IDENTITY_DO_GONE:
		plan->gone = true;
		plan->record_removed = c->record != NULL;
		return true;
	case IDENTITY_DO_IGNORE:
		plan->record_removed = !local && c->record && c->event->type == WIRE_DELETE;
		return true;
	case IDENTITY_DO_DELETE:
	case IDENTITY_DO_RECREATE:
		*ret_err = object_from_tree(c->place->kind, local, why, &o);
		if (*ret_err == E_OK)
			add_step(plan, BACKEND_DELETE, o);
		plan->again = v->decision == IDENTITY_DO_RECREATE;
		plan->record_removed = v->decision == IDENTITY_DO_DELETE && c->record;
		return true;
	default:
		return false;
	}
}

static bool lacks_wish(json_object *local, json_object *incoming)
{
	for (size_t i = 0; i < MARK_WISHES; i++)
		if (tree_mark(local, "annotations", mark_wishes[i])[0] &&
		    !tree_mark(incoming, "annotations", mark_wishes[i])[0])
			return true;
	return false;
}

bool role_is_early(const struct role *r, const struct replica_case *c, json_object *local)
{
	return local && lacks_wish(local, c->incoming) && source_awaits_answer(r->source, c->local, c->came);
}

bool role_is_going(const struct replica_case *c)
{
	return tree_get(c->incoming, "metadata", "deletionTimestamp", NULL) != NULL;
}

static struct replica_said said(const struct digest *before, const struct digest *after)
{
	return (struct replica_said){ .is = !digest_eq(before, after), .digest = *after };
}

/* Is there something new, which has to be known as the peer's? */
static bool is_new(const struct replica_said *said)
{
	return said->is && !digest_is_empty(&said->digest);
}

enum err role_takes_over(struct role *r, const struct replica_case *c, json_object *local, const struct merged *m,
			 struct replica_plan *plan)
{
	struct source_state before = { 0 }, after = { 0 };
	enum err err;

	if (!local || !(m->writes & MERGE_STATUS))
		return E_OK;
	err = role_describe_operation(local, &before);
	if (err == E_OK)
		err = role_describe_operation(m->tree, &after);
	if (err != E_OK)
		return err;
	plan->operation = said(&before.operation, &after.operation);
	plan->terminate = said(&before.terminate, &after.terminate);
	if ((is_new(&plan->operation) || is_new(&plan->terminate)) && !source_knows(r->source, c->local))
		plan->early = plan->unready = true;
	return E_OK;
}

enum err role_plan_merged(const struct replica_case *c, struct merged *m, bool record, struct replica_plan *plan,
			  struct why *why)
{
	CLEANUP(object_unref_freep) struct object *o = NULL;
	enum err err = E_OK;

	if (m->writes || record)
		err = object_from_tree(c->place->kind, m->tree, why, &o);
	if (err == E_OK && (m->writes & MERGE_PUT))
		add_step(plan, BACKEND_PUT, o);
	if (err == E_OK && (m->writes & MERGE_STATUS))
		add_step(plan, BACKEND_STATUS, o);
	if (err == E_OK && (m->writes & MERGE_DELETE))
		add_step(plan, BACKEND_DELETE, o);
	if (err == E_OK && record)
		plan->record = object_ref(o);
	merged_release(m);
	return err;
}

enum err role_plan_delete(const struct replica_case *c, json_object *local, bool again, struct replica_plan *plan,
			  struct why *why)
{
	CLEANUP(object_unref_freep) struct object *o = NULL;
	struct merged m = { 0 };
	enum err err = merge_without_finalizers(local, &m);

	if (err == E_OK)
		err = role_plan_merged(c, &m, /* record= */ false, plan, why);
	if (err == E_OK)
		err = object_from_tree(c->place->kind, local, why, &o);
	if (err != E_OK)
		return err;
	add_step(plan, BACKEND_DELETE, o);
	plan->again = again;
	plan->record_removed = !again && c->record;
	return E_OK;
}
