/*
 * progress.h -- how far a long task is, for the person who waits.
 *
 * Shape     on a terminal that draws one line as wide as it is that is drawn over itself at most ten times a second, from the first half second on;
 *           elsewhere a plain line every ten seconds. A task that is done before that shows nothing.
 * Units     `done` and `total` in whatever is counted, named by `unit` ("events"); "bytes" are shown as KiB, MiB, ...
 * Owner     a value on the caller's stack; texts are borrowed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct progress {
	int fd;
	bool terminal;
	const char *label; /* "export" */
	const char *unit;  /* "events", "bytes" */
	uint64_t total;    /* 0: not known */
	uint64_t done;
	uint64_t start_ms; /* monotonic */
	uint64_t due_ms;   /* the next drawing, monotonic */
	bool drawn;        /* there is a line on the terminal that must go */
};

/* Begin; nothing is shown yet. `fd` is standard error, usually. */
void progress_start(struct progress *p, int fd, const char *label, const char *unit, uint64_t total);

/* `done` so far. Cheap: call it per item. */
void progress_at(struct progress *p, uint64_t done);

/* The same with a total that turned out to be another one. */
void progress_of(struct progress *p, uint64_t done, uint64_t total);

/* Take the line off the terminal, before other text and at the end. */
void progress_clear(struct progress *p);

/* Appends an amount as the line shows it: "12", and for "bytes" "1.5 MiB". */
void progress_amount(struct buf *b, const char *unit, uint64_t amount);
