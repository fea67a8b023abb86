#include "store/spool_sql.h"

static const char *const texts[] = {
#define X(name, text) [SQL_##name] = text,
	STORE_SQL(X)
#undef X
};

_Static_assert(SQL_COUNT <= DB_STATEMENTS_MAX, "room for every statement");

enum err db_prepare_all(struct db *db, struct why *why)
{
	return db_prepare(db, texts, SQL_COUNT, why);
}

enum err db_setting(struct db *db, const char *name, struct why *why, int64_t *ret_value)
{
	sqlite3_stmt *stmt = db->stmt[SQL_SETTING_GET];

	sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	if (db_row(db, SQL_SETTING_GET))
		*ret_value = sqlite3_column_int64(stmt, 0);
	return db_done(db, SQL_SETTING_GET, why);
}

enum err db_setting_set(struct db *db, const char *name, int64_t value, struct why *why)
{
	sqlite3_stmt *stmt = db->stmt[SQL_SETTING_SET];

	sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 2, value);
	return db_run(db, SQL_SETTING_SET, why);
}
