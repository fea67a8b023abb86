#include "store/tool_file.h"

/* clang-format off */
/*    field   statement; positions behind the removed ones have no gaps, so nothing that waits is counted one by one */
#define INFO(X)                                                                                                        \
	X(events, "SELECT (SELECT count(*) FROM events WHERE pos <= gone)"                                             \
		  " + max(coalesce((SELECT max(pos) FROM events), 0) - gone, 0)"                                       \
		  " FROM (SELECT coalesce((SELECT value FROM settings WHERE name = 'removed_pos'), 0) AS gone)")       \
	X(first,  "SELECT coalesce(min(pos), 0) FROM events")                                                          \
	X(last,   "SELECT max(coalesce((SELECT max(pos) FROM events), 0),"                                             \
		  " coalesce((SELECT value FROM settings WHERE name = 'removed_pos'), 0))")                            \
	X(bytes,  "SELECT (page_count - freelist_count) * page_size"                                                   \
		  " FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()")                            \
	X(dead,   "SELECT count(*) FROM dead")
/* clang-format on */

static enum err read_buses(struct db *db, struct store_info *info, struct why *why)
{
	sqlite3_stmt *stmt;
	int rc = sqlite3_prepare_v2(db->handle,
				    "SELECT bus, forwarded,"
				    " coalesce((SELECT sum(waiting) FROM held WHERE held.bus = buses.bus), 0)"
				    " FROM buses ORDER BY bus",
				    -1, &stmt, NULL);

	if (rc != SQLITE_OK)
		return db_why(db, rc, why, "buses");
	while (info->bus_count < STORE_INFO_BUSES && sqlite3_step(stmt) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(stmt, 0);

		sqlite3_snprintf(sizeof(info->buses[0].name), info->buses[info->bus_count].name, "%s", name);
		info->buses[info->bus_count].forwarded = (uint64_t)sqlite3_column_int64(stmt, 1);
		info->buses[info->bus_count++].held = (uint64_t)sqlite3_column_int64(stmt, 2);
	}
	return db_why(db, sqlite3_finalize(stmt), why, "buses");
}

static enum err read_info(struct db *db, struct store_info *info, struct why *why)
{
	enum err err = E_OK;
	int64_t value = 0;

#define X(field, sql)                                         \
	if (err == E_OK) {                                    \
		err = db_i64(db, sql, why, &value);           \
		info->field = (__typeof__(info->field))value; \
	}
	INFO(X)
#undef X
	return err == E_OK ? read_buses(db, info, why) : err;
}

enum err store_info(const char *dir, struct store_info *ret_info, struct why *why)
{
	struct store_info info = { 0 };
	struct db db;
	enum err err = tool_open(dir, SQLITE_OPEN_READONLY, why, &db);

	if (err != E_OK)
		return err;
	err = db_exec(&db, "BEGIN", why); /* one moment for all numbers */
	if (err == E_OK)
		err = read_info(&db, &info, why);
	db_close(&db);
	if (err != E_OK)
		return why_add(why, "store %s", dir);
	*ret_info = info;
	return E_OK;
}
