/*
 * store.h -- events on disk: durable when hf_store_append() returns.
 *
 * Shape     a directory with one SQLite file. Each event has a position; positions begin at 1 and rise without gaps in
 *           the order of storing. One handle writes a store at a time; any number may read it meanwhile, in this process and others.
 *           What was confirmed may go (hf_store_confirm()); nothing else ever does.
 * Units     times in ms since 1970-01-01 UTC; sizes in bytes. A stream and a name are 1 to 1,000 bytes of UTF-8 without control
 *           characters, a key is at most 1,000 bytes of UTF-8; an event has at most 512 MiB.
 * Owner     the handle owns files and threads; events handed to a callback are lent for the call.
 * Threads   all but hf_store_close() from any number of threads at once. Appends that wait are committed together, so that many
 *           threads, or many hf_store_submit(), pay for one flush of the disk. Reads of one handle come one after another.
 * Callbacks on_stored and on_commit run in a thread of the store and hold up all appends: they hand over, as with uv_async_send() or
 *           an eventfd. They may call anything but hf_store_append(), which is refused there, and hf_store_close().
 * Process   a child of fork() cannot use the handle: calls are refused, and hf_store_close() only lets go of the store's lock. The lock
 *           is held until the process that opened the store and all such children have ended or closed. Whoever kills the process
 *           loses nothing that was stored.
 * Errors    HF_BUSY         another handle writes this store
 *           HF_NOT_FOUND    there is no store in the directory (reading), or no such position
 *           HF_DENIED       the directory or a file of it may not be used
 *           HF_FULL         over `max_bytes`, and nothing was stored; or the disk is full, and as with HF_UNAVAILABLE. Nothing stored
 *                           before is discarded
 *           HF_LIMIT        an event too large
 *           HF_MALFORMED    the event, or a stream, name or key, breaks its rules
 *           HF_UNAVAILABLE  the disk failed; the store tries to come back by itself. The event may still be there when it has: without
 *                           a key a second try may store it twice
 *           HF_UNSUPPORTED  a newer version wrote the store; or the handle only reads
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
	bool read_only;     /* read what another handle may be writing; no store is made */
	uint64_t max_bytes; /* refuse new events beyond this size of the file; 0: no cap */
	uint64_t dedup_ms;  /* how long the key of an event is remembered; 0: 72 hours */
	uint64_t retain_ms; /* what was confirmed goes when it is older; 0: its age does not matter */
	/* What was confirmed goes, the oldest first, beyond this size; 0: its size does not matter. */
	uint64_t retain_bytes;

	/* After each commit that brought new events, `last` is the position of the newest. NULL: nobody asks. */
	void (*on_commit)(void *ctx, uint64_t last);
	void *ctx;
};

/* One event to store. */
struct hf_entry {
	const char *stream;
	const char *name;
	const char *key; /* NULL: none. The same key under the same stream and name is stored once */
	const struct hf_event *event;
};

/* What became of it. */
struct hf_stored {
	uint64_t position;
	bool duplicate; /* it was there before: the position is that of then */
};

/* One stored event, lent to a callback. */
struct hf_record {
	uint64_t position;
	int64_t stored_ms;
	const char *stream;
	const char *name;
	const struct hf_event *event; /* equal to the one that was stored */
};

/* Opens the store in `dir`, made (mode 0700) when missing. `options` NULL: all defaults. */
HF_API HF_CHECKED enum hf_error hf_store_open(const char *dir, const struct hf_store_options *options,
					      struct hf_why *why, struct hf_store **ret_store);

/* Stores what was submitted, calls its on_stored, closes. Takes NULL. No other call on the handle may run or follow. */
HF_API void hf_store_close(struct hf_store *s);

/*
 * Checks the `count` entries, stores them in their order, all or none, and returns when they are safe on disk. `ret_stored` (NULL: none)
 * has `count` places.
 */
HF_API HF_CHECKED enum hf_error hf_store_append(struct hf_store *s, const struct hf_entry *entries, size_t count,
						struct hf_why *why, struct hf_stored *ret_stored);

/*
 * The same without waiting, for an event loop: the entries are copied, and on_stored comes exactly once when this returned HF_OK, else
 * never. `stored` (`count` of them) and `why` are lent for the call; `stored` is NULL on an error.
 */
HF_API HF_CHECKED enum hf_error hf_store_submit(struct hf_store *s, const struct hf_entry *entries, size_t count,
						void (*on_stored)(void *ctx, enum hf_error error,
								  const struct hf_stored *stored,
								  const struct hf_why *why),
						void *ctx, struct hf_why *why);

/* Would an append be taken now? HF_OK, HF_FULL or HF_UNAVAILABLE. `ret_bytes` (NULL: none) is what the file holds, of `max_bytes`. */
HF_API HF_CHECKED enum hf_error hf_store_state(const struct hf_store *s, uint64_t *ret_bytes);

/*
 * Reads from position `from` on (0 is as 1), in order, at most `limit` events (0: all): `on_record` returns false to stop early. It
 * runs in the calling thread and may call anything but hf_store_read() of this handle, which is refused, and hf_store_close(). What
 * was confirmed and has gone is left out, which shows in the positions. HF_NOT_FOUND: `from` lies behind the next event's position,
 * so it is of a newer copy.
 */
HF_API HF_CHECKED enum hf_error hf_store_read(struct hf_store *s, uint64_t from, size_t limit,
					      bool (*on_record)(void *ctx, const struct hf_record *record), void *ctx,
					      struct hf_why *why);

/* The last position that is durable; 0: nothing was ever stored. */
HF_API HF_CHECKED enum hf_error hf_store_last(struct hf_store *s, struct hf_why *why, uint64_t *ret_position);

/*
 * The program is done with all up to `position`; an older one changes nothing. Kept on disk within a second, or when the store is
 * closed: after a crash hf_store_confirmed() may give an older position, never a newer one. HF_NOT_FOUND: there is no such event yet.
 */
HF_API HF_CHECKED enum hf_error hf_store_confirm(struct hf_store *s, uint64_t position, struct hf_why *why);

/* The last position confirmed; 0: none. The one behind it is where to begin after a start. */
HF_API HF_CHECKED enum hf_error hf_store_confirmed(struct hf_store *s, struct hf_why *why, uint64_t *ret_position);

#ifdef __cplusplus
}
#endif
