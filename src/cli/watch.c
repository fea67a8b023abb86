#include "cli/watch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/interrupt.h"

#define LOOK_FIRST_MS 1
#define LOOK_LAST_MS  1000
#define LOOK_FOR_MS   10000

#define STORE_MASK \
	(IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
#define ABOVE_MASK (IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

/* Cuts the last part off: "/var/lib/x" to "/var/lib", "x" to ".", "/x" to "/". False: there is nothing above. */
static bool cut_last(char *path)
{
	char *slash = strrchr(path, '/');

	if (strcmp(path, "/") == 0 || strcmp(path, ".") == 0)
		return false;
	if (!slash)
		(void)snprintf(path, 2, ".");
	else
		slash[slash == path ? 1 : 0] = '\0';
	return true;
}

/* On the directory itself, or the first one above that is there. */
static enum err arm_once(struct watch *w, struct why *why)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s", w->dir);
	w->above = false;
	for (;;) {
		/* Without IN_MASK_ADD a watch that exists is without any mask for a moment, and events of it are lost. */
		w->id = inotify_add_watch(w->fd, path, (w->above ? ABOVE_MASK : STORE_MASK) | IN_MASK_ADD);
		if (w->id >= 0)
			return E_OK;
		if (errno != ENOENT || !cut_last(path))
			return why_errno(why, E_IO, errno, "watch %s", path);
		w->above = true;
	}
}

static void disarm(struct watch *w)
{
	if (w->id >= 0)
		(void)inotify_rm_watch(w->fd, w->id);
	w->id = -1;
}

/*
 * What appeared below a directory above may have done so before the watch was on it: look again until the watch is on
 * the same directory twice.
 */
static enum err arm(struct watch *w, struct why *why)
{
	int before;

	do {
		before = w->id;
		if (arm_once(w, why) != E_OK)
			return why->err;
		if (before >= 0 && before != w->id)
			(void)inotify_rm_watch(w->fd, before);
	} while (w->above && before != w->id);
	return E_OK;
}

enum err watch_open(struct watch *w, const char *dir, struct why *why)
{
	enum err err;

	*w = (struct watch){ .dir = dir, .id = -1 };
	w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (w->fd < 0)
		return why_errno(why, E_IO, errno, "start watching %s", dir);
	err = arm(w, why);
	if (err != E_OK)
		watch_close(w);
	/* What was written before the watch may be committed after the first look: a commit shows in no file's events. */
	w->write_ms = clock_mono_ms();
	w->pause_ms = LOOK_FIRST_MS;
	return err;
}

static bool is_store_file(const char *name)
{
	return strcmp(name, "spool.db") == 0 || strcmp(name, "spool.db-wal") == 0;
}

enum news { NOTHING, WRITTEN, GONE };

static enum news judge(const struct watch *w, const struct inotify_event *event)
{
	const char *name = event->len ? event->name : "";

	if (event->mask & IN_Q_OVERFLOW)
		return WRITTEN;
	if (event->wd != w->id)
		return NOTHING;
	if (w->above)
		return WRITTEN;
	if (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF))
		return GONE;
	if (event->mask & (IN_DELETE | IN_MOVED_FROM))
		return strcmp(name, "spool.db") == 0 ? GONE : NOTHING;
	return is_store_file(name) ? WRITTEN : NOTHING;
}

/* Reads all that inotify has to say. */
static enum news drain(struct watch *w)
{
	char bytes[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	enum news news = NOTHING;
	ssize_t n;

	while ((n = read(w->fd, bytes, sizeof(bytes))) > 0) {
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *event = (const void *)(bytes + at);
			enum news one = judge(w, event);

			news = one > news ? one : news;
			at += (ssize_t)sizeof(*event) + event->len;
		}
	}
	return news;
}

/* Each look is twice as far away as the one before, until the last write is long ago. */
static void pace(struct watch *w, uint64_t now_ms)
{
	if (!w->write_ms || now_ms - w->write_ms > LOOK_FOR_MS)
		w->pause_ms = -1;
	else if (w->pause_ms < 0)
		w->pause_ms = LOOK_FIRST_MS;
	else
		w->pause_ms = w->pause_ms * 2 > LOOK_LAST_MS ? LOOK_LAST_MS : w->pause_ms * 2;
}

enum err watch_wait(struct watch *w, struct why *why)
{
	for (;;) {
		bool readable = interrupt_wait(w->fd, w->pause_ms);
		bool looked = w->pause_ms >= 0;
		enum news news = readable ? drain(w) : NOTHING;

		if (interrupted())
			return why_set(why, E_CANCELLED, "interrupted");
		if (news == GONE)
			return why_set(why, E_NOT_FOUND, "%s was removed", w->dir);
		if (news == WRITTEN) {
			w->write_ms = clock_mono_ms();
			w->pause_ms = LOOK_FIRST_MS;
			return w->above ? arm(w, why) : E_OK;
		}
		if (readable)
			continue;
		pace(w, clock_mono_ms());
		if (looked)
			return E_OK;
	}
}

void watch_close(struct watch *w)
{
	disarm(w);
	if (w->fd >= 0)
		(void)close(w->fd);
	w->fd = -1;
}
