/*
 * js_sync.h -- does this server acknowledge before its disk has it?
 *
 * Shape     JetStream acknowledges what it has written, and flushes every `sync_interval` (2 minutes by default) unless
 *           it is `always`. Servers from 2.10 on say so in the "config" of their JetStream report (JSZ). Asked are the
 *           system account over the connection, which answers to privileged users only, then the monitoring port where one
 *           is configured. No answer, or a server too old to tell, is BUS_SYNC_UNKNOWN.
 * Source    facts peers-and-standards 1.14; nats-server server/monitor.go (Jsz)
 */
#pragma once

#include <nats/nats.h>

#include "bus/bus.h"

/* Where a server is asked over the connection. */
#define JS_SYNC_SUBJECT "$SYS.REQ.SERVER.PING.JSZ"

/* Reads a JSZ report: as the monitoring port gives it, or within {"data":..} as the system account does. Pure. */
enum bus_sync js_sync_parse(struct str json);

/* Blocking, a second or two at most. `monitor_url` may be NULL. */
enum bus_sync js_sync_probe(natsConnection *nc, const char *monitor_url);

/* "always", "later", "unknown" */
const char *js_sync_name(enum bus_sync sync);
