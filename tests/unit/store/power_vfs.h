/*
 * power_vfs.h -- a disk that fails when asked and forgets what was not synced.
 *
 * Shape     a SQLite VFS over the real one, installed as the default. Files are real, so that shared memory and locks
 *           are; beside each stands what the disk has for certain, and the writes since. A sync makes them certain. A
 *           sync that fails forgets them, as Linux does: they can still be read, and never reach the disk; every handle that
 *           was open is told once.
 * Owner     one disk per process; power_reset() starts over.
 * Threads   any
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum power_op {
	POWER_OPEN = 1,
	POWER_READ = 2,
	POWER_WRITE = 4,
	POWER_SYNC = 8,
	POWER_TRUNCATE = 16,
	POWER_DELETE = 32,
	POWER_SHM = 64,
	POWER_SIZE = 128,
	POWER_CHANGES = POWER_OPEN | POWER_WRITE | POWER_SYNC | POWER_TRUNCATE | POWER_DELETE,
	POWER_ALL = 255,
};

/* Install on first use; forget all files and faults. */
void power_reset(uint64_t seed);

/* The n-th operation of these kinds from now fails (1: the next), and `times - 1` more after it. 0: none. */
void power_fail(unsigned ops, uint64_t n, uint64_t times);

/* Operations of these kinds since power_reset() or power_fail(). */
uint64_t power_count(void);

/* Syncs of databases by threads that never wrote a log do not come back until it is taken off again. */
void power_hang(bool hang);

/* After `n` more changes nothing works any longer. 0: never. */
void power_cut_after(uint64_t n);
bool power_is_cut(void);

/*
 * The machine starts again: of what was not synced, sectors survive at random, new files and deletions too.
 * Everything must be closed.
 */
void power_restore(void);

/* All files together hold no more than this. 0: no limit. */
void power_disk_size(uint64_t bytes);

/* The seed's own dice. */
uint64_t power_random(uint64_t below);
