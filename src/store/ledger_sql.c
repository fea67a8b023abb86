#include "store/ledger_sql.h"

#include "base/mem.h"
#include "store/migrate.h"

#define APPLICATION_ID  0x686f6c6c /* "holl": the ledger */

/* "(a, b)" as the text "a, b" */
#define INNER(...)      __VA_ARGS__
#define TEXT_OF(...)    #__VA_ARGS__
#define TEXT_(...)      TEXT_OF(__VA_ARGS__)
#define COLUMNS_OF(key) TEXT_(INNER key)

/* clang-format off */
#define COLUMNS "peer, kind, namespace, name, uid, version, desired, status, operation, bytes"

static const char *const steps[] = {
	/* 1: a digest is lower-case hex; `bytes` is what the layer above put there. */
#define X(name, table, key, says)                                                                                 \
	"CREATE TABLE " table "("                                                                                 \
	" peer TEXT NOT NULL, kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,"                   \
	" uid TEXT NOT NULL, version TEXT NOT NULL, desired TEXT NOT NULL, status TEXT NOT NULL,"                 \
	" operation TEXT NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY(" COLUMNS_OF(key) ")) STRICT, WITHOUT ROWID;"
	LEDGER_TABLES(X)
#undef X
	"CREATE TABLE probe(data BLOB) STRICT;",
};

static const char *const texts[] = {
#define X(name, table, key, says)                                                                                 \
	"INSERT OR REPLACE INTO " table "(" COLUMNS ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",          \
	"DELETE FROM " table " WHERE (" COLUMNS_OF(key) ") = (SELECT " COLUMNS_OF(key) " FROM (SELECT"            \
	" ?1 AS peer, ?2 AS kind, ?3 AS namespace, ?4 AS name, ?5 AS uid, ?6 AS version))",                       \
	"SELECT " COLUMNS " FROM " table " ORDER BY " COLUMNS_OF(key),                                            \
	"SELECT " COLUMNS " FROM " table " WHERE peer = ?1 ORDER BY " COLUMNS_OF(key),
	LEDGER_TABLES(X)
#undef X
	[LEDGER_SQL_BEGIN] = "BEGIN IMMEDIATE",
	[LEDGER_SQL_COMMIT] = "COMMIT",
	[LEDGER_SQL_PROBE] = "INSERT INTO probe(data) VALUES(zeroblob(65536))",
	[LEDGER_SQL_PROBE_END] = "DELETE FROM probe",
};
/* clang-format on */

_Static_assert(ARRAY_LEN(texts) == LEDGER_SQL_COUNT, "a text for every statement");
_Static_assert(LEDGER_SQL_COUNT <= DB_STATEMENTS_MAX, "room for every statement");

/* Rows lie in the order of random keys: small pages, since each commit writes every page that it touched. */
static const struct migration ledger = {
	.application_id = APPLICATION_ID,
	.version = ARRAY_LEN(steps),
	.steps = steps,
	.page_bytes = LEDGER_PAGE_BYTES,
	.cache_kb = 8192,
};

enum err ledger_schema_prepare(struct db *db, struct why *why)
{
	return migrate(db, &ledger, why);
}

enum err ledger_schema_check(struct db *db, struct why *why)
{
	int64_t version = 0;
	enum err err = migrate_identify(db, &ledger, why, &version);

	if (err == E_OK && version < ledger.version)
		return why_set(why, E_UNSUPPORTED, "schema %lld is older than %d", (long long)version, ledger.version);
	return err;
}

enum err ledger_sql_prepare(struct db *db, struct why *why)
{
	return db_prepare(db, texts, LEDGER_SQL_COUNT, why);
}

static void bind_text(sqlite3_stmt *stmt, int at, struct str s)
{
	sqlite3_bind_text64(stmt, at, s.n ? s.p : "", s.n, SQLITE_STATIC, SQLITE_UTF8);
}

void ledger_bind_key(sqlite3_stmt *stmt, const struct ledger_row *row)
{
	bind_text(stmt, 1, row->peer);
	bind_text(stmt, 2, row->kind);
	bind_text(stmt, 3, row->namespace);
	bind_text(stmt, 4, row->name);
	bind_text(stmt, 5, row->uid);
	bind_text(stmt, 6, row->version);
}

void ledger_bind_row(sqlite3_stmt *stmt, const struct ledger_row *row)
{
	ledger_bind_key(stmt, row);
	bind_text(stmt, 7, row->desired);
	bind_text(stmt, 8, row->status);
	bind_text(stmt, 9, row->operation);
	sqlite3_bind_blob64(stmt, 10, row->bytes.n ? row->bytes.p : "", row->bytes.n, SQLITE_STATIC);
}

struct ledger_row ledger_row_of(sqlite3_stmt *stmt)
{
	return (struct ledger_row){
		.peer = db_column(stmt, 0),
		.kind = db_column(stmt, 1),
		.namespace = db_column(stmt, 2),
		.name = db_column(stmt, 3),
		.uid = db_column(stmt, 4),
		.version = db_column(stmt, 5),
		.desired = db_column(stmt, 6),
		.status = db_column(stmt, 7),
		.operation = db_column(stmt, 8),
		.bytes = db_column(stmt, 9),
	};
}
