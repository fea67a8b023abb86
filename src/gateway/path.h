/*
 * path.h -- which requests an endpoint means.
 *
 * Shape     a path is percent-decoded and compared whole; a template has segments {var} (one segment) or {var:regex}
 *           (Go's syntax, auth/regex.h).
 * Errors    E_CONFIG     a bad template
 *           E_MALFORMED  a bad escape
 * Source    facts argo-events 2.1, 2.2 (gorilla/mux semantics)
 */
#pragma once

#include "auth/regex.h"
#include "base/buf.h"
#include "base/why.h"

bool path_is_template(struct str endpoint);

/* One "{name}" or "{name:regex}" of a template. */
struct path_variable {
	struct str name;
	struct str regex; /* p NULL: there is no colon */
	size_t length;    /* with the braces */
};

/* The variable that begins with the brace at the front of `s`; braces inside the regex pair up. False: no end. */
bool path_variable_at(struct str s, struct path_variable *ret_variable);

/* `endpoint` as an anchored expression; `why` says what is wrong with it. Free with regex_free(). */
enum err path_template_compile(struct str endpoint, struct why *why, struct regex **ret_regex);

/* Appends the percent-decoded path. E_MALFORMED: a bad escape, or an encoded NUL. */
enum err path_decode(struct str path, struct buf *ret_path);

/* "//a", "/a/./b", "/a/../b" are not clean. */
bool path_is_clean(struct str path);

/* Appends the clean form of a path; percent-encoding and a trailing slash stay. */
void path_clean(struct str path, struct buf *ret_clean);
