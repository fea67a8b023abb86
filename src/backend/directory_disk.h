/*
 * directory_disk.h -- files of a directory that others write to as well: no link is followed, nothing but a regular file is
 * opened, nobody sees half a file of ours.
 *
 * Threads   any; no state.
 * Errors    disk_err() has the kernel's
 */
#pragma once

#include <sys/stat.h>

#include "backend/directory_file.h"

/* What a look at a file can tell; equal ones are the same content, but for changes within a clock tick. */
struct disk_sig {
	bool exists;
	mode_t mode;
	ino_t ino;
	off_t size;
	int64_t mtime_ns;
	int64_t ctime_ns;
};

/* The files of one object. */
struct disk_files {
	enum directory_part part; /* of the object file, when it exists */
	struct disk_sig object;
	struct disk_sig status;
};

enum err disk_err(int number);

/*
 * Does `path` still lead to the open directory `root`? E_UNAVAILABLE: it was moved away or removed, or another one is in its place.
 * Then what is missing in it was not deleted, and nobody looks for what is written there.
 */
enum err disk_in_place(int root, const char *path, struct why *why);

/* The directory of a name inside another; `create` makes it when missing. -1: `why`, E_NOT_FOUND when there is none. */
enum err disk_open_dir(int parent, const char *name, bool create, struct why *why, int *ret_fd, bool *ret_made);

/* Look at a file; none is no error. */
enum err disk_look(int dir, const char *file, struct why *why, struct disk_sig *ret_sig);

/* Look for the files of an object. E_MALFORMED: it has two object files. */
enum err disk_look_all(int dir, const char *name, struct why *why, struct disk_files *ret_files);

bool disk_same_files(const struct disk_files *a, const struct disk_files *b);

/* All of a regular file. E_MALFORMED: it is none. E_LIMIT: larger than `max`. E_NOT_FOUND: it vanished. */
enum err disk_read(int dir, const char *file, uint64_t max, struct why *why, struct buf *ret_text);

/* A new file with this text, on its way to the disk; sync it with fdatasync(2) and close it. */
enum err disk_write(int dir, const char *file, struct str text, mode_t mode, struct why *why, int *ret_fd);
