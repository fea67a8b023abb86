/*
 * directory_scan.h -- what is there: the whole directory, a namespace of it, or one kind in a namespace.
 *
 * Shape     walks in a thread of the pool and gives a list, which may be long: the loop takes some of it in each turn. Each
 *           directory is watched before it is listed, so that nothing that changes meanwhile is missed.
 * Owner     the scan owns its items; directory_scan_free().
 */
#pragma once

#include "backend/directory_disk.h"

enum scan_item_kind {
	SCAN_FILE,      /* a file of an object, whatever it is */
	SCAN_WATCH,     /* a directory is watched as `wd` */
	SCAN_UNWATCHED, /* it could not be: `text` */
	SCAN_PROBLEM,   /* something that cannot be used: `text` */
	SCAN_FAILED,    /* what is below could not be read: `text`; nothing is known about it */
};

#define SCAN_ALL_KINDS OBJECT_KIND_COUNT

/* namespace "": everything. */
struct scan_scope {
	char namespace[OBJECT_NAME_MAX + 1];
	enum object_kind kind;
};

struct scan_item {
	struct scan_item *next;
	const struct scan_scope *place; /* the scan's */
	enum scan_item_kind what;
	int wd;
	char text[]; /* SCAN_FILE: the object's name; else the path and what is wrong */
};

struct scan_place {
	struct scan_place *next;
	struct scan_scope scope;
};

struct directory_scan {
	struct scan_scope scope;
	int root;
	const char *path; /* of the root */
	int inotify;
	const char *token;
	bool remove_temps; /* of processes that are gone */
	struct scan_item *first, **last;
	struct scan_item *failed; /* scan_fail() */
	struct scan_place *places;
	bool lacks_memory;
	bool away; /* the root is not in its place */
};

bool scan_covers(const struct scan_scope *scope, const char *namespace, enum object_kind kind);

/* Fills the list. */
void directory_scan_run(struct directory_scan *s);

/* Its first item, the caller's to free; NULL: that was all. */
struct scan_item *scan_take(struct directory_scan *s);

/* Gives back an item of what could not be read; and whether that holds this. */
void scan_fail(struct directory_scan *s, struct scan_item *item);
bool scan_is_failed(const struct directory_scan *s, const char *namespace, enum object_kind kind);

void directory_scan_free(struct directory_scan *s);
