/*
 * textop.h -- what functions of strings share, whatever the order of their arguments.
 *
 * Shape     each puts its result into `ret` and returns the run's error. Looking once at each argument is paid for by the
 *           call (call.c).
 * Source    Go's package strings
 */
#pragma once

#include "filter/run.h"

/* Without the characters of `chars` at both ends. */
enum err textop_trim(struct run *r, struct str s, struct str chars, struct value *ret);

struct str textop_trim_prefix(struct str s, struct str prefix);
struct str textop_trim_suffix(struct str s, struct str suffix);

/* Where `part` begins at or behind `from`. */
bool textop_find(struct str s, size_t from, struct str part, size_t *ret_at);

/* Each character through `map`. */
enum err textop_map(struct run *r, struct str s, uint32_t (*map)(uint32_t), struct value *ret);

/* At most `limit` pieces (below 0: all of them; 0: none); `keep`: with their separators. */
enum err textop_split(struct run *r, struct str s, struct str separator, int64_t limit, bool keep, struct value *ret);

/* The first `limit` ones (below 0: all). */
enum err textop_replace(struct run *r, struct str s, struct str old, struct str new, int64_t limit, struct value *ret);

enum err textop_repeat(struct run *r, struct str s, int64_t n, struct value *ret);

/* `any`: elements that are no strings are written as text, and nil is left out. */
enum err textop_join(struct run *r, struct value list, struct str separator, bool any, struct value *ret);
