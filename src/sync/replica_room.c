#include "sync/replica_impl.h"

/* An object of ours takes the bytes that the peer may write into it, a copy is one more object as well. */
static struct room_share share_of(const struct object *o)
{
	return (struct room_share){ .objects = o->source_uid[0] != 0, .bytes = blob_view(o->json).n };
}

void replica_weigh(struct slot *s)
{
	const struct object *o = s->local ? s->local : s->record.object;
	struct room_share none = { 0 };

	if (s->job)
		return; /* it has taken what it needs */
	room_set(s->replica->o.room, &s->share, o && (s->recorded || o->source_uid[0]) ? share_of(o) : none);
}

bool replica_take_room(struct job *j)
{
	const struct replica_plan *plan = &j->plan;
	const struct object *written = NULL;

	for (size_t i = 0; i < plan->step_count; i++)
		if (plan->steps[i].verb != BACKEND_DELETE)
			written = plan->steps[i].object;
	return !written || !j->work || room_take(j->slot->replica->o.room, &j->slot->share, share_of(written));
}
