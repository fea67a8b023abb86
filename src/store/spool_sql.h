/*
 * spool_sql.h -- every statement that the spool runs.
 *
 * Shape     a row of STORE_SQL each, named SQL_<row> after it.
 * Source    docs/reference/store.md
 */
#pragma once

#include "store/db.h"

#define STORE_FILE "spool.db"

/* clang-format off */
/*    name              statement */
#define STORE_SQL(X)                                                                                                   \
	X(BEGIN,            "BEGIN IMMEDIATE")                                                                         \
	X(COMMIT,           "COMMIT")                                                                                  \
	X(ROLLBACK,         "ROLLBACK")                                                                                \
	X(EVENT_ADD,        "INSERT INTO events(pos, stored_ms, route, id, key, kind, meta, data)"                     \
			    " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")                                                 \
	X(EVENT_LAST,       "SELECT pos, stored_ms FROM events ORDER BY pos DESC LIMIT 1")                             \
	X(EVENT_TIME,       "SELECT stored_ms FROM events WHERE pos = ?1")                                             \
	X(ROUTE_ADD,        "INSERT INTO routes(route, source, name) VALUES(?1, ?2, ?3)")                              \
	X(ROUTE_ALL,        "SELECT route, source, name FROM routes")                                                  \
	X(SETTING_GET,      "SELECT value FROM settings WHERE name = ?1")                                              \
	X(SETTING_SET,      "INSERT INTO settings(name, value) VALUES(?1, ?2)"                                         \
			    " ON CONFLICT(name) DO UPDATE SET value = excluded.value")                                 \
	X(BUS_ALL,          "SELECT bus, forwarded FROM buses")                                                        \
	X(BUS_SET,          "INSERT INTO buses(bus, forwarded) VALUES(?1, ?2)"                                         \
			    " ON CONFLICT(bus) DO UPDATE SET forwarded = excluded.forwarded")                          \
	X(HELD_OF,          "SELECT source, name, forwarded, waiting FROM held WHERE bus = ?1")                        \
	X(HELD_CLEAR,       "DELETE FROM held WHERE bus = ?1")                                                         \
	X(HELD_ADD,         "INSERT INTO held(bus, source, name, forwarded, waiting) VALUES(?1, ?2, ?3, ?4, ?5)")      \
	X(DEAD_ADD,         "INSERT INTO dead(pos, bus, reason, at_ms) VALUES(?1, ?2, ?3, ?4)")                        \
	X(DEAD_REMOVE,      "DELETE FROM dead WHERE pos = ?1 AND bus = ?2")                                            \
	X(DEAD_COUNT,       "SELECT count(*) FROM dead")                                                               \
	X(PAGES,            "SELECT page_count FROM pragma_page_count()")                                              \
	X(PAGES_FREE,       "SELECT freelist_count FROM pragma_freelist_count()")                                      \
	X(PAGE_SIZE,        "SELECT page_size FROM pragma_page_size()")                                                \
	X(KEY_FIND,         "SELECT pos, stored_ms FROM dedup WHERE gen = ?1 AND fp = ?2")                             \
	X(KEY_ADD,          "INSERT OR REPLACE INTO dedup(gen, fp, pos, stored_ms) VALUES(?1, ?2, ?3, ?4)")            \
	X(KEY_RECENT,       "SELECT pos, stored_ms, route, key FROM events WHERE pos > ?1 ORDER BY pos")               \
	X(KEY_PRUNE,        "DELETE FROM dedup WHERE gen = ?1 AND fp <= coalesce((SELECT fp FROM dedup WHERE gen = ?1" \
			    " ORDER BY fp LIMIT 1 OFFSET ?2), x'ffffffffffffffffffffffffffffffff')")                   \
	X(KEY_SCAN,         "SELECT fp FROM dedup WHERE gen = ?1 AND fp > ?2 ORDER BY fp LIMIT ?3")                    \
	X(KEY_NTH,          "SELECT fp FROM dedup WHERE gen = ?1 ORDER BY fp LIMIT 1 OFFSET ?2")                       \
	X(GEN_ALL,          "SELECT gen, first_ms, last_ms FROM dedup_gens ORDER BY gen")                              \
	X(GEN_SET,          "INSERT INTO dedup_gens(gen, first_ms, last_ms) VALUES(?1, ?2, ?3)"                        \
			    " ON CONFLICT(gen) DO UPDATE SET last_ms = excluded.last_ms")                              \
	X(GEN_REMOVE,       "DELETE FROM dedup_gens WHERE gen = ?1")                                                   \
	X(RETAIN_YOUNGER,   "SELECT pos FROM events WHERE pos > ?1 AND pos <= ?2 AND stored_ms >= ?3"                  \
			    " AND stored_ms <= ?4 ORDER BY pos LIMIT 1")                                               \
	X(RETAIN_OLDER,     "SELECT pos FROM events WHERE pos > ?1 AND pos <= ?2 AND stored_ms < ?3"                   \
			    " ORDER BY pos DESC LIMIT 1")                                                              \
	X(EVENT_FORGET,     "DELETE FROM events WHERE pos = ?1 AND pos <= ?2"                                          \
			    " AND pos NOT IN (SELECT pos FROM dead)")                                                  \
	X(RETAIN_DELETE,    "DELETE FROM events WHERE pos > ?1 AND pos <= ?2"                                          \
			    " AND pos NOT IN (SELECT pos FROM dead)")
/* clang-format on */

enum sql {
#define X(name, text) SQL_##name,
	STORE_SQL(X)
#undef X
		SQL_COUNT,
};

/* Prepares every row of STORE_SQL: the schema must be there. */
enum err db_prepare_all(struct db *db, struct why *why);

/* Small values by name, in the settings table. A missing one leaves `*ret_value` alone. */
enum err db_setting(struct db *db, const char *name, struct why *why, int64_t *ret_value);
enum err db_setting_set(struct db *db, const char *name, int64_t value, struct why *why);
