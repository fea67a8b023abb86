#include "daemon/traffic_impl.h"

/* ---- events ------------------------------------------------------------------------------------------------------ */

/* Operations are told apart in the log: both are commands here. */
static const char *event_type(enum delivery_type type)
{
	static const enum wire_type types[DELIVERY_TYPE_COUNT] = {
		[DELIVERY_COMMAND] = WIRE_SET_OPERATION, [DELIVERY_REQUEST] = WIRE_GET,
		[DELIVERY_DELETE] = WIRE_DELETE,         [DELIVERY_CREATE] = WIRE_CREATE,
		[DELIVERY_SPEC] = WIRE_SPEC_UPDATE,      [DELIVERY_STATUS] = WIRE_STATUS_UPDATE,
	};

	return wire_type_text(types[type]).p;
}

/* Rare: looked up each time. */
static struct metric *discarded(struct traffic *t, const char *name, enum delivery_type type, enum wire_target target)
{
	const char *const values[] = { name, event_type(type), traffic_resource_type(target) };

	return metrics_get(t->registry, &traffic_side(t)->discarded, t->end == TRAFFIC_PRINCIPAL ? values : values + 1);
}

void traffic_begin(struct traffic *t, struct traffic_peer *peer, const char *name)
{
	peer->name = name;
	/* One that stands at 0, for those who want to know of the first. */
	(void)discarded(t, name, DELIVERY_SPEC, WIRE_TO_APPLICATION);
}

static void count_error(struct traffic *t, enum wire_target target)
{
	const char *const values[] = { traffic_resource_type(target) };

	if (!t->errors[target])
		t->errors[target] = metrics_get(t->registry, &traffic_side(t)->errors, values);
	metric_inc(t->errors[target]);
}

static struct metric *processing(struct traffic *t, struct traffic_peer *peer, enum traffic_status status,
				 enum wire_target target)
{
	struct metric **metric = &peer->processing_ms[status][target];
	const char *const values[] = { traffic_side(t)->statuses[status], peer->name, traffic_resource_type(target) };

	if (!*metric)
		*metric = metrics_get(t->registry, &traffic_side(t)->processing_ms, values);
	return *metric;
}

/* By both ends' clocks: what they disagree about is in it, below 0 it is 0. */
static void note_propagation(struct traffic *t, const struct delivery_event *event, enum wire_target target,
			     int64_t begun_ns)
{
	struct metric *metric = t->propagation_ms[target];

	if (metric && event->sent_ns)
		metric_observe(metric, begun_ns > event->sent_ns ? (begun_ns - event->sent_ns) / 1000000 : 0);
}

static enum traffic_status status_of(enum delivery_outcome outcome, bool retryable)
{
	if (outcome == DELIVERY_APPLIED)
		return TRAFFIC_SUCCESS;
	return retryable ? TRAFFIC_FAILURE : TRAFFIC_FOR_GOOD;
}

/* 0: not known. */
static int64_t span(uint64_t from_ms, uint64_t to_ms)
{
	return from_ms && to_ms > from_ms ? (int64_t)(to_ms - from_ms) : 0;
}

void traffic_applied(struct traffic *t, struct traffic_peer *peer, const struct delivery_event *event,
		     enum delivery_outcome outcome, bool retryable, uint64_t now_ms, int64_t wall_ns)
{
	enum wire_target target = wire_target_of(event->kind);
	enum traffic_status status = status_of(outcome, retryable);
	int64_t took_ms = span(event->begun_ms, now_ms);

	metric_inc(t->received);
	if (status != TRAFFIC_SUCCESS)
		count_error(t, target);
	metric_observe(processing(t, peer, status, target), took_ms);
	metric_observe(t->recv.queued_ms, span(event->came_ms, event->begun_ms));
	metric_observe(t->recv.worked_ms, took_ms);
	note_propagation(t, event, target, wall_ns - took_ms * 1000000);
}

static void confirmed(struct traffic *t, const struct outbox_answered *answered, const struct outbox *outbox)
{
	metric_inc(t->sent);
	metric_observe(t->lag_ms, (int64_t)outbox_lag(outbox)->last_ms);
	metric_observe(t->send.queued_ms, (int64_t)answered->waited_ms);
	metric_observe(t->send.worked_ms, (int64_t)answered->out_ms);
}

static void answered(struct traffic *t, const char *name, const struct peer_heard *heard, const struct outbox *outbox)
{
	struct outbox_answered about;
	enum wire_target target;

	outbox_answered(outbox, &about);
	target = wire_target_of_kind(about.kind);
	if (target == WIRE_UNKNOWN_TARGET)
		target = wire_target_of(about.kind); /* a request of ours */
	if (heard->effect == OUTBOX_CONFIRMED)
		confirmed(t, &about, outbox);
	if (heard->effect == OUTBOX_AGAIN || heard->effect == OUTBOX_QUARANTINED || heard->effect == OUTBOX_REFUSED)
		metric_inc(t->rejected);
	if (heard->effect == OUTBOX_QUARANTINED || heard->effect == OUTBOX_REFUSED)
		count_error(t, target);
	if (heard->effect == OUTBOX_QUARANTINED)
		metric_inc(discarded(t, name, heard->type, target));
}

void traffic_heard(struct traffic *t, const struct traffic_peer *peer, const struct peer_heard *heard,
		   const struct outbox *outbox)
{
	if (heard->what == PEER_ANSWERED)
		answered(t, peer->name, heard, outbox);
	else
		count_error(t, wire_target_of(heard->target_text));
}

/* ---- what is where ----------------------------------------------------------------------------------------------- */

void traffic_sum(struct session *s, uint64_t now_ms, struct traffic_sums *sums)
{
	const struct outbox *outbox = peer_outbox(session_peer(s));
	const struct inbox *inbox = peer_inbox(session_peer(s));
	struct outbox_stats o;
	struct inbox_stats i;
	const char *text;

	outbox_stats(outbox, &o);
	inbox_stats(inbox, &i);
	sums->sessions++;
	sums->waiting += o.waiting;
	sums->in_flight += o.in_flight;
	sums->quarantined += o.quarantined;
	sums->added += o.added;
	sums->resent += o.resent;
	sums->held += source_held(session_source(s), &text);
	sums->no_room += session_room(s)->refused;
	sums->queued += i.queued;
	sums->accepted += i.accepted;
	sums->repeats += i.repeats;
	if (o.oldest_ms < now_ms && now_ms - o.oldest_ms > sums->oldest_ms) /* UINT64_MAX: there is none */
		sums->oldest_ms = now_ms - o.oldest_ms;
	outbox_progress(outbox, now_ms, &sums->out);
	inbox_progress(inbox, now_ms, &sums->in);
}

static void show_progress(const struct traffic_queue *q, const struct delivery_progress *p)
{
	metric_set(q->unfinished_ms, (int64_t)p->sum_ms);
	metric_set(q->longest_ms, (int64_t)p->longest_ms);
}

void traffic_refresh(struct traffic *t, const struct traffic_sums *sums)
{
	metric_set(t->waiting, (int64_t)sums->waiting);
	metric_set(t->in_flight, (int64_t)sums->in_flight);
	metric_set(t->quarantined, (int64_t)sums->quarantined);
	metric_set(t->held, (int64_t)sums->held);
	metric_set(t->oldest_ms, (int64_t)sums->oldest_ms);
	metric_raise(t->resent, (int64_t)sums->resent);
	metric_raise(t->no_room, (int64_t)sums->no_room);
	metric_set(t->send.depth, (int64_t)sums->waiting);
	metric_raise(t->send.adds, (int64_t)sums->added);
	metric_raise(t->send.retries, (int64_t)sums->resent);
	show_progress(&t->send, &sums->out);
	metric_set(t->recv.depth, (int64_t)sums->queued);
	metric_raise(t->recv.adds, (int64_t)sums->accepted);
	metric_raise(t->recv.retries, (int64_t)sums->repeats);
	show_progress(&t->recv, &sums->in);
}
