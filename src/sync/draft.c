#include "sync/draft.h"

#include <string.h>

#include "sync/digest.h"

void draft_begin(struct draft *d, json_object *existing, json_object *model)
{
	*d = (struct draft){ .existing = existing };
	d->tree = graft_copy(existing, &d->err);
	d->metadata = graft_copy(graft_object(existing, "metadata"), &d->err);
	d->annotations = graft_copy(graft_object(graft_object(existing, "metadata"), "annotations"), &d->err);
	if (!existing) {
		graft_share(d->tree, "apiVersion", graft_member(model, "apiVersion"), &d->err);
		graft_share(d->tree, "kind", graft_member(model, "kind"), &d->err);
		graft_share(d->metadata, "name", graft_member(graft_object(model, "metadata"), "name"), &d->err);
	}
}

void draft_annotate(struct draft *d, const char *key, const char *value)
{
	if (value && value[0])
		graft_put_text(d->annotations, key, value, &d->err);
	else
		graft_share(d->annotations, key, NULL, &d->err);
}

void draft_take(struct draft *d, json_object *from, const char *key)
{
	graft_share(d->tree, key, graft_member(from, key), &d->err);
}

const char *draft_annotation(json_object *tree, const char *key)
{
	const char *value = graft_text(graft_member(graft_object(graft_object(tree, "metadata"), "annotations"), key));

	return value[0] ? value : NULL;
}

static json_object *operation_state(json_object *tree)
{
	return graft_object(graft_object(tree, "status"), "operationState");
}

bool draft_terminating(json_object *tree)
{
	return strcmp(graft_text(graft_member(operation_state(tree), "phase")), "Terminating") == 0;
}

/* ---- operations -------------------------------------------------------------------------------------------------- */

static bool has_all(json_object *a, json_object *b);

bool draft_says_nothing(json_object *value)
{
	switch (json_object_get_type(value)) {
	case json_type_boolean:
		return !json_object_get_boolean(value);
	case json_type_int:
		return json_object_get_int64(value) == 0;
	case json_type_string:
		return json_object_get_string_len(value) == 0;
	case json_type_object:
		return has_all(value, NULL);
	default:
		return graft_is_empty(value);
	}
}

static bool is_same_request(json_object *ours, json_object *theirs)
{
	if (!json_object_is_type(ours, json_type_object) || !json_object_is_type(theirs, json_type_object))
		return graft_same(ours, theirs) || (draft_says_nothing(ours) && draft_says_nothing(theirs));
	return has_all(ours, theirs) && has_all(theirs, ours);
}

/* What `a` says, `b` says too; NULL says nothing. */
static bool has_all(json_object *a, json_object *b)
{
	json_object_object_foreach(a, key, value)
	{
		if (!is_same_request(value, graft_member(b, key)))
			return false;
	}
	return true;
}

/* It has begun there since we last heard: the peer has seen it, though its status may have overtaken its answer. */
static bool has_begun(json_object *existing, json_object *incoming, json_object *ours)
{
	json_object *state = operation_state(incoming);
	const char *since = graft_text(graft_member(state, "startedAt"));

	return since[0] && strcmp(since, graft_text(graft_member(operation_state(existing), "startedAt"))) != 0 &&
	       is_same_request(ours, graft_object(state, "operation"));
}

json_object *draft_operation(json_object *existing, json_object *incoming, const struct merge_known *known,
			     enum err *err)
{
	json_object *ours = graft_member(existing, "operation");
	struct digest digest;

	if (!ours || !known || has_begun(existing, incoming, ours))
		return graft_member(incoming, "operation");
	*err = digest_of(existing, DIGEST_OPERATION, &digest);
	if (*err != E_OK || (known->operation && strcmp(digest.text, known->operation) == 0))
		return graft_member(incoming, "operation");
	return ours;
}

/* ---- what differs ----------------------------------------------------------------------------------------------- */

static bool is_put(const char *key)
{
	return strcmp(key, "metadata") != 0 && strcmp(key, "status") != 0 && strcmp(key, "operation") != 0;
}

/* Every member of `a` as in `b`, or empty in both; with `put` only those that a put writes. */
static bool is_within(json_object *a, json_object *b, bool put)
{
	if (!json_object_is_type(a, json_type_object))
		return true;
	json_object_object_foreach(a, key, value)
	{
		if ((!put || is_put(key)) && !graft_says_same(value, graft_member(b, key)))
			return false;
	}
	return true;
}

static bool differs(json_object *a, json_object *b)
{
	json_object *ma = graft_object(a, "metadata"), *mb = graft_object(b, "metadata");

	return !is_within(a, b, /* put= */ true) || !is_within(b, a, /* put= */ true) || !is_within(ma, mb, false) ||
	       !is_within(mb, ma, false);
}

static unsigned writes_of(const struct draft *d)
{
	unsigned writes = d->delete ? MERGE_DELETE : 0;

	if (!d->existing || differs(d->existing, d->tree))
		writes |= MERGE_PUT;
	if (!graft_says_same(graft_member(d->existing, "status"), graft_member(d->tree, "status")) ||
	    !graft_same(graft_member(d->existing, "operation"), graft_member(d->tree, "operation")))
		writes |= MERGE_STATUS;
	return writes;
}

/* The annotations belong to the metadata, and these to the tree, from here on. */
static void assemble(struct draft *d)
{
	if (d->annotations && json_object_object_length(d->annotations) == 0)
		graft_share(d->metadata, "annotations", NULL, &d->err);
	else
		graft_share(d->metadata, "annotations", d->annotations, &d->err);
	graft_share(d->tree, "metadata", d->metadata, &d->err);
}

enum err draft_end(struct draft *d, const char *now, struct merged *ret_merged)
{
	unsigned writes = 0;

	if (d->err == E_OK)
		assemble(d);
	if (d->err == E_OK)
		writes = writes_of(d);
	if (now && writes & MERGE_PUT && d->err == E_OK) {
		draft_annotate(d, MARK_LAST_UPDATED, now);
		assemble(d);
	}
	json_object_put(d->annotations);
	json_object_put(d->metadata);
	if (d->err == E_OK)
		*ret_merged = (struct merged){ .tree = json_object_get(d->tree), .writes = writes };
	json_object_put(d->tree);
	return d->err;
}

void merged_release(struct merged *m)
{
	json_object_put(m->tree);
	*m = (struct merged){ 0 };
}
