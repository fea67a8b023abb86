/*
 * store.h -- events on disk: durable when hf_store_append() returns.
 *
 * Shape     a directory with one SQLite file. Each event has a position; positions begin at 1 and rise without gaps in
 *           the order of storing. One process writes a store at a time; any number may read it meanwhile.
 * Units     times in ms since 1970-01-01 UTC; sizes in bytes.
 * Owner     the handle owns files and threads; events handed to a callback are lent for the call.
 * Threads   hf_store_append() and hf_store_last() from any number of threads at once: what waits is committed together,
 *           so that many threads pay for one flush of the disk. Reads of one handle come one after another.
 * Errors    HF_BUSY         another process writes this store
 *           HF_NOT_FOUND    there is no store in the directory (reading)
 *           HF_FULL         over `max_bytes`; nothing was stored, nothing stored before is discarded
 *           HF_UNAVAILABLE  the disk failed; the store tries to come back by itself
 *           HF_UNSUPPORTED  a newer version wrote the store; or an append to a handle that only reads
 *           HF_CORRUPT      the file is damaged
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <holdfast/event.h>
#include <holdfast/holdfast.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hf_store;

/* How to open a store. Zero it and set what differs: 0 is the default of each field. */
struct hf_store_options {
	bool read_only;     /* read what another process may be writing; nothing is created */
	uint64_t max_bytes; /* refuse new events beyond this size of the file; 0: no cap */
	uint64_t dedup_ms;  /* how long the key of an event is remembered; 0: 72 hours */
};

/* One stored event, lent to a callback. */
struct hf_record {
	uint64_t position;
	int64_t stored_ms;
	const char *stream;           /* as given to hf_store_append() */
	const char *name;             /* as given to hf_store_append() */
	const struct hf_event *event; /* equal to the one that was stored */
};

/* Opens the store in `dir`, made (mode 0700) when missing. `options` NULL: all defaults. */
HF_API enum hf_error hf_store_open(const char *dir, const struct hf_store_options *options, struct hf_why *why,
				   struct hf_store **ret_store);

/* Flushes, closes. Takes NULL. No other call on the handle may run or follow. */
HF_API void hf_store_close(struct hf_store *s);

/*
 * Checks the event, stores it under `stream` and `name`, and returns when it is safe on disk. With a `key` (NULL: none) the
 * same key under the same stream and name is stored once: `ret_position` is then the older one's, and `ret_duplicate`
 * (may be NULL, as may ret_position) is true.
 */
HF_API enum hf_error hf_store_append(struct hf_store *s, const char *stream, const char *name, const char *key,
				     const struct hf_event *event, struct hf_why *why, uint64_t *ret_position,
				     bool *ret_duplicate);

/*
 * Reads from position `from` on, in order, at most `limit` events (0: all): `on_record` returns false to stop early.
 * It may append to the store, but not read from it.
 */
HF_API enum hf_error hf_store_read(struct hf_store *s, uint64_t from, size_t limit,
				   bool (*on_record)(void *ctx, const struct hf_record *record), void *ctx,
				   struct hf_why *why);

/* The last position that is durable; 0: the store is empty. */
HF_API enum hf_error hf_store_last(struct hf_store *s, struct hf_why *why, uint64_t *ret_position);

#ifdef __cplusplus
}
#endif
