/*
 * interrupt.h -- Ctrl-C ends a command between two lines, not within one.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>

/* From now on SIGINT and SIGTERM are remembered. A second one ends the process at once. */
void interrupt_catch(void);

/* Did one come? */
bool interrupted(void);

/*
 * Waits until `fd` is readable, `timeout_ms` is over (-1: no limit) or a signal comes, without a gap in which a signal
 * could be missed. True: `fd` is readable.
 */
bool interrupt_wait(int fd, int timeout_ms);
