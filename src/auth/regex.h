/*
 * regex.h -- regular expressions that people give us, over texts that strangers give us.
 *
 * Shape     PCRE2 told to behave as Go's regexp does where both know a construct: '$' is the end of the text, '.' is no
 *           newline, \d \w \s are ASCII, leftmost match. What Go does not know (look-around, back references) is
 *           refused. Steps of a match are limited, so that no text and no expression can hold the process.
 * Threads   a compiled one is read-only.
 * Errors    E_CONFIG  not an expression: `why` has the column
 *           E_LIMIT   the match took too many steps
 * Source    re2/syntax of Go's regexp; facts argocd-agent 2.3, 4.6
 */
#pragma once

#include "base/buf.h"
#include "base/mem.h"
#include "base/why.h"

#define REGEX_MAX 4096 /* bytes of an expression */

struct regex;

enum err regex_new(struct str pattern, struct why *why, struct regex **ret_regex);
void regex_free(struct regex *r);
DEFINE_FREEP(regex, struct regex, regex_free)

/* Capture groups. */
unsigned regex_groups(const struct regex *r);

/* Somewhere in `text`? E_OK and *ret_match; `ret_group1` (NULL: not wanted) is a slice of `text`, empty when it took no part. */
enum err regex_match(const struct regex *r, struct str text, bool *ret_match, struct str *ret_group1);
