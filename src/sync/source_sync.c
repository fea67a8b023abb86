#include "sync/source_impl.h"

#include <stdio.h>

#include "base/mem.h"
#include "wire/ids.h"

#define AGAIN_MS 1000 /* after something for which there was no memory */

/* Hold an event about a copy. `version` becomes part of its id. */
static enum err add(struct source *s, const struct copy *c, enum delivery_type type, enum wire_type wire,
		    const char *version, struct blob *bytes, uint64_t now_ms)
{
	const struct entry *e = c->entry;
	struct buf id = { .max = DELIVERY_TEXT_MAX };
	struct delivery_event event = { .type = type,
					.kind = str_of(object_kind_name(e->kind)),
					.namespace = str_of(e->namespace),
					.name = str_of(e->name),
					.resource_id = str_of(c->resource_id),
					.bytes = bytes };
	enum err err;

	wire_event_id(wire, str_of(e->name), str_of(c->uid), str_of(version), &id);
	event.event_id = buf_view(&id);
	err = id.err != E_OK ? id.err : peer_add(s->o.peer, &event, now_ms);
	buf_release(&id);
	return err;
}

/* ---- deletes ---------------------------------------------------------------------------------------------------- */

/* The peer has not seen it (it does see copies of its own), or is not told: it is enough to forget it. */
static enum err forget(struct source *s, struct copy *c)
{
	enum err err = source_remove_rows(s, c);

	if (err == E_OK)
		source_copy_drop(s, c);
	return err;
}

/* What of it was offered last. What the peer alone knows of can be put back there: the next deletion is another one. */
static void last_version(const struct copy *c, uint64_t now_ms, char *ret_version, size_t n)
{
	if (c->offered_desired)
		str_copy(str_of(c->offered_desired->version), ret_version, n);
	else if (source_copy_is_learned(c))
		(void)snprintf(ret_version, n, "-%llx", (unsigned long long)now_ms);
	else
		str_copy(str_of(c->version), ret_version, n);
}

static enum err delete_copy(struct source *s, struct copy *c, uint64_t now_ms)
{
	char version[sizeof(c->version)];
	enum err err;

	if (!c->kept || c->deleting)
		return E_OK;
	/* What we never knew of gives way to our object of that name; it is deleted when there is none. */
	if (!s->o.deletes || (s->o.creates && !c->offered) || (c->entry->truth && source_copy_is_learned(c)))
		return forget(s, c);
	last_version(c, now_ms, version, sizeof(version));
	err = add(s, c, DELIVERY_DELETE, WIRE_DELETE, version, NULL, now_ms);
	c->deleting = err == E_OK;
	return err;
}

/* Copies of objects that are no longer the truth. */
static enum err sync_deletes(struct source *s, struct entry *e, uint64_t now_ms)
{
	bool known = e->truth || e->gone || s->complete;
	enum err err = E_OK;

	if (!known || e->held)
		return E_OK;
	for (struct copy *c = e->copies, *next; c && err == E_OK; c = next) {
		next = c->next;
		if (!e->truth || strcmp(c->uid, e->truth->uid) != 0)
			err = delete_copy(s, c, now_ms);
	}
	return err;
}

/* What will be said of its deletion is kept from when there is something to say. */
static enum err remember(struct source *s, struct copy *c, bool *ret_changed)
{
	struct buf text = { 0 };
	enum err err = E_OK;
	char *copy;

	if (s->o.rules.remember)
		err = s->o.rules.remember(s->o.rules.ctx, c->entry->truth, &text);
	err = err == E_OK ? text.err : err;
	*ret_changed = err == E_OK && !str_eq(buf_view(&text), str_of(c->remembered));
	if (*ret_changed && (copy = str_dup(buf_view(&text)))) {
		mem_free(c->remembered);
		c->remembered = copy;
	} else if (*ret_changed) {
		err = E_NOMEM;
	}
	buf_release(&text);
	return err;
}

static enum err sync_remembered(struct source *s, struct copy *c)
{
	bool changed;
	enum err err = remember(s, c, &changed);

	if (err != E_OK || !changed)
		return err;
	/* It is the copy of another object now, to which nothing was told yet. */
	c->forced_status = !digest_is_empty(&c->entry->state.status);
	return source_write_copy(s, c, /* remove= */ false);
}

/* ---- the object ------------------------------------------------------------------------------------------------- */

/* A copy of the truth, its row on its way to the ledger. */
static enum err begin_copy(struct source *s, struct entry *e)
{
	struct copy *c = source_copy_add(s, e, str_of(e->truth->uid));
	bool changed;

	if (!c)
		return E_NOMEM;
	if (s->o.rules.known_status)
		s->o.rules.known_status(s->o.rules.ctx, e->truth, &c->status);
	if (!digest_is_empty(&c->status))
		str_copy(str_of(e->truth->version), c->status_version, sizeof(c->status_version));
	if (remember(s, c, &changed) == E_OK && source_write_copy(s, c, /* remove= */ false) == E_OK &&
	    source_tell(s, c, SOURCE_COPY) == E_OK)
		return E_OK;
	source_copy_drop(s, c);
	return E_NOMEM;
}

/* What is said again needs a new id: the old one is one that the peer has applied. */
static void version_of(const struct copy *c, bool forced, uint64_t now_ms, char *ret_version, size_t n)
{
	const char *version = c->entry->truth->version;

	if (forced)
		(void)snprintf(ret_version, n, "%.40s-%llx", version, (unsigned long long)now_ms);
	else
		str_copy(str_sub(str_of(version), 0, 40), ret_version, n);
}

static enum err offer(struct source *s, struct copy *c, enum delivery_type type, const struct digest *digest,
		      struct offer **offered, bool *forced, uint64_t now_ms)
{
	CLEANUP(mem_freep) struct offer *next = mem_alloc(sizeof(*next));
	enum err err;

	if (!next)
		return E_NOMEM;
	*next = (struct offer){ .digest = *digest, .open = true, .sent_at = NOT_SENT };
	version_of(c, *forced, now_ms, next->version, sizeof(next->version));
	err = add(s, c, type, type == DELIVERY_STATUS ? WIRE_STATUS_UPDATE : WIRE_SPEC_UPDATE, next->version,
		  c->entry->truth->json, now_ms);
	if (err != E_OK)
		return err;
	mem_free(*offered);
	*offered = TAKE(next);
	*forced = false;
	c->offered = true;
	return E_OK;
}

/* Was something of this part offered, and is not confirmed? */
static bool is_offered(const struct offer *offered)
{
	return offered && !digest_is_empty(&offered->digest);
}

/* The peer has it, or has been offered it last. */
static bool is_known(const struct offer *offered, const struct digest *confirmed, const struct digest *wanted)
{
	return digest_eq(is_offered(offered) ? &offered->digest : confirmed, wanted);
}

/* Is it this version of the object, perhaps said again (version_of())? */
static bool is_version(const char *said, const struct object *o)
{
	struct str rest = str_of(said);

	return str_is(str_cut(&rest, '-'), o->version);
}

/*
 * What a former process sent without hearing of it may have been applied. If the object is as it was confirmed, nothing was sent as
 * long as it is the very version; else it may have been something else meanwhile, which the peer has now.
 */
static void recall(struct copy *c)
{
	const struct object *truth = c->entry->truth;

	if (!c->recalled)
		return;
	c->recalled = false;
	c->doubtful = !is_version(c->version, truth);
	if (!is_version(c->status_version, truth))
		c->status = (struct digest){ "" };
}

/* A peer of our dialect says what it has when it compares (docs/sync.md). */
static bool is_doubted(const struct source *s, const struct copy *c)
{
	return c->doubtful && peer_epoch(s->o.peer) && peer_speaks_upstream(s->o.peer);
}

static enum err sync_desired(struct source *s, struct copy *c, uint64_t now_ms)
{
	const struct digest *desired = &c->entry->state.desired;
	bool first = s->o.creates && digest_is_empty(&c->desired) && !is_offered(c->offered_desired);

	if (digest_is_empty(desired)) {
		/* Nothing is asked of the peer any more: the same asked again is something new. */
		if (digest_is_empty(&c->desired) && !is_offered(c->offered_desired))
			return E_OK;
		c->desired = *desired;
		if (c->offered_desired)
			c->offered_desired->digest = *desired;
		source_copy_version(s, c, "");
		return source_write_copy(s, c, /* remove= */ false);
	}
	if (!c->forced && is_known(c->offered_desired, &c->desired, desired) &&
	    (is_offered(c->offered_desired) || !is_doubted(s, c)))
		return E_OK;
	return offer(s, c, first ? DELIVERY_CREATE : DELIVERY_SPEC, desired, &c->offered_desired, &c->forced, now_ms);
}

static enum err sync_status(struct source *s, struct copy *c, uint64_t now_ms)
{
	const struct digest *status = &c->entry->state.status;

	if (digest_is_empty(status) || (!c->forced_status && is_known(c->offered_status, &c->status, status)))
		return E_OK;
	return offer(s, c, DELIVERY_STATUS, status, &c->offered_status, &c->forced_status, now_ms);
}

/* ---- all of it -------------------------------------------------------------------------------------------------- */

static enum err sync_truth(struct source *s, struct entry *e, uint64_t now_ms)
{
	struct copy *c = source_copy_of(e, e->truth->uid);
	enum err err;

	if (!c)
		return begin_copy(s, e);
	if (!c->kept || c->deleting)
		return E_OK;
	recall(c);
	err = source_bury_commands(s, c);
	if (err == E_OK)
		err = sync_remembered(s, c);
	if (err == E_OK)
		err = sync_desired(s, c, now_ms);
	if (err == E_OK)
		err = sync_status(s, c, now_ms);
	return err == E_OK ? source_sync_commands(s, c, now_ms) : err;
}

void source_sync(struct source *s, struct entry *e, uint64_t now_ms)
{
	enum err err;

	s->now_ms = now_ms;
	list_remove(&e->in_later);
	err = sync_deletes(s, e, now_ms);
	if (err == E_OK && e->truth)
		err = sync_truth(s, e, now_ms);
	if (err == E_NOMEM)
		s->again_ms = now_ms + AGAIN_MS;
	if (err == E_LIMIT || err == E_NOMEM) {
		s->refused++;
		list_put_last(&s->later, &e->in_later);
	}
	source_settle(s, e);
}

bool source_is_confirmed(const struct copy *c)
{
	const struct digest *desired = &c->entry->state.desired;

	return digest_eq(&c->desired, desired) && is_known(c->offered_desired, &c->desired, desired);
}

bool source_is_behind(const struct entry *e)
{
	const struct copy *c = e->truth ? source_copy_of(e, e->truth->uid) : NULL;

	if (!e->truth)
		return e->copies != NULL;
	return !c || e->copies->next || c->commands || !digest_eq(&c->desired, &e->state.desired) ||
	       (!digest_is_empty(&e->state.status) && !digest_eq(&c->status, &e->state.status));
}
