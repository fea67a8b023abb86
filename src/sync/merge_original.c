#include <string.h>

#include "sync/draft.h"

/* ---- reports ---------------------------------------------------------------------------------------------------- */

/* We ask for it, and the peer, who has seen that, does not: it is done. */
static bool is_granted(json_object *existing, json_object *incoming, const struct merge_known *known, const char *wish)
{
	json_object *annotations = graft_object(graft_object(existing, "metadata"), "annotations");

	return graft_member(annotations, wish) && (!known || known->desired) && !draft_annotation(incoming, wish);
}

static bool is_any_granted(json_object *existing, json_object *incoming, const struct merge_known *known)
{
	for (size_t i = 0; i < MARK_WISHES; i++)
		if (is_granted(existing, incoming, known, mark_wishes[i]))
			return true;
	return false;
}

/* Does it say nothing new? That a new copy has no status, for one. */
static bool is_known(json_object *existing, json_object *incoming, json_object *operation,
		     const struct merge_known *known)
{
	return graft_says_same(graft_member(existing, "status"), graft_member(incoming, "status")) &&
	       graft_same(graft_member(existing, "operation"), operation) && !is_any_granted(existing, incoming, known);
}

enum err merge_status(json_object *existing, json_object *incoming, const struct merge_known *known,
		      struct merged *ret_merged)
{
	enum err err = E_OK;
	json_object *operation = draft_operation(existing, incoming, known, &err);
	struct draft d;

	if (err != E_OK)
		return err;
	if (is_known(existing, incoming, operation, known)) {
		*ret_merged = (struct merged){ .tree = json_object_get(existing) };
		return E_OK;
	}
	draft_begin(&d, existing, existing);
	draft_take(&d, incoming, "status");
	graft_share(d.tree, "operation", operation, &d.err);
	for (size_t i = 0; i < MARK_WISHES; i++)
		if (is_granted(existing, incoming, known, mark_wishes[i]))
			draft_annotate(&d, mark_wishes[i], NULL);
	return draft_end(&d, /* now= */ NULL, ret_merged);
}

/* The conditions without those of this type, and with a new one. */
static json_object *conditions_with(json_object *conditions, json_object *condition, enum err *err)
{
	size_t n = json_object_is_type(conditions, json_type_array) ? json_object_array_length(conditions) : 0;
	json_object *array = json_object_new_array();

	for (size_t i = 0; i < n && array; i++) {
		json_object *old = json_object_array_get_idx(conditions, i);

		if (strcmp(graft_text(graft_member(old, "type")), CONDITION_AGENT_ERROR) != 0 &&
		    json_object_array_add(array, json_object_get(old)) != 0)
			*err = E_NOMEM;
	}
	if (!array || json_object_array_add(array, json_object_get(condition)) != 0)
		*err = E_NOMEM;
	return array;
}

/* Does it say this already? Then its time stays as well. */
static bool has_condition(json_object *conditions, const char *message)
{
	size_t n = json_object_is_type(conditions, json_type_array) ? json_object_array_length(conditions) : 0;

	for (size_t i = 0; i < n; i++) {
		json_object *old = json_object_array_get_idx(conditions, i);

		if (strcmp(graft_text(graft_member(old, "type")), CONDITION_AGENT_ERROR) == 0)
			return strcmp(graft_text(graft_member(old, "message")), message) == 0;
	}
	return false;
}

static void put_condition(json_object *status, const char *message, const char *now, enum err *err)
{
	json_object *conditions = graft_member(status, "conditions"), *condition;

	if (has_condition(conditions, message))
		return;
	condition = graft_copy(NULL, err);
	graft_put_text(condition, "type", CONDITION_AGENT_ERROR, err);
	graft_put_text(condition, "message", message, err);
	graft_put_text(condition, "lastTransitionTime", now, err);
	graft_put(status, "conditions", conditions_with(conditions, condition, err), err);
	json_object_put(condition);
}

static void put_degraded(json_object *status, enum err *err)
{
	json_object *health = graft_copy(graft_object(status, "health"), err);

	graft_put_text(health, "status", "Degraded", err);
	graft_put(status, "health", health, err);
}

enum err merge_agent_error(json_object *existing, const char *message, const char *now, struct merged *ret_merged)
{
	json_object *status;
	struct draft d;

	draft_begin(&d, existing, existing);
	status = graft_copy(graft_object(existing, "status"), &d.err);
	put_condition(status, message, now, &d.err);
	put_degraded(status, &d.err);
	graft_put(d.tree, "status", status, &d.err);
	return draft_end(&d, /* now= */ NULL, ret_merged);
}

enum err merge_without_finalizers(json_object *existing, struct merged *ret_merged)
{
	struct draft d;

	draft_begin(&d, existing, existing);
	graft_share(d.metadata, "finalizers", NULL, &d.err);
	return draft_end(&d, /* now= */ NULL, ret_merged);
}

/* ---- commands --------------------------------------------------------------------------------------------------- */

enum err merge_to_autonomous(json_object *existing, json_object *incoming, struct merged *ret_merged)
{
	struct draft d;

	draft_begin(&d, existing, existing);
	if (graft_member(incoming, "operation") && !draft_terminating(existing))
		draft_take(&d, incoming, "operation");
	for (size_t i = 0; i < MARK_WISHES; i++)
		if (draft_annotation(incoming, mark_wishes[i]))
			draft_annotate(&d, mark_wishes[i], draft_annotation(incoming, mark_wishes[i]));
	return draft_end(&d, /* now= */ NULL, ret_merged);
}

enum err merge_set_operation(json_object *existing, json_object *incoming, struct merged *ret_merged)
{
	struct draft d;

	if (!graft_object(incoming, "operation"))
		return E_MALFORMED;
	draft_begin(&d, existing, existing);
	if (!draft_terminating(existing))
		draft_take(&d, incoming, "operation");
	return draft_end(&d, /* now= */ NULL, ret_merged);
}

static void put_terminating(struct draft *d, json_object *state)
{
	json_object *status = graft_copy(graft_object(d->existing, "status"), &d->err);
	json_object *copy = graft_copy(state, &d->err);

	graft_put_text(copy, "phase", "Terminating", &d->err);
	graft_put(status, "operationState", copy, &d->err);
	graft_put(d->tree, "status", status, &d->err);
}

enum err merge_terminate(json_object *existing, struct merged *ret_merged)
{
	json_object *state = graft_object(graft_object(existing, "status"), "operationState");
	struct draft d;

	if (!state)
		return E_NOT_FOUND;
	draft_begin(&d, existing, existing);
	if (!phase_has_ended(graft_text(graft_member(state, "phase"))))
		put_terminating(&d, state);
	return draft_end(&d, /* now= */ NULL, ret_merged);
}
