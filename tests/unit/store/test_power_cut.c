/*
 * Power cuts: a store on a disk that forgets what was not synced, cut at a random change, and looked at after the machine
 * came back. What was acknowledged is readable, once, whole; what is sent again is recognised if and only if it is there.
 *
 * HOLDFAST_POWER_CUTS and HOLDFAST_POWER_SEED change how many and which.
 */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rand.h"
#include "power_vfs.h"

#ifdef SANITIZED
#define CUTS 150
#else
#define CUTS 1000
#endif
#define CHAIN    25 /* cuts a store lives through */
#define WAVE     6  /* requests at a time */
#define KEYS_MAX 20000
#define DATA_MAX 3000

/* What we know of each key we ever sent. */
struct sent {
	bool acked;
	uint64_t pos; /* when acked */
	unsigned seen;
};

struct run {
	struct fixture *f;
	struct sent *sent;
	size_t n;
	bool retains;
	char data[DATA_MAX + 1];
};

struct request {
	struct waiting w;
	struct store_row row;
	char id[24];
	bool duplicate;
	size_t key;
};

/* The data says which key it is and how long it must be. */
static struct str data_of(struct run *run, size_t key)
{
	size_t n = 20 + key * 7919 % (DATA_MAX - 20);

	snprintf(run->data, sizeof(run->data), "\"%016zx", key);
	memset(run->data + 17, 'a' + (int)(key % 26), n - 18);
	run->data[n - 1] = '"';
	return (struct str){ run->data, n };
}

static void start(struct run *run, struct request *r, size_t key)
{
	*r = (struct request){ .key = key };
	snprintf(r->id, sizeof(r->id), "%zu", key);
	r->row = fixture_row(r->id, r->id, NULL);
	r->row.data = data_of(run, key);
	r->row.data.p = mem_dup(r->row.data.p, r->row.data.n);
	waiting_start(&r->w, run->f->store, &r->row, 1, &r->duplicate);
}

static enum err finish(struct run *run, struct request *r)
{
	struct sent *sent = &run->sent[r->key];
	enum err err = waiting_end(&r->w);

	mem_free((char *)(uintptr_t)r->row.data.p);
	if (err != E_OK)
		return err;
	if (sent->acked)
		assert_int_equal(r->row.pos, sent->pos);
	sent->acked = true;
	sent->pos = r->row.pos;
	return E_OK;
}

/* New keys, and now and then an old one again. */
static size_t choose_key(struct run *run)
{
	if (run->n && power_random(4) == 0)
		return (size_t)power_random(run->n);
	assert_true(run->n < KEYS_MAX);
	return run->n++;
}

static bool wave(struct run *run)
{
	struct request requests[WAVE];
	size_t n = 1 + (size_t)power_random(WAVE);
	bool all = true;

	for (size_t i = 0; i < n; i++)
		start(run, &requests[i], choose_key(run));
	for (size_t i = 0; i < n; i++)
		all &= finish(run, &requests[i]) == E_OK;
	return all;
}

static void stir(struct run *run)
{
	uint64_t last = store_last(run->f->store);

	if (last && power_random(8) == 0)
		store_set_forwarded(run->f->store, "bus", 1 + power_random(last));
	if (last && !run->retains && power_random(10) == 0)
		(void)fixture_dead(run->f, 1 + power_random(last), "bus", "too large");
}

static void until_the_cut(struct run *run)
{
	power_cut_after(1 + power_random(power_random(4) ? 60 : 600));
	if (fixture_open(run->f) == E_OK)
		while (wave(run))
			stir(run);
	fixture_close(run->f);
	assert_true(power_is_cut());
	power_restore();
}

/* ---- after it ------------------------------------------------------------------------------------------------------- */

static bool look_at_row(void *ctx, const struct store_row *row)
{
	struct run *run = ctx;
	uint64_t key = 0;
	struct str data;

	assert_true(str_to_u64(row->id, KEYS_MAX, &key) && key < run->n);
	assert_true(str_eq(row->id, row->key));
	data = data_of(run, key);
	assert_true(str_eq(row->data, data)); /* nothing torn */
	assert_int_equal(run->sent[key].seen++, 0);
	if (run->sent[key].acked)
		assert_int_equal(run->sent[key].pos, row->pos);
	return true;
}

static void look(struct run *run)
{
	struct store_query query = { 0 };
	struct store_reader *r;

	for (size_t i = 0; i < run->n; i++)
		run->sent[i].seen = 0;
	assert_int_equal(store_reader_open(run->f->dir, &run->f->why, &r), E_OK);
	assert_int_equal(store_read(r, &query, look_at_row, run, &run->f->why), E_OK);
	store_reader_close(r);
	for (size_t i = 0; i < run->n; i++)
		if (run->sent[i].acked && !run->retains)
			assert_int_equal(run->sent[i].seen, 1);
}

/* Whoever got no answer sends again; whoever got one may as well. */
static void send_again(struct run *run)
{
	for (size_t key = 0; key < run->n; key++) {
		struct sent *sent = &run->sent[key];
		bool acked = sent->acked;
		bool known = acked || sent->seen;
		struct request r;

		if (acked && power_random(16))
			continue;
		start(run, &r, key);
		assert_int_equal(finish(run, &r), E_OK);
		if (!run->retains || sent->seen) /* of what is gone we cannot tell whether it had been there */
			assert_int_equal(r.duplicate, known);
		else if (acked)
			assert_true(r.duplicate);
	}
}

static void after_the_cut(struct run *run)
{
	enum err err = fixture_open(run->f);

	if (err != E_OK)
		print_error("%s\n", run->f->why.text);
	assert_int_equal(err, E_OK);
	look(run);
	send_again(run);
	look(run);
	fixture_close(run->f);
}

static void chain(uint64_t seed, int cuts, bool retains)
{
	struct run run = { .f = fixture_new(), .sent = mem_array(KEYS_MAX, sizeof(struct sent)), .retains = retains };

	power_reset(seed);
	run.f->config.dedup_memory = 16 << 10; /* small, so that keys go to disk all the time */
	run.f->config.forward_all = retains;
	run.f->config.retain_bytes = retains ? 300 << 10 : 0;
	for (int i = 0; i < cuts; i++) {
		until_the_cut(&run);
		after_the_cut(&run);
	}
	fixture_free(run.f);
	mem_free(run.sent);
}

static long number_from(const char *name, long otherwise)
{
	const char *text = getenv(name);

	return text ? strtol(text, NULL, 10) : otherwise;
}

static void cut(bool retains)
{
	long cuts = number_from("HOLDFAST_POWER_CUTS", CUTS) / 2;
	uint64_t seed = (uint64_t)number_from("HOLDFAST_POWER_SEED", (long)(rand_u64() % 1000000000));

	print_message("seed %llu, %ld power cuts\n", (unsigned long long)seed, cuts);
	for (long done = 0; done < cuts; done += CHAIN)
		chain(seed + (uint64_t)done, cuts - done < CHAIN ? (int)(cuts - done) : CHAIN, retains);
}

static void what_was_acknowledged_survives_power_cuts(void **state)
{
	(void)state;
	cut(/* retains= */ false);
}

static void keys_survive_power_cuts_after_their_events_were_let_go(void **state)
{
	(void)state;
	cut(/* retains= */ true);
}

/* Cut after each change in turn: who reads then finds none, is told to wait for the next start, or finds one of the newest schema. */
static void a_store_that_is_being_made_is_whole_or_none(void **state)
{
	enum err made = E_IO, err;

	(void)state;
	for (uint64_t n = 1; made != E_OK; n++) {
		struct fixture *f = fixture_new();
		struct store_reader *r = NULL;

		power_reset(n);
		power_cut_after(n);
		made = fixture_open(f);
		fixture_close(f);
		power_restore();
		err = store_reader_open(f->dir, &f->why, &r);
		if (err != E_OK && err != E_NOT_FOUND && err != E_UNAVAILABLE)
			fail_msg("after %llu changes: %s", (unsigned long long)n, f->why.text);
		store_reader_close(r);
		fixture_free(f);
	}
	assert_int_equal(err, E_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_acknowledged_survives_power_cuts),
		cmocka_unit_test(keys_survive_power_cuts_after_their_events_were_let_go),
		cmocka_unit_test(a_store_that_is_being_made_is_whole_or_none),
	};

	fixture_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
