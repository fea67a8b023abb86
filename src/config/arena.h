/*
 * arena.h -- memory of one document, freed all at once.
 *
 * Shape     blocks, filled one after another; an empty arena is NULL.
 * Errors    NULL or false: no memory
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct doc_arena;

/* `n` zeroed bytes, aligned for anything. */
void *doc_arena_alloc(struct doc_arena **arena, size_t n);

/* A terminated copy. */
bool doc_arena_copy(struct doc_arena **arena, struct str s, struct str *ret_copy);

void doc_arena_free(struct doc_arena *arena);
