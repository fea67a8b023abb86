/*
 * re2.h -- a regular expression of RE2, as Go has it, written for PCRE2.
 *
 * Shape     one walk over the pattern; what RE2 does not have is refused (look-around, back references, possessive and atomic
 *           groups: they are also what can take for ever), what the two read differently is spelt out. What is left is to be
 *           compiled as UTF-8 with the newline LF, PCRE2_ALT_CIRCUMFLEX and without PCRE2_UCP.
 * Errors    E_MALFORMED  `why` has the byte, from 1
 *           E_LIMIT      longer than RE2_MAX
 * Source    RE2's syntax as Go's regexp/syntax documents it; pcre2pattern(3)
 */
#pragma once

#include "base/buf.h"
#include "base/why.h"

#define RE2_MAX        4096 /* bytes of a pattern */
#define RE2_REPEAT_MAX 1000 /* largest count: x{1000} */

/*
 * Appends it. `captures`: groups capture as in the pattern, for pcre2_match(). Else none does, and x+ becomes xx*:
 * pcre2_dfa_match() counts how often x of x+ was there, so that each beginning would be a place of its own.
 * What PCRE2 refuses itself, such as a group that is not closed, may pass.
 */
enum err re2_translate(struct str pattern, bool captures, struct buf *ret_pattern, struct why *why);
