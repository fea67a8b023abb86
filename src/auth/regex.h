/*
 * regex.h -- regular expressions that people give us, over texts that strangers give us.
 *
 * Shape     what Go's regexp understands (base/re2.h), matched by PCRE2. Steps of a match are limited, so that no text and no
 *           expression can hold the process. A text that is not UTF-8 matches nothing.
 * Threads   a compiled one is read-only.
 * Errors    E_CONFIG  not an expression: `why` has its place
 *           E_LIMIT   the match took too many steps
 * Source    facts argocd-agent 2.3, 4.6
 */
#pragma once

#include "base/buf.h"
#include "base/mem.h"
#include "base/why.h"

struct regex;

enum err regex_new(struct str pattern, struct why *why, struct regex **ret_regex);
void regex_free(struct regex *r);
DEFINE_FREEP(regex, struct regex, regex_free)

/* Capture groups. */
unsigned regex_groups(const struct regex *r);

/* Somewhere in `text`? E_OK and *ret_match; `ret_group1` (NULL: not wanted) is a slice of `text`, empty when it took no part. */
enum err regex_match(const struct regex *r, struct str text, bool *ret_match, struct str *ret_group1);
