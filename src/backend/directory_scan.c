#include "backend/directory_scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "backend/directory_job.h"
#include "base/mem.h"

#define WATCHED                                                                                              \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | \
	 IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK)

/* ---- the list ------------------------------------------------------------------------------------------------------- */

bool scan_covers(const struct scan_scope *scope, const char *namespace, enum object_kind kind)
{
	if (scope->namespace[0] && strcmp(scope->namespace, namespace) != 0)
		return false;
	return scope->kind == SCAN_ALL_KINDS || scope->kind == kind;
}

struct scan_item *scan_take(struct directory_scan *s)
{
	struct scan_item *item = s->first;

	if (item)
		s->first = item->next;
	return item;
}

void scan_fail(struct directory_scan *s, struct scan_item *item)
{
	item->next = s->failed;
	s->failed = item;
}

bool scan_is_failed(const struct directory_scan *s, const char *namespace, enum object_kind kind)
{
	for (const struct scan_item *item = s->failed; item; item = item->next)
		if (scan_covers(item->place, namespace, kind))
			return true;
	return s->lacks_memory;
}

static void add(struct directory_scan *s, enum scan_item_kind what, const struct scan_scope *place, int wd,
		struct str text)
{
	struct scan_item *item = mem_alloc(sizeof(*item) + text.n + 1);

	if (!item) {
		s->lacks_memory = true;
		return;
	}
	item->what = what;
	item->place = place;
	item->wd = wd;
	memcpy(item->text, text.p, text.n);
	*s->last = item;
	s->last = &item->next;
}

/* A place below the scan's own; NULL without memory. */
static struct scan_scope *place_below(struct directory_scan *s, const struct scan_scope *above)
{
	struct scan_place *place = mem_alloc(sizeof(*place));

	if (!place) {
		s->lacks_memory = true;
		return NULL;
	}
	place->scope = *above;
	place->next = s->places;
	s->places = place;
	return &place->scope;
}

static void add_problem(struct directory_scan *s, enum scan_item_kind what, const struct scan_scope *place,
			const char *name, const char *problem)
{
	CLEANUP(buf_release) struct buf text = { 0 };

	if (place->namespace[0])
		buf_addf(&text, "%s/", place->namespace);
	if (place->kind != SCAN_ALL_KINDS)
		buf_addf(&text, "%s/", object_kind_name(place->kind));
	buf_addf(&text, "%s: %s", name, problem);
	if (text.err == E_OK)
		add(s, what, place, -1, buf_view(&text));
	else
		s->lacks_memory = true;
}

/* ---- directories ---------------------------------------------------------------------------------------------------- */

/* By its descriptor: a path may lead elsewhere by now. */
static void watch(struct directory_scan *s, int fd, const struct scan_scope *place)
{
	char path[40];
	int wd;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	wd = inotify_add_watch(s->inotify, path, WATCHED);
	if (wd >= 0)
		add(s, SCAN_WATCH, place, wd, STR(""));
	else
		add_problem(s, SCAN_UNWATCHED, place, ".",
			    errno == ENOSPC ? "cannot be watched: raise fs.inotify.max_user_watches"
					    : "cannot be watched");
}

typedef void (*on_entry)(struct directory_scan *s, int dir, const struct scan_scope *place, const struct dirent *entry);

static void list_dir(struct directory_scan *s, int fd, const struct scan_scope *place, on_entry on)
{
	DIR *dir = fdopendir(fd);
	const struct dirent *entry;

	if (!dir) {
		close(fd);
		s->lacks_memory = true;
		return;
	}
	watch(s, dirfd(dir), place);
	errno = 0;
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			on(s, dirfd(dir), place, entry);
		errno = 0;
	}
	if (errno)
		add_problem(s, SCAN_FAILED, place, ".", "cannot be listed");
	closedir(dir);
}

/* What vanished is no problem. What there were no descriptors for is looked at again soon. */
static bool open_dir(struct directory_scan *s, int dir, const char *name, const struct scan_scope *place, int *ret_fd)
{
	struct why why = { 0 };
	bool made;
	enum err err = disk_open_dir(dir, name, /* create= */ false, &why, ret_fd, &made);

	if (err != E_OK && err != E_NOT_FOUND)
		add_problem(s, SCAN_FAILED, place, ".", why.text);
	s->lacks_memory = s->lacks_memory || err == E_UNAVAILABLE;
	return err == E_OK;
}

static mode_t mode_of(int dir, const struct dirent *entry)
{
	struct disk_sig sig;

	if (entry->d_type != DT_UNKNOWN)
		return DTTOIF(entry->d_type);
	return disk_look(dir, entry->d_name, NULL, &sig) == E_OK ? sig.mode : 0;
}

/* ---- files of a kind ------------------------------------------------------------------------------------------------ */

static void on_file(struct directory_scan *s, int dir, const struct scan_scope *place, const struct dirent *entry)
{
	struct str file = str_of(entry->d_name);
	enum directory_part part;
	struct str name;

	if (s->remove_temps && job_is_temp(file, NULL) && !job_is_temp(file, s->token))
		(void)unlinkat(dir, entry->d_name, 0);
	if (!directory_name(file, &name, &part))
		return;
	if (directory_name_ok(name))
		add(s, SCAN_FILE, place, -1, name);
	else
		add_problem(s, SCAN_PROBLEM, place, entry->d_name, "not the name of an object (RFC 1123 subdomain)");
}

/* ---- kinds of a namespace ------------------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
	const struct scan_item *const *left = a, *const *right = b;

	return strcmp((*left)->text, (*right)->text);
}

/*
 * What begins at `from`, by name: a file system names its files in no order, but everything that is told in this order later, rows
 * of the ledgers above all, lies in it. Without memory the order stays as it is.
 */
static void sort(struct directory_scan *s, struct scan_item **from)
{
	struct scan_item **items, **at;
	size_t n = 0;

	for (const struct scan_item *item = *from; item; item = item->next)
		n++;
	at = items = mem_array(n, sizeof(struct scan_item *));
	if (!items)
		return;
	for (struct scan_item *item = *from; item; item = item->next)
		*at++ = item;
	qsort(items, n, sizeof(struct scan_item *), by_text);
	for (size_t i = 0; i < n; i++, from = &(*from)->next)
		*from = items[i];
	*from = NULL;
	s->last = from;
	mem_free(items);
}

static void scan_kind(struct directory_scan *s, int namespace, const struct scan_scope *place)
{
	struct scan_item **from = s->last;
	int fd;

	if (!open_dir(s, namespace, object_kind_name(place->kind), place, &fd))
		return;
	list_dir(s, fd, place, on_file);
	sort(s, from);
}

static void on_kind(struct directory_scan *s, int dir, const struct scan_scope *place, const struct dirent *entry)
{
	enum object_kind kind = object_kind_of(str_of(entry->d_name));
	mode_t mode = mode_of(dir, entry);
	struct scan_scope *below;

	if (entry->d_name[0] == '.' || S_ISREG(mode))
		return;
	if (kind == OBJECT_KIND_COUNT) {
		add_problem(s, SCAN_PROBLEM, place, entry->d_name, "not a directory of a kind that is known");
	} else if ((below = place_below(s, place))) {
		below->kind = kind;
		scan_kind(s, dir, below);
	}
}

/* ---- namespaces ----------------------------------------------------------------------------------------------------- */

static void scan_namespace(struct directory_scan *s, const struct scan_scope *place)
{
	int fd;

	if (!open_dir(s, s->root, place->namespace, place, &fd))
		return;
	if (place->kind == SCAN_ALL_KINDS) {
		list_dir(s, fd, place, on_kind);
	} else {
		scan_kind(s, fd, place);
		close(fd);
	}
}

static void on_namespace(struct directory_scan *s, int dir, const struct scan_scope *place, const struct dirent *entry)
{
	mode_t mode = mode_of(dir, entry);
	struct scan_scope *below;

	if (entry->d_name[0] == '.' || S_ISREG(mode))
		return;
	if (S_ISLNK(mode)) {
		add_problem(s, SCAN_PROBLEM, place, entry->d_name, "a symbolic link: links are not followed");
	} else if (!object_name_ok(str_of(entry->d_name))) {
		add_problem(s, SCAN_PROBLEM, place, entry->d_name, "not the name of a namespace (RFC 1123 subdomain)");
	} else if ((below = place_below(s, place))) {
		(void)snprintf(below->namespace, sizeof(below->namespace), "%s", entry->d_name);
		scan_namespace(s, below);
	}
}

static void scan_root(struct directory_scan *s)
{
	struct why why = { 0 };
	int fd;

	s->away = disk_in_place(s->root, s->path, &why) != E_OK;
	if (s->away)
		add_problem(s, SCAN_FAILED, &s->scope, ".", why.text);
	else if (open_dir(s, s->root, ".", &s->scope, &fd))
		list_dir(s, fd, &s->scope, on_namespace);
}

void directory_scan_run(struct directory_scan *s)
{
	s->last = &s->first;
	if (s->scope.namespace[0])
		scan_namespace(s, &s->scope);
	else
		scan_root(s);
}

void directory_scan_free(struct directory_scan *s)
{
	struct scan_item *item;

	if (!s)
		return;
	while ((item = scan_take(s)))
		mem_free(item);
	while ((item = s->failed)) {
		s->failed = item->next;
		mem_free(item);
	}
	while (s->places) {
		struct scan_place *next = s->places->next;

		mem_free(s->places);
		s->places = next;
	}
	mem_free(s);
}
