/*
 * option_value.h -- what was given for an option, as its row wants it.
 *
 * Owner     texts are borrowed, but for a list from the environment: options_release() frees its copy.
 * Errors    E_MALFORMED: `why` names the option and says what would fit
 */
#pragma once

#include "cli/options.h"

/* Is it said by its name alone, or with a truth value? */
bool option_is_bool(const struct option_row *row);

/* Put `text` (NULL: nothing was given with it) where the row's value lies; `name` is how the person knows the option. */
enum err option_set(const struct option_row *row, void *at, const char *name, const char *text, struct why *why);

/* The same from the row's environment variable, where ':' separates the items of a list. */
enum err option_set_env(const struct option_row *row, void *at, const char *text, struct why *why);
