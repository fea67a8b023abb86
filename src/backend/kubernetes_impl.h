/*
 * kubernetes_impl.h -- the open backend, as its own files see it.
 *
 * Shape     kubernetes.c opens and closes, kubernetes_entry.c knows what is there and reports it, kubernetes_watch.c lists and
 *           watches, kubernetes_write.c writes, kubernetes_answer.c reads what the server says. All in the loop's thread.
 *
 *           An entry is one object. What a watch brings of it while a write is under way is held back until the answer is
 *           there: its own write must not be reported before it is done.
 */
#pragma once

#include "backend/apply.h"
#include "backend/kubernetes.h"
#include "base/map.h"
#include "base/mem.h"
#include "net/http_client.h"

#define KUBERNETES_WRITE_MS   30000              /* for one request, list pages included */
#define KUBERNETES_LIST_MAX   ((size_t)64 << 20) /* one page of a list */
#define KUBERNETES_ANSWER_MAX ((size_t)8 << 20)  /* one object */
#define KUBERNETES_PAGE       200                /* objects of a list's page, fewer where they are large */

#define KUBERNETES_METRICS(X)                                                                                       \
	X(objects, GAUGE, "holdfast_kubernetes_objects", "Objects that the API server is known to have.")           \
	X(requests, COUNTER, "holdfast_kubernetes_requests_total", "Requests to the API server.")                   \
	X(failures, COUNTER, "holdfast_kubernetes_failures_total", "Requests without an answer, or with an error.") \
	X(lists, COUNTER, "holdfast_kubernetes_lists_total",                                                        \
	  "Full lists, at the start and after a watch has expired.")                                                \
	X(broken, GAUGE, "holdfast_kubernetes_problems", "Objects that cannot be used.")

struct kubernetes;
struct kube_scope;
struct kube_write;

/* What the watch said of an object with a write under way. */
struct kube_held {
	struct kube_held *next;
	struct object *object;
	bool gone;
};

struct kube_entry {
	struct kubernetes *kube;
	struct object *object; /* as reported last; NULL: not there */
	/* As it was when it turned out to be gone before the watch said so, and the lists that had begun by then: late news of it is none. */
	struct object *buried;
	uint64_t buried_at;
	struct kube_write *first, *last; /* writes; the first is under way */
	struct kube_held *held, **held_end;
	uint64_t seen; /* the last list that had it */
	bool broken;   /* reported as no object */
	char key[];
};

/* One list and watch: a kind, in one namespace or in all. */
struct kube_scope {
	struct kubernetes *kube;
	struct kube_scope *next;
	enum object_kind kind;
	const char *namespace; /* behind it; "": all */
	enum { KUBE_LISTING, KUBE_WATCHING } state;
	bool running; /* the fetch is the client's */
	bool synced;
	bool open;     /* the head of this watch has come */
	bool skipping; /* the rest of a line that is too long */
	bool news;     /* this watch brought something */
	bool expired;
	enum err problem; /* reported; E_OK: none */
	unsigned page;
	unsigned failures;
	uint64_t round;
	struct http_fetch fetch;
	struct buf target;
	struct buf bearer;
	struct buf line;
	struct buf version; /* to watch from */
	struct buf more;    /* the rest of a list */
	struct loop_timer retry;
	char name[];
};

struct kubernetes {
	struct backend base;
	struct loop *loop;
	struct kubernetes_config *config;
	struct http_client *client;
	struct backend_watcher watcher;
	bool watching; /* start() was called, and close() was not */
	bool synced;
	bool create_namespaces;
	struct regex *namespace_pattern; /* of those; NULL: of any name */
	struct buf namespace_labels;     /* of those, as JSON */
	bool closing;
	struct kube_scope *scopes;
	struct map entries;
	uint64_t rounds; /* lists begun */
	size_t writes;
	struct buf token; /* as it stood in its file a while ago */
	uint64_t token_until_ms;
	struct loop_task look;
	bool looking;
	struct backend_write *refused;
	struct metrics *own_metrics;
	void (*on_closed)(void *ctx);
	void *closed_ctx;
#define X(field, type, name, help) struct metric *field;
	KUBERNETES_METRICS(X)
#undef X
};

/* ---- kubernetes.c */

void kube_problem(struct kubernetes *k, bool bad, const struct why *why);

/* What everything that may be over waits for: the first report is whole, or the end has come. Not from inside a call. */
void kube_look(struct kubernetes *k);

/* "Authorization: Bearer" of the next request, NULL: none; appended to `ret_text`, terminated. */
const char *kube_bearer(struct kubernetes *k, struct buf *ret_text);

/* The server did not take the token: its file is read again. */
void kube_forget_token(struct kubernetes *k);

/* Who asks that server, as that user; `config` must last as long. */
enum err kube_client_new(struct loop *loop, const struct kubernetes_config *config, unsigned connections,
			 struct why *why, struct http_client **ret_client);

/* How long to wait before it is asked again, after so many failures: exponential, with full jitter; and no less than it says. */
uint64_t kube_backoff_ms(unsigned failures, uint64_t retry_after_ms);

/* All but what may stand in a query as it is (RFC 3986 2.3). */
void kube_escape(struct buf *to, struct str text);

/* ---- kubernetes_entry.c */

/* The entry of that name; NULL without memory. */
struct kube_entry *kube_entry_make(struct kubernetes *k, enum object_kind kind, const char *namespace,
				   const char *name);
void kube_entries_release(struct kubernetes *k);

/* Freed when nothing is known of it and nobody needs it. */
void kube_entry_rest(struct kube_entry *e);

/* The server says that it is so, or that it was so when it went. Reports what is new. */
void kube_entry_take(struct kube_entry *e, struct object *o, bool gone);

/* The same, or later: a write is under way. E_NOMEM: nothing was taken. */
enum err kube_entry_hear(struct kube_entry *e, struct object *o, bool gone);

/* What was held back. */
void kube_entry_unhold(struct kube_entry *e);
void kube_entry_drop_held(struct kube_entry *e);

/* It is not there any more, before the watch has said so. */
void kube_entry_bury(struct kube_entry *e);

/* It is not there any more, whatever it was. As kube_entry_hear(). */
enum err kube_entry_lost(struct kube_entry *e);

/* It is no object: the last good state stays. */
void kube_entry_broken(struct kube_entry *e, const struct why *why);

/* Is `a` of an older version than `b`? Not where they cannot be compared. */
bool kube_is_older(const char *a, const char *b);

/* ---- kubernetes_watch.c */

/* Begin with all scopes. */
enum err kube_scopes_make(struct kubernetes *k, const struct kubernetes_options *options);

/* Is it where we look? */
bool kube_scopes_cover(const struct kubernetes *k, const struct object *o);
void kube_scopes_start(struct kubernetes *k);
void kube_scopes_stop(struct kubernetes *k);
void kube_scopes_release(struct kubernetes *k);
bool kube_scopes_idle(const struct kubernetes *k);
bool kube_scopes_synced(const struct kubernetes *k);

/* ---- kubernetes_write.c */

void kube_write_begin(struct kubernetes *k, struct backend_write *w);

/* Its end: on_done(), and what may wait for that. */
void kube_write_done(struct kubernetes *k, struct backend_write *w, enum err err, struct object *result);

/* ---- kubernetes_answer.c */

/* Where objects of this kind are: "/api/v1/namespaces/argocd/secrets", with "/NAME" unless that is NULL. */
void kube_path(struct buf *to, enum object_kind kind, const char *namespace, const char *name);

/* What counts as one of this kind: "labelSelector=..." or "". */
const char *kube_selector(enum object_kind kind);

/* Does a list have it? Argo CD would not know another, and a Secret or ConfigMap may be anything. */
bool kube_is_selected(const struct object *o);

/* An object as the server sends it, without what only the server needs. `tree` stays the caller's, and is changed. */
enum err kube_object(enum object_kind kind, json_object *tree, struct why *why, struct object **ret_object);

/* The answer to a request about one object. E_UNAVAILABLE: it is another, or none. */
enum err kube_object_read(const struct object *asked, struct str json, struct why *why, struct object **ret_object);

/* Is it the object that is wrong? */
static inline bool kube_is_broken(enum err err)
{
	return err == E_MALFORMED || err == E_LIMIT;
}

/* What an object that cannot be read whole is called, as the tree of an object. `object`: of json_compact() */
enum err kube_name_alone(struct str object, json_object **ret_tree);

/* What went wrong, of a fetch that is done: E_OK for a 2xx. */
enum err kube_outcome(const struct http_fetch *f, struct why *why);

/* Is it a Status, and not an object? */
bool kube_is_status(struct str answer);
