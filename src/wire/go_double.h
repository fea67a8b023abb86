/*
 * go_double.h -- a double as Go's encoding/json writes it. Internal to wire.
 *
 * Shape     the shortest digits that read back as the same double, and of those the nearest; plain from 1e-6 to 1e21, else with
 *           an exponent of as few digits as it needs.
 * Source    Go: encoding/json, encode.go; Steele and White, "How to print floating-point numbers accurately", 1990
 */
#pragma once

#include "base/buf.h"

/* Append `value`, which is finite. */
void go_double_write(double value, struct buf *ret_text);
