#include "sync/replica_impl.h"

#include "base/mem.h"
#include "sync/digest.h"

#define NO_MEMORY_MS   1000  /* until the next try */
#define REVERT_CALM_MS 60000 /* without a change by others, the next one is reverted at once again */

/* The first change is reverted at once; somebody who changes it again and again is met with growing patience. */
static bool must_wait(struct slot *s)
{
	uint64_t now_ms = s->replica->now_ms;

	if (now_ms >= s->calm_ms + REVERT_CALM_MS)
		backoff_reset(&s->backoff);
	if (now_ms >= s->calm_ms)
		return false;
	if (!heap_holds(&s->retry))
		replica_retry_at(s, s->calm_ms);
	return true;
}

static bool describe(const struct object *o, struct digest *ret_digest)
{
	json_object *tree = o ? object_tree(o) : NULL;
	bool known = tree && digest_of(tree, DIGEST_DESIRED, ret_digest) == E_OK;

	json_object_put(tree);
	return known;
}

/*
 * An API server drops what its schema does not know and adds what it wants to be there: that differs from the record however often it
 * is put back.
 */
void replica_note_made(struct slot *s, bool put_back)
{
	struct digest made;

	mem_free(TAKE(s->made));
	if (!put_back || !describe(s->local, &made))
		return;
	s->made = mem_alloc(sizeof(*s->made)); /* without memory it is put back once more */
	if (s->made)
		*s->made = made;
}

/* And it is still marked as our copy, of which the digest says nothing. */
static bool is_as_made(const struct slot *s)
{
	struct digest now;

	return s->made && s->local && strcmp(s->local->source_uid, s->record.object->source_uid) == 0 &&
	       describe(s->local, &now) && digest_eq(&now, s->made);
}

static void revert(struct slot *s)
{
	struct job *j = mem_alloc(sizeof(*j));
	struct why why = { 0 };

	if (!j) {
		replica_retry_at(s, s->replica->now_ms + NO_MEMORY_MS);
		return;
	}
	j->slot = s;
	/* Planned once to see whether there is anything to do. */
	if (replica_make_plan(j, &why) == E_OK && (j->plan.step_count == 0 || is_as_made(s))) {
		s->settled = s->local != NULL;
		replica_job_free(j);
		return;
	}
	if (must_wait(s)) {
		replica_job_free(j);
		return;
	}
	s->calm_ms = s->replica->now_ms + backoff_next(&s->backoff, replica_random(s->replica));
	replica_job_start(j);
}

static bool may_revert(const struct slot *s)
{
	const struct replica *r = s->replica;

	return !r->stopping && r->complete && s->recorded && s->record.object && r->o.rules.revert &&
	       (s->local ? !s->settled : s->missing);
}

void replica_drift(struct slot *s)
{
	if (s->job && s->job->stale)
		replica_job_run(s->job); /* and when it has ended, here again */
	else if (!s->job && may_revert(s))
		revert(s); /* what has a record stays */
	else
		replica_settle(s);
}
