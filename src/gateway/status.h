/*
 * status.h -- the gateway's state for `holdfast status`.
 */
#pragma once

#include "base/buf.h"

struct process;

/*
 * Appends {"ready","state","bus":{..},"store":{..},"forwarding":{..},"routes":[..]}: docs/reference/cli.md. Threads: main.
 */
void status_write_json(const struct process *p, struct buf *b);
