#include "sync/source_impl.h"

#include "base/mem.h"
#include "wire/ids.h"

/* An event about this copy was confirmed: the version in its id says which. */
static bool confirms(const struct offer *offered, struct str version)
{
	return offered && !digest_is_empty(&offered->digest) && str_is(version, offered->version);
}

static void confirm_part(struct source *s, struct copy *c, struct offer **at, struct digest *confirmed,
			 struct str version)
{
	CLEANUP(mem_freep) struct offer *offered = NULL;

	if (!confirms(*at, version))
		return; /* an older one: what is newer waits for its own answer */
	offered = TAKE(*at);
	*confirmed = offered->digest;
	if (confirmed == &c->desired) {
		source_copy_version(s, c, offered->version);
		/* A Go agent's answer and what it says of its effect leave in any order; ours says it behind the answer. */
		c->desired_at = peer_speaks_upstream(s->o.peer) ? offered->sent_at : peer_came(s->o.peer);
		c->compared = s->comparison;
		c->doubtful = false;
	} else {
		str_copy(str_of(offered->version), c->status_version, sizeof(c->status_version));
	}
	(void)source_write_copy(s, c, /* remove= */ false); /* without memory it is sent once more after a restart */
}

/* It was executed, or never will be: either way it is over. */
static void end_command(struct source *s, struct copy *c, struct str event_id)
{
	c->operation_at = peer_came(s->o.peer);
	for (struct command *command = c->commands; command; command = command->next)
		command->over |= str_is(event_id, command->event_id);
	(void)source_bury_commands(s, c); /* without memory the next time */
}

static void confirm_delete(struct source *s, struct copy *c)
{
	(void)source_remove_rows(s, c); /* without memory it is deleted once more after a restart */
	source_copy_drop(s, c);
}

static void confirmed(struct source *s, const struct peer_heard *heard, uint64_t now_ms)
{
	struct copy *c = map_get(&s->copies, heard->resource_id);
	struct entry *e = c ? c->entry : NULL;
	struct wire_id id;

	if (!c || !wire_event_id_parse(heard->event_id, &id))
		return; /* a request of ours, or of a copy that is gone */
	switch (heard->type) {
	case DELIVERY_CREATE:
	case DELIVERY_SPEC:
		confirm_part(s, c, &c->offered_desired, &c->desired, id.version);
		break;
	case DELIVERY_STATUS:
		confirm_part(s, c, &c->offered_status, &c->status, id.version);
		break;
	case DELIVERY_COMMAND:
		end_command(s, c, heard->event_id);
		break;
	case DELIVERY_DELETE:
		confirm_delete(s, c);
		break;
	default:
		return;
	}
	source_sync(s, e, now_ms);
}

/* What was offered as an event of that type; NULL: nothing. */
static struct offer *offered_as(const struct copy *c, enum delivery_type type)
{
	if (type == DELIVERY_STATUS)
		return c->offered_status;
	return type == DELIVERY_CREATE || type == DELIVERY_SPEC ? c->offered_desired : NULL;
}

static void note_refused(struct source *s, struct offer *offered, enum err err)
{
	if (!offered)
		return;
	offered->open = false;
	offered->too_large = err == E_LIMIT;
	s->any_refused |= !offered->too_large;
}

/*
 * A command that can never be executed must not come again after a restart, nor hide what the peer says of its operation. And what
 * the peer will never delete for us is not ours to remember: if it has it after all, a comparison says so.
 */
static void refused(struct source *s, const struct peer_heard *heard, uint64_t now_ms)
{
	struct copy *c = map_get(&s->copies, heard->resource_id);
	struct entry *e = c ? c->entry : NULL;

	if (c) {
		c->too_large |= heard->err == E_LIMIT;
		note_refused(s, offered_as(c, heard->type), heard->err);
	}
	if (c && heard->type == DELIVERY_COMMAND)
		end_command(s, c, heard->event_id);
	else if (c && heard->type == DELIVERY_DELETE)
		confirm_delete(s, c);
	else
		return;
	if (e)
		source_sync(s, e, now_ms);
}

void source_answered(struct source *s, const struct peer_heard *heard, uint64_t now_ms)
{
	if (heard->effect == OUTBOX_CONFIRMED)
		confirmed(s, heard, now_ms);
	else if (heard->effect == OUTBOX_QUARANTINED || heard->effect == OUTBOX_REFUSED)
		refused(s, heard, now_ms);
	if (heard->type == DELIVERY_DELETE || heard->type == DELIVERY_REQUEST)
		s->answered_at = peer_came(s->o.peer);
	source_again(s, now_ms);
}

static bool holds_nothing(const struct source *s)
{
	struct outbox_stats stats;

	outbox_stats(peer_outbox(s->o.peer), &stats);
	return stats.waiting + stats.in_flight == 0;
}

/* The first that is refused again stands for all behind it, unless it alone has no room: no answer would bring up the next. */
static bool is_worth_it(const struct source *s, uint64_t refused)
{
	return s->refused == refused || (!s->again_ms && holds_nothing(s));
}

void source_again(struct source *s, uint64_t now_ms)
{
	uint64_t refused = s->refused;
	size_t most = s->entries.n;
	struct link *first;

	s->again_ms = 0;
	while (most-- && is_worth_it(s, refused) && (first = list_first(&s->later)))
		source_sync(s, ENTRY_OF(first, in_later), now_ms);
}

uint64_t source_due(const struct source *s)
{
	return s->again_ms ? s->again_ms : UINT64_MAX;
}

static bool offer_again(struct offer **offered, bool *forced)
{
	if (!*offered || (*offered)->open)
		return false;
	mem_free(TAKE(*offered));
	*forced = true;
	return true;
}

bool source_copy_refused_again(struct copy *c)
{
	return offer_again(&c->offered_desired, &c->forced);
}

/* What is too large still is: source_larger(). */
static bool offer_refused(struct offer **offered, bool *forced)
{
	return *offered && !(*offered)->too_large && offer_again(offered, forced);
}

static bool offer_all_refused(struct copy *c)
{
	bool desired = offer_refused(&c->offered_desired, &c->forced);

	return offer_refused(&c->offered_status, &c->forced_status) || desired;
}

void source_offer_refused(struct source *s, uint64_t now_ms)
{
	if (!s->any_refused)
		return;
	s->any_refused = false;
	for (struct link *l = s->all.next, *next; l != &s->all; l = next) {
		struct entry *e = ENTRY_OF(l, in_all);
		struct copy *c = e->truth ? source_copy_of(e, e->truth->uid) : NULL;

		next = l->next;
		if (c && offer_all_refused(c))
			source_sync(s, e, now_ms);
	}
}

static bool offer_larger(struct entry *e)
{
	struct copy *c = e->truth ? source_copy_of(e, e->truth->uid) : NULL;

	if (!c || !c->too_large)
		return false;
	c->too_large = false;
	if (!source_is_behind(e))
		return false; /* a smaller version has been confirmed since */
	source_copy_force(c);
	return true;
}

void source_larger(struct source *s, uint64_t now_ms)
{
	for (struct link *l = s->all.next, *next; l != &s->all; l = next) {
		next = l->next;
		if (offer_larger(ENTRY_OF(l, in_all)))
			source_sync(s, ENTRY_OF(l, in_all), now_ms);
	}
}

void source_on_durable(struct journal_listener *l, struct str tag)
{
	struct source *s = CONTAINER_OF(l, struct source, listener);
	struct str event_id = str_sub(tag, sizeof(uint64_t), tag.n), resource_id = str_cut(&event_id, 0);
	struct copy *c = map_get(&s->copies, resource_id);

	if (!c || memcmp(tag.p, &c->number, sizeof(c->number)) != 0)
		return; /* of one that is gone */
	if (str_eq(event_id, (struct str)STR(SOURCE_BURIAL)))
		c->burials -= c->burials > 0;
	c->kept = true;
	for (struct command *command = c->commands; command; command = command->next)
		command->kept |= str_is(event_id, command->event_id);
	source_sync(s, c->entry, s->now_ms);
	if (s->o.on_wake)
		s->o.on_wake(s->o.ctx);
}

/* Its object is gone, and its deletion had no memory or is held. The peer has what is dropped here, or not: should the object come back it is sent. */
static void take_back(struct copy *c, enum delivery_type type)
{
	struct offer *offered = type == DELIVERY_STATUS ? c->offered_status : c->offered_desired;

	if (offered)
		offered->digest = (struct digest){ "" };
	if (type == DELIVERY_STATUS)
		c->forced_status = true;
	else
		c->forced = true;
}

enum err source_compose(struct source *s, const struct outbox_frame *frame, struct wire_event *e)
{
	struct copy *c = map_get(&s->copies, frame->resource_id);
	struct entry *entry = c ? c->entry : NULL;
	enum err err;

	if (!c)
		return E_NOT_FOUND;
	if (frame->type == DELIVERY_COMMAND)
		return E_OK;
	buf_clear(&s->arena);
	if (frame->type == DELIVERY_DELETE)
		return s->o.rules.compose_delete(s->o.rules.ctx,
						 &(struct source_lost){ .kind = entry->kind,
									.namespace = entry->namespace,
									.name = entry->name,
									.uid = str_of(c->uid),
									.remembered = str_of(c->remembered) },
						 &s->arena, e);
	if (!entry->truth || strcmp(entry->truth->uid, c->uid) != 0) {
		take_back(c, frame->type);
		return E_NOT_FOUND;
	}
	if (frame->type != DELIVERY_STATUS && c->offered_desired && c->offered_desired->sent_at == NOT_SENT)
		c->offered_desired->sent_at = peer_came(s->o.peer);
	err = s->o.rules.compose(s->o.rules.ctx, e->type, entry->truth, &s->arena, e);
	e->bare = e->bare && peer_has_caught_up(s->o.peer); /* else it may be about to be written (wire.md) */
	return err;
}
