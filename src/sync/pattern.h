/*
 * pattern.h -- lists of name patterns: globs, or regular expressions between slashes.
 *
 * Shape     "team-*", "site?", "[a-c]x", "{eu,us}-*" must match all of the text; "/^team-[0-9]+$/" matches anywhere in it.
 *           Matching takes time linear in text times pattern: no pattern makes it explode.
 * Owner     a zeroed struct patterns is an empty list, which matches nothing; patterns_release() frees.
 * Errors    E_MALFORMED  no such pattern; `why` says which and why
 *           E_LIMIT      longer than PATTERN_MAX, or its repeats multiply
 *           E_NOMEM
 * Source    argocd-agent facts 4.4, 4.6; globs as github.com/gobwas/glob without separators ('*' takes any character),
 *           expressions as POSIX extended ones with \d, \w, \s and (?: of Go's
 */
#pragma once

#include "base/str.h"
#include "base/why.h"

#define PATTERN_MAX 512 /* bytes */

struct pattern;

struct patterns {
	struct pattern *items;
	size_t count;
};

/* Add one pattern. On an error the list is as before. */
enum err patterns_add(struct patterns *list, struct str text, struct why *why);

/* Does at least one of them match? */
bool patterns_match(const struct patterns *list, struct str text);

void patterns_release(struct patterns *list); /* takes NULL and zeroed ones */

/* One pattern that is used once. A malformed one matches nothing. */
bool pattern_match(struct str pattern, struct str text);

/* A glob alone: slashes are ordinary characters. A malformed one matches nothing. */
bool pattern_glob(struct str glob, struct str text);
