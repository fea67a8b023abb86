/*
 * symbols.h -- which file declares a name.
 *
 * Shape     the descriptors of some files, read once: files by name, files by symbol (services, methods, messages, enums, by
 *           their full names), and what each imports.
 * Owner     files are borrowed.
 * Errors    E_MALFORMED: a descriptor that does not parse; E_NOMEM
 * Source    google/protobuf/descriptor.proto
 */
#pragma once

#include "base/map.h"
#include "rpc/server.h"

struct symbols {
	struct map files; /* struct symbols_file by name */
	struct map names; /* struct symbols_file by symbol */
	struct symbols_file *first;
};

struct symbols_file;

/* Read a file; one that is there already stays. A zeroed struct symbols is empty. */
enum err symbols_add(struct symbols *s, const struct rpc_file *file);

/* NULL: unknown. */
const struct symbols_file *symbols_of_file(const struct symbols *s, struct str name);
const struct symbols_file *symbols_of_name(const struct symbols *s, struct str symbol);

/* The file and those it imports, as far as they are known, each once: at most `max`; returns how many. */
size_t symbols_closure(const struct symbols *s, const struct symbols_file *file, const struct rpc_file **ret_files,
		       size_t max);

void symbols_release(struct symbols *s);
