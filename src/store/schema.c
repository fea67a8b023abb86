#include "store/schema.h"

#include "base/mem.h"
#include "base/rand.h"
#include "store/migrate.h"

/* clang-format off */
static const char *const steps[] = {
	/* 1: `data` is TEXT for JSON and text, so that sqlite3 shows it, BLOB for the rest, NULL for none. */
	"CREATE TABLE routes("
	" route INTEGER PRIMARY KEY, source TEXT NOT NULL, name TEXT NOT NULL, UNIQUE(source, name)) STRICT;"
	"CREATE TABLE events("
	" pos INTEGER PRIMARY KEY, stored_ms INTEGER NOT NULL, route INTEGER NOT NULL REFERENCES routes(route),"
	" id TEXT NOT NULL, key TEXT, kind INTEGER NOT NULL, meta TEXT NOT NULL, data ANY) STRICT;"
	"CREATE TABLE buses(bus TEXT PRIMARY KEY, forwarded INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE TABLE dead("
	" pos INTEGER NOT NULL, bus TEXT NOT NULL, reason TEXT NOT NULL, at_ms INTEGER NOT NULL,"
	" PRIMARY KEY(pos, bus)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE dedup_gens("
	" gen INTEGER PRIMARY KEY, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL) STRICT;"
	"CREATE TABLE dedup("
	" gen INTEGER NOT NULL, fp BLOB NOT NULL, pos INTEGER NOT NULL, stored_ms INTEGER NOT NULL,"
	" PRIMARY KEY(gen, fp)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE settings(name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE VIEW readable AS"
	" SELECT pos, strftime('%Y-%m-%dT%H:%M:%fZ', stored_ms / 1000.0, 'unixepoch') AS stored,"
	" source, name, id, meta, data FROM events JOIN routes USING(route);",
	/* 2: what buses.forwarded does not hold for. */
	"CREATE TABLE held("
	" bus TEXT NOT NULL, source TEXT NOT NULL, name TEXT NOT NULL, forwarded INTEGER NOT NULL,"
	" waiting INTEGER NOT NULL, PRIMARY KEY(bus, source, name)) STRICT, WITHOUT ROWID;",
};
/* clang-format on */

_Static_assert(ARRAY_LEN(steps) == SCHEMA_VERSION, "one step per version");

/* The key of the fingerprints (dedup.h): secret, so that nobody can choose two keys with the same one. */
static enum err write_secret(struct db *db, struct why *why)
{
	unsigned char secret[16];
	sqlite3_stmt *stmt;
	int rc = sqlite3_prepare_v2(
		db->handle, "INSERT OR IGNORE INTO settings(name, value) VALUES('dedup_secret', ?1)", -1, &stmt, NULL);

	if (rc != SQLITE_OK)
		return db_why(db, rc, why, "secret");
	rand_bytes(secret, sizeof(secret));
	sqlite3_bind_blob(stmt, 1, secret, sizeof(secret), SQLITE_STATIC);
	sqlite3_step(stmt);
	return db_why(db, sqlite3_finalize(stmt), why, "secret");
}

static const struct migration spool = {
	.application_id = SCHEMA_APPLICATION_ID,
	.version = SCHEMA_VERSION,
	.steps = steps,
	.page_bytes = SCHEMA_PAGE_BYTES, /* appends half as fast again as 4 KB (docs/why/sqlite.md) */
	.cache_kb = 3072,
	.on_create = write_secret,
};

enum err schema_prepare(struct db *db, struct why *why)
{
	return migrate(db, &spool, why);
}

enum err schema_check(struct db *db, struct why *why)
{
	int64_t version = 0;
	enum err err = migrate_identify(db, &spool, why, &version);

	if (err != E_OK)
		return err;
	if (version == 0)
		return why_set(why, E_NOT_FOUND, "the store is empty: nothing has written to it yet");
	if (version < SCHEMA_VERSION)
		return why_set(why, E_UNSUPPORTED, "schema %lld is older than %d: start the gateway once to migrate it",
			       (long long)version, SCHEMA_VERSION);
	return E_OK;
}
