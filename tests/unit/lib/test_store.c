/* holdfast/store.h: durable when append returns, readable in order, by this process and others. */
#include "holdfast/store.h"

#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* Appends and returns the position. */
static uint64_t append(struct hf_store *s, const char *id, const char *text, const char *key, bool *ret_duplicate)
{
	struct hf_event *e = event_with(id, text);
	struct hf_why why = { 0 };
	uint64_t position = 0;

	if (hf_store_append(s, "orders", "paid", key, e, &why, &position, ret_duplicate))
		fail_msg("%s", why.text);
	hf_event_free(e);
	return position;
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

static void what_is_appended_is_read_in_order(void **state)
{
	struct hf_store *s = open_store(*state, /* read_only= */ false);
	uint64_t last = 99;

	assert_int_equal(hf_store_last(s, NULL, &last), HF_OK);
	assert_int_equal(last, 0);
	assert_int_equal(append(s, "a", "one", NULL, NULL), 1);
	assert_int_equal(append(s, "b", "two", NULL, NULL), 2);
	assert_int_equal(append(s, "c", "three", NULL, NULL), 3);
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

	append(s, "a", "one", NULL, NULL);
	hf_store_close(s);
	s = open_store(*state, false);
	expect_read(s, 1, 0, 0, "1 orders/paid a blue one\n");
	assert_int_equal(append(s, "b", "two", NULL, NULL), 2);
	hf_store_close(s);
}

static void the_same_key_is_stored_once(void **state)
{
	struct hf_store *s = open_store(*state, false);
	bool duplicate = true;

	assert_int_equal(append(s, "a", "one", "delivery-1", &duplicate), 1);
	assert_false(duplicate);
	assert_int_equal(append(s, "b", "again", "delivery-1", &duplicate), 1);
	assert_true(duplicate);
	assert_int_equal(append(s, "c", "two", "delivery-2", &duplicate), 2);
	assert_false(duplicate);
	expect_read(s, 1, 0, 0, "1 orders/paid a blue one\n2 orders/paid c blue two\n");
	hf_store_close(s);
}

static void a_reader_sees_what_a_writer_appends(void **state)
{
	struct hf_store *writer = open_store(*state, false);
	struct hf_store *reader = open_store(*state, /* read_only= */ true);
	struct hf_event *e = event_with("x", "y");
	struct hf_why why = { 0 };
	uint64_t last = 0;

	append(writer, "a", "one", NULL, NULL);
	assert_int_equal(hf_store_last(reader, NULL, &last), HF_OK);
	assert_int_equal(last, 1);
	expect_read(reader, 1, 0, 0, "1 orders/paid a blue one\n");
	assert_int_equal(hf_store_append(reader, "orders", "paid", NULL, e, &why, NULL, NULL), HF_UNSUPPORTED);
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
	struct hf_event *empty = hf_event_new();
	struct hf_why why;
	uint64_t position = 7;

	assert_int_equal(hf_store_append(s, "orders", "paid", NULL, empty, &why, &position, NULL), HF_MALFORMED);
	assert_int_equal(hf_store_append(s, NULL, "paid", NULL, empty, &why, &position, NULL), HF_BAD_ARGUMENT);
	assert_int_equal(hf_store_append(s, "orders", "paid", NULL, NULL, &why, &position, NULL), HF_BAD_ARGUMENT);
	assert_int_equal(hf_store_read(s, 1, 0, NULL, NULL, &why), HF_BAD_ARGUMENT);
	assert_int_equal(hf_store_last(s, &why, NULL), HF_BAD_ARGUMENT);
	assert_int_equal(hf_store_open(NULL, NULL, &why, &s), HF_BAD_ARGUMENT);
	assert_int_equal(hf_store_open("", NULL, &why, &s), HF_BAD_ARGUMENT);
	assert_int_equal(position, 7);
	hf_event_free(empty);
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

	for (int i = 0; i < EACH; i++)
		a->failed += hf_store_append(a->store, "orders", "paid", NULL, a->event, NULL, NULL, NULL) != HF_OK;
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
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
