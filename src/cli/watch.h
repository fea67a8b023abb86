/*
 * watch.h -- wakes up when another process writes the store.
 *
 * Shape     inotify on the data directory, or on the nearest directory above it while it does not exist.
 *           A commit is seen in two steps: the log file is written first, which wakes us, and the commit counts a
 *           moment later (after its sync), which the kernel tells nobody. So a wake-up is followed by looks at growing
 *           distances, 1 ms to 1 s, for ten seconds after the last write. A store that nobody writes costs nothing.
 * Errors    E_NOT_FOUND  the store was removed or moved away
 *           E_CANCELLED  SIGINT or SIGTERM
 *           E_IO         inotify failed
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/why.h"

struct watch {
	const char *dir; /* borrowed */
	int fd;
	int id;            /* inotify's; -1: none */
	bool above;        /* on a directory above `dir` */
	uint64_t write_ms; /* monotonic, of the last write that was seen; 0: none */
	int pause_ms;      /* until the next look */
};

/* From now on no write is missed. `dir` need not exist. */
enum err watch_open(struct watch *w, const char *dir, struct why *why);

/* Returns E_OK when it is time to look again. */
enum err watch_wait(struct watch *w, struct why *why);

void watch_close(struct watch *w);
