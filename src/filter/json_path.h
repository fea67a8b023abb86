/*
 * json_path.h -- JSONPath, as the function jsonpath() has it.
 *
 * Shape     a path that can mean one place gives its value; one with a wildcard, a slice, a union, a condition or .. gives
 *           an array, with an array inside for each further such step.
 * Owner     all of a path lies in its pool except its conditions, which json_path_release() frees.
 * Errors    E_MALFORMED  no path; `why` says at which byte of it
 * Source    goessner.net/articles/JsonPath; where that is silent, the README of evilmonkeyinc/jsonpath, which upstream uses
 *           (facts argo-events 3.2)
 */
#pragma once

#include "filter/run.h"

struct json_path;

enum err json_path_read(struct str text, struct pool *pool, struct why *why, struct json_path **ret_path);

/* Takes NULL. */
void json_path_release(struct json_path *path);

/* What `path` (or, when that is NULL, the one in `text`) finds in `root`; nothing at all is an error, as upstream. */
enum err json_path_find(struct run *r, const struct json_path *path, struct str text, struct value root,
			struct value *ret);
