/*
 * doc_syntax.h -- what libyaml could not read on, as a problem with a place and what to do about it. Internal to config.
 */
#pragma once

#include <yaml.h>

#include "config/problem.h"

/* `text` is what the parser read; lines count from `line_before` + 1. Returns E_CONFIG, or E_NOMEM. */
enum err doc_syntax(const yaml_parser_t *p, struct str text, unsigned line_before, const char *path,
		    struct problems *problems);
