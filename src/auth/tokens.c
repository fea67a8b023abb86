#include "auth/tokens.h"

#include "auth/files.h"
#include "base/mem.h"
#include "base/rand.h"

/* One request, from the loop to a worker and back. */
struct issue {
	struct work work;
	struct jwt_keys *keys;
	struct tokens_request request;
	struct tokens tokens;
	enum err result;
	void (*on_issued)(void *ctx, enum err result, struct tokens *tokens);
	void *ctx;
};

static enum err sign(struct issue *i, enum jwt_use use, struct buf *ret_token)
{
	unsigned char random[JWT_ID_BYTES];

	rand_bytes(random, sizeof(random));
	return jwt_issue(i->keys, use, &i->request.agent, i->request.mode, i->request.now_ms, random, ret_token);
}

static void run(struct work *work)
{
	struct issue *i = CONTAINER_OF(work, struct issue, work);

	i->result = sign(i, JWT_ACCESS, &i->tokens.access);
	if (i->result == E_OK && i->request.refresh)
		i->result = sign(i, JWT_REFRESH, &i->tokens.refresh);
}

static void on_done(struct work *work, enum err err)
{
	struct issue *i = CONTAINER_OF(work, struct issue, work);
	enum err result = err == E_OK ? i->result : err;

	i->on_issued(i->ctx, result, result == E_OK ? &i->tokens : NULL);
	buf_wipe(&i->tokens.access);
	buf_wipe(&i->tokens.refresh);
	mem_free(i);
}

enum err tokens_start(struct jwt_keys *keys, struct work_pool *pool, struct loop *loop,
		      const struct tokens_request *request,
		      void (*on_issued)(void *ctx, enum err result, struct tokens *tokens), void *ctx)
{
	struct issue *i = mem_alloc(sizeof(*i));
	enum err err;

	if (!i)
		return E_NOMEM;
	*i = (struct issue){ { .run = run, .on_done = on_done }, keys, *request, .on_issued = on_issued, .ctx = ctx };
	err = work_start(pool, loop, &i->work);
	if (err != E_OK)
		mem_free(i);
	return err;
}
