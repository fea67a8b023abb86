/*
 * manifest.h -- an empty directory in which a test runs, so that messages name plain files; and a configuration out of one manifest.
 */
#pragma once

#include "gateway/config.h"

/* cmocka's setup and teardown. */
int manifest_begin(void **state);
int manifest_end(void **state);

void manifest_file(const char *path, const char *text);

/* This manifest, which is good, as a.yaml. */
struct gateway_config *manifest_load(const char *text);
