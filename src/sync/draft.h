/*
 * draft.h -- an object being put together for a write. Internal to the merges.
 *
 * Shape     begins as what is there (or as nothing), with metadata and annotations its own and the rest shared; ends by telling
 *           what differs.
 * Owner     draft_end() hands the tree over or, after an error, frees it.
 */
#pragma once

#include "sync/graft.h"
#include "sync/marks.h"
#include "sync/merge.h"

struct draft {
	json_object *existing; /* NULL: create */
	json_object *tree;
	json_object *metadata;
	json_object *annotations;
	bool delete; /* MERGE_DELETE is wanted */
	enum err err;
};

/* `existing` NULL: an empty one, named as `model`. */
void draft_begin(struct draft *d, json_object *existing, json_object *model);

/* Set a mark; NULL or "": remove it. */
void draft_annotate(struct draft *d, const char *key, const char *value);

/* Take a top-level member over from another tree; absent there: absent here. */
void draft_take(struct draft *d, json_object *from, const char *key);

/* `now`: for last-updated, when it comes to a put; NULL: none. */
enum err draft_end(struct draft *d, const char *now, struct merged *ret_merged);

/* An annotation of a tree; NULL when there is none. */
const char *draft_annotation(json_object *tree, const char *key);

/* Is an operation being terminated there? */
bool draft_terminating(json_object *tree);

/* Is it a value as Go writes where nothing was said: false, 0, "", or an object of such? */
bool draft_says_nothing(json_object *value);

/* The operation that stays: ours as long as the peer has not seen it, and has not begun it, else the incoming one. */
json_object *draft_operation(json_object *existing, json_object *incoming, const struct merge_known *known,
			     enum err *err);
