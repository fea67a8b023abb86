/* dead_letters.h without a gateway: what is chosen goes, what is not stays, and failing memory loses nothing. */
#include "cli/dead_letters.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"

static char dir[64];

struct waiting {
	struct store_put put;
	struct store_dead_put dead;
	sem_t done;
};

static void on_stored(struct store_put *put)
{
	sem_post(&CONTAINER_OF(put, struct waiting, put)->done);
}

static void on_done(struct store_dead_put *put)
{
	sem_post(&CONTAINER_OF(put, struct waiting, dead)->done);
}

/* One more event, set aside for a bus. */
static void set_aside(struct store *store, const char *bus)
{
	struct store_row row = { .source = STR("s"), .name = STR("n"), .id = STR("i"), .meta = STR("{}") };
	struct waiting w = { .put = { .rows = &row, .count = 1, .on_stored = on_stored },
			     .dead = { .bus = bus, .reason = "too large", .on_done = on_done } };

	sem_init(&w.done, 0, 0);
	store_put(store, &w.put);
	sem_wait(&w.done);
	assert_int_equal(w.put.err, E_OK);
	w.dead.pos = row.pos;
	store_dead(store, &w.dead);
	sem_wait(&w.done);
	assert_int_equal(w.dead.err, E_OK);
}

static struct store *open_store(void)
{
	struct store_config config = { .dir = dir, .dedup_ms = 1000, .dedup_memory = 1 << 16 };
	struct why why = { 0 };
	struct store *store;

	assert_int_equal(store_open(&config, &why, &store), E_OK);
	return store;
}

static int make_letters(void **state)
{
	struct store *store;

	(void)state;
	log_setup(2, LOG_ERROR, LOG_FORMAT_TEXT);
	(void)snprintf(dir, sizeof(dir), "/tmp/holdfast-dead-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	store = open_store();
	for (int i = 0; i < 3; i++)
		set_aside(store, "nats");
	store_close(store);
	return 0;
}

static int remove_dir(void **state)
{
	char command[96];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static bool count_one(void *ctx, const struct store_dead_row *row)
{
	(void)row;
	++*(size_t *)ctx;
	return true;
}

static size_t left(void)
{
	struct why why = { 0 };
	struct store_reader *reader;
	size_t n = 0;

	assert_int_equal(store_reader_open(dir, &why, &reader), E_OK);
	assert_int_equal(store_read_dead(reader, 0, count_one, &n, &why), E_OK);
	store_reader_close(reader);
	return n;
}

static void only_what_was_chosen_goes(void **state)
{
	static const uint64_t chosen[] = { 2, 99 };
	struct dead_counts counts = { 0 };
	struct why why = { 0 };

	(void)state;
	assert_int_equal(dead_drop_offline(dir, chosen, 2, &why, &counts), E_OK);
	assert_int_equal(counts.changed, 1);
	assert_int_equal(left(), 2);
	assert_int_equal(dead_drop_offline(dir, NULL, 0, &why, &counts), E_OK);
	assert_int_equal(counts.changed, 2);
	assert_int_equal(left(), 0);
	assert_int_equal(dead_drop_offline(dir, NULL, 0, &why, &counts), E_OK);
	assert_int_equal(counts.changed, 0);
}

static void a_letter_of_two_buses_goes_for_both(void **state)
{
	struct store *store = open_store();
	struct waiting w = { .dead = { .pos = 1, .bus = "other", .reason = "r", .on_done = on_done } };
	static const uint64_t chosen[] = { 1 };
	struct dead_counts counts = { 0 };
	struct why why = { 0 };

	(void)state;
	sem_init(&w.done, 0, 0);
	store_dead(store, &w.dead);
	sem_wait(&w.done);
	store_close(store);
	assert_int_equal(left(), 4);
	assert_int_equal(dead_drop_offline(dir, chosen, 1, &why, &counts), E_OK);
	assert_int_equal(left(), 2);
}

static void beside_another_writer_nothing_happens(void **state)
{
	struct store *store = open_store();
	struct dead_counts counts = { 0 };
	struct why why = { 0 };

	(void)state;
	assert_int_equal(dead_drop_offline(dir, NULL, 0, &why, &counts), E_BUSY);
	assert_non_null(strstr(why.text, "another process writes"));
	store_close(store);
	assert_int_equal(left(), 3);
}

/* Every allocation fails once, the store's among them. Success means that they are gone; a failure is said. */
static void without_memory_it_fails_or_is_done(void **state)
{
	size_t before = 3;
	long failures = 0;

	(void)state;
	for (long i = 1; before; i++) {
		struct dead_counts counts = { .changed = 77 };
		struct why why = { 0 };
		size_t after;
		enum err err;

		mem_fail_at(i);
		err = dead_drop_offline(dir, NULL, 0, &why, &counts);
		mem_fail_at(0);
		after = left();
		if (err == E_OK) {
			assert_int_equal(after, 0);
			assert_int_equal(counts.changed, before);
		} else {
			assert_int_equal(counts.changed, 77);
			assert_true(why.text[0] != '\0');
			failures++;
		}
		before = after;
	}
	assert_true(failures > 3);
}

#define TEST_WITH_LETTERS(f) cmocka_unit_test_setup_teardown(f, make_letters, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_WITH_LETTERS(only_what_was_chosen_goes),
		TEST_WITH_LETTERS(a_letter_of_two_buses_goes_for_both),
		TEST_WITH_LETTERS(beside_another_writer_nothing_happens),
		TEST_WITH_LETTERS(without_memory_it_fails_or_is_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
