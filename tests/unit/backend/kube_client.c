#include "kube_client.h"

#include "base/mem.h"

struct http_client kube_client;

/* Cancels and ends come from a task, never from inside the call. */
struct later {
	struct loop_task task;
	struct http_fetch *fetch;
	void (*on_closed)(void *ctx);
	void *ctx;
};

void kube_turn(void)
{
	for (int i = 0; i < 4; i++) {
		loop_tick(kube_client.loop);
		uv_run(&kube_client.loop->uv, UV_RUN_NOWAIT);
	}
}

enum err http_client_new(struct loop *loop, const struct http_client_options *options, struct why *why,
			 struct http_client **ret_client)
{
	(void)why;
	assert_ptr_equal(loop, kube_client.loop);
	assert_string_equal(options->origin, "https://k:6443");
	*ret_client = &kube_client;
	return E_OK;
}

static void on_closing(struct loop_task *task)
{
	struct later *l = CONTAINER_OF(task, struct later, task);

	assert_int_equal(kube_client.n, 0);
	l->on_closed(l->ctx);
	mem_free(l);
}

void http_client_close(struct http_client *c, void (*on_closed)(void *ctx), void *ctx)
{
	struct later *l = mem_alloc(sizeof(*l));

	assert_non_null(l);
	l->task.run = on_closing;
	l->on_closed = on_closed;
	l->ctx = ctx;
	loop_post(c->loop, &l->task);
}

void http_client_start(struct http_client *c, struct http_fetch *f)
{
	assert_true(c->n < KUBE_FETCHES_MAX);
	c->fetches[c->n++] = f;
}

static bool drop(struct http_fetch *f)
{
	struct http_client *c = &kube_client;
	size_t i = 0;

	while (i < c->n && c->fetches[i] != f)
		i++;
	if (i == c->n)
		return false;
	memmove(&c->fetches[i], &c->fetches[i + 1], (--c->n - i) * sizeof(c->fetches[0]));
	return true;
}

void kube_end(struct http_fetch *f, enum err err, unsigned status, const char *body)
{
	struct buf answer = { 0 };

	assert_true(drop(f));
	f->err = err;
	f->status = status;
	if (err != E_OK)
		(void)why_set(&f->why, err, "no connection");
	buf_str(&answer, str_of(body));
	assert_int_equal(answer.err, E_OK);
	f->answer = answer;
	mem_fail_at(kube_client.fail_at);
	f->on_done(f);
	kube_turn();
	mem_fail_at(0);
	kube_client.fail_at = 0;
	buf_release(&answer);
}

static void on_cancelling(struct loop_task *task)
{
	struct later *l = CONTAINER_OF(task, struct later, task);

	if (drop(l->fetch)) {
		l->fetch->err = E_CANCELLED;
		l->fetch->on_done(l->fetch);
	}
	mem_free(l);
}

void http_client_cancel(struct http_client *c, struct http_fetch *f)
{
	struct later *l = mem_alloc(sizeof(*l));

	assert_non_null(l);
	l->task.run = on_cancelling;
	l->fetch = f;
	loop_post(c->loop, &l->task);
}
