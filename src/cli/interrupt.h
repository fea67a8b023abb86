/*
 * interrupt.h -- Ctrl-C ends a command between two lines, not within one; a reader that has gone ends one that waits.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>

/* From now on SIGINT and SIGTERM are remembered. A second one ends the process at once. */
void interrupt_catch(void);

/* Did one come, or has the reader of standard output gone while interrupt_wait() waited? */
bool interrupted(void);

/*
 * Waits until `fd` is readable (-1: none), `timeout_ms` is over (-1: no limit), a signal comes or nobody reads standard
 * output any more, without a gap in which one of them could be missed. True: `fd` is readable.
 */
bool interrupt_wait(int fd, int timeout_ms);
