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

/*
 * The content after a PUT or STATUS of `wanted` over `current` (NULL: nothing), forked from one of them (tree_fork()). NULL without
 * memory.
 */
json_object *apply_tree(enum backend_verb verb, json_object *wanted, json_object *current);

/*
 * What a PUT or STATUS makes of `current` (NULL: nothing), with these ids. `*ret_changed`: it differs
 * from `current` in more than the version.
 */
enum err apply_merge(const struct backend_write *w, const struct object *current, const char *uid, const char *version,
		     struct why *why, struct object **ret_object, bool *ret_changed);

/* A new UID: random, with dashes. */
void apply_uid(char ret_uid[static UUID_MAX]);
