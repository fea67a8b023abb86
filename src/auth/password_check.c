#include "auth/files.h"
#include "auth/passwords.h"
#include "base/mem.h"

/* One question, from the loop to a worker and back. */
struct password_check {
	struct work work;
	struct passwords *passwords;
	struct agent_name name; /* "": no name that a user could have */
	struct buf password;
	enum err result;
	void (*on_checked)(void *ctx, enum err result);
	void *ctx;
};

static void check_free(struct password_check *c)
{
	if (!c)
		return;
	buf_wipe(&c->password);
	mem_free(c);
}
DEFINE_FREEP(check, struct password_check, check_free)

static void run(struct work *work)
{
	struct password_check *c = CONTAINER_OF(work, struct password_check, work);

	c->result = passwords_check(c->passwords, agent_name(&c->name), buf_view(&c->password));
}

static void on_done(struct work *work, enum err err)
{
	struct password_check *c = CONTAINER_OF(work, struct password_check, work);
	enum err result = err == E_OK ? c->result : err;

	if (result == E_OK)
		passwords_remember(c->passwords, agent_name(&c->name), buf_view(&c->password), work->loop->now_ms);
	c->on_checked(c->ctx, result);
	check_free(c);
}

static void known_already(struct loop_task *task)
{
	struct password_check *c = CONTAINER_OF(task, struct password_check, work.task);

	c->on_checked(c->ctx, E_OK);
	check_free(c);
}

enum err passwords_check_start(struct passwords *p, struct work_pool *pool, struct loop *loop, struct str name,
			       struct str password, void (*on_checked)(void *ctx, enum err result), void *ctx)
{
	CLEANUP(check_freep) struct password_check *c = mem_alloc(sizeof(*c));
	enum err err = E_OK;

	if (!c)
		return E_NOMEM;
	*c = (struct password_check){ { .run = run, .on_done = on_done }, p, .on_checked = on_checked, .ctx = ctx };
	(void)agent_name_set(&c->name, name);
	buf_str(&c->password, str_sub(password, 0, PASSWORDS_BYTES_MAX + 1));
	if (c->password.err != E_OK)
		return c->password.err;
	if (passwords_recall(p, name, password, loop->now_ms)) {
		c->work.task.run = known_already;
		loop_post(loop, &c->work.task);
	} else {
		err = work_start(pool, loop, &c->work);
	}
	if (err == E_OK)
		(void)TAKE(c);
	return err;
}
