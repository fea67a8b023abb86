/* A request that waits for an errand. */
#include "base/mem.h"
#include "gateway/exchange_impl.h"
#include "gateway/worker.h"

/* In the errands' thread. */
static void run(struct errand *e)
{
	struct exchange *x = CONTAINER_OF(e, struct exchange, errand);

	if (!atomic_load(&x->unwanted))
		x->errand_run(x);
}

/* In the loop again. */
static void back(struct loop_task *task)
{
	struct exchange *x = CONTAINER_OF(task, struct exchange, errand.back);

	exchange_enter(x);
	x->pending = false;
	if (x->request && !x->answered)
		x->errand_done(x);
	exchange_leave(x);
}

void exchange_errand(struct exchange *x, void (*run_it)(struct exchange *x), void (*done)(struct exchange *x))
{
	x->errand = (struct errand){ .run = run, .loop = &x->worker->loop, .back = { .run = back } };
	x->errand_run = run_it;
	x->errand_done = done;
	atomic_store(&x->unwanted, false);
	if (!exchange_start_deadline(x) || errands_give(&x->worker->gateway->errands, &x->errand) != E_OK)
		exchange_refuse(x, ANSWER_OVERLOAD, STR(""));
	else
		x->pending = true;
}
