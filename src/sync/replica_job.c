#include "sync/replica_impl.h"

#include "base/mem.h"
#include "wire/ids.h"
#include "wire/resync.h"

#define STALE_MS     1000 /* somebody was faster and the backend has not said so yet */
#define OTHERS_AGAIN "changed by others again and again"

static void job_step(struct job *j);

static void plan_release(struct replica_plan *plan)
{
	for (size_t i = 0; i < plan->step_count; i++)
		object_unref(plan->steps[i].object);
	object_unref(plan->record);
	*plan = (struct replica_plan){ 0 };
}

void replica_job_free(struct job *j)
{
	if (!j)
		return;

	plan_release(&j->plan);
	json_object_put(j->incoming);
	mem_free(j);
}

void replica_retry_at(struct slot *s, uint64_t due_ms)
{
	heap_remove(&s->replica->retries, &s->retry);
	(void)heap_put(&s->replica->retries, &s->retry, due_ms); /* there is room: replica_slot() */
}

/* ---- the end ---------------------------------------------------------------------------------------------------- */

/* An event of its own: why it could not be done. What has no room is lost: it is only for people. */
static void complain(struct job *j)
{
	struct replica *r = j->slot->replica;
	struct wire_failure f = { .name = j->work->event.name,
				  .namespace = j->work->event.namespace,
				  .message = str_of(j->plan.complaint) };
	struct buf json = { 0 };

	wire_failure_write(&f, &json);
	if (json.err == E_OK)
		(void)peer_request(r->o.peer, WIRE_ERROR, WIRE_TO_APPLICATION, buf_view(&json), r->now_ms);
	buf_release(&json);
}

static void tell(struct job *j, enum delivery_outcome outcome, bool retryable, const char *text)
{
	struct replica *r = j->slot->replica;
	struct replica_place place = replica_place_of(j->slot);

	if (!j->work) {
		r->stats.reverted += outcome == DELIVERY_APPLIED && j->plan.step_count;
		r->o.events.on_reverted(r->o.events.ctx, &place, outcome == DELIVERY_APPLIED ? E_OK : E_UNAVAILABLE,
					text);
		return;
	}
	r->stats.applied += outcome == DELIVERY_APPLIED;
	r->stats.refused += outcome != DELIVERY_APPLIED;
	r->o.events.on_applied(r->o.events.ctx, &j->work->event, &place, outcome, retryable, text);
	if (j->plan.complaint[0])
		complain(j);
	if (j->plan.gone && outcome == DELIVERY_APPLIED)
		r->o.events.on_gone(r->o.events.ctx, &j->work->event);
	if (j->plan.known && outcome == DELIVERY_APPLIED)
		r->o.events.on_known(r->o.events.ctx, &place);
	peer_done(r->o.peer, j->work, outcome, retryable,
		  outcome == DELIVERY_REJECTED ? str_of(text) : (struct str){ 0 });
}

/* The slot is free for what waits, or for what others did meanwhile. */
static void next_job(struct slot *s)
{
	struct link *first = list_first(&s->waiting);

	if (first) {
		struct job *j = CONTAINER_OF(first, struct job, in_slot);

		list_remove(first);
		s->job = j;
		s->replica->stats.busy++;
		replica_job_run(j);
		return;
	}
	replica_drift(s);
}

static void finish(struct job *j, enum delivery_outcome outcome, bool retryable, const char *text)
{
	struct slot *s = j->slot;

	if (s->unsaved && outcome != DELIVERY_APPLIED)
		s->unsaved = replica_write_row(s) != E_OK; /* some of it was written */
	if (j->work && outcome == DELIVERY_APPLIED)
		mem_free(TAKE(s->wanted)); /* what is here is in nobody's way now */
	tell(j, outcome, retryable, text);
	if (!j->work && outcome != DELIVERY_APPLIED)
		replica_retry_at(s, s->replica->now_ms + backoff_next(&s->backoff, replica_random(s->replica)));
	s->job = NULL;
	s->replica->stats.busy--;
	replica_weigh(s);
	replica_job_free(j);
	next_job(s);
}

/* ---- the record ------------------------------------------------------------------------------------------------- */

/* After the first write of the plan, and once more when all are done: then there is nothing to revert. */
static void take_record(struct job *j)
{
	struct slot *s = j->slot;
	struct replica_plan *plan = &j->plan;
	bool keep = !plan->record_removed;

	s->replica->stats.records += keep && !s->recorded;
	s->replica->stats.records -= !keep && s->recorded;
	if (plan->record || !keep) {
		object_unref(s->record.object);
		s->record.object = plan->record ? object_ref(plan->record) : NULL;
		s->settled = s->record.object != NULL;
	}
	s->recorded = keep;
}

/* Does it change what is kept of the object? */
static bool changes_record(const struct job *j)
{
	const struct replica_plan *plan = &j->plan;

	return plan->step_count || plan->record || plan->record_removed ||
	       (j->work && j->work->event.type == DELIVERY_COMMAND);
}

/* Be told when the row is durable; until then it does not end. */
static enum err await_row(struct job *j)
{
	struct replica *r = j->slot->replica;
	enum err err = journal_tell(r->o.journal, &r->listener, (struct str){ (const char *)&j, sizeof(j) });

	j->keeping = err == E_OK;
	return err;
}

static enum err write_record(struct job *j)
{
	struct slot *s = j->slot;
	bool had = s->recorded || s->unsaved;
	enum err err = E_OK;

	if (changes_record(j))
		take_record(j);
	if (!had && !s->recorded)
		return E_OK;
	s->unsaved = true;
	if (j->work && s->recorded)
		err = replica_note(s, &j->work->event);
	if (err == E_OK)
		err = replica_write_row(s);
	s->unsaved = err != E_OK;
	return err == E_OK && j->work ? await_row(j) : err;
}

/* Everything is written: keep what was done, then say so. */
static void job_written(struct job *j)
{
	enum err err = changes_record(j) || j->slot->unsaved ? write_record(j) : E_OK;

	if (err != E_OK)
		finish(j, DELIVERY_REJECTED, /* retryable= */ true, err_text(err));
	else if (!j->keeping)
		finish(j, DELIVERY_APPLIED, false, j->plan.note ? j->plan.note : "");
}

void replica_on_durable(struct journal_listener *l, struct str tag)
{
	struct job *j;

	(void)l;
	memcpy(&j, tag.p, sizeof(j));
	finish(j, DELIVERY_APPLIED, false, j->plan.note ? j->plan.note : "");
}

/* ---- the steps -------------------------------------------------------------------------------------------------- */

bool replica_job_is_overtaken(const struct job *j, const struct object *o)
{
	return strcmp(j->expect_uid, o ? o->uid : "") != 0 || strcmp(j->expect_version, o ? o->version : "") != 0;
}

static void plan_later(struct job *j)
{
	if (j->slot->replica->stopping) {
		finish(j, DELIVERY_REJECTED, /* retryable= */ true, "stopping");
		return;
	}
	j->stale = true;
	replica_retry_at(j->slot, j->slot->replica->now_ms + STALE_MS);
}

/* Somebody was faster. When the backend has not reported it yet there is nothing to plan with until it does. */
static void job_stale(struct job *j)
{
	j->slot->replica->stats.conflicts++;
	if (++j->tries >= REPLICA_TRIES) {
		finish(j, DELIVERY_REJECTED, /* retryable= */ true, OTHERS_AGAIN);
		return;
	}
	if (replica_job_is_overtaken(j, j->slot->local)) {
		replica_job_run(j);
		return;
	}
	plan_later(j);
}

/* E_FORBIDDEN is not: what may not be written now (a disk that is read-only, wrong rights) may be when somebody has seen to it. */
static bool is_final(enum err err)
{
	return err == E_MALFORMED || err == E_UNSUPPORTED || err == E_LIMIT;
}

/*
 * What we planned with must still be there, in every step: what somebody did meanwhile may have been reported already, and was
 * not planned with. Texts of our own, for the object may be replaced.
 */
static void job_expect(struct job *j, const struct object *o)
{
	str_copy(str_of(o ? o->uid : NULL), j->expect_uid, sizeof(j->expect_uid));
	str_copy(str_of(o ? o->version : NULL), j->expect_version, sizeof(j->expect_version));
}

static void take_result(struct job *j)
{
	const struct replica_rules *rules = &j->slot->replica->o.rules;
	struct slot *s = j->slot;

	object_unref(TAKE(s->local));
	if (j->write.result)
		s->local = object_ref(j->write.result);
	s->missing = false;
	if (j->write.verb == BACKEND_PUT)
		replica_note_made(s, /* put_back= */ !j->work);
	if (s->local && rules->written)
		rules->written(rules->ctx, &j->plan, j->write.verb, s->local);
	/* Should a later step fail, what is here now is not drift: the record before it would put back another object. */
	if (j->write.verb == BACKEND_PUT && j->plan.record) {
		take_record(j);
		s->unsaved = true;
	} else if (j->plan.again && s->recorded) {
		object_unref(TAKE(s->record.object));
		s->unsaved = true;
	}
	s->settled = false;
	job_expect(j, s->local);
}

static void on_not_written(struct job *j, const struct backend_write *w)
{
	if (w->err == E_CONFLICT || w->err == E_EXISTS || w->err == E_NOT_FOUND) {
		job_stale(j);
		return;
	}
	j->slot->replica->turned_away |= j->work && !is_final(w->err);
	finish(j, DELIVERY_REJECTED, !is_final(w->err), why_text(&w->why, w->err));
}

static void on_written(struct backend_write *w)
{
	struct job *j = CONTAINER_OF(w, struct job, write);
	const struct replica_events *events = &j->slot->replica->o.events;
	bool gone_already = w->verb == BACKEND_DELETE && w->err == E_NOT_FOUND;

	if (w->err == E_OK || gone_already) {
		take_result(j);
		j->step++;
		job_step(j);
	} else {
		on_not_written(j, w);
	}
	/* The backend need not report anything: a row that waits, and the time of a retry, would be noticed by nobody. */
	events->on_wake(events->ctx);
}

/* What was deleted may still be there, held by its finalizers: it is planned when the backend reports that it is gone. */
static void job_again(struct job *j)
{
	bool held = j->slot->local != NULL;

	if (++j->tries >= REPLICA_TRIES)
		finish(j, DELIVERY_REJECTED, /* retryable= */ true, held ? j->plan.note : OTHERS_AGAIN);
	else if (held)
		plan_later(j);
	else
		replica_job_run(j);
}

static void job_step(struct job *j)
{
	if (j->step == j->plan.step_count) {
		if (j->plan.again)
			job_again(j);
		else
			job_written(j);
		return;
	}
	j->write = (struct backend_write){ .verb = j->plan.steps[j->step].verb,
					   .object = j->plan.steps[j->step].object,
					   .on_done = on_written };
	j->write.expect_uid = j->expect_uid;
	j->write.expect_version = j->expect_version[0] ? j->expect_version : NULL;
	backend_write(j->slot->replica->o.backend, &j->write);
}

/* ---- the plan --------------------------------------------------------------------------------------------------- */

static bool is_again(const struct job *j)
{
	struct wire_id id;

	return j->slot->recorded && wire_event_id_parse(j->event.event_id, &id) && id.version.n &&
	       str_eq(id.version, replica_applied_version(j->slot));
}

/* For the second plan and those after it. */
static enum err read_again(struct job *j, struct why *why)
{
	const struct replica_rules *rules = &j->slot->replica->o.rules;
	struct replica_place place;

	return j->work && !j->incoming ? rules->locate(rules->ctx, &j->event, &place, &j->incoming, why) : E_OK;
}

static enum err ask_rules(struct job *j, struct replica_plan *plan, struct why *why)
{
	struct slot *s = j->slot;
	const struct replica_rules *rules = &s->replica->o.rules;
	struct replica_place place = replica_place_of(s);
	const struct replica_case c = { .event = j->work ? &j->event : NULL,
					.incoming = j->incoming,
					.place = &place,
					.local = s->local,
					.last = s->last,
					.record = s->recorded ? &s->record : NULL,
					.came = j->work ? j->work->number : 0,
					.again = is_again(j) };

	return (j->work ? rules->apply : rules->revert)(rules->ctx, &c, plan, why);
}

/*
 * What came is a tree only until there is a plan. Those of all jobs under way would not fit into a processor's cache: used and freed
 * from memory, with the same instructions, a new application took three times as long.
 */
enum err replica_make_plan(struct job *j, struct why *why)
{
	enum err err = read_again(j, why);

	plan_release(&j->plan);
	j->step = 0;
	job_expect(j, j->slot->local);
	if (err == E_OK)
		err = ask_rules(j, &j->plan, why);
	json_object_put(TAKE(j->incoming));
	return err;
}

/* What is here is in its way. Without memory it comes with the next stream alone. */
static void note_wanted(struct slot *s, const struct delivery_event *e)
{
	struct buf text = { 0 };

	buf_str(&text, e->namespace);
	buf_char(&text, '/');
	buf_str(&text, e->name);
	mem_free(s->wanted);
	s->wanted = text.err == E_OK ? str_dup(buf_view(&text)) : NULL;
	buf_release(&text);
}

static void refuse(struct job *j)
{
	const struct delivery_event *e = j->work ? &j->work->event : NULL;

	if (e && (e->type == DELIVERY_CREATE || e->type == DELIVERY_SPEC) && j->slot->local && !j->plan.retryable)
		note_wanted(j->slot, e);
	finish(j, DELIVERY_REJECTED, j->plan.retryable, j->plan.reason);
}

void replica_job_run(struct job *j)
{
	struct why why = { 0 };
	enum err err = replica_make_plan(j, &why);

	j->stale = false;
	if (err != E_OK)
		finish(j, DELIVERY_REJECTED, err == E_NOMEM, why_text(&why, err));
	else if (j->plan.what == REPLICA_REFUSE)
		refuse(j);
	else if (j->plan.early && !j->slot->replica->stopping && ++j->tries < REPLICA_TRIES)
		plan_later(j);
	else if (j->plan.unready)
		finish(j, DELIVERY_REJECTED, /* retryable= */ true, "its copy is not known yet");
	else if (!replica_take_room(j))
		finish(j, DELIVERY_REJECTED, /* retryable= */ true, ROOM_REFUSED);
	else
		job_step(j);
}

void replica_job_start(struct job *j)
{
	struct slot *s = j->slot;

	if (s->job) {
		list_put_last(&s->waiting, &j->in_slot);
		return;
	}
	s->job = j;
	s->replica->stats.busy++;
	replica_job_run(j);
}
