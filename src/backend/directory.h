/*
 * directory.h -- objects as files that people can edit: NAMESPACE/KIND/NAME.yaml.
 *
 * Shape     a backend (backend.h). Status and operation lie beside the object in NAME.status.yaml; UIDs, versions and the last
 *           good content in the ledger. A change made by hand is seen at once (inotify), one made while nobody looked at the
 *           start, and becomes a new version. A file that is no object keeps the last good state, is reported once through
 *           on_problem, and again when it is right.
 * Threads   a few of its own for files; callbacks in the loop's.
 * Errors    of opening: E_NOT_FOUND, E_FORBIDDEN, E_BUSY (another process has the directory), E_CORRUPT (the ledger), E_NOMEM,
 *           E_UNAVAILABLE
 * Source    docs/reference/directory.md
 */
#pragma once

#include "backend/backend.h"
#include "base/metrics.h"
#include "store/ledger.h"

/* clang-format off */
/*    field         type      min   max         default   unit       meaning */
#define DIRECTORY_LIMITS(X)                                                                                           \
	X(file_max,   uint64_t, 1024, OBJECT_MAX, OBJECT_MAX, "bytes",   "A larger file is no object.")                  \
	X(parallel,   unsigned, 1,    64,         4,        "threads", "Read and write files at the same time.")
/* clang-format on */

struct directory_options {
	const char *path;
	struct ledger *ledger;                                       /* must outlive the backend */
	struct metrics *metrics;                                     /* NULL: nobody looks */
#define X(field, type, min, max, default, unit, meaning) type field; /* 0: the default */
	DIRECTORY_LIMITS(X)
#undef X
};

/* Opens the directory (made when missing) and reads the ledger, waiting for both. */
enum err directory_open(struct loop *loop, const struct directory_options *options, struct why *why,
			struct backend **ret_backend);
