/*
 * lock.h -- one writer per store or ledger.
 *
 * Shape     flock(2) on a lock file in the data directory; the writer's process id stands in it, for the message that
 *           the second one gets, and below it a number that outlives the process. The kernel drops the lock with the process,
 *           however it ends. Readers never look at it.
 * Owner     the descriptor is the lock; close(2) it to let go. The file stays.
 * Errors    E_BUSY  another process writes there
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/why.h"

#define LOCK_SPOOL  "spool.lock"
#define LOCK_LEDGER "ledger.lock"

/*
 * The data directory as a descriptor for the *at calls; made (0700) when missing and `create`.
 * E_NOT_FOUND: it is missing, or its parent is.
 */
enum err lock_dir_open(const char *dir, bool create, struct why *why, int *ret_dir_fd);

/* Take what `name` guards in the directory. */
enum err lock_take(int dir_fd, const char *name, struct why *why, int *ret_fd);

/* Keep a number in the file; best effort, so that a full disk can be opened. */
void lock_note(int fd, uint64_t number);

/* The one kept last, by whichever process; 0: none. */
uint64_t lock_noted(int fd);

/* An empty file (0600) where `name` is missing, known to the disk before this returns. */
enum err lock_create_file(int dir_fd, const char *name, struct why *why);
