/* holdfast/store.h: durable when append returns, readable in order, by this process and others. */
#include "holdfast/store.h"

#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static int make_dir(void **state)
{
	char path[] = "/tmp/hf-store-XXXXXX";

	*state = mkdtemp(path) ? mem_dup(path, strlen(path)) : NULL;
	return *state ? 0 : -1;
}

static int remove_dir(void **state)
{
	int failed = nftw(*state, remove_entry, 16, FTW_DEPTH | FTW_PHYS);

	mem_free(*state);
	return failed;
}

static struct hf_store *open_store(const char *dir, bool read_only)
{
	const struct hf_store_options options = { .read_only = read_only };
	struct hf_store *s = NULL;
	struct hf_why why = { 0 };

	if (hf_store_open(dir, &options, &why, &s))
		fail_msg("%s", why.text);
	return s;
}

static struct hf_event *event_with(const char *id, const char *text)
{
	struct hf_event *e = hf_event_new();

	assert_non_null(e);
	assert_int_equal(hf_event_set(e, "id", id), HF_OK);
	assert_int_equal(hf_event_set(e, "source", "/test"), HF_OK);
	assert_int_equal(hf_event_set(e, "type", "t"), HF_OK);
	assert_int_equal(hf_event_set(e, "tenant", "blue"), HF_OK);
	assert_int_equal(hf_event_set_data(e, HF_DATA_TEXT, text, strlen(text)), HF_OK);
	return e;
}

static struct hf_entry entry_of(const struct hf_event *e, const char *key)
{
	return (struct hf_entry){ .stream = "orders", .name = "paid", .key = key, .event = e };
}

/* Appends and returns what became of it. */
static struct hf_stored store_one(struct hf_store *s, const char *id, const char *text, const char *key)
{
	struct hf_event *e = event_with(id, text);
	struct hf_stored stored = { 0 };
	struct hf_why why = { 0 };

	if (hf_store_append(s, &(struct hf_entry){ "orders", "paid", key, e }, 1, &why, &stored))
		fail_msg("%s", why.text);
	hf_event_free(e);
	return stored;
}

static uint64_t append(struct hf_store *s, const char *id, const char *text)
{
	return store_one(s, id, text, /* key= */ NULL).position;
}

/* What was read, one "position stream/name id tenant data" a line. */
struct seen {
	char text[4096];
	size_t n;
	size_t stop_after;
	size_t count;
};

static bool see(void *ctx, const struct hf_record *r)
{
	struct seen *seen = ctx;
	size_t size;
	const char *data = hf_event_data(r->event, NULL, &size);
	int n = snprintf(seen->text + seen->n, sizeof(seen->text) - seen->n, "%llu %s/%s %s %s %.*s\n",
			 (unsigned long long)r->position, r->stream, r->name, hf_event_get(r->event, "id"),
			 hf_event_get(r->event, "tenant"), (int)size, data ? data : "");

	assert_true(n > 0 && (size_t)n < sizeof(seen->text) - seen->n);
	assert_true(r->stored_ms > 1600000000000);
	seen->n += (size_t)n;
	return ++seen->count != seen->stop_after;
}

static void expect_read(struct hf_store *s, uint64_t from, size_t limit, size_t stop_after, const char *want)
{
	struct seen seen = { .stop_after = stop_after };
	struct hf_why why = { 0 };

	if (hf_store_read(s, from, limit, see, &seen, &why))
		fail_msg("%s", why.text);
	assert_string_equal(seen.text, want);
}

/* Retention comes between two groups, in its own time. */
static void until_read(struct hf_store *s, uint64_t from, const char *want)
{
	struct hf_why why;
	struct seen seen;
	time_t end = time(NULL) + 60;

	do {
		seen = (struct seen){ .n = 0 };
		assert_int_equal(hf_store_read(s, from, 0, see, &seen, &why), HF_OK);
		assert_true(time(NULL) < end);
	} while (strcmp(seen.text, want) != 0);
}

static void what_is_appended_is_read_in_order(void **state)
{
	struct hf_store *s = open_store(*state, /* read_only= */ false);
	uint64_t last = 99;

	assert_int_equal(hf_store_last(s, NULL, &last), HF_OK);
	assert_int_equal(last, 0);
	assert_int_equal(append(s, "a", "one"), 1);
	assert_int_equal(append(s, "b", "two"), 2);
	assert_int_equal(append(s, "c", "three"), 3);
	assert_int_equal(hf_store_last(s, NULL, &last), HF_OK);
	assert_int_equal(last, 3);
	expect_read(s, 1, 0, 0, "1 orders/paid a blue one\n2 orders/paid b blue two\n3 orders/paid c blue three\n");
	expect_read(s, 2, 1, 0, "2 orders/paid b blue two\n");
	expect_read(s, 1, 0, /* stop_after= */ 1, "1 orders/paid a blue one\n");
	expect_read(s, 4, 0, 0, "");
	hf_store_close(s);
}

static void what_was_appended_is_there_after_reopening(void **state)
{
	struct hf_store *s = open_store(*state, false);

	append(s, "a", "one");
	hf_store_close(s);
	s = open_store(*state, false);
	expect_read(s, 1, 0, 0, "1 orders/paid a blue one\n");
	assert_int_equal(append(s, "b", "two"), 2);
	hf_store_close(s);
}

static void the_same_key_is_stored_once(void **state)
{
	struct hf_store *s = open_store(*state, false);
	struct hf_stored stored = store_one(s, "a", "one", "delivery-1");

	assert_true(stored.position == 1 && !stored.duplicate);
	stored = store_one(s, "b", "again", "delivery-1");
	assert_true(stored.position == 1 && stored.duplicate);
	stored = store_one(s, "c", "two", "delivery-2");
	assert_true(stored.position == 2 && !stored.duplicate);
	expect_read(s, 1, 0, 0, "1 orders/paid a blue one\n2 orders/paid c blue two\n");
	hf_store_close(s);
}

static void a_reader_sees_what_a_writer_appends(void **state)
{
	struct hf_store *writer = open_store(*state, false);
	struct hf_store *reader = open_store(*state, /* read_only= */ true);
	struct hf_event *e = event_with("x", "y");
	struct hf_entry entry = entry_of(e, NULL);
	struct hf_why why = { 0 };
	uint64_t last = 0;

	append(writer, "a", "one");
	assert_int_equal(hf_store_last(reader, NULL, &last), HF_OK);
	assert_int_equal(last, 1);
	expect_read(reader, 1, 0, 0, "1 orders/paid a blue one\n");
	assert_int_equal(hf_store_append(reader, &entry, 1, &why, NULL), HF_UNSUPPORTED);
	assert_non_null(strstr(why.text, "reading"));
	hf_event_free(e);
	hf_store_close(reader);
	hf_store_close(writer);
}

static void a_second_writer_and_a_missing_store_are_refused(void **state)
{
	const struct hf_store_options read_only = { .read_only = true };
	struct hf_store *none = NULL;
	struct hf_why why = { 0 };

	assert_int_equal(hf_store_open(*state, &read_only, &why, &none), HF_NOT_FOUND);
	struct hf_store *s = open_store(*state, false);
	assert_int_equal(hf_store_open(*state, NULL, &why, &none), HF_BUSY);
	assert_true(why.text[0] != '\0');
	assert_null(none);
	hf_store_close(s);
}

static void a_call_that_breaks_its_contract_is_refused(void **state)
{
	struct hf_store *s = open_store(*state, false);
	struct hf_event *empty = hf_event_new(), *e = event_with("a", "one");
	char long_word[1002];
	const struct {
		struct hf_entry entry;
		enum hf_error error;
	} rows[] = {
		{ { "orders", "paid", NULL, empty }, HF_MALFORMED },
		{ { NULL, "paid", NULL, e }, HF_BAD_ARGUMENT },
		{ { "orders", NULL, NULL, e }, HF_BAD_ARGUMENT },
		{ { "orders", "paid", NULL, NULL }, HF_BAD_ARGUMENT },
		{ { "", "paid", NULL, e }, HF_MALFORMED },
		{ { "orders", "a\nb", NULL, e }, HF_MALFORMED },
		{ { "orders", "\xff", NULL, e }, HF_MALFORMED },
		{ { long_word, "paid", NULL, e }, HF_MALFORMED },
		{ { "orders", "paid", long_word, e }, HF_MALFORMED },
		{ { "orders", "paid", "\xff", e }, HF_MALFORMED },
	};
	struct hf_stored stored = { .position = 7 };
	struct hf_why why;
	uint64_t last;

	memset(long_word, 'x', sizeof(long_word) - 1);
	long_word[sizeof(long_word) - 1] = '\0';

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(hf_store_append(s, &rows[i].entry, 1, &why, &stored), rows[i].error);
	assert_int_equal(hf_store_append(s, NULL, 1, &why, &stored), HF_BAD_ARGUMENT);
	assert_int_equal(hf_store_append(s, &rows[0].entry, 0, &why, &stored), HF_BAD_ARGUMENT);
	assert_int_equal(hf_store_append(NULL, &rows[0].entry, 1, &why, &stored), HF_BAD_ARGUMENT);
	assert_int_equal(hf_store_submit(s, &rows[0].entry, 1, NULL, NULL, &why), HF_BAD_ARGUMENT);
	assert_int_equal(hf_store_read(s, 1, 0, NULL, NULL, &why), HF_BAD_ARGUMENT);
	assert_int_equal(hf_store_last(s, &why, NULL), HF_BAD_ARGUMENT);
	assert_int_equal(hf_store_open(NULL, NULL, &why, &s), HF_BAD_ARGUMENT);
	assert_int_equal(hf_store_open("", NULL, &why, &s), HF_BAD_ARGUMENT);
	assert_int_equal(stored.position, 7);
	assert_int_equal(hf_store_last(s, NULL, &last), HF_OK);
	assert_int_equal(last, 0);
	hf_event_free(empty);
	hf_event_free(e);
	hf_store_close(s);
	hf_store_close(NULL);
}

#define THREADS 4
#define EACH    50

struct appender {
	struct hf_store *store;
	const struct hf_event *event;
	int failed;
	pthread_t thread;
};

static void *append_many(void *ctx)
{
	struct appender *a = ctx;
	const struct hf_entry entry = entry_of(a->event, NULL);

	for (int i = 0; i < EACH; i++)
		a->failed += hf_store_append(a->store, &entry, 1, NULL, NULL) != HF_OK;
	return NULL;
}

static void many_threads_append_at_once(void **state)
{
	struct hf_store *s = open_store(*state, false);
	struct hf_event *e = event_with("id", "text");
	struct appender appenders[THREADS];
	uint64_t last;

	for (size_t i = 0; i < THREADS; i++) {
		appenders[i] = (struct appender){ .store = s, .event = e };
		assert_int_equal(pthread_create(&appenders[i].thread, NULL, append_many, &appenders[i]), 0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(appenders[i].thread, NULL);
		assert_int_equal(appenders[i].failed, 0);
	}
	assert_int_equal(hf_store_last(s, NULL, &last), HF_OK);
	assert_int_equal(last, THREADS * EACH);
	hf_event_free(e);
	hf_store_close(s);
}

static void several_are_stored_together_or_not_at_all(void **state)
{
	struct hf_store *s = open_store(*state, false);
	struct hf_event *a = event_with("a", "one"), *b = event_with("b", "two"), *bad = hf_event_new();
	struct hf_entry entries[] = { entry_of(a, "k"), entry_of(b, NULL), entry_of(a, "k") };
	struct hf_stored stored[3];
	struct hf_why why;

	assert_int_equal(hf_store_append(s, entries, 3, &why, stored), HF_OK);
	assert_true(stored[0].position == 1 && stored[1].position == 2 && stored[2].position == 1);
	assert_true(!stored[0].duplicate && !stored[1].duplicate && stored[2].duplicate);
	entries[1].event = bad;
	assert_int_equal(hf_store_append(s, entries, 2, &why, stored), HF_MALFORMED);
	assert_non_null(strstr(why.text, "append: entry 1: "));
	expect_read(s, 1, 0, 0, "1 orders/paid a blue one\n2 orders/paid b blue two\n");
	hf_event_free(a);
	hf_event_free(b);
	hf_event_free(bad);
	hf_store_close(s);
}

/* What a callback of the store was told, and what it was refused. */
struct told {
	struct hf_store *store;
	const struct hf_event *event;
	uint64_t position;
	uint64_t last;
	enum hf_error append;
};

static void note_stored(void *ctx, enum hf_error error, const struct hf_stored *stored, const struct hf_why *why)
{
	struct told *t = ctx;
	struct hf_entry entry = entry_of(t->event, NULL);

	(void)why;
	t->position = error ? 0 : stored->position;
	t->append = hf_store_append(t->store, &entry, 1, NULL, NULL);
}

static void note_commit(void *ctx, uint64_t last)
{
	((struct told *)ctx)->last = last;
}

static void what_was_submitted_is_stored_when_the_store_is_closed(void **state)
{
	struct told told = { 0 };
	const struct hf_store_options options = { .on_commit = note_commit, .ctx = &told };
	const struct hf_store_options wrong = { .on_commit = note_commit, .read_only = true };
	struct hf_event *e = event_with("a", "one"), *kept = event_with("b", "two");
	struct hf_entry entry = entry_of(e, NULL);

	assert_int_equal(hf_store_open(*state, &options, NULL, &told.store), HF_OK);
	assert_int_equal(hf_store_open(*state, &wrong, NULL, &told.store), HF_BAD_ARGUMENT);
	told.event = kept;
	append(told.store, "c", "three"); /* on_commit of it comes before on_stored of the next */
	assert_int_equal(hf_store_submit(told.store, &entry, 1, note_stored, &told, NULL), HF_OK);
	hf_event_free(e); /* it was copied */
	hf_store_close(told.store);
	assert_int_equal(told.position, 2);
	assert_int_equal(told.append, HF_BAD_ARGUMENT); /* it would have waited for itself */
	assert_int_equal(told.last, 2);
	hf_event_free(kept);
}

static void what_was_confirmed_is_known_after_reopening_and_may_go(void **state)
{
	const struct hf_store_options options = { .retain_bytes = 1 };
	struct hf_store *s;
	struct hf_why why;
	uint64_t position = 7;

	assert_int_equal(hf_store_open(*state, &options, &why, &s), HF_OK);
	assert_int_equal(hf_store_confirmed(s, &why, &position), HF_OK);
	assert_int_equal(position, 0);
	append(s, "a", "one");
	append(s, "b", "two");
	append(s, "c", "three");
	expect_read(s, 1, 1, 0, "1 orders/paid a blue one\n"); /* nobody is done with it */
	assert_int_equal(hf_store_confirm(s, 4, &why), HF_NOT_FOUND);
	assert_int_equal(hf_store_confirm(s, UINT64_MAX, &why), HF_NOT_FOUND);
	assert_int_equal(hf_store_confirm(s, 2, &why), HF_OK);
	assert_int_equal(hf_store_confirm(s, 1, &why), HF_OK);
	hf_store_close(s);
	assert_int_equal(hf_store_open(*state, &options, &why, &s), HF_OK);
	assert_int_equal(hf_store_confirmed(s, &why, &position), HF_OK);
	assert_int_equal(position, 2);
	append(s, "d", "four");
	until_read(s, 1, "3 orders/paid c blue three\n4 orders/paid d blue four\n");
	hf_store_close(s);
}

static void a_position_ahead_of_the_store_is_of_another_copy(void **state)
{
	struct hf_store *s = open_store(*state, false);
	struct seen seen = { .n = 0 };
	struct hf_why why;

	append(s, "a", "one");
	assert_int_equal(hf_store_read(s, 2, 0, see, &seen, &why), HF_OK);
	assert_int_equal(hf_store_read(s, 3, 0, see, &seen, &why), HF_NOT_FOUND);
	assert_int_equal(hf_store_read(s, UINT64_MAX, 0, see, &seen, &why), HF_NOT_FOUND);
	assert_int_equal(seen.count, 0);
	hf_store_close(s);
}

static bool read_inside(void *ctx, const struct hf_record *r)
{
	struct hf_store *s = ctx;
	uint64_t last = 0;

	assert_int_equal(r->position, 1);
	assert_int_equal(hf_store_read(s, 1, 0, read_inside, s, NULL), HF_BAD_ARGUMENT);
	assert_int_equal(hf_store_last(s, NULL, &last), HF_OK);
	assert_int_equal(last, 1);
	return true;
}

static void a_callback_that_reads_is_refused_and_waits_for_nobody(void **state)
{
	struct hf_store *writer = open_store(*state, false), *reader = open_store(*state, /* read_only= */ true);

	append(writer, "a", "one");
	assert_int_equal(hf_store_read(writer, 1, 0, read_inside, writer, NULL), HF_OK);
	assert_int_equal(hf_store_read(reader, 1, 0, read_inside, reader, NULL), HF_OK);
	expect_read(reader, 1, 0, 0, "1 orders/paid a blue one\n");
	hf_store_close(reader);
	hf_store_close(writer);
}

static void a_store_over_its_size_says_so(void **state)
{
	const struct hf_store_options options = { .max_bytes = 1 };
	struct hf_store *s;
	struct hf_event *e = event_with("a", "one");
	struct hf_entry entry = entry_of(e, NULL);
	struct hf_why why;
	uint64_t bytes = 0;

	assert_int_equal(hf_store_open(*state, &options, &why, &s), HF_OK);
	assert_int_equal(hf_store_state(s, &bytes), HF_FULL);
	assert_true(bytes > 1);
	assert_int_equal(hf_store_append(s, &entry, 1, &why, NULL), HF_FULL);
	assert_string_equal(why.text, "append: the store is full");
	hf_event_free(e);
	hf_store_close(s);
}

static void a_store_whose_files_are_gone_tells_the_story(void **state)
{
	struct hf_store *s = open_store(*state, false);
	struct hf_event *e = event_with("a", "one");
	struct hf_entry entry = entry_of(e, NULL);
	struct hf_why why;
	char path[256];

	assert_int_equal(hf_store_state(s, NULL), HF_OK);
	snprintf(path, sizeof(path), "%s/spool.db", (const char *)*state);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(hf_store_append(s, &entry, 1, &why, NULL), HF_UNAVAILABLE);
	assert_non_null(strstr(why.text, "was removed, moved or replaced"));
	assert_int_equal(hf_store_state(s, NULL), HF_UNAVAILABLE);
	hf_event_free(e);
	hf_store_close(s);
}

/* What a child of fork() finds, as its exit status: 0 when it is as it should be. */
static int child_of_fork(struct hf_store *s, const struct hf_entry *entry)
{
	struct hf_why why;
	uint64_t last;

	if (hf_store_append(s, entry, 1, &why, NULL) != HF_BAD_ARGUMENT || !strstr(why.text, "fork"))
		return 1;
	if (hf_store_last(s, &why, &last) != HF_BAD_ARGUMENT || hf_store_state(s, NULL) != HF_BAD_ARGUMENT)
		return 2;
	hf_store_close(s);
	return 0;
}

static void a_child_is_refused_and_lets_go_of_the_lock(void **state)
{
	struct hf_store *s = open_store(*state, false);
	struct hf_event *e = event_with("a", "one");
	struct hf_entry entry = entry_of(e, NULL);
	int status, done[2];
	pid_t child;
	char byte = 0;

	assert_int_equal(pipe(done), 0);
	child = fork();
	if (child == 0) {
		byte = (char)child_of_fork(s, &entry);
		_exit(write(done[1], &byte, 1) == 1 && pause() ? 0 : 1); /* lives on while the parent opens anew */
	}
	assert_int_equal(read(done[0], &byte, 1), 1);
	assert_int_equal(byte, 0);
	append(s, "a", "one"); /* what the child did is nothing to the parent */
	hf_store_close(s);
	s = open_store(*state, false);
	expect_read(s, 1, 0, 0, "1 orders/paid a blue one\n");
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	close(done[0]);
	close(done[1]);
	hf_event_free(e);
	hf_store_close(s);
}

static void a_directory_that_may_not_be_used_is_denied(void **state)
{
	const struct hf_store_options read_only = { .read_only = true };
	struct hf_store *s = open_store(*state, false);
	struct hf_why why;

	hf_store_close(s);
	if (geteuid() == 0)
		assert_int_equal(seteuid(65534), 0);
	else
		assert_int_equal(chmod(*state, 0), 0);
	enum hf_error writing = hf_store_open(*state, NULL, &why, &s);
	enum hf_error reading = hf_store_open(*state, &read_only, &why, &s);
	if (geteuid() == 65534)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(chmod(*state, 0700), 0);
	assert_int_equal(writing, HF_DENIED);
	assert_int_equal(reading, HF_DENIED);
	assert_non_null(strstr(why.text, "Permission denied"));
}

int main(void)
{
#define in_a_directory(test) cmocka_unit_test_setup_teardown(test, make_dir, remove_dir)
	const struct CMUnitTest tests[] = {
		in_a_directory(what_is_appended_is_read_in_order),
		in_a_directory(what_was_appended_is_there_after_reopening),
		in_a_directory(the_same_key_is_stored_once),
		in_a_directory(a_reader_sees_what_a_writer_appends),
		in_a_directory(a_second_writer_and_a_missing_store_are_refused),
		in_a_directory(a_call_that_breaks_its_contract_is_refused),
		in_a_directory(many_threads_append_at_once),
		in_a_directory(several_are_stored_together_or_not_at_all),
		in_a_directory(what_was_submitted_is_stored_when_the_store_is_closed),
		in_a_directory(what_was_confirmed_is_known_after_reopening_and_may_go),
		in_a_directory(a_position_ahead_of_the_store_is_of_another_copy),
		in_a_directory(a_callback_that_reads_is_refused_and_waits_for_nobody),
		in_a_directory(a_store_over_its_size_says_so),
		in_a_directory(a_store_whose_files_are_gone_tells_the_story),
		in_a_directory(a_child_is_refused_and_lets_go_of_the_lock),
		in_a_directory(a_directory_that_may_not_be_used_is_denied),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
