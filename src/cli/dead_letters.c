#include "cli/dead_letters.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <semaphore.h>
#include <stdio.h>

#include "base/mem.h"
#include "cli/data_dir.h"

/*
 * What a store is opened with that only forgets a few rows. The window is the longest there is: ids that the gateway still
 * remembers are not ours to forget.
 */
#define DEDUP_MS    (365 * 86400000ull)
#define DEDUP_BYTES (4 << 20)
#define AT_ONCE     256 /* letters that the writer has */

/* ---- through the gateway ----------------------------------------------------------------------------------------- */

static bool read_number(json_object *object, const char *key, uint64_t *ret_value)
{
	json_object *value;

	if (!json_object_object_get_ex(object, key, &value) || !json_object_is_type(value, json_type_int))
		return false;
	*ret_value = json_object_get_uint64(value);
	return true;
}

/* {"count":n,"failed":n,"stopped":true,"next_after":n}: the last two may be missing. */
static bool read_counts(struct buf *answer, struct dead_counts *ret_counts, uint64_t *ret_next)
{
	json_object *object = buf_cstr(answer) ? json_tokener_parse(answer->p) : NULL;
	bool ok = read_number(object, "count", &ret_counts->changed);

	(void)read_number(object, "failed", &ret_counts->failed);
	(void)read_number(object, "next_after", ret_next);
	ret_counts->stopped = json_object_object_get_ex(object, "stopped", NULL);
	json_object_put(object);
	return ok;
}

/* Adds to `counts`; `*ret_next` is where to go on, 0: there is nothing more. */
static enum err call(const struct gateway_client *client, enum dead_change what, const char *query, struct why *why,
		     struct dead_counts *counts, uint64_t *ret_next)
{
	struct buf answer = { 0 };
	struct dead_counts now = { 0 };
	char path[64];
	enum err err;

	*ret_next = 0;
	(void)snprintf(path, sizeof(path), "/dead/%s?%s", what == DEAD_DROP ? "drop" : "retry", query);
	err = gateway_client_call(client, "POST", path, why, &answer);
	if (err == E_OK && !read_counts(&answer, &now, ret_next))
		err = why_set(why, E_UNSUPPORTED, "the gateway's answer to %s has no count", path);
	buf_release(&answer);
	counts->changed += now.changed;
	counts->failed += now.failed;
	counts->stopped |= now.stopped;
	return err;
}

static enum err go_on(const struct dead_progress *progress, const struct dead_counts *counts, struct why *why)
{
	if (progress->on_page(progress->ctx, counts))
		return E_OK;
	return why_set(why, E_CANCELLED, "interrupted; %" PRIu64 " done", counts->changed);
}

static enum err call_for_all(const struct gateway_client *client, enum dead_change what,
			     const struct dead_progress *progress, struct why *why, struct dead_counts *counts)
{
	uint64_t after = 0;
	char query[48];
	enum err err;

	do {
		(void)snprintf(query, sizeof(query), "pos=all&after=%" PRIu64, after);
		err = call(client, what, query, why, counts, &after);
		if (err == E_OK)
			err = go_on(progress, counts, why);
	} while (err == E_OK && after && !counts->stopped);
	return err;
}

enum err dead_change_gateway(const struct gateway_client *client, enum dead_change what, const uint64_t *positions,
			     size_t count, const struct dead_progress *progress, struct why *why,
			     struct dead_counts *ret_counts)
{
	struct dead_counts counts = { 0 };
	enum err err = count ? E_OK : call_for_all(client, what, progress, why, &counts);
	char query[32];
	uint64_t next;

	for (size_t i = 0; i < count && err == E_OK && !counts.stopped; i++) {
		uint64_t before = counts.changed + counts.failed;

		(void)snprintf(query, sizeof(query), "pos=%" PRIu64, positions[i]);
		err = call(client, what, query, why, &counts, &next);
		counts.strangers += counts.changed + counts.failed == before;
		if (err == E_OK)
			err = go_on(progress, &counts, why);
	}
	if (err == E_OK)
		*ret_counts = counts;
	return err;
}

/* ---- without one ------------------------------------------------------------------------------------------------- */

/* One dead letter that was chosen. */
struct letter {
	uint64_t pos;
	char *bus;
};

struct letters {
	uint64_t only; /* 0: all */
	struct letter *items;
	size_t n, cap;
	size_t strangers;
	bool no_memory;
};

static bool grow(struct letters *l)
{
	size_t cap = l->cap ? 2 * l->cap : 64;
	struct letter *items = mem_realloc(l->items, cap * sizeof(*items));

	if (!items)
		return false;
	l->items = items;
	l->cap = cap;
	return true;
}

static bool on_dead(void *ctx, const struct store_dead_row *row)
{
	struct letters *l = ctx;
	char *bus;

	if (l->only && l->only != row->pos)
		return false;
	bus = l->n < l->cap || grow(l) ? str_dup(str_of(row->bus)) : NULL;
	l->no_memory |= !bus;
	if (bus)
		l->items[l->n++] = (struct letter){ row->pos, bus };
	return bus != NULL;
}

static void letters_release(struct letters *l)
{
	for (size_t i = 0; i < l->n; i++)
		mem_free(l->items[i].bus);
	mem_free(l->items);
}

static enum err letters_read(struct letters *l, const char *dir, const uint64_t *positions, size_t count,
			     struct why *why)
{
	struct store_reader *reader;
	enum err err = data_dir_read(dir, why, &reader);

	if (err != E_OK)
		return err;
	if (!count)
		err = store_read_dead(reader, 0, on_dead, l, why);
	for (size_t i = 0; i < count && err == E_OK; i++) {
		size_t before = l->n;

		l->only = positions[i];
		err = store_read_dead(reader, l->only, on_dead, l, why);
		l->strangers += l->n == before;
	}
	store_reader_close(reader);
	return l->no_memory ? why_set(why, E_NOMEM, "read dead letters: %s", err_text(E_NOMEM)) : err;
}

struct removal {
	struct store_dead_put put;
	sem_t *done;
};

static void on_done(struct store_dead_put *put)
{
	sem_post(CONTAINER_OF(put, struct removal, put)->done);
}

/* In one commit, or a few. */
static enum err remove_some(struct store *store, const struct letter *letters, size_t n, struct why *why)
{
	struct removal r[AT_ONCE];
	sem_t done;

	(void)sem_init(&done, /* pshared= */ 0, 0);
	for (size_t i = 0; i < n; i++) {
		r[i] = (struct removal){ .put = { .pos = letters[i].pos, .bus = letters[i].bus, .on_done = on_done } };
		r[i].put.what = STORE_DEAD_REMOVE;
		r[i].done = &done;
		store_dead(store, &r[i].put);
	}
	for (size_t left = n; left > 0;)
		left -= sem_wait(&done) == 0; /* a signal may come: the writer still has what we lent it */
	(void)sem_destroy(&done);
	for (size_t i = 0; i < n; i++)
		if (r[i].put.err != E_OK)
			return why_set(why, r[i].put.err, "drop dead letter %" PRIu64 ": %s", letters[i].pos,
				       err_text(r[i].put.err));
	return E_OK;
}

static enum err remove_all(const char *dir, const struct letters *l, struct why *why)
{
	struct store_config config = { .dir = dir, .dedup_ms = DEDUP_MS, .dedup_memory = DEDUP_BYTES };
	struct store *store;
	enum err err = store_open(&config, why, &store);

	if (err == E_BUSY)
		why_set(why, err, "another process writes %s, and it is no gateway that answers", dir);
	if (err != E_OK)
		return err;
	for (size_t i = 0; i < l->n && err == E_OK; i += AT_ONCE)
		err = remove_some(store, &l->items[i], l->n - i < AT_ONCE ? l->n - i : AT_ONCE, why);
	store_close(store);
	return err;
}

enum err dead_drop_offline(const char *dir, const uint64_t *positions, size_t count, struct why *why,
			   struct dead_counts *ret_counts)
{
	struct letters l = { 0 };
	enum err err = letters_read(&l, dir, positions, count, why);

	if (err == E_OK && l.n)
		err = remove_all(dir, &l, why);
	if (err == E_OK)
		*ret_counts = (struct dead_counts){ .changed = l.n, .strangers = l.strangers };
	letters_release(&l);
	return err;
}
