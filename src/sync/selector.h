/*
 * selector.h -- label selectors of Kubernetes: which objects to look at.
 *
 * Shape     requirements with commas between them, all of which must hold: "a=b", "a==b", "a!=b", "a in (b, c)",
 *           "a notin (b, c)", "a", "!a", "a > 1", "a < 1". An object without the label fulfils "!=", "notin" and "!". The empty
 *           selector matches everything.
 * Errors    E_MALFORMED  `why` names the place and what was expected
 *           E_LIMIT      longer than SELECTOR_MAX
 *           E_NOMEM
 * Source    Kubernetes: "Labels and Selectors"; syntax of label keys and values there
 */
#pragma once

#include <json-c/json.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/why.h"

#define SELECTOR_MAX 65536 /* bytes */

struct selector;

enum err selector_new(struct str text, struct why *why, struct selector **ret_selector);

void selector_free(struct selector *s); /* takes NULL */

DEFINE_FREEP(selector, struct selector, selector_free)

/* Does an object with these labels (metadata.labels; NULL: none) match? A NULL selector matches everything. */
bool selector_match(const struct selector *s, json_object *labels);
