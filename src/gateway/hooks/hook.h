/*
 * hook.h -- one hook at one provider, on its way to being what the manifest says.
 *
 * Shape     a conversation, one request at a time: hook_request() writes what is to be asked, hook_take() takes the answer
 *           and moves on. Pure: no socket, clock or file; what differs between providers stands in their tables.
 *           A hook is known by its address (`url`): it is looked for before it is made, once more right before that, because
 *           another gateway of the same set may be at it too, and again afterwards: of two that were made at once the one
 *           with the greater id is taken away by who made it.
 * Owner     embedded nowhere, hook_new/hook_free. The route is the configuration's, of which it holds a reference.
 * Errors    E_MALFORMED    an answer that is none
 *           E_NOT_FOUND    the place is not there, or may not be seen
 *           E_FORBIDDEN    the provider refused: a person must look
 *           E_UNAVAILABLE  later, perhaps
 *           E_LIMIT        more pages than anybody has
 * Source    facts argo-events 1.2-1.10; each provider's file
 */
#pragma once

#include "delivery/backoff.h"
#include "gateway/config.h"
#include "gateway/secret_file.h"

#define HOOK_ID_MAX    512
#define HOOK_PAGES_MAX 500
#define HOOK_JITTER_MS 2000 /* gateways of one set do not look and make at the same moment */

struct hook;
struct account; /* account.h: where the requests go, and as whom */
struct hook_places;

/* Words for what may differ: a bit each, in this order. */
#define HOOK_PARTS(X)             \
	X(ADDRESS, "address")     \
	X(EVENTS, "events")       \
	X(ACTIVE, "active")       \
	X(FORMAT, "content type") \
	X(TLS, "TLS")             \
	X(SECRET, "secret")       \
	X(FILTER, "filter")       \
	X(TRIES, "tries")         \
	X(PENDING, "confirmation")

enum hook_part_bit {
#define X(name, text) HOOK_BIT_##name,
	HOOK_PARTS(X)
#undef X
		HOOK_BIT_COUNT
};
enum hook_part {
#define X(name, text) HOOK_##name = 1u << HOOK_BIT_##name,
	HOOK_PARTS(X)
#undef X
};

struct hook_request {
	const char *method;
	struct buf path; /* behind the account's base; with a query */
	struct buf body; /* empty: none */
	bool form;       /* the body is urlencoded, else JSON */
	bool once;       /* carries the hook's idempotency key */
};

struct hook_answer {
	unsigned status;
	struct str body;      /* JSON, valid and compacted, or empty; with `xml` as it came */
	struct str link;      /* field Link */
	struct str next_page; /* field X-Next-Page */
};

/* What a provider's file knows. */
struct hook_provider {
	const char *name;     /* as metrics and the command line say it */
	unsigned interval_ms; /* looked after this often, when nobody says otherwise .. */
	unsigned often;       /* .. so many times; then every HOOK_SELDOM_MS. 0: always this often */
	bool missing_is_404;  /* a hook of its own address: 404 means that there is none */
	bool xml;             /* answers are XML, else JSON */
	const char *first;    /* the query of a list's first page; NULL: there are no pages */
	/* What is listed are no hooks but places for those of this one; NULL: hooks. */
	const struct hook_provider *expands;

	/* The next page of what is there; `cursor` is empty for the first. */
	void (*list)(const struct hook *h, struct str cursor, struct hook_request *r);

	/* One page: hook_saw() for each that has our address, hook_more() when there is another page. */
	enum err (*read)(struct hook *h, const struct hook_answer *a, struct why *why);

	/* Make it (`id` empty) or change it. */
	void (*write)(const struct hook *h, struct str id, struct hook_request *r);

	/* The id of what was made, by the answer. NULL: none is given. */
	struct str (*made)(const struct hook_answer *a, struct buf *arena);

	void (*remove)(const struct hook *h, struct str id, struct hook_request *r);
};

enum hook_goal { HOOK_LOOK, HOOK_KEEP, HOOK_REMOVE };
enum hook_phase { HOOK_LISTING, HOOK_CHECKING, HOOK_WRITING, HOOK_VERIFYING, HOOK_REMOVING, HOOK_AT_REST };
enum hook_action { HOOK_NOTHING, HOOK_CREATE, HOOK_UPDATE, HOOK_DELETE };

struct hook {
	struct gateway_config *config; /* a reference */
	const struct route_config *route;
	const struct hook_provider *provider;
	struct account *account; /* borrowed */
	char *path;              /* below the account's base, as the provider's file wants it */
	char *place;             /* for people: "octo-org/octo-repo" */
	char *url;               /* our address */
	char *broken;            /* why it cannot be managed at all; NULL: it can */
	struct hook *parent;     /* whose place expanded to this one; NULL: of the manifest */
	bool stale;              /* not listed by the parent any more */
	bool delete_on_finish;
	struct secret_file secret; /* path NULL: none */

	enum hook_goal goal;
	enum hook_phase phase;
	enum hook_action action; /* what was done, or with HOOK_LOOK would be */
	unsigned changed;        /* parts that differed */
	unsigned pages;
	uint64_t pause_ms; /* to be waited before the next request */

	struct buf secret_now; /* while a request is under way; wiped at rest */
	uint64_t secret_mark;  /* one number for each text; of this pass */
	uint64_t given_mark;   /* of the secret that the provider was given, or was found with; 0: not known */
	struct buf cursor;     /* of the next page */
	struct buf scratch;    /* what a page left for the write: the foreign part of something shared */
	char best[HOOK_ID_MAX];
	unsigned best_differs;
	size_t seen;            /* hooks with our address */
	char mine[HOOK_ID_MAX]; /* made by this process; "": none */
	bool mine_seen;
	unsigned unkept;  /* parts that the provider does not keep as they are written */
	char once[40];    /* idempotency key of the making that is under way; "": none */
	bool rewrite;     /* write, whatever is there */
	struct buf added; /* places of an expansion: "path\0place\0" each */

	/* The engine's. */
	uint64_t interval_ms; /* 0: the provider's own */
	uint64_t due_ms;
	struct backoff backoff;
	uint64_t passes;
	bool failing;
	bool in_place;
	bool told;            /* that it is in place */
	enum hook_action did; /* the last write that worked */
	unsigned unkept_told;
	char said[sizeof(((struct why *)0)->text)]; /* the failure that was logged last */
	bool finished;                              /* of HOOK_REMOVE, and of a single pass */
	struct why why;
	struct hook *next;
};

/* NULL: no memory. Copies the texts. */
struct hook *hook_new(struct gateway_config *config, const struct route_config *route,
		      const struct hook_provider *provider, struct str path, struct str place);
void hook_free(struct hook *h);

/* Begin a pass; afterwards hook_request(). */
void hook_begin(struct hook *h, enum hook_goal goal);

/* What is asked next. E_NOMEM, or E_LIMIT. Not at rest. */
enum err hook_request(struct hook *h, struct hook_request *r);
void hook_request_release(struct hook_request *r);

/* Give up the pass: the next one begins anew. */
void hook_stop(struct hook *h);

/* The answer, whatever it is. At rest when the pass is over. `random` spreads the pause. */
enum err hook_take(struct hook *h, const struct hook_answer *a, uint64_t random, struct why *why);

/* The body of an answer as read() wants it; `space` may hold what it points to. */
struct str hook_body(const struct hook_provider *p, struct str raw, struct buf *space);

/* The secret as it is now; `mark` is one number for each text. */
enum err hook_set_secret(struct hook *h, struct str secret, uint64_t mark);

/* ---- for providers' read() ---------------------------------------------------------------------------------------------- */

/* A hook with our address, and the parts in which it is not as wanted. */
void hook_saw(struct hook *h, struct str id, unsigned differs);

/* There is another page. */
void hook_more(struct hook *h, struct str cursor);

/* HOOK_SECRET when the provider's secret is not ours, as far as one can know: `has` says that it has one. */
unsigned hook_secret_differs(const struct hook *h, bool has);

/* Another place, of an expansion. */
void hook_add_place(struct hook *h, struct str path, struct str place);

/* Is this our address? */
static inline bool hook_is_ours(const struct hook *h, struct str url)
{
	return str_is(url, h->url);
}

/* ---- for people ---------------------------------------------------------------------------------------------------------- */

/* "events, secret". */
void hook_write_parts(unsigned parts, struct buf *ret_text);

extern const char *const hook_action_words[]; /* "none", "create" .. */
extern const char *const hook_action_done[];  /* "in place", "created" .. */
