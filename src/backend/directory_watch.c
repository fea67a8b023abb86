#include <assert.h>
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "backend/directory_impl.h"
#include "base/log.h"

#define EVENTS    65536
#define RESCAN_MS 30000 /* where the kernel has no more watches */

static void scan_next(struct directory *d);

/* ---- what is to be scanned ------------------------------------------------------------------------------------------ */

static const struct scan_scope everything = { .kind = SCAN_ALL_KINDS };

static bool is_wanted(const struct directory *d, const struct scan_scope *scope)
{
	for (size_t i = 0; i < d->scope_count; i++)
		if (scan_covers(&d->scopes[i], scope->namespace, scope->kind))
			return true;
	return false;
}

/* One that is wanted already is begun as well: it may have had no memory. */
static void want_scan(struct directory *d, const struct scan_scope *scope)
{
	bool wanted = is_wanted(d, scope);

	if (!wanted && d->scope_count == DIRECTORY_SCOPES_MAX) { /* one scan of everything is less than all of these */
		d->scope_count = 0;
		scope = &everything;
	}
	if (!wanted)
		d->scopes[d->scope_count++] = *scope;
	scan_next(d);
}

void watch_compare(struct directory *d)
{
	want_scan(d, &everything);
}

static void on_rescan(struct loop_timer *timer)
{
	watch_compare(CONTAINER_OF(timer, struct directory, rescan));
}

/* ---- scans ---------------------------------------------------------------------------------------------------------- */

static void plan_rescan(struct directory *d)
{
	if (d->missed || d->away)
		(void)loop_timer_start(d->loop, &d->rescan, DIRECTORY_RETRY_MS);
	else if (d->unwatched && !heap_holds(&d->rescan.node))
		(void)loop_timer_start(d->loop, &d->rescan, RESCAN_MS);
}

static void on_scanned(struct loop_task *task)
{
	struct directory_job *job = CONTAINER_OF(task, struct directory_job, task);
	struct directory *d = job->owner;
	struct directory_scan *s = job->scan;

	if (d->watching && !compare(d, s)) {
		loop_post(d->loop, task); /* the rest in the next turn */
		return;
	}
	d->scanning = false;
	d->away = s->away || (d->away && s->scope.namespace[0]);
	if (d->watching) {
		plan_rescan(d);
		scan_next(d);
	}
	directory_scan_free(s);
	mem_free(job);
	directory_kick(d);
}

static struct directory_job *scan_job(struct directory *d, const struct scan_scope *scope)
{
	struct directory_job *job = mem_alloc(sizeof(*job));
	struct directory_scan *s = mem_alloc(sizeof(*s));

	if (!job || !s) {
		mem_free(job);
		mem_free(s);
		return NULL;
	}
	*s = (struct directory_scan){ .scope = *scope,
				      .root = d->root,
				      .path = d->path,
				      .inotify = d->inotify,
				      .token = d->pool.token,
				      .remove_temps = !d->listed };
	job->what = JOB_SCAN;
	job->owner = d;
	job->task.run = on_scanned;
	job->scan = s;
	return job;
}

static void on_inotify(uv_poll_t *poll, int status, int events);

static void listen_for_events(struct directory *d, bool on)
{
	if (on)
		uv_poll_start(&d->poll, UV_READABLE, on_inotify);
	else
		uv_poll_stop(&d->poll);
}

/* Events wait while a scan runs: what they are about may be known only from it. */
static void scan_next(struct directory *d)
{
	struct directory_job *job;

	if (d->scanning || !d->watching)
		return;
	if (d->scope_count == 0) {
		listen_for_events(d, true);
		return;
	}
	job = scan_job(d, &d->scopes[0]);
	if (!job) {
		(void)loop_timer_start(d->loop, &d->rescan, DIRECTORY_RETRY_MS);
		return;
	}
	listen_for_events(d, false);
	memmove(&d->scopes[0], &d->scopes[1], --d->scope_count * sizeof(d->scopes[0]));
	d->scanning = true;
	d->missed = false;
	d->unwatched = d->unwatched && job->scan->scope.namespace[0];
	d->scan++;
	metric_inc(d->scans);
	pool_put(&d->pool, job);
}

/* ---- events --------------------------------------------------------------------------------------------------------- */

/* A rename gives two events with one cookie: from our temporary name, and to the file's. */
static bool is_own_rename(struct directory *d, const struct inotify_event *event, struct str name)
{
	if ((event->mask & IN_MOVED_FROM) && job_is_temp(name, d->pool.token)) {
		d->cookies[d->cookie++ % DIRECTORY_COOKIES] = event->cookie;
		return true;
	}
	for (size_t i = 0; (event->mask & IN_MOVED_TO) && i < DIRECTORY_COOKIES; i++) {
		if (d->cookies[i] && d->cookies[i] == event->cookie) {
			d->cookies[i] = 0;
			return true;
		}
	}
	return false;
}

static void on_file_event(struct directory *d, const struct directory_watch *w, struct str file)
{
	enum directory_part part;
	struct directory_entry *e;
	char text[DIRECTORY_FILE_MAX];
	struct str name;

	if (!directory_name(file, &name, &part))
		return;
	if (!directory_name_ok(name)) {
		want_scan(d, &w->place);
		return;
	}
	(void)snprintf(text, sizeof(text), "%.*s", STR_ARG(name));
	e = entry_make(d, w->place.kind, w->place.namespace, text);
	if (e)
		entry_hint(e);
	else
		want_scan(d, &w->place);
}

/* Something in the root or in a namespace: only directories and what may be a link to one count. */
static void on_directory_event(struct directory *d, const struct directory_watch *w, uint32_t mask, struct str name)
{
	struct scan_scope scope = w->place;

	if (name.p[0] == '.' || !(mask & (IN_ISDIR | IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM)))
		return;
	if (!scope.namespace[0] && object_name_ok(name))
		(void)snprintf(scope.namespace, sizeof(scope.namespace), "%.*s", STR_ARG(name));
	else if (scope.namespace[0] && object_kind_of(name) != OBJECT_KIND_COUNT)
		scope.kind = object_kind_of(name);
	want_scan(d, &scope);
}

/* The end of a path, without slashes behind it. */
static bool is_last_part(struct str path, struct str name)
{
	while (path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	return str_ends(path, name) && (path.n == name.n || path.p[path.n - name.n - 1] == '/');
}

static void on_event(struct directory *d, const struct inotify_event *event)
{
	struct directory_watch *w = watch_find(d, event->wd);
	struct str name = event->len ? str_of(event->name) : (struct str){ 0 };

	if (event->mask & IN_Q_OVERFLOW) {
		log_warn("directory", "too many changes at once: everything is compared");
		want_scan(d, &everything);
	} else if (w && (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED))) {
		want_scan(d, &w->place);
		if (event->mask & IN_IGNORED)
			watch_forget(d, event->wd);
	} else if (w && name.n && !is_own_rename(d, event, name)) {
		if (w->place.kind == SCAN_ALL_KINDS)
			on_directory_event(d, w, event->mask, name);
		else
			on_file_event(d, w, name);
	} else if (!w && event->wd == d->above && is_last_part(str_of(d->path), name)) {
		watch_compare(d); /* another directory, or none, or ours again */
	}
}

static void on_inotify(uv_poll_t *poll, int status, int events)
{
	struct directory *d = poll->data;
	char buffer[EVENTS] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n;

	(void)status;
	(void)events;
	loop_tick(d->loop);
	n = read(d->inotify, buffer, sizeof(buffer));
	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *event = (const struct inotify_event *)(const void *)(buffer + at);

		at += (ssize_t)(sizeof(*event) + event->len);
		on_event(d, event);
	}
}

/* ---- open and close ------------------------------------------------------------------------------------------------- */

/* Without it a root that is replaced is found when something happens in the old one, or is written. */
static void watch_above(struct directory *d)
{
	char *path = str_dup(str_of(d->path));

	if (path)
		d->above = inotify_add_watch(d->inotify, dirname(path),
					     IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR);
	mem_free(path);
}

enum err directory_watch_open(struct directory *d, struct why *why)
{
	int rc;

	d->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (d->inotify < 0)
		return why_errno(why, E_UNAVAILABLE, errno, "inotify%s",
				 errno == EMFILE ? " (fs.inotify.max_user_instances)" : "");
	watch_above(d);
	rc = uv_poll_init(&d->loop->uv, &d->poll, d->inotify);
	if (rc != 0)
		return why_set(why, E_UNAVAILABLE, "inotify: %s", uv_strerror(rc));
	d->poll.data = d;
	d->poll_open = true;
	d->rescan.on_due = on_rescan;
	return E_OK;
}

static void mark_initial(struct directory *d)
{
	const struct map_entry *entry;
	size_t at = 0;

	while ((entry = map_next(&d->entries, &at))) {
		struct directory_entry *e = entry->value;

		e->initial = true;
		d->initial++;
	}
}

void watch_start(struct directory *d)
{
	mark_initial(d);
	want_scan(d, &everything);
}

void directory_watch_close(struct directory *d)
{
	uv_poll_stop(&d->poll);
	loop_timer_stop(d->loop, &d->rescan);
}

void watch_release(struct directory *d)
{
	const struct map_entry *entry;
	size_t at = 0;

	while ((entry = map_next(&d->watches, &at)))
		mem_free(entry->value);
	at = 0;
	while ((entry = map_next(&d->problems, &at)))
		mem_free(entry->value);
	map_release(&d->watches);
	map_release(&d->problems);
	if (d->inotify >= 0)
		close(d->inotify);
}
