/*
 * pattern.h -- regular expressions of RE2, in linear time.
 *
 * Shape     the pattern is read once as RE2 would, what RE2 does not have is refused (look-around, back references,
 *           possessive and atomic groups: they are also what can take for ever), the rest goes to PCRE2's DFA matcher: one
 *           pass over the text, no backtracking.
 * Owner     pattern_new() gives one that pattern_free() frees; a compiled pattern is shared between threads.
 * Errors    E_MALFORMED  the pattern is none; `why` says where, in bytes of the pattern
 * Source    RE2's syntax as Go's regexp/syntax documents it; pcre2api(3), pcre2matching(3)
 */
#pragma once

#include "filter/run.h"

struct pattern;

enum err pattern_new(struct str text, struct why *why, struct pattern **ret_pattern);

/* Takes NULL. */
void pattern_free(struct pattern *x);

/* Does `text` hold a match of `pattern`, or, when that is NULL, of the one that `own` says? */
enum err pattern_match(struct run *r, const struct pattern *pattern, struct str own, struct str text, bool *ret_yes);
