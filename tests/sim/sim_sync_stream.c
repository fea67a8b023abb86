#include "base/mem.h"
#include "delivery/list.h"
#include "sim_sync.h"
#include "sync/marks.h"

/* One direction of a stream: what is on its way arrives in order. */
struct lane {
	struct link messages;
	uint64_t until_ms; /* nothing arrives before */
	bool moving;       /* its next arrival is planned */
};

struct message {
	struct link in_lane;
	struct blob *bytes;
	uint64_t at_ms;
};

struct stream {
	struct stream *older; /* they are all kept until the run is over: late happenings point to them */
	struct agent *agent;
	uint64_t epoch;
	bool alive;
	struct lane to_site, to_hub;
};

static struct lane *lane_from(struct stream *st, const struct end *from)
{
	return from->agent ? &st->to_hub : &st->to_site;
}

static void lane_clear(struct lane *l)
{
	struct link *first;

	while ((first = list_first(&l->messages))) {
		struct message *m = CONTAINER_OF(first, struct message, in_lane);

		list_remove(first);
		blob_unref(m->bytes);
		mem_free(m);
	}
}

void stream_free(struct stream *st)
{
	while (st) {
		struct stream *older = st->older;

		lane_clear(&st->to_site);
		lane_clear(&st->to_hub);
		mem_free(st);
		st = older;
	}
}

bool stream_is_open(const struct agent *a)
{
	return a->stream && a->stream->alive;
}

bool stream_is_quiet(const struct agent *a)
{
	return stream_is_open(a) && list_empty(&a->stream->to_site.messages) && list_empty(&a->stream->to_hub.messages);
}

static void ready(struct end *e, struct agent *a)
{
	if (e->hub)
		hub_ready(hub_find(e->hub, str_of(a->name)));
	else
		site_ready(e->site);
}

/* ---- open and close ---------------------------------------------------------------------------------------------- */

static void open_stream(struct agent *a, struct hub_agent *known)
{
	struct sim *s = a->end.sim;
	struct stream *st = sim_alloc(s, sizeof(*st));
	struct agent_name name;

	(void)agent_name_set(&name, str_of(a->name));
	if (s->mixed && sim_once_in(s, 3))
		a->dialect.version = a->dialect.version == WIRE_UPSTREAM ? WIRE_TWO_STEPS : WIRE_UPSTREAM;
	*st = (struct stream){ .older = a->stream, .agent = a, .epoch = ++s->next_epoch, .alive = true };
	list_init(&st->to_site.messages);
	list_init(&st->to_hub.messages);
	sim_trace(s, "%-9s stream %llu", a->name, (unsigned long long)st->epoch);
	if (a->stream)
		a->stream->alive = false;
	a->stream = st;
	if (session_open(known->session, st->epoch, &a->dialect, s->now) != E_OK ||
	    site_let_in(a->end.site, &name, (struct str)STR(PRINCIPAL_NAMESPACE)) != E_OK ||
	    session_open(site_session(a->end.site), st->epoch, &a->dialect, s->now) != E_OK)
		sim_broken(s, "stream %llu was refused", (unsigned long long)st->epoch);
	ready(&s->principal, a);
	ready(&a->end, a);
}

static void on_connect(struct sim *s, struct happening *h)
{
	struct agent *a = h->end->agent;
	struct hub_agent *known = NULL;

	a->connecting = false;
	if (stream_is_open(a) || a->end.stopping)
		return;
	if (end_is_up(&s->principal) && !s->principal.stopping && hub_is_synced(s->principal.hub) &&
	    (site_is_synced(a->end.site) || sim_once_in(s, 3)))
		known = hub_agent(s->principal.hub, str_of(a->name), a->mode);
	if (known)
		open_stream(a, known);
	else
		stream_want(a);
}

#define LONELY    1
#define LONELY_MS 5000 /* after that it does not connect any more */

void stream_want(struct agent *a)
{
	struct sim *s = a->end.sim;
	bool away = s->lonely && !s->healed && a->index == LONELY && s->now > LONELY_MS;

	if (a->connecting || !end_is_up(&a->end) || a->end.stopping || away)
		return;
	a->connecting = true;
	sim_later(s, 1 + sim_below(s, sim_once_in(s, 10) ? 20000 : 800),
		  &(struct happening){ .run = on_connect, .end = &a->end, .life = a->end.life });
}

/* One side hears that the stream is over; it may know of a newer one already. */
static void on_notice(struct sim *s, struct happening *h)
{
	struct agent *a = h->stream->agent;
	struct session *session = end_session(h->end, a);

	(void)s;
	if (!session)
		return;
	session_close(session, h->stream->epoch);
	if (h->end->agent)
		stream_want(a);
}

void stream_cut(struct agent *a)
{
	struct stream *st = a->stream;
	struct sim *s = a->end.sim;
	struct end *ends[] = { &a->end, &s->principal };

	if (!st || !st->alive)
		return;
	sim_trace(s, "%-9s stream %llu is cut", a->name, (unsigned long long)st->epoch);
	st->alive = false;
	lane_clear(&st->to_site);
	lane_clear(&st->to_hub);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		sim_later(s, sim_below(s, 2000),
			  &(struct happening){ .run = on_notice, .end = ends[i], .life = ends[i]->life, .stream = st });
}

/* ---- messages ---------------------------------------------------------------------------------------------------- */

static void lane_move(struct sim *s, struct stream *st, struct lane *l, uint64_t wait_ms);

static void on_arrival(struct sim *s, struct happening *h)
{
	struct stream *st = h->stream;
	struct lane *l = h->data;
	struct end *to = l == &st->to_site ? &st->agent->end : &s->principal;
	struct session *session = end_session(to, st->agent);
	struct link *first = list_first(&l->messages);

	l->moving = false;
	if (!first || !session || !st->alive)
		return;
	/* Nobody reads: the bytes wait in the network. */
	if (s->now < to->frozen_until_ms || session_is_full(session)) {
		lane_move(s, st, l, s->now < to->frozen_until_ms ? to->frozen_until_ms - s->now : 3);
		return;
	}
	struct message *m = CONTAINER_OF(first, struct message, in_lane);

	list_remove(first);
	s->deliveries++;
	uint64_t random = sim_random(s);

	sim_enter(s);
	session_receive(session, st->epoch, blob_view(m->bytes), s->now, random);
	sim_leave();
	blob_unref(m->bytes);
	mem_free(m);
	ready(to, st->agent);
	lane_move(s, st, l, 0);
}

static void lane_move(struct sim *s, struct stream *st, struct lane *l, uint64_t wait_ms)
{
	struct link *first = list_first(&l->messages);
	uint64_t at_ms;

	if (!first || l->moving)
		return;
	at_ms = CONTAINER_OF(first, struct message, in_lane)->at_ms;
	at_ms = at_ms > s->now + wait_ms ? at_ms : s->now + wait_ms;
	l->moving = true;
	sim_later(s, at_ms - s->now, &(struct happening){ .run = on_arrival, .stream = st, .data = l });
}

static void push(struct sim *s, struct stream *st, struct lane *l, struct str bytes)
{
	struct message *m = sim_alloc(s, sizeof(*m));
	bool stalls = !s->healed && sim_once_in(s, 3000); /* for so long that all is sent again behind it */
	uint64_t at_ms = s->now + 1 + sim_below(s, stalls ? 200000 : sim_once_in(s, 30) ? 3000 : 20);

	m->bytes = blob_new(bytes);
	if (!m->bytes)
		sim_broken(s, "no memory");
	l->until_ms = m->at_ms = at_ms > l->until_ms ? at_ms : l->until_ms;
	list_put_last(&l->messages, &m->in_lane);
	lane_move(s, st, l, 0);
}

static void on_left(struct sim *s, struct happening *h)
{
	struct session *session = end_session(h->end, h->stream->agent);

	if (session && h->stream->alive && session_epoch(session) == h->stream->epoch) {
		session_sent(session, h->number, s->now, sim_random(s));
		end_plan(h->end, s->now);
	}
}

static const char *word_of(const struct wire_event *e)
{
	if (e->target != WIRE_TO_ACK)
		return wire_type_name(e->type);
	return e->outcome == WIRE_RECEIVED ? "received" : e->outcome == WIRE_REJECTED ? "rejected" : "processed";
}

static void trace_message(struct end *from, struct agent *a, struct str bytes)
{
	struct wire_event e;
	struct why why;

	if (!a->end.sim->trace || wire_event_decode(bytes, &e, &why) != E_OK)
		return;
	sim_trace(a->end.sim, "%s -> %s  %s %.*s %.*s", end_name(from), from->agent ? "principal" : a->name,
		  word_of(&e), STR_ARG(e.event_id), STR_ARG(e.target == WIRE_TO_RESYNC ? e.data : (struct str){ 0 }));
}

/* ---- lies -------------------------------------------------------------------------------------------------------- */

static void forge(struct sim *s, struct stream *st, const struct wire_event *e)
{
	struct buf bytes = { 0 };

	if (wire_event_encode(e, &bytes) == E_OK)
		push(s, st, &st->to_hub, buf_view(&bytes));
	buf_release(&bytes);
}

static bool is_own(const struct sim *s, const struct agent *a, const struct object *o, json_object *tree)
{
	json_object *name = tree_get(tree, "spec", "destination", "name", NULL);

	return strcmp(s->by_destination && name ? json_object_get_string(name) : o->namespace, a->name) == 0;
}

/* The status, or the deletion, of what may be another agent's. Its own status is what it says: that is no lie. */
static void lie_about(struct sim *s, struct stream *st, const struct object *o)
{
	json_object *tree = object_tree_own(o), *status = json_object_new_object();
	bool says_status = sim_once_in(s, 2) && !is_own(s, st->agent, o, tree);
	struct wire_event e = { .type = says_status ? WIRE_STATUS_UPDATE : WIRE_DELETE,
				.target = WIRE_TO_APPLICATION,
				.resource_id = str_of(o->uid),
				.event_id = (struct str)STR("x_y_z") };

	(void)json_object_object_add(status, "by", json_object_new_string(st->agent->name));
	(void)json_object_object_add(tree, "status", status);
	(void)tree_mark_set(tree, "annotations", MARK_SOURCE_UID, o->uid);
	e.data = str_of(json_object_to_json_string(tree));
	forge(s, st, &e);
	json_object_put(tree);
}

/* An answer to a version that was never sent, the status and the deletion of another agent's application, rubbish. */
static void lie(struct sim *s, struct stream *st, struct str message)
{
	struct wire_event e;
	struct object *o;
	struct why why;
	size_t at = 0;

	if (wire_event_decode(message, &e, &why) != E_OK || e.target == WIRE_TO_ACK)
		return;
	sim_trace(s, "%-9s lies", st->agent->name);
	if (sim_once_in(s, 3)) {
		e.type = WIRE_PROCESSED;
		e.target = WIRE_TO_ACK;
		e.event_id = (struct str)STR("nothing_at_all");
		e.outcome = WIRE_APPLIED;
		forge(s, st, &e);
	} else if (sim_once_in(s, 3)) {
		push(s, st, &st->to_hub, (struct str)STR("rubbish"));
	}
	while ((o = memory_store_next(s->principal.store, &at))) {
		if (o->kind != OBJECT_APPLICATION || !sim_once_in(s, 4))
			continue;
		lie_about(s, st, o);
		return;
	}
}

static bool take(struct end *from, struct session *session, struct buf *message, uint64_t *ret_order)
{
	bool any;

	sim_enter(from->sim);
	any = session_take(session, from->sim->now, end_wall_ns(from), message, ret_order);
	sim_leave();
	return any;
}

void stream_pump(struct end *from, struct agent *a)
{
	struct session *session = end_session(from, a);
	struct stream *st = a->stream;
	struct buf message = { 0 };
	struct sim *s = from->sim;
	uint64_t order;

	if (!session || !st || !st->alive || session_epoch(session) != st->epoch)
		return;
	while (take(from, session, &message, &order)) {
		trace_message(from, a, buf_view(&message));
		watch_message(from, a, buf_view(&message));
		push(s, st, lane_from(st, from), buf_view(&message));
		if (!s->healed && sim_once_in(s, 80)) /* a peer repeats itself */
			push(s, st, lane_from(st, from), buf_view(&message));
		if (!s->healed && a->liar && !from->agent && sim_once_in(s, 20))
			lie(s, st, buf_view(&message));
		if (order)
			sim_later(s, sim_below(s, 4),
				  &(struct happening){ .run = on_left,
						       .end = from,
						       .life = from->life,
						       .number = order,
						       .stream = st });
		buf_clear(&message);
	}
	buf_release(&message);
}
