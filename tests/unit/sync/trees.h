/*
 * trees.h -- JSON trees written short, for the tests of the sync rules.
 *
 * Shape     text with ' for ", so that a row of a table stays readable.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <json-c/json.h>

/* A tree of `text`; it must be JSON. */
json_object *tree_of(const char *text);

/* Is `tree` what `text` says, the order of keys aside? Fails the test with both texts (and the name of the row) when not. */
void expect_tree(json_object *tree, const char *text);
void expect_row(const char *row, json_object *tree, const char *text);

/* The member on a dotted path with numbers for array places, as JSON text; "" when it is not there. */
const char *at(json_object *tree, const char *path);
