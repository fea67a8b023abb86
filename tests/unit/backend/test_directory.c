/*
 * The directory backend with people and ourselves at the same files.
 */
#include "directory_fixture.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/directory_impl.h"
#include "base/clock.h"

#define APP "n/Application/"

static const char *app(int v)
{
	static char text[2][64];
	static int turn;

	turn = !turn;
	snprintf(text[turn], sizeof(text[turn]), "spec:\n  v: %d\n", v);
	return text[turn];
}

static void in_root(struct directory_fixture *f, const char *path, char ret_path[static 256])
{
	snprintf(ret_path, 256, "%s/%s", f->root, path);
}

static void rename_in(struct directory_fixture *f, const char *from, const char *to)
{
	char a[256];
	char b[256];

	in_root(f, from, a);
	in_root(f, to, b);
	assert_int_equal(rename(a, b), 0);
}

static void what_is_there_is_listed(void **state)
{
	struct directory_fixture *f = directory_new();

	(void)state;
	directory_start(f);
	directory_saw(f, "= synced\n");
	directory_stop(f);
	directory_put(f, APP "a.yaml", app(1));
	directory_put(f, "n/README.md", "nothing of ours");
	directory_start(f);
	directory_saw(f, "+ a 1\n= synced\n");
	assert_int_equal(strlen(f->last->uid), 36);
	assert_string_equal(f->last->namespace, "n");
	directory_free(f);
}

/*
 * For each there may be no memory in the first scan: it is made again, and nothing counts as listed before. Where it was the object's
 * own reading that had none, this is said.
 */
static void what_is_there_is_listed_though_memory_ran_out(void **state)
{
#define SAID "! " APP "a: out of memory\n~ " APP "a: out of memory\n"
	unsigned said = 0;

	(void)state;
	for (long n = 1; n < 20; n += 3) {
		struct directory_fixture *f = directory_new();

		buf_reserve(&f->log, 4096);
		directory_put(f, APP "a.yaml", app(1));
		f->fail_at = n;
		directory_start(f);
		while (!strstr(f->log.n ? buf_cstr(&f->log) : "", "= synced\n"))
			uv_run(&f->loop.uv, UV_RUN_ONCE);
		said += f->log.p[0] == '!';
		directory_saw(f, f->log.p[0] == '!' ? SAID "+ a 1\n= synced\n" : "+ a 1\n= synced\n");
		mem_fail_at(0);
		directory_put(f, APP "a.yaml", app(2));
		directory_saw(f, "+ a 2\n");
		directory_free(f);
	}
	assert_true(said > 0);
}

/* Their reading is shared by threads: what they report is only nearly in order. */
static void a_scan_names_what_is_there_in_order(void **state)
{
	static const char *const names[] = { "q", "c", "x", "a", "m", "k", "z", "e" };
	struct directory_fixture *f = directory_new();
	struct directory_scan *s = mem_alloc(sizeof(*s));
	char text[64] = "";
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char path[64];

		snprintf(path, sizeof(path), APP "%s.yaml", names[i]);
		directory_put(f, path, app(1));
	}
	s->scope.kind = SCAN_ALL_KINDS;
	s->token = "";
	s->path = f->root;
	s->root = open(f->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	s->inotify = inotify_init1(IN_CLOEXEC);
	directory_scan_run(s);
	for (const struct scan_item *item = s->first; item; item = item->next)
		if (item->what == SCAN_FILE)
			text[n++] = item->text[0];
	assert_string_equal(text, "acekmqxz");
	assert_true(s->last && !*s->last && !s->lacks_memory);
	close(s->inotify);
	close(s->root);
	directory_scan_free(s);
	directory_free(f);
}

/* Others wait for their turn meanwhile. */
static void what_a_scan_found_is_taken_in_pieces(void **state)
{
	struct directory_fixture *f = directory_new();
	struct directory_scan *s = mem_alloc(sizeof(*s));
	struct directory *d;
	char path[64];

	(void)state;
	directory_start(f);
	directory_saw(f, "= synced\n");
	d = CONTAINER_OF(f->b, struct directory, base);
	for (size_t i = 0; i < 2 * DIRECTORY_COMPARE_MAX; i++) {
		snprintf(path, sizeof(path), APP "a%zu.yaml", i);
		directory_put(f, path, "");
	}
	*s = (struct directory_scan){
		.scope.kind = SCAN_ALL_KINDS, .token = "", .root = d->root, .path = d->path, .inotify = d->inotify
	};
	directory_scan_run(s);
	d->scan++;
	assert_false(compare(d, s));
	assert_in_range(d->entries.n, 1, DIRECTORY_COMPARE_MAX);
	assert_false(compare(d, s));
	assert_in_range(d->entries.n, DIRECTORY_COMPARE_MAX, 2 * DIRECTORY_COMPARE_MAX - 1);
	assert_true(compare(d, s));
	assert_int_equal(d->entries.n, 2 * DIRECTORY_COMPARE_MAX);
	directory_scan_free(s);
	directory_free(f);
}

static void uid_and_version_survive_a_restart(void **state)
{
	struct directory_fixture *f = directory_new();
	char uid[64];
	char version[32];

	(void)state;
	directory_put(f, APP "a.yaml", app(1));
	directory_start(f);
	directory_saw(f, "+ a 1\n= synced\n");
	snprintf(uid, sizeof(uid), "%s", f->last->uid);
	snprintf(version, sizeof(version), "%s", f->last->version);
	directory_stop(f);
	directory_start(f);
	directory_saw(f, "+ a 1\n= synced\n");
	assert_string_equal(f->last->uid, uid);
	assert_string_equal(f->last->version, version);
	directory_free(f);
}

/* The ledger's only row of an object has, or (`put`) gets, the sums of these texts. */
static void sums_in_ledger(const struct directory_fixture *f, const char *object, const char *status, bool put)
{
	struct directory_sums sums = { 0 };
	char path[128], text[DIRECTORY_SUMS_MAX], sql[256];
	sqlite3 *db;

	assert_int_equal(directory_sum(DIRECTORY_YAML, str_of(object), NULL, sums.object), E_OK);
	if (status)
		assert_int_equal(directory_sum(DIRECTORY_STATUS, str_of(status), NULL, sums.status), E_OK);
	directory_sums_text(&sums, text);
	snprintf(sql, sizeof(sql), "UPDATE objects SET desired = '%s' WHERE %d OR desired = '%s'", text, put, text);
	snprintf(path, sizeof(path), "%s/ledger.db", f->data);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_changes(db), 1);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* A text that means nothing shows it: where the ledger knows it, nobody looks what it says. */
static void a_text_that_is_known_is_not_read_again(void **state)
{
	struct directory_fixture *f = directory_new();

	(void)state;
	directory_put(f, APP "a.yaml", app(1));
	directory_start(f);
	directory_saw(f, "+ a 1\n= synced\n");
	directory_stop(f);
	sums_in_ledger(f, app(1), NULL, /* put= */ false);
	directory_put(f, APP "a.yaml", "spec: [");
	sums_in_ledger(f, "spec: [", NULL, /* put= */ true);
	directory_start(f);
	directory_saw(f, "+ a 1\n= synced\n");
	directory_put(f, APP "a.yaml", app(2));
	directory_saw(f, "+ a 2\n");
	directory_free(f);
}

static void what_we_write_is_known(void **state)
{
	struct directory_fixture *f = directory_new();

	(void)state;
	directory_put(f, APP "a.yaml", app(1));
	directory_start(f);
	directory_saw(f, "+ a 1\n= synced\n");
	assert_int_equal(directory_write(f, BACKEND_STATUS, "a", 0, ",\"status\":{\"x\":1}"), E_OK);
	directory_stop(f);
	sums_in_ledger(f, app(1), "status:\n  x: 1\n", /* put= */ false);
	directory_start(f);
	assert_int_equal(directory_write(f, BACKEND_PUT, "a", 2, ""), E_OK);
	directory_stop(f);
	sums_in_ledger(f,
		       "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: a\n  namespace: 'n'\n"
		       "spec:\n  v: 2\n",
		       "status:\n  x: 1\n", /* put= */ false);
	directory_free(f);
}

/* In microseconds: a ledger that was restored from a backup does not know what was given since. */
static void versions_begin_at_the_clock(void **state)
{
	struct directory_fixture *f = directory_new();
	uint64_t before = (uint64_t)clock_wall_ns() / 1000, version = 0;

	(void)state;
	directory_put(f, APP "a.yaml", app(1));
	directory_start(f);
	directory_saw(f, "+ a 1\n= synced\n");
	assert_true(str_to_u64(str_of(f->last->version), UINT64_MAX, &version));
	assert_true(version > before);
	directory_free(f);
}

static void what_was_done_while_down_is_seen(void **state)
{
	struct directory_fixture *f = directory_new();
	char uid[64];
	unsigned long version;

	(void)state;
	directory_put(f, APP "a.yaml", app(1));
	directory_put(f, APP "b.yaml", app(1));
	directory_start(f);
	while (!strstr(f->log.n ? buf_cstr(&f->log) : "", "synced"))
		uv_run(&f->loop.uv, UV_RUN_ONCE);
	buf_clear(&f->log);
	directory_put(f, APP "a.yaml", app(2));
	directory_saw(f, "+ a 2\n");
	snprintf(uid, sizeof(uid), "%s", f->last->uid);
	version = strtoul(f->last->version, NULL, 10);
	directory_stop(f);
	directory_put(f, APP "a.yaml", app(3));
	directory_put(f, APP "b.yaml", NULL);
	directory_start(f);
	directory_saw(f, "+ a 3\n= synced\n");
	assert_string_equal(f->last->uid, uid); /* the same object, newer */
	assert_true(strtoul(f->last->version, NULL, 10) > version);
	directory_free(f);
}

static void a_person_makes_changes_and_deletes(void **state)
{
	struct directory_fixture *f = directory_new();
	char uid[64];

	(void)state;
	directory_start(f);
	directory_saw(f, "= synced\n");
	directory_put(f, APP "a.yaml", app(1)); /* with directories nobody knew */
	directory_saw(f, "+ a 1\n");
	snprintf(uid, sizeof(uid), "%s", f->last->uid);
	directory_put(f, APP "a.yaml", app(2));
	directory_saw(f, "+ a 2\n");
	assert_string_equal(f->last->uid, uid);
	directory_put(f, APP "a.yaml", NULL);
	directory_saw(f, "- a\n");
	directory_put(f, APP "a.yaml", app(2));
	directory_saw(f, "+ a 2\n");
	assert_string_not_equal(f->last->uid, uid); /* made again: another object */
	directory_free(f);
}

static void editors_have_their_ways(void **state)
{
	struct directory_fixture *f = directory_new();
	char uid[64];

	(void)state;
	directory_put(f, APP "a.yaml", app(1));
	directory_start(f);
	directory_saw(f, "+ a 1\n= synced\n");
	snprintf(uid, sizeof(uid), "%s", f->last->uid);

	directory_put(f, APP ".a.yaml.swp", "swap"); /* a temporary file renamed over it */
	directory_put(f, APP "4913", "probe");
	directory_put(f, APP "a.yaml.new", app(2));
	rename_in(f, APP "a.yaml.new", APP "a.yaml");
	directory_saw(f, "+ a 2\n");

	rename_in(f, APP "a.yaml", APP "a.yaml~"); /* a backup, then a new file */
	directory_put(f, APP "a.yaml", app(3));
	directory_saw(f, "+ a 3\n");

	directory_put(f, APP "a.yaml", ""); /* emptied, written in pieces */
	directory_put(f, APP "a.yaml", "spec:\n  v: [");
	directory_put(f, APP "a.yaml", app(4));
	directory_saw(f, "+ a 4\n");

	directory_put(f, APP "a.yaml", NULL); /* removed and made again at once */
	directory_put(f, APP "a.yaml", app(5));
	directory_saw(f, "+ a 5\n");
	assert_string_equal(f->last->uid, uid);
	directory_free(f);
}

static void the_same_content_is_no_change(void **state)
{
	struct directory_fixture *f = directory_new();
	char version[32];

	(void)state;
	directory_put(f, APP "a.yaml", app(1));
	directory_start(f);
	directory_saw(f, "+ a 1\n= synced\n");
	snprintf(version, sizeof(version), "%s", f->last->version);
	directory_put(f, APP "a.yaml", "# a comment\nspec: {v: 1}\n");
	directory_put(f, APP "b.yaml", app(7)); /* seen after it */
	directory_saw(f, "+ b 7\n");
	directory_stop(f);
	directory_put(f, APP "b.yaml", NULL);
	directory_start(f);
	directory_saw(f, "+ a 1\n= synced\n");
	assert_string_equal(f->last->version, version);
	directory_free(f);
}

static void a_broken_file_keeps_the_last_good_state(void **state)
{
	struct directory_fixture *f = directory_new();

	(void)state;
	directory_put(f, APP "a.yaml", app(1));
	directory_start(f);
	directory_saw(f, "+ a 1\n= synced\n");
	directory_put(f, APP "a.yaml", "spec: [\n");
	directory_saw(f, "! n/Application/a: line 2: did not find expected node content while parsing a flow node\n");
	directory_stop(f); /* over a restart too */
	directory_start(f);
	directory_saw(f, "! n/Application/a: line 2: did not find expected node content while parsing a flow node\n"
			 "+ a 1\n= synced\n");
	directory_put(f, APP "a.yaml", app(2));
	directory_saw(
		f, "~ n/Application/a: line 2: did not find expected node content while parsing a flow node\n+ a 2\n");
	directory_free(f);
}

/* Each alone in a directory; none of them may be an object, and each must be told about once. */
static void files_that_are_no_objects_are_reported_and_skipped(void **state)
{
	static const struct {
		const char *path, *text, *says;
	} rows[] = {
		{ APP "a.yaml", "", "! n/Application/a: empty\n" },
		{ APP "a.yaml", "- 1\n", "! n/Application/a: not a map of apiVersion, kind, metadata and so on\n" },
		{ APP "a.yaml", "a: &x 1\nb: *x\n",
		  "! n/Application/a: line 1: anchors and aliases (& and *) are not allowed: write the value out\n" },
		{ APP "a.yaml", "a: !!binary x\n", "! n/Application/a: line 1: tags (!) are not allowed\n" },
		{ APP "a.yaml", "a: 1\na: 2\n", "! n/Application/a: line 2: the key \"a\" stands twice\n" },
		{ APP "a.yaml", "a: 1\n---\nb: 1\n", "! n/Application/a: line 2: a second document\n" },
		{ APP "a.yaml", "metadata:\n  name: b\n",
		  "! n/Application/a: metadata.name is b, the file's place says a\n" },
		{ APP "a.yaml", "metadata:\n  namespace: m\n",
		  "! n/Application/a: metadata.namespace is m, the file's place says n\n" },
		{ APP "a.yaml", "metadata: {annotations: {argocd.argoproj.io/sync-wave: 5}}\n",
		  "! n/Application/a: metadata.annotations: the value of \"argocd.argoproj.io/sync-wave\" is not a "
		  "string: put it in quotes\n" },
		{ APP "a.yaml", "metadata: {labels: {x: y}}\n",
		  "! n/Application/a: metadata.labels: the value of \"x\" is not a string: put it in quotes\n" },
		{ APP "a.yaml", "metadata: {labels: [x]}\n", "! n/Application/a: metadata.labels is not a map\n" },
		{ APP "a.yaml", "spec: {source: {targetRevision: 1.0}}\n",
		  "! n/Application/a: spec.source.targetRevision is not a string: put it in quotes\n" },
		{ APP "a.yaml", "spec: {sources: [{path: x}, {helm: {parameters: [{name: p, value: 8}]}}]}\n",
		  "! n/Application/a: spec.sources.*.helm.parameters.*.value is not a string: put it in quotes\n" },
		{ APP "a.yaml", "kind: AppProject\n", "! n/Application/a: kind is AppProject, not Application\n" },
		{ APP "a.json", "{\"spec\":", "! n/Application/a: unexpected end of JSON input at byte 8\n" },
		{ APP "A_b.yaml", "spec: {}\n",
		  "! n/Application/A_b.yaml: not the name of an object (RFC 1123 subdomain)\n" },
		{ "n/Pod/a.yaml", "spec: {}\n", "! n/Pod: not a directory of a kind that is known\n" },
		{ "N/Application/a.yaml", "spec: {}\n", "! N: not the name of a namespace (RFC 1123 subdomain)\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct directory_fixture *f = directory_new();
		struct buf want = { 0 };

		directory_put(f, rows[i].path, rows[i].text);
		directory_start(f);
		buf_addf(&want, "%s= synced\n", rows[i].says);
		directory_saw(f, buf_cstr(&want));
		directory_put(f, rows[i].path, NULL);
		if (strncmp(rows[i].path, APP, strlen(APP)) == 0) {
			buf_clear(&want);
			buf_addf(&want, "~%s", rows[i].says + 1);
			directory_saw(f, buf_cstr(&want));
		}
		buf_release(&want);
		directory_free(f);
	}
}

static void make_link(struct directory_fixture *f, const char *path)
{
	assert_int_equal(symlink("/etc/passwd", path), 0);
	(void)f;
}

static void make_fifo(struct directory_fixture *f, const char *path)
{
	assert_int_equal(mkfifo(path, 0600), 0);
	(void)f;
}

static void make_dir(struct directory_fixture *f, const char *path)
{
	assert_int_equal(mkdir(path, 0700), 0);
	(void)f;
}

static void make_huge(struct directory_fixture *f, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(ftruncate(fd, 100000), 0);
	close(fd);
	(void)f;
}

static void hostile_files_are_reported_and_not_opened(void **state)
{
	static const struct {
		void (*make)(struct directory_fixture *f, const char *path);
		const char *says;
	} rows[] = {
		{ make_link, "! n/Application/a: a symbolic link: links are not followed\n= synced\n" },
		{ make_fifo, "! n/Application/a: not a regular file\n= synced\n" },
		{ make_dir, "! n/Application/a: not a regular file\n= synced\n" },
		{ make_huge, "! n/Application/a: larger than 50000 bytes\n= synced\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct directory_fixture *f = directory_new();
		char path[256];

		f->file_max = 50000;
		directory_mkdir(f, APP);
		in_root(f, APP "a.yaml", path);
		rows[i].make(f, path);
		directory_start(f);
		directory_saw(f, rows[i].says);
		directory_free(f);
	}
}

static void links_to_directories_are_not_followed(void **state)
{
	struct directory_fixture *f = directory_new();
	char path[256];
	char to[256];

	(void)state;
	directory_put(f, APP "a.yaml", app(1));
	directory_mkdir(f, "m");
	in_root(f, "link", path);
	in_root(f, "n", to);
	assert_int_equal(symlink(to, path), 0);
	in_root(f, "m/Application", path);
	in_root(f, "n/Application", to);
	assert_int_equal(symlink(to, path), 0);
	directory_start(f);
	while (!strstr(f->log.n ? buf_cstr(&f->log) : "", "= synced"))
		uv_run(&f->loop.uv, UV_RUN_ONCE);
	assert_non_null(strstr(buf_cstr(&f->log), "! link: a symbolic link: links are not followed\n"));
	assert_non_null(strstr(buf_cstr(&f->log), "! m/Application/.: open directory Application: "));
	assert_non_null(strstr(buf_cstr(&f->log), "+ a 1\n"));
	assert_string_equal(f->last->namespace, "n");
	directory_free(f);
}

static void two_files_of_one_object_are_a_problem(void **state)
{
	struct directory_fixture *f = directory_new();

	(void)state;
	directory_put(f, APP "a.yaml", app(1));
	directory_start(f);
	directory_saw(f, "+ a 1\n= synced\n");
	directory_put(f, APP "a.json", "{\"spec\":{\"v\":2}}");
	directory_saw(f, "! n/Application/a: two object files (.yaml, .yml or .json): remove one\n");
	directory_put(f, APP "a.yaml", NULL);
	directory_saw(f, "~ n/Application/a: two object files (.yaml, .yml or .json): remove one\n+ a 2\n");
	directory_free(f);
}

static void directories_appear_and_vanish(void **state)
{
	struct directory_fixture *f = directory_new();

	(void)state;
	directory_start(f);
	directory_saw(f, "= synced\n");
	directory_put(f, APP "a.yaml", app(1));
	directory_saw(f, "+ a 1\n");
	rename_in(f, "n", "m");
	while (!strstr(f->log.n ? buf_cstr(&f->log) : "", "- a\n") || !strstr(buf_cstr(&f->log), "+ a 1\n"))
		uv_run(&f->loop.uv, UV_RUN_ONCE);
	assert_string_equal(f->last->namespace, "m");
	buf_clear(&f->log);
	directory_put(f, "m/Application/a.yaml", app(2)); /* it is still watched, under its new name */
	directory_saw(f, "+ a 2\n");
	assert_string_equal(f->last->namespace, "m");
	directory_free(f);
}

static void the_directory_itself_taken_away_deletes_nothing(void **state)
{
	struct directory_fixture *f = directory_new();
	char path[256];

	(void)state;
	directory_put(f, APP "a.yaml", app(1));
	directory_start(f);
	directory_saw(f, "+ a 1\n= synced\n");
	directory_put(f, APP "a.yaml", NULL);
	in_root(f, APP, path);
	assert_int_equal(rmdir(path), 0);
	in_root(f, "n", path);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(f->root), 0);
	snprintf(path, sizeof(path), "! .: %s was taken away: No such file or directory\n", f->root);
	directory_saw(f, path);
	directory_free(f);
}

static void what_happens_to_a_directory_that_is_not_in_its_place_counts_for_nothing(void **state)
{
	struct directory_fixture *f = directory_new();
	char away[256], text[256], a[256];

	(void)state;
	directory_put(f, APP "a.yaml", app(1));
	directory_start(f);
	directory_saw(f, "+ a 1\n= synced\n");
	directory_put(f, APP "b.yaml", app(1));
	directory_saw(f, "+ b 1\n");
	snprintf(away, sizeof(away), "%s/away", f->dir);
	assert_int_equal(mkdir(away, 0777), 0);
	assert_int_equal(renameat2(AT_FDCWD, f->root, AT_FDCWD, away, RENAME_EXCHANGE), 0);
	snprintf(a, sizeof(a), "%s/" APP "a.yaml", away);
	assert_int_equal(unlink(a), 0);
	snprintf(text, sizeof(text), "! .: %s is another directory now: it is read after a restart\n", f->root);
	directory_saw(f, text);
	assert_int_equal(directory_write(f, BACKEND_PUT, "c", 1, ""), E_UNAVAILABLE);
	assert_int_equal(renameat2(AT_FDCWD, f->root, AT_FDCWD, away, RENAME_EXCHANGE), 0);
	text[0] = '~';
	directory_saw_both(f, text, "- a\n"); /* the file is looked at by itself */
	directory_free(f);
}

/* How many descriptors may be open. Returns how many it was. */
static rlim_t allow_open_files(rlim_t n)
{
	struct rlimit limit;
	rlim_t before;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	before = limit.rlim_cur;
	limit.rlim_cur = n;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return before;
}

static void what_there_was_no_descriptor_for_is_looked_at_again(void **state)
{
	struct directory_fixture *f = directory_new();
	rlim_t before;

	(void)state;
	directory_mkdir(f, "n/Application");
	directory_put(f, ".hidden/a.yaml", app(1));
	directory_put(f, ".m/Application/b.yaml", app(1));
	directory_start(f);
	directory_saw(f, "= synced\n");
	before = allow_open_files(1);
	rename_in(f, ".hidden/a.yaml", APP "a.yaml");
	directory_saw(f, "! n/Application/a: open directory n: Too many open files\n");
	rename_in(f, ".m", "m");
	directory_saw(f, "! m/.: open directory m: Too many open files\n");
	(void)allow_open_files(before);
	while (!strstr(f->log.n ? buf_cstr(&f->log) : "", "+ a 1\n") || !strstr(f->log.p, "+ b 1\n"))
		uv_run(&f->loop.uv, UV_RUN_ONCE);
	directory_free(f);
}

static void a_uid_in_the_file_is_taken_at_first_sight_alone(void **state)
{
	struct directory_fixture *f = directory_new();

	(void)state;
	directory_start(f);
	directory_saw(f, "= synced\n");
	directory_put(f, APP "a.yaml", "metadata:\n  uid: 11111111-2222\nspec:\n  v: 1\n");
	directory_saw(f, "+ a 1\n");
	assert_string_equal(f->last->uid, "11111111-2222");
	directory_put(f, APP "b.yaml", "metadata:\n  uid: 11111111-2222\nspec:\n  v: 1\n"); /* a copy */
	directory_saw(f, "+ b 1\n");
	assert_int_equal(strlen(f->last->uid), 36);
	directory_put(f, APP "a.yaml", "metadata:\n  uid: 33333333-4444\nspec:\n  v: 2\n");
	directory_saw(f, "+ a 2\n");
	assert_string_equal(f->last->uid, "11111111-2222");
	directory_put(f, APP "c.yaml", "metadata:\n  uid: ../../x\nspec:\n  v: 1\n"); /* none that could be one */
	directory_saw(f, "+ c 1\n");
	assert_int_equal(strlen(f->last->uid), 36);
	directory_free(f);
}

static void another_process_is_kept_out(void **state)
{
	struct directory_fixture *f = directory_new();
	struct directory_options options = { .path = f->root };
	struct backend *second;

	(void)state;
	directory_start(f);
	directory_saw(f, "= synced\n");
	options.ledger = f->ledger;
	assert_int_equal(directory_open(&f->loop, &options, &f->why, &second), E_BUSY);
	directory_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_there_is_listed),
		cmocka_unit_test(what_is_there_is_listed_though_memory_ran_out),
		cmocka_unit_test(a_scan_names_what_is_there_in_order),
		cmocka_unit_test(what_a_scan_found_is_taken_in_pieces),
		cmocka_unit_test(uid_and_version_survive_a_restart),
		cmocka_unit_test(a_text_that_is_known_is_not_read_again),
		cmocka_unit_test(what_we_write_is_known),
		cmocka_unit_test(versions_begin_at_the_clock),
		cmocka_unit_test(what_was_done_while_down_is_seen),
		cmocka_unit_test(a_person_makes_changes_and_deletes),
		cmocka_unit_test(editors_have_their_ways),
		cmocka_unit_test(the_same_content_is_no_change),
		cmocka_unit_test(a_broken_file_keeps_the_last_good_state),
		cmocka_unit_test(files_that_are_no_objects_are_reported_and_skipped),
		cmocka_unit_test(hostile_files_are_reported_and_not_opened),
		cmocka_unit_test(links_to_directories_are_not_followed),
		cmocka_unit_test(two_files_of_one_object_are_a_problem),
		cmocka_unit_test(directories_appear_and_vanish),
		cmocka_unit_test(the_directory_itself_taken_away_deletes_nothing),
		cmocka_unit_test(what_happens_to_a_directory_that_is_not_in_its_place_counts_for_nothing),
		cmocka_unit_test(what_there_was_no_descriptor_for_is_looked_at_again),
		cmocka_unit_test(a_uid_in_the_file_is_taken_at_first_sight_alone),
		cmocka_unit_test(another_process_is_kept_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
