/*
 * directory_fixture.h -- a directory backend on a real directory, a real ledger and a real loop; everything that is reported
 * becomes a line of text.
 *
 *     + name value      there, new or changed; `value` is spec.v
 *     - name            gone
 *     = synced
 *     ! text            a problem        ~ text     it is solved
 *
 * Nothing sleeps: directory_until() runs the loop until a condition holds, at most 60 s.
 */
#pragma once

/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "backend/directory.h"
#include "base/buf.h"
#include "base/mem.h"

struct directory_fixture {
	char dir[64]; /* holds `root` and the ledger */
	char root[80];
	char data[80];
	uint64_t file_max;
	long fail_at; /* this allocation fails, counted from where it begins to report; 0: none */
	struct loop loop;
	struct ledger *ledger;
	struct metrics *metrics;
	struct backend *b;
	struct why why;
	struct buf log;
	struct object *last; /* reported last */
	unsigned done;       /* writes */
	bool closed;
	const char *want, *want_too; /* the condition */
	unsigned want_done;
};

struct directory_request {
	struct backend_write w;
	struct directory_fixture *f;
	char uid[64], version[32]; /* of the result */
	bool done;
};

struct directory_fixture *directory_new(void);
void directory_free(struct directory_fixture *f);

/* Opens ledger and backend; with start, waits for synced. */
enum err directory_try(struct directory_fixture *f);
void directory_start(struct directory_fixture *f);
void directory_stop(struct directory_fixture *f);

/* Until the log is exactly `want`; it is cleared then. */
void directory_saw(struct directory_fixture *f, const char *want);

/* The same for these two, one before the other or behind it. */
void directory_saw_both(struct directory_fixture *f, const char *one, const char *other);

/* Files below the root, as a person makes them. `text` NULL: removed. Directories are made. */
void directory_put(struct directory_fixture *f, const char *path, const char *text);
void directory_file_is(struct directory_fixture *f, const char *path, const char *text); /* NULL: there is none */
void directory_mkdir(struct directory_fixture *f, const char *path);

/* An Application of namespace "n". `more`: further members, beginning with a comma. */
struct object *directory_object(const char *name, int v, const char *more);

/* Gives a write; it may be waited for. The object is unref'ed. */
void directory_begin(struct directory_fixture *f, struct directory_request *r, enum backend_verb verb, struct object *o,
		     const char *expect_uid, const char *expect_version);
enum err directory_end(struct directory_request *r);
enum err directory_write(struct directory_fixture *f, enum backend_verb verb, const char *name, int v,
			 const char *more);
