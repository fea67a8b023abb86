#include <stdio.h>

#include "sim.h"

#define WINDOW 5

struct letter letter_of(enum delivery_type type, uint32_t key, uint32_t uid, uint32_t version)
{
	struct letter l = { .type = type, .key = key, .uid = uid, .version = version };

	(void)snprintf(l.resource_id, sizeof(l.resource_id), "k%u_u%u", key, uid);
	(void)snprintf(l.event_id, sizeof(l.event_id), "k%u_u%u_v%u", key, uid, version);
	return l;
}

struct delivery_event letter_event(const struct letter *l, struct blob *bytes)
{
	static const char names[SIM_KEYS][2] = { "a", "b", "c", "d", "e", "f" };

	return (struct delivery_event){ .type = l->type,
					.kind = STR("Application"),
					.namespace = STR("argocd"),
					.name = str_of(names[l->key]),
					.resource_id = str_of(l->resource_id),
					.event_id = str_of(l->event_id),
					.bytes = bytes };
}

bool letter_poison(const struct letter *l)
{
	return (l->type == DELIVERY_SPEC || l->type == DELIVERY_COMMAND) && l->version % 11 == 0;
}

/* An upstream answer names no type: so commands toward such a peer carry event ids of their own (docs/delivery.md). */
static enum err add(struct peer *p, struct letter l)
{
	enum err err;

	if (p->nature == UPSTREAM || p->nature == LIAR) {
		size_t n = strlen(l.event_id);

		(void)snprintf(l.event_id + n, sizeof(l.event_id) - n, "_%u", (unsigned)l.type);
	}
	CLEANUP(blob_unref_freep) struct blob *bytes = blob_new((struct str){ (const char *)&l, sizeof(l) });
	struct delivery_event e = letter_event(&l, bytes);

	err = bytes ? outbox_add(p->outbox, &e, p->sim->now) : E_NOMEM;
	sim_trace(p->sim, "hub     %u: %s %s%s", p->index, delivery_type_name(l.type), l.event_id,
		  err == E_OK ? "" : ", refused");
	if (err != E_OK && err != E_LIMIT)
		sim_broken(p->sim, "add %s: %s", l.event_id, err_text(err));
	return err;
}

static struct object *copy_of(struct known *k, uint32_t uid)
{
	for (int i = 0; i < SIM_UIDS; i++)
		if (k->copies[i].uid == uid)
			return &k->copies[i];
	return NULL;
}

/* Objects that are gone from the truth, the oldest first. False: refused. */
static bool sync_deletes(struct peer *p, uint32_t key)
{
	uint32_t done = 0;

	for (;;) {
		uint32_t next = UINT32_MAX;

		for (int i = 0; i < SIM_UIDS; i++) {
			uint32_t uid = p->known[key].copies[i].uid;

			if (uid > done && uid < next && uid != p->truth[key].uid)
				next = uid;
		}
		if (next == UINT32_MAX)
			return true;
		if (add(p, letter_of(DELIVERY_DELETE, key, next, UINT16_MAX)) != E_OK)
			return false;
		done = next;
	}
}

static bool sync_state(struct peer *p, uint32_t key)
{
	const struct object *truth = &p->truth[key];
	struct object *copy = copy_of(&p->known[key], truth->uid);
	enum delivery_type type = copy ? DELIVERY_SPEC : DELIVERY_CREATE;

	if (p->offered[key].uid == truth->uid && p->offered[key].version >= truth->version)
		return true;
	if (copy && copy->version >= truth->version)
		return true;
	if (add(p, letter_of(type, key, truth->uid, truth->version)) != E_OK)
		return false;
	if (!copy && (copy = copy_of(&p->known[key], 0)))
		*copy = (struct object){ .uid = truth->uid };
	if (p->offered[key].uid != truth->uid)
		p->offered[key] = (struct object){ .uid = truth->uid };
	p->offered[key].version = truth->version;
	return true;
}

static void sync_commands(struct peer *p, uint32_t key)
{
	for (int i = 0; i < SIM_COMMANDS; i++) {
		uint32_t uid = p->known[key].commands[i].uid;

		if (uid == 0 || uid != p->truth[key].uid || p->known[key].commands[i].done || p->held[key][i])
			continue;
		if (add(p, letter_of(DELIVERY_COMMAND, key, uid, p->known[key].commands[i].version)) != E_OK)
			return;
		p->held[key][i] = true;
	}
}

static bool status_offered(const struct peer *p, uint32_t key)
{
	return p->offered[key].uid == p->truth[key].uid && p->offered[key].status >= p->truth[key].status;
}

void hub_sync(struct peer *p, uint32_t key)
{
	struct object *copy;

	if (!sync_deletes(p, key) || p->truth[key].uid == 0 || !sync_state(p, key))
		return;
	copy = copy_of(&p->known[key], p->truth[key].uid);
	if (copy && copy->status < p->truth[key].status && !status_offered(p, key) &&
	    add(p, letter_of(DELIVERY_STATUS, key, copy->uid, p->truth[key].status)) != E_OK)
		return;
	p->offered[key].status = p->truth[key].status;
	sync_commands(p, key);
}

void hub_start(struct peer *p)
{
	struct outbox_options options = outbox_defaults;

	options.window_events = WINDOW;
	options.entries_max = 30;
	options.rate_per_minute = p->index == 1 ? 6000 : 0;
	options.rate_burst = 10;
	p->outbox = outbox_new(&options, p->sim->now);
	if (!p->outbox)
		sim_broken(p->sim, "no memory");
	for (uint32_t key = 0; key < SIM_KEYS; key++)
		hub_sync(p, key);
}

void hub_commit(struct peer *p)
{
	memcpy(p->durable, p->known, sizeof(p->known));
}

static void make_command(struct peer *p, uint32_t key)
{
	struct known *k = &p->known[key];

	if (k->commands[SIM_COMMANDS - 1].uid)
		return; /* too many wait already */
	p->truth[key].version++;
	for (int i = 0; i < SIM_COMMANDS; i++)
		if (k->commands[i].uid == 0) {
			k->commands[i].uid = p->truth[key].uid;
			k->commands[i].version = p->truth[key].version;
			k->commands[i].done = p->held[key][i] = false;
			break;
		}
	hub_commit(p); /* the row is durable before anybody is told that the command is accepted */
}

/* Rows of commands that are done, or whose object is gone, make room. */
static void sweep_commands(struct peer *p, uint32_t key)
{
	struct known *k = &p->known[key];
	int n = 0;

	for (int i = 0; i < SIM_COMMANDS; i++)
		if (k->commands[i].uid && k->commands[i].uid == p->truth[key].uid && !k->commands[i].done) {
			k->commands[n] = k->commands[i];
			p->held[key][n++] = p->held[key][i];
		}
	for (; n < SIM_COMMANDS; n++) {
		memset(&k->commands[n], 0, sizeof(k->commands[n]));
		p->held[key][n] = false;
	}
}

static uint32_t change_truth(struct peer *p)
{
	struct sim *s = p->sim;
	uint32_t key = (uint32_t)(sim_random(s) % SIM_KEYS);
	struct object *truth = &p->truth[key];
	uint64_t what = sim_random(s) % 16;

	sweep_commands(p, key);
	if (truth->uid == 0) {
		if (copy_of(&p->known[key], 0) && p->known[key].copies[SIM_UIDS - 1].uid == 0)
			*truth = (struct object){ .uid = ++p->last_uid[key], .version = 1 };
	} else if (what < 2) {
		*truth = (struct object){ 0 };
	} else if (what < 5) {
		make_command(p, key);
	} else if (what < 8) {
		truth->status++;
	} else {
		truth->version++;
	}
	return key;
}

void hub_change(struct peer *p)
{
	hub_sync(p, change_truth(p));
}

void hub_crash(struct peer *p)
{
	sim_trace(p->sim, "hub     %u: crashes", p->index);
	outbox_free(p->outbox);
	p->connected = false;
	memcpy(p->known, p->durable, sizeof(p->known));
	memset(p->held, 0, sizeof(p->held));
	memset(p->offered, 0, sizeof(p->offered));
	memset(p->outstanding, 0, sizeof(p->outstanding));
	/* The source of truth lives on while the hub is down. */
	for (uint64_t n = p->sim->healed ? 0 : sim_random(p->sim) % 50; n > 0; n--)
		(void)change_truth(p);
	hub_start(p);
}

void hub_void(struct peer *p)
{
	for (int key = 0; key < SIM_KEYS; key++)
		p->outstanding[key].sent_ms = 0;
}

static void check_not_confirmed(const struct peer *p, const struct letter *l)
{
	struct known k = p->known[l->key];
	const struct object *copy = copy_of(&k, l->uid);
	bool again = false;

	if (l->type == DELIVERY_STATUS)
		again = copy && copy->status >= l->version;
	else if (l->type == DELIVERY_CREATE || l->type == DELIVERY_SPEC)
		again = copy && copy->version >= l->version;
	else if (l->type == DELIVERY_DELETE)
		again = copy == NULL;
	for (int i = 0; i < SIM_COMMANDS && l->type == DELIVERY_COMMAND; i++)
		again = again ||
			(k.commands[i].uid == l->uid && k.commands[i].version == l->version && k.commands[i].done);
	if (again)
		sim_broken(p->sim, "confirmed and sent again: %s %s", delivery_type_name(l->type), l->event_id);
}

/* One event per name: another may only go when a delete of the same object, or a time-out, has made the first void. */
static void check_alone(const struct peer *p, const struct letter *l)
{
	const struct outstanding *out = &p->outstanding[l->key];
	bool same = out->letter.type == l->type && strcmp(out->letter.event_id, l->event_id) == 0;

	if (!out->there || same || (l->type == DELIVERY_DELETE && l->uid == out->letter.uid))
		return;
	if (out->sent_ms && p->sim->now < out->sent_ms + outbox_defaults.resend_floor_ms)
		sim_broken(p->sim, "%s goes while %s is in flight", l->event_id, out->letter.event_id);
}

static void check_window(const struct peer *p)
{
	struct outbox_stats stats;

	outbox_stats(p->outbox, &stats);
	if (stats.in_flight > WINDOW)
		sim_broken(p->sim, "%llu in flight", (unsigned long long)stats.in_flight);
	if (stats.waiting + stats.in_flight + stats.quarantined > 30 + SIM_KEYS)
		sim_broken(p->sim, "%llu wait", (unsigned long long)stats.waiting);
}

/* False: the hub crashed on the way. */
static bool send_one(struct peer *p, const struct outbox_frame *f)
{
	struct sim *s = p->sim;
	struct letter l;

	memcpy(&l, f->bytes->p, sizeof(l));
	check_not_confirmed(p, &l);
	check_alone(p, &l);
	check_window(p);
	if (!s->healed && sim_once_in(s, 3000)) {
		hub_crash(p);
		return false;
	}
	/* Before the bytes leave it is durable that the peer may have it: its deletion must not be forgotten. */
	if (l.type == DELIVERY_CREATE || l.type == DELIVERY_SPEC)
		hub_commit(p);
	if (!s->healed && sim_once_in(s, 3000)) {
		hub_crash(p);
		return false;
	}
	p->outstanding[l.key] = (struct outstanding){ .letter = l, .there = true, .sent_ms = s->now };
	net_send_frame(p, f);
	if (sim_once_in(s, 4))
		net_later(s, s->now + sim_random(s) % 30,
			  &(struct happening){ .type = BYTES_LEFT, .peer = p, .epoch = f->epoch, .order = f->order });
	else
		outbox_sent(p->outbox, f->order, s->now, sim_random(s));
	return true;
}

void hub_pump(struct peer *p)
{
	struct outbox_frame f;

	while (outbox_take(p->outbox, p->sim->now, &f)) {
		if (f.epoch != p->epoch)
			sim_broken(p->sim, "a frame for an older stream");
		if (!send_one(p, &f))
			return;
	}
}

static void confirm(struct peer *p, const struct letter *l)
{
	struct known *k = &p->known[l->key];
	struct object *copy = copy_of(k, l->uid);

	p->sim->confirmed++;
	switch (l->type) {
	case DELIVERY_DELETE:
		if (copy)
			*copy = (struct object){ 0 };
		return;
	case DELIVERY_COMMAND:
		for (int i = 0; i < SIM_COMMANDS; i++)
			if (k->commands[i].uid == l->uid && k->commands[i].version == l->version)
				k->commands[i].done = true;
		return;
	case DELIVERY_STATUS:
		if (copy)
			copy->status = l->version;
		return;
	default:
		if (copy)
			copy->version = l->version;
	}
}

void hub_answer(struct peer *p, const struct happening *h)
{
	struct sim *s = p->sim;
	struct delivery_answer a = h->answer;
	struct outstanding *out = NULL;
	enum outbox_effect effect;
	enum delivery_type type;

	a.resource_id.p = h->text;
	a.event_id.p = h->text + 24;
	a.reason.p = h->text + 64;
	effect = outbox_answer(p->outbox, h->epoch, &a, s->now, sim_random(s), &type);
	for (int key = 0; key < SIM_KEYS && effect != OUTBOX_NOTHING; key++)
		if (p->outstanding[key].there && p->outstanding[key].letter.type == type &&
		    str_is(a.event_id, p->outstanding[key].letter.event_id))
			out = &p->outstanding[key];
	if (effect == OUTBOX_NOTHING)
		return;
	if (!out || h->epoch != p->epoch)
		sim_broken(s, "an answer to %.*s counted, which is not in flight", STR_ARG(a.event_id));
	/* What it will never delete is not remembered either, as a session does it: it would be added again and again. */
	if (effect == OUTBOX_CONFIRMED || (effect == OUTBOX_REFUSED && type == DELIVERY_DELETE))
		confirm(p, &out->letter);
	if (effect != OUTBOX_HELD)
		out->there = out->there && (effect == OUTBOX_AGAIN);
	if (effect == OUTBOX_AGAIN)
		out->sent_ms = 0;
	hub_sync(p, out->letter.key);
}

bool hub_settled(const struct peer *p)
{
	struct outbox_stats stats;

	outbox_stats(p->outbox, &stats);
	return stats.waiting == 0 && stats.in_flight == 0;
}

static void check_commands(const struct peer *p, uint32_t key)
{
	for (int i = 0; i < SIM_COMMANDS; i++) {
		uint32_t uid = p->known[key].commands[i].uid, version = p->known[key].commands[i].version;

		if (uid && uid == p->truth[key].uid && !p->known[key].commands[i].done && version % 11)
			sim_broken(p->sim, "peer %u: command k%u_u%u_v%u is lost", p->index, key, uid, version);
	}
}

void hub_check_settled(const struct peer *p)
{
	for (uint32_t key = 0; key < SIM_KEYS; key++) {
		const struct object *want = &p->truth[key], *have = &p->replica[key].object;

		if (want->uid != have->uid && !(want->version % 11 == 0 && want->uid))
			sim_broken(p->sim, "peer %u: name %u: has object %u, truth is %u", p->index, key, have->uid,
				   want->uid);
		if (want->uid && want->version % 11 && (want->version != have->version || want->status != have->status))
			sim_broken(p->sim, "peer %u: k%u_u%u: has %u/%u, truth is %u/%u", p->index, key, want->uid,
				   have->version, have->status, want->version, want->status);
		check_commands(p, key);
	}
}
