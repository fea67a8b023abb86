/*
 * schema.h -- the tables of the spool.
 *
 * Shape     steps for migrate.h
 * Errors    E_UNSUPPORTED  the file has a newer schema, or is some other program's database
 * Source    docs/reference/store.md
 */
#pragma once

#include "store/spool_sql.h"

#define SCHEMA_VERSION        2
#define SCHEMA_PAGE_BYTES     16384
#define SCHEMA_APPLICATION_ID 0x686f6c64 /* "hold" */

/* Make the opened connection ready to write: pragmas, then the file to SCHEMA_VERSION, from nothing if need be. */
enum err schema_prepare(struct db *db, struct why *why);

/* For readers: exactly this version, nothing is changed. E_NOT_FOUND: an empty file. */
enum err schema_check(struct db *db, struct why *why);
