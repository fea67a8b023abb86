/* functions_code.h -- the code behind the rows of functions.h. */
#pragma once

#include "filter/function.h"

#define X(space, name, min, max, types, result, code, usage, meaning) enum err code(struct call *c, struct value *ret);
#include "filter/functions.h"
#undef X
