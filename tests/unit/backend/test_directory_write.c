/*
 * What we write ourselves: the files, the outcome, and who hears of it.
 */
#include "directory_fixture.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define APP "n/Application/"

static struct directory_fixture *started(void)
{
	struct directory_fixture *f = directory_new();

	directory_start(f);
	directory_saw(f, "= synced\n");
	return f;
}

static void an_object_is_a_file_that_reads_well(void **state)
{
	struct directory_fixture *f = started();

	(void)state;
	assert_int_equal(
		directory_write(f, BACKEND_PUT, "a", 1,
				",\"x\":{\"yes\":\"no\",\"list\":[1,\"1\",{\"k\":null}],\"text\":\"two\\nlines\\n\"},"
				"\"status\":{\"s\":1},\"operation\":{\"o\":[]}"),
		E_OK);
	directory_saw(f, "+ a 1\n");
	directory_file_is(f, APP "a.yaml",
			  "apiVersion: argoproj.io/v1alpha1\n"
			  "kind: Application\n"
			  "metadata:\n"
			  "  name: a\n"
			  "  namespace: 'n'\n"
			  "spec:\n"
			  "  v: 1\n"
			  "x:\n"
			  "  'yes': 'no'\n"
			  "  list:\n"
			  "  - 1\n"
			  "  - '1'\n"
			  "  - k: null\n"
			  "  text: |\n"
			  "    two\n"
			  "    lines\n");
	directory_file_is(f, APP "a.status.yaml", "operation:\n  o: []\n");
	assert_int_equal(directory_write(f, BACKEND_STATUS, "a", 9, ",\"status\":{\"s\":2}"), E_OK);
	directory_saw(f, "+ a 1\n");
	directory_file_is(f, APP "a.status.yaml", "status:\n  s: 2\n");
	assert_int_equal(directory_write(f, BACKEND_DELETE, "a", 0, ""), E_OK);
	directory_saw(f, "- a\n");
	directory_file_is(f, APP "a.yaml", NULL);
	directory_file_is(f, APP "a.status.yaml", NULL);
	directory_free(f);
}

static void the_result_has_uid_and_version_and_the_report_is_the_same(void **state)
{
	struct directory_fixture *f = started();
	struct directory_request first;
	struct directory_request second;

	(void)state;
	directory_begin(f, &first, BACKEND_PUT, directory_object("a", 1, ""), "", NULL);
	assert_int_equal(directory_end(&first), E_OK);
	directory_saw(f, "+ a 1\n");
	assert_string_equal(f->last->uid, first.uid);
	assert_string_equal(f->last->version, first.version);
	directory_begin(f, &second, BACKEND_PUT, directory_object("a", 2, ""), first.uid, first.version);
	assert_int_equal(directory_end(&second), E_OK);
	directory_saw(f, "+ a 2\n");
	assert_string_equal(second.uid, first.uid);
	assert_true(strtoul(second.version, NULL, 10) > strtoul(first.version, NULL, 10));
	directory_free(f);
}

static void our_own_writes_are_reported_once(void **state)
{
	struct directory_fixture *f = started();

	(void)state;
	for (int i = 1; i <= 20; i++)
		assert_int_equal(directory_write(f, BACKEND_PUT, "a", i, ""), E_OK);
	buf_clear(&f->log);
	directory_put(f, APP "b.yaml", "spec:\n  v: 1\n"); /* behind all hints of ours */
	directory_saw(f, "+ b 1\n");
	assert_int_equal(directory_write(f, BACKEND_PUT, "a", 20, ""), E_OK); /* nothing changes */
	directory_put(f, APP "b.yaml", "spec:\n  v: 2\n");
	directory_saw(f, "+ b 2\n");
	directory_stop(f);
	directory_start(f);
	while (!strstr(f->log.n ? buf_cstr(&f->log) : "", "= synced"))
		uv_run(&f->loop.uv, UV_RUN_ONCE);
	assert_non_null(strstr(buf_cstr(&f->log), "+ a 20\n"));
	directory_free(f);
}

static void what_stands_there_already_is_not_written_again(void **state)
{
	struct directory_fixture *f = started();
	struct directory_request first, second;
	struct stat before, after;
	char path[128];

	(void)state;
	directory_begin(f, &first, BACKEND_PUT, directory_object("a", 1, ""), "", NULL);
	assert_int_equal(directory_end(&first), E_OK);
	snprintf(path, sizeof(path), "%s/" APP "a.yaml", f->root);
	assert_int_equal(stat(path, &before), 0);
	directory_begin(f, &second, BACKEND_PUT, directory_object("a", 1, ""), first.uid, first.version);
	assert_int_equal(directory_end(&second), E_OK);
	assert_string_equal(second.version, first.version);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(after.st_ino, before.st_ino); /* a write makes another file */
	directory_free(f);
}

static void expectations_are_kept(void **state)
{
	static const struct {
		enum backend_verb verb;
		const char *name, *uid, *version;
		enum err err;
	} rows[] = {
		{ BACKEND_PUT, "new", "x", NULL, E_NOT_FOUND },
		{ BACKEND_PUT, "new", NULL, "1", E_CONFLICT },
		{ BACKEND_STATUS, "new", NULL, NULL, E_NOT_FOUND },
		{ BACKEND_DELETE, "new", NULL, NULL, E_NOT_FOUND },
		{ BACKEND_PUT, "a", "", NULL, E_EXISTS },
		{ BACKEND_PUT, "a", "x", NULL, E_CONFLICT },
		{ BACKEND_PUT, "a", NULL, "0", E_CONFLICT },
		{ BACKEND_DELETE, "a", "x", NULL, E_CONFLICT },
		{ BACKEND_STATUS, "a", NULL, "0", E_CONFLICT },
		{ BACKEND_PUT, "a.status", NULL, NULL, E_MALFORMED },
	};
	struct directory_fixture *f = started();

	(void)state;
	assert_int_equal(directory_write(f, BACKEND_PUT, "a", 1, ""), E_OK);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct directory_request r;

		directory_begin(f, &r, rows[i].verb, directory_object(rows[i].name, 2, ""), rows[i].uid,
				rows[i].version);
		if (directory_end(&r) != rows[i].err)
			fail_msg("row %zu: %s: %s", i, err_name(r.w.err), r.w.why.text);
	}
	directory_saw(f, "+ a 1\n");
	directory_free(f);
}

static void writes_of_one_object_keep_their_order(void **state)
{
	enum { N = 50 };
	struct directory_fixture *f = started();
	static struct directory_request r[N];
	struct buf want = { 0 };

	(void)state;
	for (int i = 0; i < N; i++)
		directory_begin(f, &r[i], BACKEND_PUT, directory_object("a", i, ""), NULL, NULL);
	for (int i = 0; i < N; i++) {
		assert_int_equal(directory_end(&r[i]), E_OK);
		buf_addf(&want, "+ a %d\n", i);
	}
	directory_saw(f, buf_cstr(&want));
	buf_release(&want);
	directory_free(f);
}

static void many_objects_are_written_at_the_same_time(void **state)
{
	enum { N = 500 };
	struct directory_fixture *f = started();
	struct directory_request *r = mem_array(N, sizeof(*r));
	char name[16];

	(void)state;
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "a%d", i);
		directory_begin(f, &r[i], BACKEND_PUT, directory_object(name, i, ""), "", NULL);
	}
	for (int i = 0; i < N; i++)
		assert_int_equal(directory_end(&r[i]), E_OK);
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "a%d", i);
		directory_begin(f, &r[i], BACKEND_DELETE, directory_object(name, i, ""), NULL, NULL);
	}
	for (int i = 0; i < N; i++)
		assert_int_equal(directory_end(&r[i]), E_OK);
	buf_clear(&f->log);
	mem_free(r);
	directory_stop(f);
	directory_start(f);
	directory_saw(f, "= synced\n");
	directory_free(f);
}

static void what_a_person_did_meanwhile_is_not_overwritten(void **state)
{
	struct directory_fixture *f = started();
	struct directory_request r;
	char version[32]; /* a copy: the report of the change replaces the object while the write is under way */

	(void)state;
	assert_int_equal(directory_write(f, BACKEND_PUT, "a", 1, ""), E_OK);
	directory_saw(f, "+ a 1\n");
	(void)snprintf(version, sizeof(version), "%s", f->last->version);
	directory_put(f, APP "a.yaml", "spec:\n  v: 7\n");
	directory_begin(f, &r, BACKEND_PUT, directory_object("a", 2, ""), NULL, version); /* not seen yet */
	assert_int_equal(directory_end(&r), E_CONFLICT);
	directory_saw(f, "+ a 7\n");
	directory_file_is(f, APP "a.yaml", "spec:\n  v: 7\n");
	assert_int_equal(directory_write(f, BACKEND_PUT, "a", 3, ""), E_OK);
	directory_saw(f, "+ a 3\n");
	directory_free(f);
}

static void a_broken_file_is_replaced_by_a_write(void **state)
{
	struct directory_fixture *f = started();

	(void)state;
	directory_put(f, APP "a.yaml", "{");
	directory_saw(f, "! n/Application/a: line 2: did not find expected node content while parsing a flow node\n");
	assert_int_equal(directory_write(f, BACKEND_PUT, "a", 1, ""), E_OK);
	directory_saw(
		f, "~ n/Application/a: line 2: did not find expected node content while parsing a flow node\n+ a 1\n");
	directory_free(f);
}

static void a_file_keeps_its_ending_and_its_mode(void **state)
{
	struct directory_fixture *f = started();
	char path[256];
	struct stat st;

	(void)state;
	directory_put(f, APP "a.json", "{\"spec\":{\"v\":1}}");
	directory_saw(f, "+ a 1\n");
	snprintf(path, sizeof(path), "%s/" APP "a.json", f->root);
	assert_int_equal(chmod(path, 0600), 0);
	directory_put(f, APP "b.yaml", "spec:\n  v: 1\n");
	directory_saw(f, "+ b 1\n");
	while (directory_write(f, BACKEND_PUT, "a", 2, "") == E_CONFLICT)
		; /* until the new mode was seen */
	directory_file_is(f, APP "a.yaml", NULL);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	directory_free(f);
}

static void a_status_in_the_object_file_counts_until_there_is_a_status_file(void **state)
{
	struct directory_fixture *f = started();

	(void)state;
	directory_put(f, APP "a.yaml", "spec:\n  v: 1\nstatus:\n  s: 1\n");
	directory_saw(f, "+ a 1\n");
	assert_non_null(memmem(f->last->json->p, f->last->json->n, "\"s\":1", 5));
	assert_int_equal(directory_write(f, BACKEND_PUT, "a", 2, ""), E_OK);
	directory_saw(f, "+ a 2\n");
	directory_file_is(f, APP "a.status.yaml", "status:\n  s: 1\n"); /* it moved */
	directory_put(f, APP "a.yaml", "spec:\n  v: 3\nstatus:\n  s: 9\n");
	directory_saw(f, "+ a 3\n");
	assert_non_null(memmem(f->last->json->p, f->last->json->n, "\"s\":1", 5));
	directory_put(f, APP "a.status.yaml", "operation:\n  sync: {}\n"); /* a person asks for an operation */
	directory_saw(f, "+ a 3\n");
	assert_non_null(memmem(f->last->json->p, f->last->json->n, "\"sync\":{}", 9));
	assert_null(memmem(f->last->json->p, f->last->json->n, "\"status\"", 8));
	directory_free(f);
}

static void a_status_that_is_left_over_does_not_count_for_a_new_object(void **state)
{
	struct directory_fixture *f = directory_new();

	(void)state;
	directory_put(f, APP "a.status.yaml", "status:\n  s: 1\n");
	directory_start(f);
	directory_saw(f, "= synced\n");
	while (directory_write(f, BACKEND_PUT, "a", 1, "") == E_CONFLICT)
		; /* the file was not known */
	directory_saw(f, "+ a 1\n");
	assert_null(memmem(f->last->json->p, f->last->json->n, "\"status\"", 8));
	directory_file_is(f, APP "a.status.yaml", "{}\n");
	directory_free(f);
}

/* Made again by hand it has a new UID, and nothing was ever said of it. */
static void what_a_person_takes_away_takes_its_status_with_it(void **state)
{
	struct directory_fixture *f = started();
	static const bool down[] = { false, true };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(down); i++) {
		directory_put(f, APP "a.yaml", "spec:\n  v: 1\n");
		directory_saw(f, "+ a 1\n");
		assert_null(memmem(f->last->json->p, f->last->json->n, "\"status\"", 8));
		assert_int_equal(directory_write(f, BACKEND_STATUS, "a", 1, ",\"status\":{\"s\":1}"), E_OK);
		directory_saw(f, "+ a 1\n");
		if (down[i])
			directory_stop(f);
		directory_put(f, APP "a.yaml", NULL);
		if (down[i])
			directory_start(f);
		directory_saw(f, down[i] ? "= synced\n" : "- a\n");
		directory_file_is(f, APP "a.status.yaml", NULL);
	}
	directory_put(f, APP "a.yaml", "spec:\n  v: 1\n");
	directory_saw(f, "+ a 1\n");
	assert_null(memmem(f->last->json->p, f->last->json->n, "\"status\"", 8));
	directory_free(f);
}

static void writes_may_come_before_the_start(void **state)
{
	struct directory_fixture *f = directory_new();
	struct backend_watcher none = { 0 };

	(void)state;
	(void)none;
	directory_put(f, APP "a.yaml", "spec:\n  v: 1\n");
	assert_int_equal(directory_try(f), E_OK);
	assert_int_equal(directory_write(f, BACKEND_PUT, "a", 2, ""), E_OK);
	assert_int_equal(directory_write(f, BACKEND_PUT, "b", 3, ""), E_OK);
	directory_file_is(
		f, APP "b.yaml",
		"apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: b\n  namespace: 'n'\n"
		"spec:\n  v: 3\n");
	directory_free(f);
}

static void what_cannot_be_written_is_refused_with_its_reason(void **state)
{
	struct directory_fixture *f = directory_new();
	char path[256];

	(void)state;
	f->file_max = 1024;
	directory_put(f, "n/AppProject", "a file where a directory should be");
	directory_start(f);
	directory_saw(f, "= synced\n");
	{
		char more[900] = ",\"x\":\"";
		struct directory_request r;
		struct object *o = NULL;

		memset(more + 6, 'x', 880);
		more[886] = '"';
		directory_begin(f, &r, BACKEND_PUT, directory_object("a", 1, more), NULL, NULL);
		assert_int_equal(directory_end(&r), E_OK); /* just fits */
		assert_int_equal(object_new(OBJECT_APPPROJECT,
					    STR("{\"metadata\":{\"name\":\"p\",\"namespace\":\"n\"}}"), NULL, &o),
				 E_OK);
		directory_begin(f, &r, BACKEND_PUT, o, NULL, NULL);
		assert_int_equal(directory_end(&r), E_FORBIDDEN);
		assert_non_null(strstr(r.w.why.text, "Not a directory"));
		assert_int_equal(object_new(OBJECT_APPPROJECT, STR("{\"metadata\":{\"name\":\"p\"}}"), NULL, &o), E_OK);
		directory_begin(f, &r, BACKEND_PUT, o, NULL, NULL);
		assert_int_equal(directory_end(&r), E_MALFORMED);
	}
	snprintf(path, sizeof(path), "%s/n/Application/a.yaml", f->root);
	assert_int_equal(access(path, F_OK), 0);
	directory_free(f);
}

static rlim_t limit_files(rlim_t bytes)
{
	struct rlimit limit;
	rlim_t old;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	old = limit.rlim_cur;
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	return old;
}

static void a_write_that_fails_names_the_file(void **state)
{
	struct directory_fixture *f = started();
	struct directory_request r;
	rlim_t old;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	old = limit_files(16);
	directory_begin(f, &r, BACKEND_PUT, directory_object("a", 1, ""), NULL, NULL);
	assert_int_not_equal(directory_end(&r), E_OK);
	(void)limit_files(old);
	assert_non_null(strstr(r.w.why.text, "write n/Application/a.yaml: "));
	directory_free(f);
}

static bool has(struct directory_fixture *f, const char *text)
{
	return f->log.n && strstr(buf_cstr(&f->log), text);
}

/* Files fit, the ledger's log does not: what is on the disk is told when the ledger knows it. */
static void a_full_ledger_fails_the_write_and_catches_up(void **state)
{
	struct directory_fixture *f = started();
	rlim_t old;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	old = limit_files(4096);
	assert_int_equal(directory_write(f, BACKEND_PUT, "a", 1, ""), E_FULL);
	while (!has(f, "! the ledger takes no writes\n"))
		uv_run(&f->loop.uv, UV_RUN_ONCE);
	assert_false(has(f, "+ a"));
	(void)limit_files(old);
	while (!has(f, "+ a 1\n"))
		uv_run(&f->loop.uv, UV_RUN_ONCE);
	assert_true(has(f, "~ the ledger takes no writes\n"));
	assert_int_equal(directory_write(f, BACKEND_PUT, "a", 2, ""), E_OK);
	directory_free(f);
}

static void closing_ends_what_is_under_way(void **state)
{
	enum { N = 100 };
	struct directory_fixture *f = started();
	static struct directory_request r[N];
	char name[16];

	(void)state;
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "a%d", i % 10);
		directory_begin(f, &r[i], BACKEND_PUT, directory_object(name, i, ""), NULL, NULL);
	}
	directory_stop(f);
	for (int i = 0; i < N; i++)
		assert_true(r[i].done && r[i].w.err == E_OK);
	directory_free(f);
}

static void each_allocation_may_fail(void **state)
{
	long points = 1;

	(void)state;
	for (long n = 0; n <= points; n += n < 60 ? 1 : 3) {
		struct directory_fixture *f = started();
		struct directory_request r;
		enum err err;

		buf_reserve(&f->log, 4096);
		directory_begin(f, &r, BACKEND_PUT, directory_object("a", 1, ",\"operation\":{\"o\":1}"), NULL, NULL);
		mem_fail_at(n); /* in the loop, the pool or the ledger */
		err = directory_end(&r);
		if (n == 0) {
			points = mem_count();
			assert_int_equal(err, E_OK);
		}
		mem_fail_at(0);
		while (err != E_OK) /* whatever failed, it works again; a file that was left is seen first */
			err = directory_write(f, BACKEND_PUT, "a", 1, ",\"operation\":{\"o\":1}");
		directory_stop(f);
		buf_clear(&f->log);
		directory_start(f);
		directory_saw(f, "+ a 1\n= synced\n");
		directory_free(f);
	}
	assert_true(points > 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_object_is_a_file_that_reads_well),
		cmocka_unit_test(the_result_has_uid_and_version_and_the_report_is_the_same),
		cmocka_unit_test(our_own_writes_are_reported_once),
		cmocka_unit_test(what_stands_there_already_is_not_written_again),
		cmocka_unit_test(expectations_are_kept),
		cmocka_unit_test(writes_of_one_object_keep_their_order),
		cmocka_unit_test(many_objects_are_written_at_the_same_time),
		cmocka_unit_test(what_a_person_did_meanwhile_is_not_overwritten),
		cmocka_unit_test(a_broken_file_is_replaced_by_a_write),
		cmocka_unit_test(a_file_keeps_its_ending_and_its_mode),
		cmocka_unit_test(a_status_in_the_object_file_counts_until_there_is_a_status_file),
		cmocka_unit_test(a_status_that_is_left_over_does_not_count_for_a_new_object),
		cmocka_unit_test(what_a_person_takes_away_takes_its_status_with_it),
		cmocka_unit_test(writes_may_come_before_the_start),
		cmocka_unit_test(what_cannot_be_written_is_refused_with_its_reason),
		cmocka_unit_test(a_write_that_fails_names_the_file),
		cmocka_unit_test(a_full_ledger_fails_the_write_and_catches_up),
		cmocka_unit_test(closing_ends_what_is_under_way),
		cmocka_unit_test(each_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
