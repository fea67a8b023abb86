/*
 * out.h -- standard output in large writes.
 *
 * Shape     append a line to `text`, then out_next(). Whole lines are written, 64 KiB at a time; out_flush() before
 *           waiting.
 * Owner     embedded; out_close() frees.
 * Errors    a reader that went away (EPIPE) is not an error: `gone` turns true and nothing more is worth writing.
 *           E_IO  the disk behind it is full, or the like
 */
#pragma once

#include "base/buf.h"
#include "base/why.h"

struct out {
	struct buf text;
	int fd;
	unsigned columns; /* of the terminal; 0: not one */
	bool gone;
	int error; /* errno of the first failed write */
};

/* For standard output. */
void out_open(struct out *out);

/* A line is complete. False: stop, nobody reads or writing failed. */
bool out_next(struct out *out);

/* Write what waits; the same answer. */
bool out_flush(struct out *out);

/* Writes the rest and frees. `before` is how the work ended that wrote it: the first failure is returned, and has the story. */
enum err out_close(struct out *out, enum err before, struct why *why);

/* Writes and frees a whole text; a failure is said on standard error. Returns an exit code. */
int out_print(struct buf *text);
