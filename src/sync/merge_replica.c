#include <string.h>

#include "base/mem.h"
#include "sync/argo.h"
#include "sync/draft.h"

/* What becomes of the annotations that ask for something and go when it is done: a refresh. */
enum refresh {
	REFRESH_ASKED, /* the incoming one asks; one that is still to be done stays */
	REFRESH_OURS,  /* only we ask: ours stays until the peer has seen it and has it no more */
	REFRESH_STAYS,
	REFRESH_NONE,
};

struct rules {
	enum object_kind kind;
	bool managed; /* of a managed agent: in-cluster */
	enum refresh refresh;
	json_object *marks; /* written by us: has the marks that the stamp does not name. NULL: none */
	const struct merge_stamp *stamp;
	const struct merge_known *known;
};

static bool has_metadata(json_object *tree)
{
	return graft_object(tree, "metadata") != NULL;
}

/* ---- metadata --------------------------------------------------------------------------------------------------- */

/* The annotations of a tree; NULL: none. */
static json_object *annotations_of(json_object *tree)
{
	return graft_object(graft_object(tree, "metadata"), "annotations");
}

/* One of them; NULL: it is not there, or empty. */
static const char *mark(json_object *annotations, const char *key)
{
	const char *value = graft_text(graft_member(annotations, key));

	return value[0] ? value : NULL;
}

static const char *next_wish(const struct rules *r, const char *wish, json_object *existing, json_object *incoming)
{
	const char *here = mark(existing, wish), *there = mark(incoming, wish);

	switch (r->refresh) {
	case REFRESH_ASKED:
		return there ? there : here;
	case REFRESH_OURS:
		return there || (r->known && !r->known->desired) ? here : NULL;
	case REFRESH_STAYS:
		return here;
	case REFRESH_NONE:
		break;
	}
	return NULL;
}

/* The stamp's, else that of what we wrote, else what is there already. */
static const char *stamped(const char *value, json_object *written, json_object *here, const char *key)
{
	const char *ours;

	if (value && value[0])
		return value;
	ours = mark(written, key);
	return ours ? ours : mark(here, key);
}

static void put_annotations(struct draft *d, const struct rules *r, json_object *here, json_object *incoming)
{
	json_object *from = annotations_of(incoming), *written = annotations_of(r->marks);
	json_object *existing = annotations_of(d->existing);

	here = annotations_of(here);
	if (d->existing) {
		json_object_put(d->annotations);
		d->annotations = graft_copy(NULL, &d->err);
	}
	if (from) {
		json_object_object_foreach(from, key, value)
		{
			if (!mark_is_ours(key))
				graft_share(d->annotations, key, value, &d->err);
		}
	}
	for (size_t i = 0; i < MARK_WISHES; i++)
		draft_annotate(d, mark_wishes[i], next_wish(r, mark_wishes[i], here, from));
	draft_annotate(d, MARK_NOTIFIED, mark(here, MARK_NOTIFIED));
	draft_annotate(d, MARK_LAST_UPDATED, mark(existing, MARK_LAST_UPDATED));
	draft_annotate(d, MARK_SOURCE_UID, stamped(r->stamp->source_uid, written, here, MARK_SOURCE_UID));
	draft_annotate(d, MARK_PRINCIPAL_UID, stamped(r->stamp->principal_uid, written, here, MARK_PRINCIPAL_UID));
	draft_annotate(d, MARK_REMAPPED, r->stamp->remapped ? "true" : mark(written, MARK_REMAPPED));
}

/* Of what somebody deletes: whoever works on them takes one after the other, and none may come back. */
static bool leaves_finalizers(const struct draft *d, const struct rules *r)
{
	return r->refresh == REFRESH_STAYS && graft_member(d->metadata, "deletionTimestamp");
}

static void put_finalizers(struct draft *d, const struct rules *r, json_object *incoming)
{
	json_object *existing = graft_member(graft_object(d->existing, "metadata"), "finalizers"), *both;

	if (!r->managed || r->kind != OBJECT_APPLICATION) {
		graft_share(d->metadata, "finalizers", incoming, &d->err);
		return;
	}
	both = argo_finalizers(existing, incoming, &d->err);
	graft_share(d->metadata, "finalizers", both, &d->err);
	json_object_put(both);
}

static void put_metadata(struct draft *d, const struct rules *r, json_object *here, json_object *incoming)
{
	json_object *from = graft_object(incoming, "metadata");
	const char *namespace = r->stamp->namespace ? r->stamp->namespace : graft_text(graft_member(from, "namespace"));

	if (namespace[0])
		graft_put_text(d->metadata, "namespace", namespace, &d->err);
	graft_share(d->metadata, "labels", graft_member(from, "labels"), &d->err);
	if (!leaves_finalizers(d, r))
		put_finalizers(d, r, graft_member(from, "finalizers"));
	put_annotations(d, r, here, incoming);
	d->delete = graft_member(from, "deletionTimestamp") && !graft_member(d->metadata, "deletionTimestamp");
}

/* ---- content ---------------------------------------------------------------------------------------------------- */

static void take_content(struct draft *d, json_object *from)
{
	if (d->existing) {
		json_object_object_foreach(d->existing, key, value)
		{
			(void)value;
			if (member_is_content(key))
				draft_take(d, from, key);
		}
	}
	json_object_object_foreach(from, key, value)
	{
		(void)value;
		if (member_is_content(key))
			draft_take(d, from, key);
	}
}

/* The agent's cluster is the destination, whatever the principal calls it; the rest as the controller there would have it. */
static void put_at_site(struct draft *d)
{
	json_object *spec = graft_copy(graft_object(d->tree, "spec"), &d->err);
	json_object *destination = graft_copy(graft_object(spec, "destination"), &d->err);

	graft_share(destination, "server", NULL, &d->err);
	graft_put_text(destination, "name", DESTINATION_IN_CLUSTER, &d->err);
	graft_put(spec, "destination", destination, &d->err);
	argo_normalize(spec, &d->err);
	graft_put(d->tree, "spec", spec, &d->err);
}

/* All that the source decides. `here`: where local marks are taken from. */
static void put_desired(struct draft *d, const struct rules *r, json_object *here, json_object *incoming)
{
	put_metadata(d, r, here, incoming);
	take_content(d, incoming);
	if (r->managed && r->kind == OBJECT_APPLICATION)
		put_at_site(d);
}

/* ---- merges ----------------------------------------------------------------------------------------------------- */

enum err merge_to_managed(enum object_kind kind, json_object *existing, json_object *incoming,
			  const struct merge_stamp *stamp, struct merged *ret_merged)
{
	const struct rules rules = { .kind = kind, .managed = true, .refresh = REFRESH_ASKED, .stamp = stamp };
	struct draft d;

	if (!has_metadata(incoming))
		return E_MALFORMED;
	draft_begin(&d, existing, incoming);
	put_desired(&d, &rules, existing, incoming);
	if (kind == OBJECT_APPLICATION && graft_member(incoming, "operation") && !draft_terminating(existing))
		draft_take(&d, incoming, "operation");
	return draft_end(&d, stamp->now, ret_merged);
}

enum err merge_from_autonomous(enum object_kind kind, json_object *existing, json_object *incoming,
			       const struct merge_stamp *stamp, const struct merge_known *known,
			       struct merged *ret_merged)
{
	const struct rules rules = { .kind = kind, .refresh = REFRESH_OURS, .stamp = stamp, .known = known };
	struct draft d;

	if (!has_metadata(incoming))
		return E_MALFORMED;
	draft_begin(&d, existing, incoming);
	put_desired(&d, &rules, existing, incoming);
	draft_take(&d, incoming, "status");
	if (existing)
		graft_share(d.tree, "operation", draft_operation(existing, incoming, known, &d.err), &d.err);
	return draft_end(&d, stamp->now, ret_merged);
}

enum err merge_revert(enum object_kind kind, bool end_managed, json_object *local, json_object *recorded,
		      const struct merge_stamp *stamp, struct merged *ret_merged)
{
	const struct rules rules = {
		.kind = kind, .managed = end_managed, .refresh = REFRESH_STAYS, .marks = recorded, .stamp = stamp
	};
	struct draft d;

	if (!has_metadata(recorded))
		return E_MALFORMED;
	draft_begin(&d, local, recorded);
	put_desired(&d, &rules, local, recorded);
	d.delete = false; /* the copy that was written then may have been on its way out; its source was not */
	return draft_end(&d, stamp->now, ret_merged);
}

/* ---- made again ------------------------------------------------------------------------------------------------- */

static const char *const actions[] = {
	[MERGE_RECREATE_IGNORE] = "ignore",
	[MERGE_RECREATE_CLEAR_STATUS] = "clear-status",
	[MERGE_RECREATE_RESYNC] = "resync",
};

bool merge_recreate_of(const char *name, enum merge_recreate *ret_action)
{
	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		if (strcmp(name, actions[i]) == 0) {
			*ret_action = (enum merge_recreate)i;
			return true;
		}
	}
	return false;
}

static void clear_operation_state(struct draft *d)
{
	json_object *status = graft_object(d->tree, "status"), *copy;

	if (!status)
		return;
	copy = graft_copy(status, &d->err);
	graft_share(copy, "operationState", NULL, &d->err);
	graft_put(d->tree, "status", copy, &d->err);
}

static void ask_for_sync(struct draft *d)
{
	json_object *operation = graft_copy(NULL, &d->err);

	graft_put(operation, "sync", json_object_new_object(), &d->err);
	graft_put(d->tree, "operation", operation, &d->err);
}

enum err merge_recreated(enum object_kind kind, bool end_managed, json_object *recorded, json_object *last,
			 const struct merge_stamp *stamp, enum merge_recreate action, struct merged *ret_merged)
{
	const struct rules rules = {
		.kind = kind, .managed = end_managed, .refresh = REFRESH_NONE, .marks = recorded, .stamp = stamp
	};
	json_object *seen = last || end_managed ? last : recorded;
	struct draft d;

	if (!has_metadata(recorded))
		return E_MALFORMED;
	draft_begin(&d, /* existing= */ NULL, recorded);
	put_desired(&d, &rules, last, recorded);
	d.delete = false;
	draft_take(&d, seen, "status");
	if (kind == OBJECT_APPLICATION && action == MERGE_RECREATE_CLEAR_STATUS)
		clear_operation_state(&d);
	if (kind == OBJECT_APPLICATION && action == MERGE_RECREATE_RESYNC)
		ask_for_sync(&d);
	return draft_end(&d, stamp->now, ret_merged);
}
