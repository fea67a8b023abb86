/*
 * hook_impl.h -- between hook.c and hook_answer.c.
 */
#pragma once

#include "gateway/hooks/hook.h"

/* To the next phase, which the drawing in hook.c allows. */
void hook_move(struct hook *h, enum hook_phase phase);

/* To a phase that lists, from its first page. */
void hook_list_again(struct hook *h, enum hook_phase phase);

bool hook_is_listing(const struct hook *h);
