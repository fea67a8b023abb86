#include <stdio.h>

#include "backend/directory_impl.h"

/* ---- problems ------------------------------------------------------------------------------------------------------- */

/* What was found again keeps quiet. */
static void found_problem(struct directory *d, const struct scan_item *item)
{
	struct directory_problem *p = map_get(&d->problems, str_of(item->text));
	size_t n = strlen(item->text);

	if (p) {
		p->scan = d->scan;
		return;
	}
	p = d->problems.n < DIRECTORY_PROBLEMS_MAX ? mem_alloc(sizeof(*p) + n + 1) : NULL;
	if (!p)
		return;
	p->place = item->place;
	p->scan = d->scan;
	memcpy(p->text, item->text, n + 1);
	if (map_put(&d->problems, (struct str){ p->text, n }, p) != E_OK) {
		mem_free(p);
		return;
	}
	metric_add(d->problems_found, 1);
	directory_problem(d, /* bad= */ true, E_MALFORMED, p->text);
}

static struct directory_problem *solved_problem(struct directory *d, const struct scan_scope *scope)
{
	const struct map_entry *entry;
	size_t at = 0;

	while ((entry = map_next(&d->problems, &at))) {
		struct directory_problem *p = entry->value;

		if (p->scan != d->scan && scan_covers(scope, &p->place))
			return p;
	}
	return NULL;
}

static void forget_solved(struct directory *d, const struct scan_scope *scope)
{
	struct directory_problem *p;

	while ((p = solved_problem(d, scope))) {
		map_remove(&d->problems, str_of(p->text));
		metric_add(d->problems_found, -1);
		directory_problem(d, /* bad= */ false, E_OK, p->text);
		mem_free(p);
	}
}

/* ---- watches -------------------------------------------------------------------------------------------------------- */

static struct str wd_key(int wd, char text[static 16])
{
	return (struct str){ text, (size_t)snprintf(text, 16, "%d", wd) };
}

struct directory_watch *watch_find(struct directory *d, int wd)
{
	char key[16];

	return map_get(&d->watches, wd_key(wd, key));
}

/* The same number again is the same directory, perhaps under another name. */
static void found_watch(struct directory *d, const struct scan_item *item)
{
	struct directory_watch *w = watch_find(d, item->wd);

	if (!w) {
		w = mem_alloc(sizeof(*w));
		if (!w || map_put(&d->watches, wd_key(item->wd, w->key), w) != E_OK) {
			mem_free(w);
			d->missed = true;
			return;
		}
		w->wd = item->wd;
	}
	w->place = item->place;
}

void watch_forget(struct directory *d, int wd)
{
	struct directory_watch *w = watch_find(d, wd);

	if (!w)
		return;
	map_remove(&d->watches, str_of(w->key));
	mem_free(w);
}

/* ---- comparing ------------------------------------------------------------------------------------------------------ */

static void mark_found(struct directory *d, const struct scan_item *item)
{
	struct directory_entry *e = entry_make(d, item->place.kind, item->place.namespace, item->text);

	if (!e) {
		d->missed = true;
		return;
	}
	if (e->scan == d->scan)
		return;
	e->scan = d->scan;
	if (!d->listed && !e->initial) {
		e->initial = true;
		d->initial++;
	}
	entry_hint(e);
}

/* In a scope that could not be read nothing is missing. */
static bool is_failed(const struct directory_scan *s, const struct scan_scope *place)
{
	for (const struct scan_item *item = s->first; item; item = item->next)
		if (item->what == SCAN_FAILED && scan_covers(&item->place, place))
			return true;
	return s->lacks_memory;
}

/* What is known and was not found is looked at by itself: a scan takes time, and the file may have come since. */
static void hint_missing(struct directory *d, const struct directory_scan *s, bool some_failed)
{
	const struct map_entry *entry;
	size_t at = 0;

	while ((entry = map_next(&d->entries, &at))) {
		struct directory_entry *e = entry->value;
		struct scan_scope place = { .kind = e->kind };

		(void)snprintf(place.namespace, sizeof(place.namespace), "%s", e->namespace);
		if (e->scan == d->scan || !scan_covers(&s->scope, &place) || (!e->object && !e->problem && !e->initial))
			continue;
		if (!some_failed || !is_failed(s, &place) || e->initial)
			entry_hint(e);
	}
}

static void take_items(struct directory *d, const struct directory_scan *s, bool *ret_failed)
{
	for (const struct scan_item *item = s->first; item; item = item->next) {
		switch (item->what) {
		case SCAN_FILE:
			mark_found(d, item);
			break;
		case SCAN_WATCH:
			found_watch(d, item);
			break;
		case SCAN_UNWATCHED:
			d->unwatched = true;
			found_problem(d, item);
			break;
		case SCAN_FAILED:
			*ret_failed = true;
			found_problem(d, item);
			break;
		case SCAN_PROBLEM:
			found_problem(d, item);
			break;
		}
	}
}

void compare(struct directory *d, const struct directory_scan *s)
{
	bool whole = !s->scope.namespace[0], failed = s->lacks_memory;

	d->missed = s->lacks_memory;
	if (whole)
		d->unwatched = false;
	take_items(d, s, &failed);
	hint_missing(d, s, failed);
	forget_solved(d, &s->scope);
	d->listed = d->listed || (whole && !d->missed);
}
