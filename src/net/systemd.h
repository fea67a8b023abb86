/*
 * systemd.h -- telling the service manager how we are.
 *
 * Shape     one datagram per message to $NOTIFY_SOCKET; nothing happens when it is not set.
 * Units     times in ms.
 * Threads   any; the environment is only read.
 * Errors    false: the message did not leave, which takes five seconds at most. Nobody's work should fail for it, and the manager
 *           notices by itself.
 * Source    sd_notify(3), systemd.service(5) Type=notify-reload, WatchdogSec=; docs/why/systemd.md
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* READY=1 with a status line: at the end of the start and of each reload. */
bool systemd_ready(const char *status);

/* One line for `systemctl status`; a line break in it becomes a space. */
bool systemd_status(const char *status);

/* RELOADING=1 with the time it began; systemd_ready() ends it. */
bool systemd_reloading(void);

/* STOPPING=1: the end has begun. */
bool systemd_stopping(void);

/* Alive. Call it from the loop that does the work, every systemd_watchdog_ms(). */
bool systemd_watchdog(void);

/* How often to call it: half of what the manager allows; 0: no watchdog is watching this process. */
uint64_t systemd_watchdog_ms(void);
