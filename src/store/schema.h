/*
 * schema.h -- the tables, and how an older file becomes a newer one.
 *
 * Shape     a row of steps per version; each runs in a transaction of its own that also sets `user_version`, so a cut
 *           leaves the file at one version or the next. Never change a step that was released: add one.
 * Errors    E_UNSUPPORTED  the file has a newer schema, or is some other program's database
 * Source    docs/reference/store.md
 */
#pragma once

#include "store/db.h"

#define SCHEMA_VERSION        1
#define SCHEMA_APPLICATION_ID 0x686f6c64 /* "hold" */

/* Make the opened connection ready to write: pragmas, then the file to SCHEMA_VERSION, from nothing if need be. */
enum err schema_prepare(struct db *db, struct why *why);

/* For readers: exactly this version, nothing is changed. E_NOT_FOUND: an empty file. */
enum err schema_check(struct db *db, struct why *why);
