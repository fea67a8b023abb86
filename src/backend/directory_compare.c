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
	p->place = *item->place;
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

		if (p->scan != d->scan && scan_covers(scope, p->place.namespace, p->place.kind))
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
	w->place = *item->place;
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
	struct directory_entry *e = entry_make(d, item->place->kind, item->place->namespace, item->text);

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

/*
 * What is known and was not found is looked at by itself: a scan takes time, and the file may have come since. In a scope that could not
 * be read nothing is missing.
 */
static void hint_missing(struct directory *d, const struct directory_scan *s)
{
	const struct map_entry *entry;
	size_t at = 0;

	while ((entry = map_next(&d->entries, &at))) {
		struct directory_entry *e = entry->value;

		if (e->scan == d->scan || !scan_covers(&s->scope, e->namespace, e->kind) ||
		    (!e->object && !e->problem && !e->initial))
			continue;
		if (e->initial || !scan_is_failed(s, e->namespace, e->kind))
			entry_hint(e);
	}
}

static void take_item(struct directory *d, struct directory_scan *s, struct scan_item *item)
{
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
		found_problem(d, item);
		scan_fail(s, item);
		return;
	case SCAN_PROBLEM:
		found_problem(d, item);
		break;
	}
	mem_free(item);
}

bool compare(struct directory *d, struct directory_scan *s)
{
	struct scan_item *item;

	for (size_t n = 0; n < DIRECTORY_COMPARE_MAX && (item = scan_take(s)); n++)
		take_item(d, s, item);
	if (s->first)
		return false;
	d->missed = d->missed || s->lacks_memory;
	hint_missing(d, s);
	forget_solved(d, &s->scope);
	d->listed = d->listed || (!s->scope.namespace[0] && !d->missed);
	return true;
}
