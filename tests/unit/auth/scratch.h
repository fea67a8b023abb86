/*
 * scratch.h -- a directory for the files of a test.
 */
#pragma once

#include "base/str.h"

/* cmocka's setup and teardown. */
int scratch_begin(void **state);
int scratch_end(void **state);

/* The path of `name` in it; good until the fourth call from now. */
const char *scratch_path(const char *name);

/* Writes the file and returns its path. */
const char *scratch_file(const char *name, const char *text);
