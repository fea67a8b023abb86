/*
 * migrate.h -- how an older file becomes a newer one.
 *
 * Shape     a list of steps, one per version; those that a file lacks run in one transaction that also sets `user_version`, so
 *           a cut leaves it at the old version or the newest, and no reader meets one between them. Never change a step that was
 *           released: add one.
 * Errors    E_UNSUPPORTED  the file has a newer schema, is some other program's database, or cannot hold a log
 */
#pragma once

#include "store/db.h"

struct migration {
	int application_id;       /* of the file; what another program made is left as it is */
	int version;              /* the newest, and the number of steps */
	const char *const *steps; /* SQL from version i to i + 1 */
	int page_bytes;           /* of a new file */
	int cache_kb;             /* of the connection */
	enum err (*on_create)(struct db *db, struct why *why); /* NULL, or what a new file needs beside its tables */
};

/* Pragmas, then the file to the newest version, from nothing if need be. The file must end up in WAL mode. */
enum err migrate(struct db *db, const struct migration *m, struct why *why);

/*
 * The version of the file, 0 for an empty one, and whether it is one of ours. E_UNAVAILABLE: whoever made it was cut off, and only one
 * who may write can end that.
 */
enum err migrate_identify(struct db *db, const struct migration *m, struct why *why, int64_t *ret_version);
