/*
 * engine.h -- all hooks of a configuration, driven.
 *
 * Shape     a turn starts what is due, one request for each account, waits for what comes first and hands answers to their
 *           hooks. What fails is tried again with exponential backoff and jitter; what a provider asks to wait for is waited
 *           for by the whole account. A hook that is in place is looked after in intervals.
 * Owner     engine_new/engine_free; the multi handle is the caller's, and may be woken from any thread.
 * Units     monotonic ms.
 * Threads   one.
 */
#pragma once

#include "base/metrics.h"
#include "gateway/hooks/account.h"

struct engine_options {
	enum hook_goal goal;
	bool once;               /* one pass, without pauses; what fails is tried again until `deadline_ms` */
	bool rewrite;            /* write even what is as it should be: the secret may be another */
	uint64_t deadline_ms;    /* with `once` */
	struct metrics *metrics; /* NULL: nothing is counted */
	bool quiet;              /* nothing is logged */
};

struct engine {
	struct engine_options options;
	CURLM *multi;
	struct gateway_config *config; /* a reference */
	struct account *accounts;
	struct hook *hooks; /* in the order of the manifests */
	uint64_t mark_key[2];
};

/* E_NOMEM. With no hooks in the manifests it is empty, and good. */
enum err engine_new(struct gateway_config *config, const struct engine_options *options, CURLM *multi,
		    struct engine **ret_engine);
void engine_free(struct engine *e);

/* Goes on with what `before`, of an earlier configuration, knows. */
void engine_inherit(struct engine *e, const struct engine *before);

/* One turn; waits at most `max_wait_ms` for something to happen. */
void engine_turn(struct engine *e, uint64_t max_wait_ms);

/* Is there nothing left to do, now or later? */
bool engine_is_done(const struct engine *e);

/* From now on only take away what the manifests ask to take away at the end; not what `after` (NULL: nobody) still wants. */
void engine_leave(struct engine *e, const struct engine *after, uint64_t deadline_ms);
