/*
 * pattern.h -- which of several names are meant: a list of globs and expressions.
 *
 * Shape     separated by commas: a glob (base/glob.h) must match the whole name; "/.../" is a regular expression (regex.h)
 *           that must match somewhere. A comma inside of slashes or braces belongs to the pattern.
 * Source    facts argocd-agent 4.4, 4.6
 */
#pragma once

#include "base/mem.h"
#include "base/str.h"
#include "base/why.h"

struct patterns;

/* E_CONFIG: an expression is wrong, or something is empty. */
enum err patterns_new(struct str list, struct why *why, struct patterns **ret_patterns);
void patterns_free(struct patterns *p);
DEFINE_FREEP(patterns, struct patterns, patterns_free)

/* Does one of them match all of (glob) or something in (expression) `text`? NULL: no. */
bool patterns_match(const struct patterns *p, struct str text);
