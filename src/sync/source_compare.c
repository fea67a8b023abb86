#include "sync/source_impl.h"

#include "base/mem.h"
#include "wire/resync.h"

/* What the peer should have, as the list of a comparison. */
static bool is_listed(const struct entry *e)
{
	return e->truth && !digest_is_empty(&e->state.desired);
}

static struct wire_listed listed(const struct entry *e)
{
	return (struct wire_listed){ .kind = str_of(object_kind_name(e->kind)),
				     .name = str_of(e->name),
				     .uid = str_of(e->truth->uid) };
}

static void sync_doubted(struct source *s, uint64_t now_ms)
{
	for (struct link *l = s->all.next, *next; l != &s->all && peer_speaks_upstream(s->o.peer); l = next) {
		struct entry *e = ENTRY_OF(l, in_all);
		const struct copy *c = e->truth ? source_copy_of(e, e->truth->uid) : NULL;

		next = l->next;
		if (c && c->doubtful)
			source_sync(s, e, now_ms);
	}
}

void source_resync(struct source *s, uint64_t now_ms)
{
	s->comparison++;
	s->compared_deletes = 0;
	s->list.known = false; /* it may be in another dialect */
	sync_doubted(s, now_ms);
}

/* What the peer should have. */
static size_t list_truth(const struct source *s, struct wire_listed *list)
{
	size_t n = 0;

	for (struct link *l = s->all.next; l != &s->all; l = l->next)
		if (is_listed(ENTRY_OF(l, in_all)))
			list[n++] = listed(ENTRY_OF(l, in_all));
	return n;
}

/* What it has confirmed: what differs from the truth is on its way without a comparison. */
static size_t list_confirmed(const struct source *s, struct wire_listed *list)
{
	size_t n = 0;

	for (struct link *l = s->all.next; l != &s->all; l = l->next)
		for (const struct copy *c = ENTRY_OF(l, in_all)->copies; c; c = c->next)
			if (!digest_is_empty(&c->desired))
				list[n++] = (struct wire_listed){ .kind = str_of(object_kind_name(c->entry->kind)),
								  .name = str_of(c->entry->name),
								  .uid = str_of(c->uid),
								  .version = str_of(c->version) };
	return n;
}

/* In our dialect what is confirmed, in upstream's what should be. */
static enum err know_list(struct source *s)
{
	size_t room = s->entries.n + s->copies.n + 1;
	CLEANUP(mem_freep) struct wire_listed *list = mem_array(room, sizeof(*list));
	size_t n;
	enum err err;

	if (!list)
		return E_NOMEM;
	n = s->list.truths = list_truth(s, list);
	if (!peer_speaks_upstream(s->o.peer))
		n = list_confirmed(s, list);
	err = wire_list_checksum(list, n, &s->list.has, s->list.sum);
	s->list.known = err == E_OK;
	return err;
}

enum err source_compare_list(struct source *s, struct str checksum, uint64_t copies, bool *ret_differs)
{
	enum err err = s->list.known ? E_OK : know_list(s);
	struct str ours = { (const char *)s->list.sum, sizeof(s->list.sum) };

	if (err != E_OK)
		return err;
	s->peer_copies = copies;
	s->peer_surplus = copies > s->list.truths ? copies - s->list.truths : 0;
	*ret_differs = s->list.has ? !str_eq(checksum, ours) : checksum.n > 0;
	return E_OK;
}

/* One member of the list, to the peer. */
static enum err name_to_peer(struct source *s, const struct entry *e, uint64_t now_ms)
{
	struct wire_listed l = listed(e);
	struct wire_resync r = { .kind = l.kind, .namespace = str_of(e->namespace), .name = l.name, .uid = l.uid };
	struct buf json = { 0 };
	enum err err;

	wire_resync_write(WIRE_SYNCED_RESOURCE, &r, &json);
	err = json.err != E_OK ? json.err
			       : peer_request(s->o.peer, WIRE_SYNCED_RESOURCE, WIRE_TO_RESYNC, buf_view(&json), now_ms);
	buf_release(&json);
	return err;
}

/* What the peer never confirmed is on its way anyhow: it would ask for what it is about to get. */
static bool is_new_to_peer(const struct entry *e)
{
	const struct copy *c = source_copy_of(e, e->truth->uid);

	return !c || digest_is_empty(&c->desired);
}

enum err source_list(struct source *s, uint64_t now_ms)
{
	enum err err = E_OK;

	s->comparison++;
	for (struct link *l = s->all.next; l != &s->all && err == E_OK; l = l->next)
		if (is_listed(ENTRY_OF(l, in_all)) && !is_new_to_peer(ENTRY_OF(l, in_all)))
			err = name_to_peer(s, ENTRY_OF(l, in_all), now_ms);
	return err;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/*
 * The first that is too much must be held, not the last: the peer said beforehand how many copies it has. Where one of that name is held
 * already, the next is, too.
 */
static void guard_unknown(struct source *s, struct entry *e)
{
	struct guard_case c = { .peer = s->o.name,
				.copies = larger(s->copies.n, s->peer_copies),
				.released = s->released };
	struct guard_verdict verdict;

	if (e->held)
		return;
	c.deletes = larger(++s->compared_deletes, s->peer_surplus);
	guard_decide(&s->o.guard, &c, &verdict);
	if (verdict.held)
		source_hold(s, e, &verdict);
}

/* The peer has what we know nothing of: a copy whose object is gone, to be deleted like every other. */
static enum err compare_unknown(struct source *s, struct entry *e, struct str uid, uint64_t now_ms)
{
	struct copy *copy;

	if (uid.n > OBJECT_NAME_MAX)
		return E_OK;
	copy = source_copy_add(s, e, uid);
	if (!copy)
		return E_NOMEM;
	if (!room_take(s->o.room, &copy->share, (struct room_share){ .objects = 1 })) {
		source_copy_drop(s, copy);
		return E_LIMIT;
	}
	copy->offered = true;
	source_copy_version(s, copy, SOURCE_LEARNED);
	if (source_write_copy(s, copy, /* remove= */ false) != E_OK || source_tell(s, copy, SOURCE_COPY) != E_OK) {
		source_copy_drop(s, copy);
		return E_NOMEM;
	}
	guard_unknown(s, e);
	source_sync(s, e, now_ms);
	return E_OK;
}

static bool has_copy(const struct entry *e, struct str uid)
{
	for (const struct copy *c = e->copies; c; c = c->next)
		if (str_is(uid, c->uid))
			return true;
	return false;
}

/* The peer asks of the time before its answer: answers overtake questions. */
static bool is_late(const struct source *s, const struct copy *c)
{
	return c->compared == s->comparison;
}

static enum err is_as_it_should_be(struct source *s, const struct copy *c, struct str checksum, bool *ret_is)
{
	unsigned char sum[WIRE_CHECKSUM];
	enum err err = E_OK;

	if (!peer_speaks_upstream(s->o.peer)) {
		*ret_is = str_is(checksum, c->version);
		return E_OK;
	}
	err = s->o.rules.checksum(s->o.rules.ctx, c->entry->truth, sum);
	*ret_is = str_eq(checksum, (struct str){ (const char *)sum, sizeof(sum) });
	return err;
}

/* Upstream's principal looks for a project under the agent's name for it, finds none, and has it: it takes no create, but any update. */
static bool is_upserted(const struct source *s, const struct entry *e)
{
	return e->kind == OBJECT_APPPROJECT && peer_speaks_upstream(s->o.peer);
}

/*
 * It has ours: is it as it should be? What is not is sent, whatever was confirmed; but for what was confirmed since this comparison
 * began, only the next one can tell.
 */
static enum err compare_known(struct source *s, struct entry *e, struct str uid, struct str checksum, uint64_t now_ms)
{
	struct copy *c = source_copy_of(e, e->truth->uid);
	bool is = false;
	enum err err = E_OK;

	if (c && str_is(uid, e->truth->uid))
		err = is_as_it_should_be(s, c, checksum, &is);
	/* Unless something newer is on its way: then it is only late. */
	if (err == E_OK && c && !is)
		c->forced |= source_is_confirmed(c) && !is_late(s, c);
	/* Nor is what it has refused. */
	if (err == E_OK && c && !uid.n && !is_late(s, c))
		(void)source_copy_refused_again(c);
	/* It has none: as a create it may take the place of what is nobody's there, and upstream's principal drops an update. */
	if (err == E_OK && c && c->forced && !uid.n && !is_upserted(s, e))
		c->desired = (struct digest){ "" };
	source_sync(s, e, now_ms);
	return err == E_NOT_FOUND ? E_OK : err;
}

enum err source_compare(struct source *s, enum object_kind kind, const char *namespace, const char *name,
			struct str uid, struct str checksum, uint64_t now_ms)
{
	struct entry *e = source_entry(s, kind, namespace, name, /* make= */ uid.n > 0);
	bool ours = e && is_listed(e);
	enum err err = E_OK;

	if (!e)
		return uid.n > 0 ? E_NOMEM : E_OK;
	/* Under another UID than ours it is for the peer to decide what ours means for it: we may have forgotten that one. */
	if (ours)
		return compare_known(s, e, uid, checksum, now_ms);
	/* A copy under a UID that we do not know: its object is gone, or was never ours to send. */
	if (s->complete && uid.n && !has_copy(e, uid))
		err = compare_unknown(s, e, uid, now_ms);
	e = source_entry(s, kind, namespace, name, /* make= */ false);
	if (e)
		source_settle(s, e);
	return err;
}
