#include "backend/directory.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "backend/directory_impl.h"
#include "base/dir.h"
#include "base/log.h"

#define X(field, kind, title, text) \
	static const struct metric_family field##_family = { .name = title, .help = text, .type = METRIC_##kind };
DIRECTORY_METRICS(X)
#undef X

static struct directory *of(struct backend *b)
{
	return CONTAINER_OF(b, struct directory, base);
}

void directory_problem(struct directory *d, bool bad, enum err err, const char *text)
{
	struct why why = { 0 };

	if (!d->watching)
		return;
	(void)why_set(&why, err, "%s", text);
	d->watcher.on_problem(d->watcher.ctx, &why, bad);
}

void write_done(struct directory *d, struct backend_write *w, enum err err)
{
	struct object *given = w->object;

	w->err = err;
	if (err != E_OK)
		w->result = NULL;
	w->backend_data = NULL;
	d->pending--;
	metric_inc(d->writes);
	w->on_done(w);
	object_unref(given);
}

/* ---- closing -------------------------------------------------------------------------------------------------------- */

static void release(struct directory *d)
{
	if (!d)
		return;
	if (d->pool_started)
		directory_pool_release(&d->pool);
	entry_release_all(d);
	watch_release(d);
	if (d->root >= 0)
		close(d->root);
	metrics_free(d->own_metrics);
	mem_free(d);
}

static void on_poll_closed(uv_handle_t *handle)
{
	struct directory *d = handle->data;
	void (*on_closed)(void *ctx) = d->on_closed;
	void *ctx = d->closed_ctx;

	release(d);
	if (on_closed)
		on_closed(ctx);
}

static bool is_done(const struct directory *d)
{
	return d->on_closed && !d->jobs && !d->pending && !d->scanning && !d->kicked && !d->refusing && d->poll_open;
}

static void look(struct directory *d)
{
	if (d->watching && d->listed && !d->initial && !d->scanning && !d->synced) {
		d->synced = true;
		d->watcher.on_synced(d->watcher.ctx);
	}
	if (is_done(d)) {
		d->poll_open = false;
		uv_close((uv_handle_t *)&d->poll, on_poll_closed);
	}
}

static void on_kick(struct loop_task *task)
{
	struct directory *d = CONTAINER_OF(task, struct directory, kick);

	d->kicked = false;
	entries_start(d);
	look(d);
}

void directory_kick(struct directory *d)
{
	if (d->kicked)
		return;
	d->kicked = true;
	loop_post(d->loop, &d->kick);
}

/* ---- the table ------------------------------------------------------------------------------------------------------ */

static enum err start(struct backend *b, const struct backend_watcher *watcher, struct why *why)
{
	struct directory *d = of(b);

	(void)why;
	assert(!d->watching);
	d->watcher = *watcher;
	d->watching = true;
	watch_start(d);
	return E_OK;
}

static void on_refuse(struct loop_task *task)
{
	struct directory *d = CONTAINER_OF(task, struct directory, refuse);
	struct backend_write *w = TAKE(d->refused);

	d->refusing = false;
	while (w) {
		struct backend_write *next = w->backend_data;

		write_done(d, w, w->err);
		w = next;
	}
	directory_kick(d);
}

/* Not from inside the call. */
static void refuse(struct directory *d, struct backend_write *w, enum err err)
{
	w->err = err;
	w->backend_data = d->refused;
	d->refused = w;
	if (d->refusing)
		return;
	d->refusing = true;
	loop_post(d->loop, &d->refuse);
}

static enum err check_place(const struct object *o, struct why *why)
{
	if (!o->namespace[0])
		return why_set(why, E_MALFORMED, "a directory needs objects with a namespace");
	if (!directory_name_ok(str_of(o->name)))
		return why_set(why, E_MALFORMED, "%s cannot be the name of a file here", o->name);
	return E_OK;
}

static void write_object(struct backend *b, struct backend_write *w)
{
	struct directory *d = of(b);
	const struct object *o = w->object;
	struct directory_entry *e;

	w->err = E_OK;
	w->why = (struct why){ 0 };
	w->result = NULL;
	d->pending++;
	object_ref(w->object);
	if (check_place(o, &w->why) != E_OK) {
		refuse(d, w, w->why.err);
		return;
	}
	e = entry_find(d, o->kind, o->namespace, o->name);
	if (!e && (e = entry_make(d, o->kind, o->namespace, o->name)))
		e->dirty = !d->listed; /* there may be a file that nobody has looked at yet */
	if (e)
		entry_write(e, w);
	else
		refuse(d, w, why_set(&w->why, E_NOMEM, "directory"));
}

static void close_directory(struct backend *b, void (*on_closed)(void *ctx), void *ctx)
{
	struct directory *d = of(b);

	d->watching = false;
	d->on_closed = on_closed;
	d->closed_ctx = ctx;
	directory_watch_close(d);
	directory_kick(d);
}

static const struct backend_ops directory_ops = {
	.name = "directory",
	.start = start,
	.write = write_object,
	.close = close_directory,
};

/* ---- opening -------------------------------------------------------------------------------------------------------- */

/* The kernel drops the lock with the process; it lies on the directory itself. */
static enum err open_root(struct directory *d, struct why *why)
{
	int problem = dir_make(d->path, 0777);

	if (problem)
		return why_errno(why, disk_err(problem), problem, "make directory");
	d->root = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->root < 0)
		return why_errno(why, disk_err(errno), errno, "open directory");
	if (flock(d->root, LOCK_EX | LOCK_NB) == 0)
		return E_OK;
	if (errno == EWOULDBLOCK)
		return why_set(why, E_BUSY, "in use by another process");
	return why_errno(why, E_IO, errno, "lock directory");
}

static enum err init_metrics(struct directory *d, struct metrics *registry)
{
	if (!registry) {
		registry = d->own_metrics = metrics_new();
		if (!registry)
			return E_NOMEM;
	}
#define X(field, type, name, help) d->field = metrics_get(registry, &field##_family, NULL);
	DIRECTORY_METRICS(X)
#undef X
	return E_OK;
}

static uint64_t limit(uint64_t value, uint64_t min, uint64_t max, uint64_t otherwise)
{
	if (!value)
		return otherwise;
	return value < min ? min : value > max ? max : value;
}

static enum err open_all(struct directory *d, const struct directory_options *options, unsigned parallel,
			 struct why *why)
{
	enum err err = init_metrics(d, options->metrics);

	if (err != E_OK)
		return why_set(why, err, "metrics");
	err = open_root(d, why);
	if (err == E_OK)
		err = commit_load(d, why);
	if (err == E_OK) {
		d->pool_started = true;
		err = directory_pool_init(&d->pool, d->loop, d->root, d->path, parallel, why);
	}
	if (err == E_OK)
		err = directory_watch_open(d, why);
	return err;
}

enum err directory_open(struct loop *loop, const struct directory_options *options, struct why *why,
			struct backend **ret_backend)
{
	size_t n = strlen(options->path) + 1;
	struct directory *d = mem_alloc(sizeof(*d) + n);
	struct directory_options set = *options;
	enum err err;

	if (!d)
		return why_set(why, E_NOMEM, "directory %s", options->path);
#define X(field, type, min, max, default, unit, meaning) set.field = (type)limit(set.field, min, max, default);
	DIRECTORY_LIMITS(X)
#undef X
	d->base.ops = &directory_ops;
	d->loop = loop;
	d->ledger = set.ledger;
	d->file_max = set.file_max;
	memcpy(d->path, options->path, n);
	d->root = d->inotify = d->above = -1;
	d->ready_last = &d->ready;
	d->kick.run = on_kick;
	d->refuse.run = on_refuse;
	err = open_all(d, &set, set.parallel, why);
	if (err != E_OK) {
		release(d); /* the poll handle is the last thing that is opened */
		return why_add(why, "directory %s", options->path);
	}
	log_info("directory", "directory opened", LOG_S("path", set.path), LOG_U("objects", d->entries.n));
	*ret_backend = &d->base;
	return E_OK;
}
