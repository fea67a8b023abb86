/*
 * idlog.h -- what became of every event, for the checker.
 *
 * Shape     lines: "A id" answered 2xx, "R id status" refused, "U id" no answer. The first line of a file is
 *           "# hfload ...". Appended with O_APPEND in whole lines, so that threads and runs can share a file.
 * Owner     the descriptor is the caller's; the bytes that wait belong to the log.
 * Errors    a failed write is sticky: idlog_flush() returns it, and it is not retried.
 */
#pragma once

#include "base/buf.h"
#include "base/why.h"

struct idlog {
	int fd; /* -1: nothing is recorded */
	struct buf wait;
	enum err err;
};

enum idlog_outcome { IDLOG_ACKNOWLEDGED = 'A', IDLOG_REFUSED = 'R', IDLOG_UNKNOWN = 'U' };

/* `status` is written for refused ones only. */
void idlog_add(struct idlog *l, enum idlog_outcome outcome, struct str id, int status);

/* Writes what waits. */
enum err idlog_flush(struct idlog *l);

void idlog_release(struct idlog *l);
