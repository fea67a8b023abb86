/* A request that waits for an errand. */
#include "base/mem.h"
#include "gateway/exchange_impl.h"
#include "gateway/worker.h"

/* In the errands' thread. */
static void run(struct work *work)
{
	struct exchange *x = CONTAINER_OF(work, struct exchange, errand);

	if (!atomic_load(&x->unwanted))
		x->errand_run(x);
}

/* In the loop again. */
static void on_done(struct work *work, enum err err)
{
	struct exchange *x = CONTAINER_OF(work, struct exchange, errand);

	exchange_enter(x);
	x->pending = false;
	if (x->request && !x->answered && err == E_OK)
		x->errand_done(x);
	else if (x->request && !x->answered)
		exchange_refuse(x, ANSWER_OVERLOAD, STR(""));
	exchange_leave(x);
}

void exchange_errand(struct exchange *x, void (*run_it)(struct exchange *x), void (*done)(struct exchange *x))
{
	x->errand = (struct work){ .run = run, .on_done = on_done };
	x->errand_run = run_it;
	x->errand_done = done;
	atomic_store(&x->unwanted, false);
	if (!exchange_start_deadline(x) ||
	    work_start(x->worker->gateway->errands, &x->worker->loop, &x->errand) != E_OK)
		exchange_refuse(x, ANSWER_OVERLOAD, STR(""));
	else
		x->pending = true;
}
