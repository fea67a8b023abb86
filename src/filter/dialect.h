/*
 * dialect.h -- a regular expression of RE2, written for PCRE2.
 *
 * Shape     one walk over the pattern; what RE2 does not have is refused, what the two read differently is spelt out.
 * Errors    E_MALFORMED  `why` has the byte, from 1
 * Source    Go's regexp/syntax; pcre2pattern(3)
 */
#pragma once

#include "base/buf.h"
#include "base/why.h"

enum err dialect_translate(struct str pattern, struct buf *ret_pattern, struct why *why);
