/*
 * status.h -- the gateway's state as numbers: for `holdfast status` and for the metrics that are read, not counted.
 */
#pragma once

#include "base/buf.h"

struct process;

/*
 * Appends {"ready","state","bus":{..},"store":{..},"forwarding":{..},"routes":[..]}: docs/reference/cli.md. Threads: main.
 */
void status_write_json(const struct process *p, struct buf *ret_json);

/* Sets the gauges whose value is looked up at a scrape. */
void status_update_metrics(const struct process *p);
