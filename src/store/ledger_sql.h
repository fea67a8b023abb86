/*
 * ledger_sql.h -- the ledger's file: its tables and the statements on them.
 *
 * Shape     four statements per table of LEDGER_TABLES, made from its row; ledger_sql() gives the place of one. Every table
 *           has the columns of a ledger_row, in that order, and its key as primary key.
 */
#pragma once

#include "store/db.h"
#include "store/ledger.h"

#define LEDGER_FILE       "ledger.db"
#define LEDGER_PAGE_BYTES 4096

enum ledger_verb {
	LEDGER_VERB_PUT,     /* ?1 to ?10: the columns of a row */
	LEDGER_VERB_REMOVE,  /* ?1 to ?6: those that keys are made of */
	LEDGER_VERB_ALL,     /* rows in the order of the key */
	LEDGER_VERB_OF_PEER, /* the same of peer ?1 */
	LEDGER_VERB_COUNT,
};

/* Statements that belong to no table. */
enum ledger_sql {
	LEDGER_SQL_BEGIN = LEDGER_TABLE_COUNT * LEDGER_VERB_COUNT,
	LEDGER_SQL_COMMIT,
	LEDGER_SQL_PROBE,     /* enough bytes to find a full disk */
	LEDGER_SQL_PROBE_END, /* taken back */
	LEDGER_SQL_COUNT,
};

static inline unsigned ledger_sql(enum ledger_table table, enum ledger_verb verb)
{
	return (unsigned)table * LEDGER_VERB_COUNT + (unsigned)verb;
}

/* Make an opened connection ready: pragmas, the newest schema. */
enum err ledger_schema_prepare(struct db *db, struct why *why);

/* For readers: exactly the newest schema, nothing is changed. */
enum err ledger_schema_check(struct db *db, struct why *why);

enum err ledger_sql_prepare(struct db *db, struct why *why);

/* Bind a row to PUT, or its key to REMOVE. The row lends its memory until the statement was run. */
void ledger_bind_row(sqlite3_stmt *stmt, const struct ledger_row *row);
void ledger_bind_key(sqlite3_stmt *stmt, const struct ledger_row *row);

/* The row that a statement stands on, lent until it moves. */
struct ledger_row ledger_row_of(sqlite3_stmt *stmt);
