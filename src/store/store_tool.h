/*
 * store_tool.h -- what people do to a store from the command line.
 *
 * Shape     each call opens the store of a directory, does one thing and closes it. All but the last two work while a
 *           gateway writes. Dumping is store_read() with store_row_json().
 * Threads   one per call
 * Errors    E_NOT_FOUND  there is no store in the directory
 *           E_CANCELLED  on_progress said so
 *           and those of store.h
 */
#pragma once

#include "store/store.h"

/* Called several times a second; returns false to give up. `total` 0: not known. */
struct store_progress {
	bool (*on_progress)(void *ctx, uint64_t done, uint64_t total);
	void *ctx;
};

#define STORE_INFO_BUSES 8

struct store_info {
	uint64_t events;  /* that can be read */
	uint64_t first;   /* position of the oldest, 0: none */
	uint64_t last;    /* position given last, even if its event is gone already */
	uint64_t bytes;   /* in use, without free pages */
	uint64_t dead;    /* dead letters */
	size_t bus_count; /* in `buses`; more are left out */
	struct {
		char name[64];
		uint64_t forwarded;
		uint64_t held; /* events before that position that wait at routes it does not hold for */
	} buses[STORE_INFO_BUSES];
};

enum err store_info(const char *dir, struct store_info *ret_info, struct why *why);

/*
 * Is the store whole? SQLite's own check, then what must hold between our tables. Each finding goes to `on_problem`.
 * E_CORRUPT: there were some. `progress` counts checks. Both may be NULL.
 */
enum err store_check(const char *dir, const struct store_progress *progress,
		     void (*on_problem)(void *ctx, const char *problem), void *ctx, struct why *why);

/*
 * A consistent copy as one file (0600) that opens as a store's spool.db, also while a gateway writes. E_EXISTS: `to` is
 * there already. `progress` counts pages. Until it is whole its name is `to` with STORE_EXPORT_PART; a copy that could not be
 * finished is removed, one whose process was killed is replaced by the next. E_BUSY: another process writes the same.
 */
#define STORE_EXPORT_PART ".part"
enum err store_export(const char *dir, const char *to, const struct store_progress *progress, struct why *why);

/*
 * A bus that has another name now is still the same: its position and its dead letters go to that. E_NOT_FOUND: `from`
 * has taken nothing. E_EXISTS: `to` has. E_BUSY: a gateway has the store.
 */
enum err store_rename_bus(const char *dir, const char *from, const char *to, struct why *why);

/* Give free pages back to the file system. E_BUSY: a gateway has the store. Needs as much room again as the store has. */
enum err store_vacuum(const char *dir, const struct store_progress *progress, struct why *why);
