#include "daemon/pump.h"

#include "base/clock.h"
#include "base/rand.h"

#define AGAIN_MS 1000       /* after a message for which there was no memory */
#define PARKED   UINT64_MAX /* the timer is not needed now */

static void on_again(struct loop_timer *timer)
{
	struct pump *p = CONTAINER_OF(timer, struct pump, again);

	(void)loop_timer_start(p->loop, &p->again, PARKED); /* in the place that it has just left */
	p->on_ready(p);
}

/* ---- open and close ---------------------------------------------------------------------------------------------- */

enum err pump_open(struct pump *p, uint64_t epoch, const struct wire_dialect *agreed)
{
	enum err err;

	p->again.on_due = on_again;
	err = loop_timer_start(p->loop, &p->again, PARKED);
	if (err == E_OK)
		err = session_open(p->session, epoch, agreed, p->loop->now_ms);
	if (err != E_OK) {
		loop_timer_stop(p->loop, &p->again);
		return err;
	}
	p->epoch = epoch;
	return E_OK;
}

void pump_close(struct pump *p)
{
	if (p->epoch) {
		loop_timer_stop(p->loop, &p->again);
		session_close(p->session, p->epoch);
	}
	p->epoch = p->order = p->message_order = 0;
	p->paused = false;
	buf_release(&p->message);
}

/* ---- what comes -------------------------------------------------------------------------------------------------- */

void pump_receive(struct pump *p, struct str message)
{
	if (p->epoch == 0)
		return;
	session_receive(p->session, p->epoch, message, p->loop->now_ms, rand_u64());
	if (!p->paused && session_is_full(p->session)) {
		p->paused = true;
		rpc_pause(p->call);
	}
	p->on_ready(p);
}

/* ---- what goes --------------------------------------------------------------------------------------------------- */

static bool next_message(struct pump *p)
{
	if (p->message.n)
		return true;
	buf_clear(&p->message);
	return session_take(p->session, p->loop->now_ms, clock_wall_ns(), &p->message, &p->message_order);
}

/* Give the message to the call; false: it is kept. None is too large for it: the session has the same limit. */
static bool send_message(struct pump *p)
{
	enum err err = rpc_send(p->call, buf_view(&p->message));

	if (err == E_NOMEM)
		(void)loop_timer_start(p->loop, &p->again, AGAIN_MS); /* it runs: it is only moved */
	if (err == E_NOMEM || err == E_BUSY)
		return false;
	if (p->message_order)
		p->order = p->message_order;
	buf_clear(&p->message);
	return true;
}

/* Everything that was given to the call has left: timers of sending again begin. */
static void note_sent(struct pump *p)
{
	if (p->order == 0)
		return;
	if (rpc_queued(p->call)) {
		rpc_notify_empty(p->call);
		return;
	}
	session_sent(p->session, p->order, p->loop->now_ms, rand_u64());
	p->order = 0;
}

void pump_write(struct pump *p)
{
	if (!p->call || p->epoch == 0)
		return;
	while (next_message(p) && send_message(p))
		continue;
	note_sent(p);
	if (p->paused && !session_is_full(p->session)) {
		p->paused = false;
		rpc_resume(p->call);
	}
}
