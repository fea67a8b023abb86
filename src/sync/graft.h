/*
 * graft.h -- building JSON trees out of parts of others. Internal to the rules of sync.
 *
 * Shape     parts are shared, not copied: a tree is copied one level deep only where something in it changes. The first
 *           failure of memory stays in `err`; look at it once at the end.
 * Owner     put() takes over the reference of its value.
 */
#pragma once

#include <stdbool.h>

#include "backend/object.h"

/* A new object with the members of `from` (NULL, or another type: none), shared. NULL without memory. */
json_object *graft_copy(json_object *from, enum err *err);

/* Set a member; NULL: without memory, sets the error. */
void graft_put(json_object *object, const char *key, json_object *value, enum err *err);
void graft_put_text(json_object *object, const char *key, const char *text, enum err *err);

/* Set a member to one of another tree, shared; NULL, null: remove it. */
void graft_share(json_object *object, const char *key, json_object *value, enum err *err);

/* A member, but NULL for null. */
json_object *graft_member(json_object *object, const char *key);

/* The member when it is an object, else NULL. */
json_object *graft_object(json_object *object, const char *key);

/* The string, or "" for everything else. */
const char *graft_text(json_object *value);

/* Are they equal, null as good as absent at the top? */
bool graft_same(json_object *a, json_object *b);

/* NULL, {} or []? */
bool graft_is_empty(json_object *value);

/* Are they equal, or both empty? */
bool graft_says_same(json_object *a, json_object *b);
