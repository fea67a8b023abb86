/*
 * ledger_fixture.h -- a ledger in a directory of its own, and transactions that wait for their answer.
 *
 * Owner     ledger_fixture_new() makes the directory, ledger_fixture_free() closes the ledger and removes it.
 */
#pragma once

#include "fixture.h"
#include "store/ledger.h"

struct ledger_fixture {
	struct fixture *f; /* the directory */
	struct metrics *metrics;
	struct ledger *ledger;
	struct why why;
};

struct ledger_waiting {
	struct ledger_write write;
	sem_t done;
};

struct ledger_fixture *ledger_fixture_new(void);
void ledger_fixture_free(struct ledger_fixture *f);

enum err ledger_fixture_open(struct ledger_fixture *f);
void ledger_fixture_close(struct ledger_fixture *f);

void ledger_waiting_start(struct ledger_waiting *w, struct ledger *l, struct ledger_change *changes, size_t count);
enum err ledger_waiting_end(struct ledger_waiting *w);

/* Writes and waits. */
enum err ledger_fixture_write(struct ledger_fixture *f, struct ledger_change *changes, size_t count);

/* A change of one row: a setting. `bytes` NULL: removed. */
struct ledger_change ledger_fixture_setting(const char *name, const char *bytes);
enum err ledger_fixture_set(struct ledger_fixture *f, const char *name, const char *bytes);

/* The rows of a table as "peer/kind/namespace/name/uid/version=bytes ", into a buffer that the next call uses again. */
const char *ledger_fixture_rows(struct ledger_fixture *f, enum ledger_table table, const char *peer);
