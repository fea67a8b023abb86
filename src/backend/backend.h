/*
 * backend.h -- where resources live, behind one small table: list and watch, write, delete.
 *
 * Shape     a backend reports every object there is, then says "synced", then reports each change as it happens, its own
 *           writes included: right behind on_done of the write. The rules of the sync count on that: an operation that is
 *           known later than it was written is executed twice. Writes are asynchronous; those of one object are done in the
 *           order in which they were given, those of different ones at the same time.
 * Owner     the backend keeps a reference to what it was given until on_done; objects reported are lent to the callback.
 * Threads   every call and every callback in the loop's thread; a backend does its waiting elsewhere. No callback comes from
 *           inside a call.
 * Errors    of a write, in `err` with its story in `why`:
 *           E_OK           durable: it survives a power cut from here on
 *           E_NOT_FOUND    there is no such object (status, delete; put with a UID)
 *           E_EXISTS       there is one already (put that must create)
 *           E_CONFLICT     it has another UID or version than expected
 *           E_MALFORMED    this backend can never take it as it is
 *           E_FORBIDDEN, E_UNAVAILABLE, E_FULL, E_IO, E_BUSY, E_TIMEOUT, E_NOMEM   may succeed later
 */
#pragma once

#include "backend/object.h"
#include "net/loop.h"

struct backend;

struct backend_watcher {
	void (*on_object)(void *ctx, struct object *o);  /* there, new or changed */
	void (*on_gone)(void *ctx, struct object *last); /* deleted; as it was */
	void (*on_synced)(void *ctx);                    /* once: everything there was has been reported */
	/* For the log: something is (`bad`), or is no longer, wrong. */
	void (*on_problem)(void *ctx, const struct why *why, bool bad);
	void *ctx;
};

enum backend_verb {
	BACKEND_PUT,    /* all but the status: create, or replace what is there */
	BACKEND_STATUS, /* status and operation, nothing else */
	BACKEND_DELETE,
};

struct backend_write {
	enum backend_verb verb;
	/* What it shall be: its uid and version do not count; of a delete the key alone counts. */
	struct object *object;
	/* NULL: any or none; "": must not exist; else it must exist with this UID. Both borrowed until on_done. */
	const char *expect_uid;
	const char *expect_version; /* NULL: any */
	void (*on_done)(struct backend_write *w);
	/* The outcome, set before on_done. */
	enum err err;
	struct why why;
	/*
	 * As it is now, with uid and version; lent to on_done. The report of the write brings this very object, unless something else
	 * was made of what was written. Of DELETE: NULL when it is gone, else it is on its way out, held by its finalizers.
	 */
	struct object *result;
	void *backend_data; /* the backend's while it works */
};

struct backend_ops {
	const char *name; /* "directory" */
	/* Begin to report. At most once. */
	enum err (*start)(struct backend *b, const struct backend_watcher *watcher, struct why *why);
	void (*write)(struct backend *b, struct backend_write *w);
	/* No more reports; writes under way still end. `on_closed` comes when the backend is freed, never before this returns. */
	void (*close)(struct backend *b, void (*on_closed)(void *ctx), void *ctx);
};

/* The head of every backend. */
struct backend {
	const struct backend_ops *ops;
};

static inline enum err backend_start(struct backend *b, const struct backend_watcher *watcher, struct why *why)
{
	return b->ops->start(b, watcher, why);
}

static inline void backend_write(struct backend *b, struct backend_write *w)
{
	b->ops->write(b, w);
}

static inline void backend_close(struct backend *b, void (*on_closed)(void *ctx), void *ctx)
{
	b->ops->close(b, on_closed, ctx);
}
