/*
 * open.h -- a backend by its name, as --backend says it.
 *
 * Shape     "directory:PATH" (directory.h), "memory:" (memory.h; for benches: everything is gone with the process).
 * Errors    E_CONFIG  no such backend; and those of opening it
 */
#pragma once

#include "backend/backend.h"
#include "store/ledger.h"

enum err backend_open(const char *name, struct loop *loop, struct ledger *ledger, struct metrics *metrics,
		      struct why *why, struct backend **ret_backend);
