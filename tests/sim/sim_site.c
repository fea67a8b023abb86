#include "sim.h"

static void remember(struct peer *p, const struct letter *l)
{
	struct delivery_event e = letter_event(l, NULL);

	if (l->uid && inbox_remember(p->inbox, &e) != E_OK)
		sim_broken(p->sim, "no memory");
}

void site_start(struct peer *p)
{
	struct inbox_options options = inbox_defaults;

	options.two_step = p->nature != UPSTREAM;
	options.window_events = p->nature == WILD ? 8 : 1000;
	options.parallel_max = 3;
	options.receipt_ms = p->nature == WILD ? 0 : 20; /* what is applied takes up to 60 ms */
	p->inbox = inbox_new(&options);
	if (!p->inbox)
		sim_broken(p->sim, "no memory");
	for (int key = 0; key < SIM_KEYS; key++) {
		const struct replica *r = &p->replica[key];

		remember(p, &r->last_state);
		remember(p, &r->last_status);
		for (uint32_t i = 0; i < SIM_COMMANDS; i++)
			remember(p, &r->commands[(r->executed + i) % SIM_COMMANDS]);
	}
}

void site_crash(struct peer *p)
{
	sim_trace(p->sim, "site    %u: crashes", p->index);
	inbox_free(p->inbox);
	p->life++;
	p->connected = false;
	outbox_disconnected(p->outbox);
	hub_void(p);
	site_start(p);
}

static void lie(struct peer *p, const struct letter *l, uint64_t order)
{
	struct sim *s = p->sim;
	struct delivery_answer a = { .outcome = (enum delivery_outcome)(sim_random(s) % 3),
				     .retryable = sim_once_in(s, 2),
				     .resource_id = str_of(l->resource_id),
				     .event_id = str_of(l->event_id),
				     .reason = STR("because"),
				     .order = sim_once_in(s, 3) ? order + sim_random(s) % 3 : order };
	struct letter other = letter_of(l->type, l->key, l->uid, l->version + 1);

	if (sim_once_in(s, 3))
		return; /* never says anything */
	if (sim_once_in(s, 3))
		a.event_id = str_of(other.event_id);
	for (unsigned i = 0; i <= sim_random(s) % 3; i++)
		net_send_answer(p, &a);
}

void site_frame(struct peer *p, const struct happening *h)
{
	struct delivery_event e;
	struct letter l;
	enum err err;

	p->sim->deliveries++;
	memcpy(&l, h->bytes->p, sizeof(l));
	if (p->nature == LIAR) {
		lie(p, &l, h->order);
		return;
	}
	e = letter_event(&l, h->bytes);
	e.order = h->order;
	e.came_ms = p->sim->now;
	err = inbox_put(p->inbox, h->epoch, &e);
	sim_trace(p->sim, "site    %u: %s comes%s%s", p->index, l.event_id, err == E_OK ? "" : ": ",
		  err == E_OK ? "" : err_text(err));
	if (err != E_OK && err != E_LIMIT && err != E_CANCELLED)
		sim_broken(p->sim, "put %s: %s", l.event_id, err_text(err));
	if (err != E_CANCELLED && h->epoch != p->epoch)
		sim_broken(p->sim, "a stream was heard that is fenced");
	if (err == E_CANCELLED && h->epoch == p->epoch && p->connected)
		sim_broken(p->sim, "the newest stream was not heard");
}

/* The first event of an object, whatever it is: even what can never be applied may be the first that comes. */
static void meet(struct replica *r, uint32_t uid)
{
	if (uid <= r->newest_uid)
		return;
	r->newest_uid = uid;
	r->command_version = r->refused = 0;
	r->object = (struct object){ .uid = uid };
}

static void apply_state(struct peer *p, struct replica *r, const struct letter *l)
{
	if (l->uid < r->newest_uid || (l->uid == r->last_state.uid && r->last_state.type == DELIVERY_DELETE))
		sim_broken(p->sim, "%s comes after its deletion", l->event_id);
	if (l->uid == r->object.uid && l->version < r->object.version)
		sim_broken(p->sim, "%s overwrites version %u", l->event_id, r->object.version);
	r->object.version = l->version;
	r->last_state = *l;
}

static void apply_delete(struct replica *r, const struct letter *l)
{
	if (r->object.uid == l->uid)
		r->object = (struct object){ 0 };
	r->last_state = *l;
}

static void apply_command(struct peer *p, struct replica *r, const struct letter *l)
{
	if (l->uid != r->newest_uid)
		sim_broken(p->sim, "command %s for another object than %u", l->event_id, r->newest_uid);
	if (l->version <= r->command_version)
		sim_broken(p->sim, "command %s after %u: twice, or out of order", l->event_id, r->command_version);
	if (r->object.uid == l->uid && r->object.version < l->version && r->refused < l->version)
		sim_broken(p->sim, "command %s came before its state, at %u", l->event_id, r->object.version);
	r->command_version = l->version;
	r->commands[r->executed++ % SIM_COMMANDS] = *l;
}

static void apply(struct peer *p, const struct letter *l)
{
	struct replica *r = &p->replica[l->key];

	meet(r, l->uid);
	switch (l->type) {
	case DELIVERY_DELETE:
		apply_delete(r, l);
		return;
	case DELIVERY_COMMAND:
		apply_command(p, r, l);
		return;
	case DELIVERY_STATUS:
		if (l->uid != r->object.uid || l->version < r->object.status)
			sim_broken(p->sim, "status %s at object %u, status %u", l->event_id, r->object.uid,
				   r->object.status);
		r->object.status = l->version;
		r->last_status = *l;
		return;
	default:
		apply_state(p, r, l);
	}
}

void site_apply_ends(struct peer *p, const struct happening *h)
{
	struct sim *s = p->sim;
	struct letter l;

	if (h->life != p->life)
		return; /* died with its process */
	memcpy(&l, h->work->event.bytes->p, sizeof(l));
	if (!s->healed && sim_once_in(s, 25)) {
		inbox_done(p->inbox, h->work, DELIVERY_REJECTED, /* retryable= */ true, STR("busy"));
	} else if (letter_poison(&l)) {
		struct replica *r = &p->replica[l.key];

		meet(r, l.uid);
		if (l.type == DELIVERY_SPEC && l.uid == r->newest_uid && l.version > r->refused)
			r->refused = l.version;
		inbox_done(p->inbox, h->work, DELIVERY_REJECTED, /* retryable= */ false, STR("poison"));
	} else {
		apply(p, &l);
		sim_trace(s, "site    %u: applied %s %s", p->index, delivery_type_name(l.type), l.event_id);
		if (!s->healed && sim_once_in(s, 1000))
			site_crash(p); /* durable, and never answered */
		else
			inbox_done(p->inbox, h->work, DELIVERY_APPLIED, false, (struct str){ 0 });
	}
}

/* An upstream peer knows "processed" only: it says so of what it can never take, and nothing of what may work later. */
static void answer_upstream(struct peer *p, struct delivery_answer a)
{
	if (a.outcome == DELIVERY_REJECTED && a.retryable)
		return;
	a.outcome = DELIVERY_APPLIED;
	net_send_answer(p, &a);
}

void site_pump(struct peer *p)
{
	struct sim *s = p->sim;
	struct delivery_answer a;
	struct inbox_work *work;

	while ((work = inbox_next(p->inbox)))
		net_later(s, s->now + sim_random(s) % 60,
			  &(struct happening){ .type = APPLY_ENDS, .peer = p, .life = p->life, .work = work });
	while (p->connected && inbox_answer(p->inbox, s->now, &a)) {
		if (p->nature == UPSTREAM)
			answer_upstream(p, a);
		else
			net_send_answer(p, &a);
	}
}
