/*
 * suggest.h -- "did you mean": the nearest of several words, when one is near.
 */
#pragma once

#include "base/str.h"

struct suggest {
	struct str word; /* what was typed; set by the caller, the rest is zero */
	struct str best; /* the answer so far; empty: nothing is near */
	unsigned distance;
};

/* Consider `candidate`. Near is: a third of the letters differ at most, or one begins with the other. */
void suggest_try(struct suggest *s, struct str candidate);
