/* limits.h -- the rows of filter_limits.h as constants: FILTER_TEXT_MAX .. */
#pragma once

#include "base/re2.h"

enum filter_limit {
#define X(field, value, unit, meaning) FILTER_##field = (value),
#include "filter/filter_limits.h"
#undef X
};
