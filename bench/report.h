/*
 * report.h -- what a run of the load generator came to.
 *
 * Shape     the sum over all threads; printed as a table for people, or as one line of JSON.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "driver.h"

struct report {
	const char *run;
	uint64_t rate; /* asked for; 0: closed loop */
	uint64_t connections;
	uint64_t sent, acked, refused, lost, retried, opened, unsent, measured;
	uint64_t start_ns; /* of what was measured: after the warm-up */
	uint64_t last_ns;  /* the last answer */
	double cpu_us;     /* of this process, per acknowledged request */
	uint64_t statuses[DRIVER_STATUS_MAX];
	struct hist latency;
};

/* Adds what a finished driver has. */
void report_take(struct report *r, const struct driver *d);

/* Acknowledged requests a second after the warm-up. */
double report_rate(const struct report *r);

void report_table(const struct report *r, FILE *to);

/* One line with a newline; looks at `ret_line`->err for lack of memory. */
void report_json(const struct report *r, struct buf *ret_line);
