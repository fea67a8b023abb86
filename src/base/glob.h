/*
 * glob.h -- does a name match a pattern of the shell's kind?
 *
 * Shape     '*' any run of bytes (slashes too), '?' one byte, "[a-c_]" one of these, "[!a-c]" one of the others, "{eu,us}-x" one
 *           of these globs (they nest), '\' takes the next byte as it is; everything else means itself. The whole text must match.
 *           Time is linear in text times glob, whatever stands in them.
 * Source    the syntax of github.com/gobwas/glob without separators, which Argo CD's projects are written in
 */
#pragma once

#include "base/str.h"

#define GLOB_MAX 512 /* bytes of a glob */

/* Is it one: not too long, brackets and braces closed? */
bool glob_ok(struct str glob);

/* False as well when it is none. */
bool glob_matches(struct str glob, struct str text);
