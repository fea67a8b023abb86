#include "directory_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

/* ---- the watcher ---------------------------------------------------------------------------------------------------- */

static void on_object(void *ctx, struct object *o)
{
	struct directory_fixture *f = ctx;
	json_object *tree = object_tree(o);
	json_object *v = tree_get(tree, "spec", "v", NULL);

	buf_addf(&f->log, "+ %s %s\n", o->name, v ? json_object_to_json_string(v) : "-");
	json_object_put(tree);
	object_unref(f->last);
	f->last = object_ref(o);
}

static void on_gone(void *ctx, struct object *last)
{
	struct directory_fixture *f = ctx;

	buf_addf(&f->log, "- %s\n", last->name);
}

static void on_synced(void *ctx)
{
	struct directory_fixture *f = ctx;

	buf_lit(&f->log, "= synced\n");
}

static void on_problem(void *ctx, const struct why *why, bool bad)
{
	struct directory_fixture *f = ctx;

	assert_true(bad == (why->err != E_OK));
	buf_addf(&f->log, "%c %s\n", bad ? '!' : '~', why->text);
}

/* ---- waiting -------------------------------------------------------------------------------------------------------- */

static void run_until(struct directory_fixture *f, bool (*holds)(void *ctx), void *ctx)
{
	uint64_t end = clock_mono_ms() + 60000;

	while (!holds(ctx)) {
		if (clock_mono_ms() > end)
			fail_msg("waited too long; seen so far:\n%s", f->log.n ? buf_cstr(&f->log) : "");
		loop_tick(&f->loop);
		uv_run(&f->loop.uv, UV_RUN_ONCE);
	}
}

static bool log_is(void *ctx)
{
	struct directory_fixture *f = ctx;
	struct str log = buf_view(&f->log), one = str_of(f->want), other = str_of(f->want_too);

	return log.n == one.n + other.n &&
	       ((str_starts(log, one) && str_ends(log, other)) || (str_starts(log, other) && str_ends(log, one)));
}

/* Wakes the loop so that the deadline is looked at. */
static void on_tick(uv_timer_t *timer)
{
	(void)timer;
}

void directory_saw_both(struct directory_fixture *f, const char *one, const char *other)
{
	uv_timer_t timer;

	f->want = one;
	f->want_too = other;
	uv_timer_init(&f->loop.uv, &timer);
	uv_timer_start(&timer, on_tick, 100, 100);
	run_until(f, log_is, f);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(&f->loop.uv, UV_RUN_NOWAIT);
	buf_clear(&f->log);
}

void directory_saw(struct directory_fixture *f, const char *want)
{
	directory_saw_both(f, want, "");
}

static bool is_done(void *ctx)
{
	return ((struct directory_request *)ctx)->done;
}

static bool is_closed(void *ctx)
{
	return ((struct directory_fixture *)ctx)->closed;
}

/* ---- open and close ------------------------------------------------------------------------------------------------- */

struct directory_fixture *directory_new(void)
{
	struct directory_fixture *f = mem_alloc(sizeof(*f));

	if (!getenv("HOLDFAST_TEST_LOG"))
		log_setup(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_ERROR, LOG_FORMAT_JSON);
	assert_non_null(f);
	snprintf(f->dir, sizeof(f->dir), "/tmp/holdfast-directory-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->root, sizeof(f->root), "%s/root", f->dir);
	snprintf(f->data, sizeof(f->data), "%s/data", f->dir);
	f->metrics = metrics_new();
	assert_int_equal(loop_init(&f->loop, NULL), E_OK);
	return f;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

void directory_free(struct directory_fixture *f)
{
	directory_stop(f);
	loop_release(&f->loop);
	metrics_free(f->metrics);
	buf_release(&f->log);
	nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	mem_free(f);
}

enum err directory_try(struct directory_fixture *f)
{
	struct directory_options options = { .path = f->root, .metrics = f->metrics, .file_max = f->file_max };

	if (!f->ledger && ledger_open(f->data, NULL, &f->why, &f->ledger) != E_OK)
		return f->why.err;
	options.ledger = f->ledger;
	return directory_open(&f->loop, &options, &f->why, &f->b);
}

void directory_start(struct directory_fixture *f)
{
	struct backend_watcher watcher = { on_object, on_gone, on_synced, on_problem, f };

	if (directory_try(f) != E_OK)
		fail_msg("%s", f->why.text);
	if (f->fail_at)
		mem_fail_at(f->fail_at);
	assert_int_equal(backend_start(f->b, &watcher, &f->why), E_OK);
}

static void on_closed(void *ctx)
{
	((struct directory_fixture *)ctx)->closed = true;
}

void directory_stop(struct directory_fixture *f)
{
	if (f->b) {
		f->closed = false;
		backend_close(f->b, on_closed, f);
		run_until(f, is_closed, f);
		f->b = NULL;
	}
	ledger_close(f->ledger);
	f->ledger = NULL;
	object_unref(TAKE(f->last));
}

/* ---- files ---------------------------------------------------------------------------------------------------------- */

static const char *path_of(struct directory_fixture *f, const char *path)
{
	static char full[512];

	snprintf(full, sizeof(full), "%s/%s", f->root, path);
	return full;
}

void directory_mkdir(struct directory_fixture *f, const char *path)
{
	char full[512];

	snprintf(full, sizeof(full), "%s/%s/", f->root, path);
	for (char *slash = full + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		assert_true(mkdir(full, 0777) == 0 || errno == EEXIST);
		*slash = '/';
	}
}

void directory_put(struct directory_fixture *f, const char *path, const char *text)
{
	char dir[256];
	int fd;

	if (!text) {
		assert_int_equal(unlink(path_of(f, path)), 0);
		return;
	}
	snprintf(dir, sizeof(dir), "%s", path);
	if (strrchr(dir, '/')) {
		*strrchr(dir, '/') = '\0';
		directory_mkdir(f, dir);
	}
	fd = open(path_of(f, path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

void directory_file_is(struct directory_fixture *f, const char *path, const char *text)
{
	static char buffer[65536];
	int fd = open(path_of(f, path), O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (!text) {
		assert_true(fd < 0);
		return;
	}
	assert_true(fd >= 0);
	n = read(fd, buffer, sizeof(buffer) - 1);
	assert_true(n >= 0);
	buffer[n] = '\0';
	close(fd);
	assert_string_equal(buffer, text);
}

/* ---- writes --------------------------------------------------------------------------------------------------------- */

struct object *directory_object(const char *name, int v, const char *more)
{
	char json[1024];
	struct object *o = NULL;

	snprintf(json, sizeof(json), "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"n\"},\"spec\":{\"v\":%d}%s}", name,
		 v, more);
	assert_int_equal(object_new(OBJECT_APPLICATION, str_of(json), NULL, &o), E_OK);
	return o;
}

static void on_done(struct backend_write *w)
{
	struct directory_request *r = CONTAINER_OF(w, struct directory_request, w);

	if (w->result) {
		snprintf(r->uid, sizeof(r->uid), "%s", w->result->uid);
		snprintf(r->version, sizeof(r->version), "%s", w->result->version);
	}
	r->done = true;
	r->f->done++;
}

void directory_begin(struct directory_fixture *f, struct directory_request *r, enum backend_verb verb, struct object *o,
		     const char *expect_uid, const char *expect_version)
{
	*r = (struct directory_request){ .w = { .verb = verb,
						.object = o,
						.expect_uid = expect_uid,
						.expect_version = expect_version,
						.on_done = on_done },
					 .f = f };
	backend_write(f->b, &r->w);
	assert_false(r->done); /* never from inside the call */
	object_unref(o);
}

enum err directory_end(struct directory_request *r)
{
	run_until(r->f, is_done, r);
	return r->w.err;
}

enum err directory_write(struct directory_fixture *f, enum backend_verb verb, const char *name, int v, const char *more)
{
	struct directory_request r;

	directory_begin(f, &r, verb, directory_object(name, v, more), NULL, NULL);
	return directory_end(&r);
}
