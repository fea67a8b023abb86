/*
 * flushed_file.h -- a file that floors write round and round.
 *
 * Shape     real blocks, written and flushed beforehand, as a write-ahead log's are after its first turn: overwriting them
 *           leaves a flush no block map to write.
 */
#pragma once

#include <stddef.h>

#define FLUSHED_FILE_SIZE (64u << 20)

/* A descriptor; -1 with errno. What stood at `path` is gone. */
int flushed_file(const char *path);
