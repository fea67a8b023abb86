/*
 * systemd.h -- telling the service manager how we are.
 *
 * Shape     one datagram per message to $NOTIFY_SOCKET; nothing happens when it is not set.
 * Units     times in ms.
 * Threads   any; the environment is only read.
 * Errors    E_IO  the message did not leave. Nobody's work should fail for it: log it.
 * Source    sd_notify(3), systemd.service(5) Type=notify-reload, WatchdogSec=; docs/why/systemd.md
 */
#pragma once

#include <stdint.h>

#include "base/why.h"

/* Lines "NAME=value" joined by '\n', as sd_notify(3). */
enum err systemd_notify(const char *lines, struct why *why);

/* READY=1 with a status line: at the end of the start and of each reload. */
enum err systemd_ready(const char *status, struct why *why);

/* One line for `systemctl status`; a line break in it becomes a space. */
enum err systemd_status(const char *status, struct why *why);

/* RELOADING=1 with the time it began; systemd_ready() ends it. */
enum err systemd_reloading(struct why *why);

enum err systemd_stopping(struct why *why);

/* Alive. Call it from the loop that does the work, every systemd_watchdog_ms(). */
enum err systemd_watchdog(struct why *why);

/* How often to call it: half of what the manager allows; 0: no watchdog is watching this process. */
uint64_t systemd_watchdog_ms(void);
