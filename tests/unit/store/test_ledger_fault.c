/*
 * Faults and power cuts of the ledger. Each transaction puts one row into every table under a number of its own, and a
 * later one removes them again: whatever happens, a number has all of its rows or none, and what on_done said stays said.
 *
 * HOLDFAST_POWER_CUTS and HOLDFAST_POWER_SEED change how many cuts there are and which.
 */
#include "ledger_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rand.h"
#include "power_vfs.h"

#ifdef SANITIZED
#define CUTS 60
#define STEP 13 /* every so many points; all of them in a plain build */
#else
#define CUTS 500
#define STEP 1
#endif
#define CHAIN    25 /* cuts a ledger lives through */
#define WAVE     6  /* transactions at a time */
#define NUMBERS  20000
#define DATA_MAX 3000

enum fate { NEVER, MAYBE, PUT, MAYBE_GONE, GONE };

struct run {
	struct ledger_fixture *f;
	unsigned char *fate;
	unsigned char *rows; /* seen of each number */
	size_t n;
	size_t removed; /* numbers below were removed, or it was tried */
};

struct transaction {
	struct ledger_waiting w;
	struct ledger_change changes[LEDGER_TABLE_COUNT];
	char name[24];
	char data[DATA_MAX];
	size_t number;
	bool remove;
};

static struct run run_init(void)
{
	return (struct run){
		.f = ledger_fixture_new(),
		.fate = mem_alloc(NUMBERS),
		.rows = mem_alloc(NUMBERS),
	};
}

static void run_release(struct run *run)
{
	ledger_fixture_free(run->f);
	mem_free(run->fate);
	mem_free(run->rows);
}

static size_t data_size(size_t number)
{
	return 10 + number * 7919 % (DATA_MAX - 10);
}

static void start(struct run *run, struct transaction *t, size_t number, bool remove)
{
	struct str name;

	assert_true(number < NUMBERS);
	t->number = number;
	t->remove = remove;
	name = (struct str){ t->name, (size_t)snprintf(t->name, sizeof(t->name), "%zu", number) };
	memset(t->data, 'a' + (int)(number % 26), sizeof(t->data));
	for (int i = 0; i < LEDGER_TABLE_COUNT; i++)
		t->changes[i] = (struct ledger_change){
			.table = (enum ledger_table)i,
			.remove = remove,
			.row = { .peer = STR("agent"),
				 .kind = STR("k"),
				 .name = name,
				 .bytes = { t->data, data_size(number) } },
		};
	run->fate[number] = remove ? MAYBE_GONE : MAYBE;
	ledger_waiting_start(&t->w, run->f->ledger, t->changes, LEDGER_TABLE_COUNT);
}

static enum err finish(struct run *run, struct transaction *t)
{
	enum err err = ledger_waiting_end(&t->w);

	if (err == E_OK)
		run->fate[t->number] = t->remove ? GONE : PUT;
	return err;
}

static enum err wave(struct run *run)
{
	static struct transaction t[WAVE];
	size_t n = 1 + (size_t)power_random(WAVE);
	enum err err = E_OK;

	for (size_t i = 0; i < n; i++) {
		bool remove = run->removed + 10 < run->n && power_random(2);

		start(run, &t[i], remove ? run->removed++ : run->n++, remove);
	}
	for (size_t i = 0; i < n; i++) {
		enum err one = finish(run, &t[i]);

		err = one == E_OK ? err : one;
	}
	return err;
}

/* ---- looking -------------------------------------------------------------------------------------------------------- */

static bool look_at_row(void *ctx, const struct ledger_row *row)
{
	struct run *run = ctx;
	uint64_t number = 0;

	assert_true(str_to_u64(row->name, run->n, &number) && number < run->n);
	assert_int_equal(row->bytes.n, data_size(number));
	for (size_t i = 0; i < row->bytes.n; i++)
		assert_int_equal(row->bytes.p[i], 'a' + (int)(number % 26)); /* nothing torn */
	run->rows[number]++;
	return true;
}

static void look(struct run *run)
{
	memset(run->rows, 0, NUMBERS);
	for (int i = 0; i < LEDGER_TABLE_COUNT; i++)
		assert_int_equal(ledger_read(run->f->ledger, (enum ledger_table)i, (struct str){ 0 }, look_at_row, run,
					     &run->f->why),
				 E_OK);
	for (size_t i = 0; i < run->n; i++) {
		assert_true(run->rows[i] == 0 || run->rows[i] == LEDGER_TABLE_COUNT); /* all or none */
		if (run->fate[i] == PUT)
			assert_int_equal(run->rows[i], LEDGER_TABLE_COUNT);
		if (run->fate[i] == GONE)
			assert_int_equal(run->rows[i], 0);
	}
}

static void open_and_look(struct run *run)
{
	if (ledger_fixture_open(run->f) != E_OK)
		fail_msg("%s", run->f->why.text);
	look(run);
}

/* What is there now stays: it was read from a disk that has it for certain. */
static void settle(struct run *run)
{
	for (size_t i = 0; i < run->n; i++)
		run->fate[i] = run->rows[i] ? PUT : GONE;
}

/* ---- power cuts ----------------------------------------------------------------------------------------------------- */

static void until_the_cut(struct run *run)
{
	power_cut_after(1 + power_random(power_random(4) ? 60 : 600));
	if (ledger_fixture_open(run->f) == E_OK)
		while (wave(run) == E_OK)
			;
	ledger_fixture_close(run->f);
	assert_true(power_is_cut());
	power_restore();
}

static void chain(uint64_t seed, int cuts)
{
	struct run run = run_init();

	power_reset(seed);
	for (int i = 0; i < cuts; i++) {
		until_the_cut(&run);
		open_and_look(&run);
		settle(&run);
		ledger_fixture_close(run.f);
	}
	run_release(&run);
}

static long number_from(const char *name, long otherwise)
{
	const char *text = getenv(name);

	return text ? strtol(text, NULL, 10) : otherwise;
}

static void what_was_acknowledged_survives_power_cuts_and_transactions_are_whole(void **state)
{
	long cuts = number_from("HOLDFAST_POWER_CUTS", CUTS);
	uint64_t seed = (uint64_t)number_from("HOLDFAST_POWER_SEED", (long)(rand_u64() % 1000000000));

	(void)state;
	print_message("seed %llu, %ld power cuts\n", (unsigned long long)seed, cuts);
	for (long done = 0; done < cuts; done += CHAIN)
		chain(seed + (uint64_t)done, cuts - done < CHAIN ? (int)(cuts - done) : CHAIN);
}

/* ---- faults --------------------------------------------------------------------------------------------------------- */

static void act(struct run *run)
{
	if (ledger_fixture_open(run->f) != E_OK)
		return;
	for (int i = 0; i < 5; i++)
		(void)wave(run);
	ledger_fixture_close(run->f);
}

static void recover(struct run *run)
{
	power_fail(POWER_ALL, 0, 0);
	mem_fail_at(0);
	power_restore();
	open_and_look(run);
	settle(run);
	assert_int_equal(wave(run), E_OK);
	look(run);
	ledger_fixture_close(run->f);
}

static void fail_each(unsigned ops, uint64_t times)
{
	uint64_t points = 1;

	for (uint64_t n = 0; n <= points; n += n ? STEP : 1) {
		struct run run = run_init();

		power_reset(n);
		power_fail(ops, n, times); /* the first pass counts */
		act(&run);
		if (n == 0)
			points = power_count();
		recover(&run);
		run_release(&run);
	}
	assert_true(points > 5);
}

static void each_operation_of_the_disk_may_fail_once(void **state)
{
	(void)state;
	fail_each(POWER_ALL, 1);
}

static void each_sync_may_fail_and_its_writes_be_lost(void **state)
{
	(void)state;
	fail_each(POWER_SYNC, 1);
}

static void writes_may_fail_from_some_point_on(void **state)
{
	(void)state;
	fail_each(POWER_WRITE | POWER_SYNC, 1000000);
}

static void each_allocation_of_ours_may_fail(void **state)
{
	long points = 1;

	(void)state;
	for (long n = 0; n <= points; n++) {
		struct run run = run_init();

		power_reset((uint64_t)n);
		mem_fail_at(n);
		act(&run);
		if (n == 0)
			points = mem_count();
		recover(&run);
		run_release(&run);
	}
	assert_true(points > 3);
}

/* ---- a ledger that stays open --------------------------------------------------------------------------------------- */

static void until_well(struct run *run)
{
	uint64_t tries = 0;

	while (ledger_fixture_set(run->f, "well", NULL) != E_OK)
		assert_true(++tries < 100000000);
}

static void a_ledger_that_failed_refuses_and_comes_back(void **state)
{
	struct run run = run_init();
	bool more = false;

	(void)state;
	power_reset(7);
	assert_int_equal(ledger_fixture_open(run.f), E_OK);
	assert_int_equal(wave(&run), E_OK);
	power_fail(POWER_SYNC, 1, 1000000);
	assert_int_equal(wave(&run), E_UNAVAILABLE);
	assert_int_equal(wave(&run), E_UNAVAILABLE);
	assert_true(ledger_has_failed(run.f->ledger));
	assert_int_equal(ledger_read(run.f->ledger, LEDGER_COPY, (struct str){ 0 }, look_at_row, &more, &run.f->why),
			 E_UNAVAILABLE);
	power_fail(POWER_ALL, 0, 0);
	until_well(&run);
	assert_false(ledger_has_failed(run.f->ledger));
	look(&run);
	assert_int_equal(wave(&run), E_OK);
	look(&run);
	ledger_fixture_close(run.f);
	recover(&run);
	run_release(&run);
}

/* Away, or with an empty directory in its place. */
static void take_away(struct run *run, bool replaced)
{
	const char *dir = run->f->f->dir;
	char aside[128];

	snprintf(aside, sizeof(aside), "%s-aside", dir);
	assert_int_equal(rename(dir, aside), 0);
	if (replaced)
		assert_int_equal(mkdir(dir, 0700), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(wave(run), E_UNAVAILABLE);
	if (replaced)
		assert_int_equal(rmdir(dir), 0); /* nothing was made there */
	assert_int_equal(rename(aside, dir), 0);
}

static void a_ledger_that_is_taken_away_refuses_until_it_is_back(void **state)
{
	(void)state;
	for (int replaced = 0; replaced < 2; replaced++) {
		struct run run = run_init();

		power_reset(5);
		assert_int_equal(ledger_fixture_open(run.f), E_OK);
		assert_int_equal(wave(&run), E_OK);
		take_away(&run, replaced);
		until_well(&run);
		look(&run);
		assert_int_equal(wave(&run), E_OK);
		look(&run);
		ledger_fixture_close(run.f);
		run_release(&run);
	}
}

static void a_log_that_is_taken_away_is_missed_and_loses_nothing(void **state)
{
	struct run run = run_init();
	char path[128];

	(void)state;
	power_reset(6);
	assert_int_equal(ledger_fixture_open(run.f), E_OK);
	assert_int_equal(wave(&run), E_OK);
	snprintf(path, sizeof(path), "%s/ledger.db-wal", run.f->f->dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(wave(&run), E_UNAVAILABLE);
	until_well(&run);
	look(&run);
	ledger_fixture_close(run.f);
	run_release(&run);
}

static void a_full_disk_refuses_and_loses_nothing(void **state)
{
	struct run run = run_init();
	enum err err = E_OK;

	(void)state;
	power_reset(3);
	power_disk_size(400 << 10);
	assert_int_equal(ledger_fixture_open(run.f), E_OK);
	while (err == E_OK)
		err = wave(&run);
	assert_int_equal(err, E_FULL);
	power_disk_size(0);
	until_well(&run);
	look(&run);
	assert_int_equal(wave(&run), E_OK);
	ledger_fixture_close(run.f);
	recover(&run);
	run_release(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_acknowledged_survives_power_cuts_and_transactions_are_whole),
		cmocka_unit_test(each_operation_of_the_disk_may_fail_once),
		cmocka_unit_test(each_sync_may_fail_and_its_writes_be_lost),
		cmocka_unit_test(writes_may_fail_from_some_point_on),
		cmocka_unit_test(each_allocation_of_ours_may_fail),
		cmocka_unit_test(a_ledger_that_failed_refuses_and_comes_back),
		cmocka_unit_test(a_ledger_that_is_taken_away_refuses_until_it_is_back),
		cmocka_unit_test(a_log_that_is_taken_away_is_missed_and_loses_nothing),
		cmocka_unit_test(a_full_disk_refuses_and_loses_nothing),
	};

	fixture_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
