/*
 * engine_impl.h -- inside the engine: engine.c drives, engine_list.c makes and inherits hooks, engine_tell.c says what happened.
 */
#pragma once

#include "gateway/hooks/engine.h"

/* The hook of the same place and address, or NULL. */
struct hook *engine_find(const struct engine *e, const struct hook *like);

/* What an expansion listed: new places get hooks, those that are gone lose theirs. */
void engine_expand(struct engine *e, struct hook *parent, uint64_t now_ms);

/* Something was written, or failed, or a pass is over: log and metrics. */
void engine_tell_action(const struct engine *e, struct hook *h);
void engine_tell_failure(const struct engine *e, struct hook *h);
void engine_tell_rest(const struct engine *e, struct hook *h);
void engine_tell_broken(const struct engine *e, const struct hook *h);

/* A hook more, or less, of its provider. */
void engine_count(const struct engine *e, struct hook *h, int delta);
