/*
 * apply.h -- what a write means, the same for every backend: may it be done, and what is there afterwards.
 *
 * Shape     pure: the object that is there (or none) and a write give the object that comes.
 * Errors    as backend.h says
 */
#pragma once

#include "backend/backend.h"
#include "base/uuid.h"

/* Does what is there (NULL: nothing) fit what the write expects? */
enum err apply_check(const struct backend_write *w, const struct object *current, struct why *why);

/* What the backend gives an object; NULL: what its text says stays. */
struct apply_ids {
	const char *uid;
	const char *version;
};

/*
 * The text after a PUT or STATUS of `wanted` over `current` (NULL: nothing), appended: pieces of theirs, no tree. E_LIMIT: the two
 * together have too much.
 */
enum err apply_text(enum backend_verb verb, const struct object *wanted, const struct object *current,
		    const struct apply_ids *ids, struct buf *text, struct why *why);

/* The object of that text, which has both ids. `*ret_changed`: it differs from `current` in more than the version. */
enum err apply_merge(const struct backend_write *w, const struct object *current, const struct apply_ids *ids,
		     struct why *why, struct object **ret_object, bool *ret_changed);

/* Is it being deleted? */
bool apply_is_going(json_object *tree);

/* Does it wait, or would it, until somebody is done with it? */
bool apply_is_held(json_object *tree);

/* What is being deleted (`there`) stays so, and takes no new finalizers: `tree`, a fork that is to be in its place, is made to fit. */
enum err apply_to_going(json_object *there, json_object *tree);

/* A new UID: random, with dashes. */
void apply_uid(char ret_uid[static UUID_MAX]);
