/*
 * tokens.h -- the tokens of one login, signed away from the loop.
 *
 * Shape     RSA takes 1 to 5 ms for each signature, and when all agents come back at once there are thousands of them.
 * Threads   tokens_start() and on_issued() in the loop's.
 */
#pragma once

#include "auth/jwt.h"
#include "net/work.h"

struct tokens {
	struct buf access;
	struct buf refresh; /* empty when it was not asked for */
};

/* For whom. */
struct tokens_request {
	struct agent_name agent;
	enum agent_mode mode;
	bool refresh; /* both; else the access token only */
	int64_t now_ms;
};

/*
 * `on_issued` is called once, in the loop's thread, never before this returns: E_OK and the tokens, which are lent until
 * it returns; or E_NOMEM, E_CANCELLED. E_BUSY, E_NOMEM from here: it is not called. `keys` and `pool` must live until then.
 */
enum err tokens_start(struct jwt_keys *keys, struct work_pool *pool, struct loop *loop,
		      const struct tokens_request *request,
		      void (*on_issued)(void *ctx, enum err result, struct tokens *tokens), void *ctx);
