/*
 * regex_syntax.h -- is an expression one that Go's regexp understands too? Internal to regex.c.
 *
 * Shape     looks only for what PCRE2 reads and Go does not: look-around, back references, possessive repetition, verbs,
 *           letters behind a backslash. What is wrong for both is left to PCRE2.
 * Source    re2/syntax of Go's regexp
 */
#pragma once

#include <stdbool.h>

#include "base/str.h"

/* False: at byte *ret_at something begins that Go does not know; *ret_what names it. */
bool regex_syntax_ok(struct str pattern, size_t *ret_at, const char **ret_what);
