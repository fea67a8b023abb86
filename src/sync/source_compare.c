#include "sync/source_impl.h"

#include "base/mem.h"
#include "wire/resync.h"

/* What the peer should have, as the list of a comparison. */
static bool is_listed(const struct entry *e)
{
	return e->truth && e->state.desired.text[0];
}

static struct wire_listed listed(const struct entry *e)
{
	const char *uid = e->truth->source_uid[0] ? e->truth->source_uid : e->truth->uid;

	return (struct wire_listed){ .kind = str_of(object_kind_name(e->kind)),
				     .name = str_of(e->name),
				     .uid = str_of(uid) };
}

void source_resync(struct source *s)
{
	s->comparison++;
	s->compared_deletes = 0;
}

static enum err know_list(struct source *s)
{
	CLEANUP(mem_freep) struct wire_listed *list = mem_array(s->entries.n + 1, sizeof(*list));
	size_t n = 0;
	enum err err;

	if (!list)
		return E_NOMEM;
	for (struct link *l = s->all.next; l != &s->all; l = l->next)
		if (is_listed(ENTRY_OF(l, in_all)))
			list[n++] = listed(ENTRY_OF(l, in_all));
	err = wire_list_checksum(list, n, &s->list.has, s->list.sum);
	s->list.known = err == E_OK;
	return err;
}

enum err source_compare_list(struct source *s, struct str checksum, bool *ret_differs)
{
	enum err err = s->list.known ? E_OK : know_list(s);
	struct str ours = { (const char *)s->list.sum, sizeof(s->list.sum) };

	if (err == E_OK)
		*ret_differs = s->list.has ? !str_eq(checksum, ours) : checksum.n > 0;
	return err;
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

	return !c || !c->desired.text[0];
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

/* The peer has what we know nothing of: a copy whose object is gone, to be deleted like every other. */
static enum err compare_unknown(struct source *s, struct entry *e, struct str uid, uint64_t now_ms)
{
	struct guard_case c = {
		.peer = s->o.name, .copies = s->copies.n + 1, .deletes = ++s->compared_deletes, .released = s->released
	};
	struct guard_verdict verdict;
	struct copy *copy;

	if (uid.n == 0 || uid.n > OBJECT_NAME_MAX || e->held)
		return E_OK;
	copy = source_copy_add(s, e, uid);
	if (!copy)
		return E_NOMEM;
	copy->offered = true;
	if (source_write_copy(s, copy, /* remove= */ false) != E_OK ||
	    journal_tell(s->o.journal, &s->listener, str_of(copy->resource_id)) != E_OK) {
		source_copy_drop(s, copy);
		return E_NOMEM;
	}
	guard_decide(&s->o.guard, &c, &verdict);
	if (verdict.held && !e->truth) {
		e->held = true;
		s->held++;
		memcpy(s->held_text, verdict.text, sizeof(s->held_text));
	}
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

/*
 * It has ours: is it as it should be? What is not is sent, whatever was confirmed; but for what was confirmed since this comparison
 * began, only the next one can tell.
 */
static enum err compare_known(struct source *s, struct entry *e, struct str checksum, uint64_t now_ms)
{
	unsigned char sum[WIRE_CHECKSUM];
	struct copy *c = source_copy_of(e, e->truth->uid);
	enum err err = s->o.rules.checksum(s->o.rules.ctx, e->truth, sum);

	/* Unless something newer is on its way: then it is only late. */
	if (err == E_OK && c && !str_eq(checksum, (struct str){ (const char *)sum, sizeof(sum) }))
		c->forced |= c->desired.text[0] && source_is_confirmed(c) && !is_late(s, c);
	source_sync(s, e, now_ms);
	return err == E_NOT_FOUND ? E_OK : err;
}

enum err source_compare(struct source *s, enum object_kind kind, const char *namespace, const char *name,
			struct str uid, struct str checksum, uint64_t now_ms)
{
	struct entry *e = source_entry(s, kind, namespace, name, /* make= */ uid.n > 0);
	bool ours = e && e->truth && e->state.desired.text[0];
	enum err err = E_OK;

	if (!e)
		return uid.n > 0 ? E_NOMEM : E_OK;
	/* A copy under a UID that we do not know: its object is gone, or was never ours to send. */
	if (s->complete && uid.n && !has_copy(e, uid) && !(ours && str_is(uid, e->truth->uid)))
		err = compare_unknown(s, e, uid, now_ms);
	e = source_entry(s, kind, namespace, name, /* make= */ false);
	if (err == E_OK && e && ours)
		return compare_known(s, e, checksum, now_ms);
	if (e)
		source_settle(s, e);
	return err;
}
