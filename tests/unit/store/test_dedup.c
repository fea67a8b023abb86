#include "fixture.h"

#include <stdio.h>

#include "base/mem.h"
#include "power_vfs.h"
#include "store/dedup_disk.h"
#include "store/schema.h"

#define WINDOW 8000 /* ms: a generation is a second */
#define MEMORY 1    /* the least: 192 keys before they go to disk */
#define FULL   192

/* A look-up over a database of its own, at a time the test sets. */
struct bench {
	struct fixture *f;
	struct db db;
	struct dedup d;
	struct why why;
	uint64_t last;
	int64_t now;
};

static void ok(struct bench *b, enum err err)
{
	if (err != E_OK)
		print_error("%s\n", b->why.text);
	assert_int_equal(err, E_OK);
}

static void bench_open(struct bench *b)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/spool.db", b->f->dir);
	ok(b, db_open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, 0, &b->why, &b->db));
	ok(b, schema_prepare(&b->db, &b->why));
	ok(b, db_prepare_all(&b->db, &b->why));
	ok(b, dedup_open(&b->d, &b->db, MEMORY, WINDOW, b->last, b->now, &b->why));
}

static void bench_close(struct bench *b)
{
	dedup_release(&b->d);
	db_close(&b->db);
}

static int setup(void **state)
{
	struct bench *b = mem_alloc(sizeof(*b));

	b->f = fixture_new();
	b->now = 1000000;
	bench_open(b);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	bench_close(b);
	fixture_free(b->f);
	mem_free(b);
	return 0;
}

static struct dedup_fp fp_of(struct bench *b, unsigned key)
{
	char text[16];

	snprintf(text, sizeof(text), "key-%u", key);
	return dedup_fp(&b->d, 1, str_of(text));
}

/* An event with this key, row and all. */
static void add(struct bench *b, unsigned key)
{
	struct dedup_entry entry = { fp_of(b, key), ++b->last, b->now };
	char sql[200];

	snprintf(sql, sizeof(sql),
		 "INSERT INTO events(pos, stored_ms, route, id, key, kind, meta)"
		 " VALUES(%llu, %lld, 1, 'id', 'key-%u', 0, '{}')",
		 (unsigned long long)b->last, (long long)b->now, key);
	ok(b, db_exec(&b->db, sql, &b->why));
	ok(b, dedup_reserve(&b->d, 1));
	dedup_add(&b->d, &entry);
}

static bool finds(struct bench *b, unsigned key, uint64_t pos)
{
	struct dedup_entry entry;
	bool found;

	ok(b, dedup_find(&b->d, fp_of(b, key), b->now, &b->why, &found, &entry));
	if (found)
		assert_int_equal(entry.pos, pos);
	return found;
}

/* Keys 1..n stand at positions 1..n. */
static void finds_all(struct bench *b, unsigned n)
{
	for (unsigned key = 1; key <= n; key++)
		assert_true(finds(b, key, key));
	assert_false(finds(b, n + 1, 0));
}

static void merge(struct bench *b)
{
	dedup_freeze(&b->d, b->last, b->now);
	while (dedup_busy(&b->d, b->now))
		ok(b, dedup_step(&b->d, 50, b->now, &b->why));
}

static void a_key_is_found_wherever_it_is(void **state)
{
	struct bench *b = *state;

	for (unsigned key = 1; key <= 150; key++)
		add(b, key);
	finds_all(b, 150); /* recent */
	dedup_freeze(&b->d, b->last, b->now);
	finds_all(b, 150); /* frozen */
	ok(b, dedup_step(&b->d, 70, b->now, &b->why));
	assert_true(dedup_merging(&b->d));
	finds_all(b, 150); /* some in the table */
	while (dedup_merging(&b->d))
		ok(b, dedup_step(&b->d, 70, b->now, &b->why));
	assert_int_equal(b->d.recent_n + b->d.frozen_n, 0);
	finds_all(b, 150); /* all */
}

/* Nothing but the leak check of the address sanitizer sees what this loses. */
static void room_made_for_repeats_alone_is_given_back(void **state)
{
	struct bench *b = *state;

	add(b, 1);
	merge(b);
	ok(b, dedup_reserve(&b->d, 1)); /* for a key that is found on disk: nothing is added */
	merge(b);
	assert_int_equal(b->d.recent_cap, 0);
	finds_all(b, 1);
}

static void a_start_finds_every_key_at_every_stage(void **state)
{
	struct bench *b = *state;

	for (unsigned key = 1; key <= 100; key++)
		add(b, key);
	bench_close(b);
	bench_open(b);
	finds_all(b, 100);
	merge(b);
	for (unsigned key = 101; key <= 150; key++)
		add(b, key);
	dedup_freeze(&b->d, b->last, b->now);
	ok(b, dedup_step(&b->d, 20, b->now, &b->why)); /* half way */
	bench_close(b);
	bench_open(b);
	finds_all(b, 150);
}

static void a_start_with_more_rows_than_memory_moves_them_to_disk(void **state)
{
	struct bench *b = *state;

	for (unsigned key = 1; key <= 3 * FULL + 10; key++)
		add(b, key);
	assert_true(dedup_is_due(&b->d, b->last));
	bench_close(b);
	bench_open(b);
	assert_true(b->d.recent_n <= FULL);
	finds_all(b, 3 * FULL + 10);
}

static void a_key_is_forgotten_when_the_window_is_over(void **state)
{
	struct bench *b = *state;

	add(b, 1);
	b->now += WINDOW - 1;
	assert_true(finds(b, 1, 1));
	b->now++;
	assert_false(finds(b, 1, 1)); /* from memory */
	b->now--;
	merge(b);
	assert_true(finds(b, 1, 1));
	b->now++;
	assert_false(finds(b, 1, 1)); /* from the table */
}

static void a_key_stored_again_after_its_window_counts_anew(void **state)
{
	struct bench *b = *state;

	add(b, 1);
	merge(b);
	b->now += WINDOW;
	add(b, 1);
	assert_true(finds(b, 1, 2));
	merge(b);
	assert_true(finds(b, 1, 2));
	bench_close(b);
	bench_open(b);
	assert_true(finds(b, 1, 2));
}

static int64_t rows_in(struct bench *b, const char *table)
{
	char sql[64];
	int64_t n = -1;

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", table);
	ok(b, db_i64(&b->db, sql, &b->why, &n));
	return n;
}

static void generations_go_as_a_whole_and_do_not_pile_up(void **state)
{
	struct bench *b = *state;
	unsigned key = 0;

	for (int round = 0; round < 40; round++) {
		for (int i = 0; i < 60; i++)
			add(b, ++key);
		b->now += 500;
		merge(b);
		assert_true(b->d.gen_n <= 11);
		assert_int_equal(rows_in(b, "dedup_gens"), b->d.gen_n);
	}
	assert_true(rows_in(b, "dedup") < 60 * 2 * 11); /* 20 s went by, 8 are remembered */
	assert_true(finds(b, key, key));
	b->now += 2 * WINDOW;
	while (dedup_busy(&b->d, b->now))
		ok(b, dedup_step(&b->d, 50, b->now, &b->why));
	assert_int_equal(rows_in(b, "dedup"), 0);
	assert_int_equal(rows_in(b, "dedup_gens"), 0);
}

/* ---- full generations ----------------------------------------------------------------------------------------------- */

#define GEN_FULL (16 * FULL)

/* These keys, as they come from memory, and nothing but that. */
static void add_to_disk(struct bench *b, unsigned first, unsigned last)
{
	ok(b, db_exec(&b->db, "BEGIN", &b->why));
	for (unsigned key = first; key <= last; key++) {
		add(b, key);
		if (b->d.recent_n < FULL && key < last)
			continue;
		dedup_freeze(&b->d, b->last, b->now);
		while (dedup_merging(&b->d))
			ok(b, dedup_step(&b->d, FULL, b->now, &b->why));
	}
	ok(b, db_exec(&b->db, "COMMIT", &b->why));
}

static void step(struct bench *b)
{
	ok(b, db_exec(&b->db, "BEGIN", &b->why));
	ok(b, dedup_step(&b->d, 500, b->now, &b->why));
	ok(b, db_exec(&b->db, "COMMIT", &b->why));
}

static void settle(struct bench *b)
{
	while (dedup_busy(&b->d, b->now))
		step(b);
}

static void a_generation_has_no_more_keys_than_are_cheap_to_write(void **state)
{
	struct bench *b = *state;

	add_to_disk(b, 1, GEN_FULL + FULL);
	assert_int_equal(b->d.gen_n, 2);
	assert_int_equal(b->d.gens[0].keys, GEN_FULL);
	bench_close(b);
	bench_open(b);
	add_to_disk(b, GEN_FULL + FULL + 1, GEN_FULL + 3 * FULL);
	assert_int_equal(b->d.gen_n, 2); /* nor fewer: it goes on with the newest */
	finds_all(b, GEN_FULL + 3 * FULL);
}

static size_t filters(const struct bench *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->d.gen_n; i++)
		n += b->d.gens[i].has_filter;
	return n;
}

static unsigned passed(struct bench *b, unsigned first, unsigned last)
{
	unsigned n = 0;

	for (unsigned key = first; key <= last; key++)
		n += dedup_filter_passes(&b->d, &b->d.gens[0], fp_of(b, key));
	return n;
}

static void a_full_generation_has_a_filter_that_most_new_keys_do_not_pass(void **state)
{
	struct bench *b = *state;

	add_to_disk(b, 1, GEN_FULL + 1);
	settle(b);
	assert_int_equal(filters(b), 1);
	assert_int_equal(passed(b, 1, GEN_FULL), GEN_FULL);
	assert_true(passed(b, 1000001, 1001000) < 120); /* 56 on the average */
	finds_all(b, GEN_FULL + 1);
}

static void without_memory_for_a_filter_it_is_made_the_next_time(void **state)
{
	struct bench *b = *state;

	add_to_disk(b, 1, GEN_FULL + 1);
	bench_close(b);
	bench_open(b);
	mem_fail_at(1);
	assert_int_equal(dedup_step(&b->d, 50, b->now, &b->why), E_NOMEM);
	mem_fail_at(0);
	bench_close(b); /* as the writer does after any error */
	bench_open(b);
	settle(b);
	assert_int_equal(filters(b), 1);
	finds_all(b, GEN_FULL + 1);
}

static void a_start_makes_the_filters_anew_and_finds_all_meanwhile(void **state)
{
	struct bench *b = *state;

	add_to_disk(b, 1, 3 * GEN_FULL + 1);
	settle(b);
	bench_close(b);
	bench_open(b);
	assert_int_equal(filters(b), 0);
	while (dedup_busy(&b->d, b->now)) {
		finds_all(b, 3 * GEN_FULL + 1);
		step(b);
	}
	assert_int_equal(filters(b), 3);
	finds_all(b, 3 * GEN_FULL + 1);
}

static void the_same_key_of_another_route_is_another(void **state)
{
	struct bench *b = *state;
	struct dedup_fp one = dedup_fp(&b->d, 1, STR("key"));
	struct dedup_fp two = dedup_fp(&b->d, 2, STR("key"));

	assert_true(one.hi != two.hi && one.lo != two.lo && one.hi != one.lo);
}

static void a_clock_set_back_forgets_nothing(void **state)
{
	struct bench *b = *state;

	add(b, 1);
	merge(b);
	b->now -= 10 * WINDOW;
	add(b, 2);
	merge(b);
	assert_true(finds(b, 1, 1));
	assert_true(finds(b, 2, 2));
}

static void a_clock_that_was_far_ahead_does_not_keep_what_comes_after_it(void **state)
{
	struct bench *b = *state;
	unsigned key = 0;

	b->now += 1000 * WINDOW;
	add(b, ++key);
	merge(b);
	b->now -= 1000 * WINDOW;
	for (int round = 0; round < 40; round++) {
		for (int i = 0; i < 60; i++)
			add(b, ++key);
		b->now += 500;
		merge(b);
		assert_true(b->d.gen_n <= 12);
	}
	assert_true(rows_in(b, "dedup") < 60 * 2 * 12);
	assert_true(finds(b, 1, 1)); /* nobody knows how old it is */
	assert_true(finds(b, key, key));
}

/* A clock that is set back again and again: no generation is old, none may go on. */
static void without_room_for_a_generation_the_newest_goes_on(void **state)
{
	struct bench *b = *state;
	unsigned key = 0;

	while (key < DEDUP_GENS_MAX + 6) {
		add(b, ++key);
		merge(b);
		b->now -= WINDOW / 8;
	}
	assert_int_equal(b->d.gen_n, DEDUP_GENS_MAX);
	finds_all(b, key);
	bench_close(b);
	bench_open(b);
	assert_int_equal(b->d.gen_n, DEDUP_GENS_MAX);
	finds_all(b, key);
}

/* It was made while the clock was ahead, and has its filter; when its time comes what came after it has gone. */
static void a_generation_that_goes_on_has_no_filter(void **state)
{
	struct bench *b = *state;
	int64_t now = b->now;

	b->now += 10 * WINDOW;
	add_to_disk(b, 1, GEN_FULL / 2);
	b->now = now;
	add_to_disk(b, GEN_FULL / 2 + 1, GEN_FULL / 2 + 1);
	settle(b);
	assert_int_equal(filters(b), 1);
	b->now = now + 10 * WINDOW;
	settle(b);
	assert_int_equal(b->d.gen_n, 1);
	add_to_disk(b, GEN_FULL / 2 + 2, GEN_FULL / 2 + 1 + FULL);
	assert_int_equal(b->d.gen_n, 1);
	for (unsigned i = GEN_FULL / 2 + 2; i <= GEN_FULL / 2 + 1 + FULL; i++)
		assert_true(finds(b, i, i));
}

/* ---- through the store ---------------------------------------------------------------------------------------------- */

static void a_sender_who_repeats_itself_gets_the_first_position(void **state)
{
	struct fixture *f = fixture_new();
	bool duplicate;
	uint64_t pos;

	(void)state;
	assert_int_equal(fixture_open(f), E_OK);
	assert_int_equal(fixture_put_one(f, "a", "k", &pos, &duplicate), E_OK);
	assert_true(pos == 1 && !duplicate);
	assert_int_equal(fixture_put_one(f, "b", "k", &pos, &duplicate), E_OK);
	assert_true(pos == 1 && duplicate);
	fixture_close(f);
	assert_int_equal(fixture_open(f), E_OK);
	assert_int_equal(fixture_put_one(f, "c", "k", &pos, &duplicate), E_OK);
	assert_true(pos == 1 && duplicate);
	assert_int_equal(fixture_put_one(f, "d", "", &pos, &duplicate), E_OK);
	assert_true(pos == 2 && !duplicate); /* without a key nothing is the same */
	assert_int_equal(fixture_put_one(f, "d", "", &pos, &duplicate), E_OK);
	assert_true(pos == 3 && !duplicate);
	assert_string_equal(fixture_ids(f, 0), "a d d ");
	fixture_free(f);
}

/* Two requests with one key, on their way together: one event, and both senders are told so. */
static void the_same_key_in_one_group_is_stored_once(void **state)
{
	struct fixture *f = fixture_new();
	struct waiting w[8];
	struct store_row rows[8];
	bool duplicates[8];
	int fresh = 0;

	(void)state;
	assert_int_equal(fixture_open(f), E_OK);
	for (int i = 0; i < 8; i++) {
		rows[i] = fixture_row("a", "k", "{}");
		waiting_start(&w[i], f->store, &rows[i], 1, &duplicates[i]);
	}
	for (int i = 0; i < 8; i++) {
		assert_int_equal(waiting_end(&w[i]), E_OK);
		assert_int_equal(rows[i].pos, 1);
		fresh += !duplicates[i];
	}
	assert_int_equal(fresh, 1);
	assert_string_equal(fixture_ids(f, 0), "a ");
	fixture_free(f);
}

static void a_window_of_nothing_turns_it_off(void **state)
{
	struct fixture *f = fixture_new();
	bool duplicate;

	(void)state;
	f->config.dedup_ms = 0;
	assert_int_equal(fixture_open(f), E_OK);
	assert_int_equal(fixture_put_one(f, "a", "k", NULL, &duplicate), E_OK);
	assert_int_equal(fixture_put_one(f, "b", "k", NULL, &duplicate), E_OK);
	assert_false(duplicate);
	assert_string_equal(fixture_ids(f, 0), "a b ");
	fixture_free(f);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_key_is_found_wherever_it_is),
		T(room_made_for_repeats_alone_is_given_back),
		T(a_start_finds_every_key_at_every_stage),
		T(a_start_with_more_rows_than_memory_moves_them_to_disk),
		T(a_key_is_forgotten_when_the_window_is_over),
		T(a_key_stored_again_after_its_window_counts_anew),
		T(generations_go_as_a_whole_and_do_not_pile_up),
		T(a_generation_has_no_more_keys_than_are_cheap_to_write),
		T(a_full_generation_has_a_filter_that_most_new_keys_do_not_pass),
		T(without_memory_for_a_filter_it_is_made_the_next_time),
		T(a_start_makes_the_filters_anew_and_finds_all_meanwhile),
		T(the_same_key_of_another_route_is_another),
		T(a_clock_set_back_forgets_nothing),
		T(a_clock_that_was_far_ahead_does_not_keep_what_comes_after_it),
		T(without_room_for_a_generation_the_newest_goes_on),
		T(a_generation_that_goes_on_has_no_filter),
		cmocka_unit_test(a_sender_who_repeats_itself_gets_the_first_position),
		cmocka_unit_test(the_same_key_in_one_group_is_stored_once),
		cmocka_unit_test(a_window_of_nothing_turns_it_off),
	};

	power_reset(1); /* its syncs cost nothing */
	fixture_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
