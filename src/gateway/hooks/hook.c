#include "gateway/hooks/hook_impl.h"

#include <assert.h>

#include "base/mem.h"
#include "base/rand.h"
#include "event/json_text.h"

/*
 *              none                             still none                        (the same, or one that was made twice)
 *  LISTING -----------> (pause) CHECKING ------------------> WRITING --> VERIFYING --> AT_REST, REMOVING
 *    |  |  differs                  |  differs                  ^
 *    |  +---------------------------+---------------------------+
 *    |  HOOK_REMOVE
 *    +-------------> REMOVING --> AT_REST
 */
#define MAY(phase) (1u << (phase))
static const unsigned allowed[] = {
	[HOOK_LISTING] = MAY(HOOK_LISTING) | MAY(HOOK_CHECKING) | MAY(HOOK_WRITING) | MAY(HOOK_REMOVING) |
			 MAY(HOOK_AT_REST),
	[HOOK_CHECKING] = MAY(HOOK_CHECKING) | MAY(HOOK_WRITING) | MAY(HOOK_REMOVING) | MAY(HOOK_AT_REST),
	[HOOK_WRITING] = MAY(HOOK_VERIFYING),
	[HOOK_VERIFYING] = MAY(HOOK_VERIFYING) | MAY(HOOK_REMOVING) | MAY(HOOK_AT_REST),
	[HOOK_REMOVING] = MAY(HOOK_AT_REST),
	[HOOK_AT_REST] = 0,
};

const char *const hook_action_words[] = { "none", "create", "update", "delete" };
const char *const hook_action_done[] = { "in place", "created", "updated", "deleted" };

static void rest(struct hook *h)
{
	buf_wipe(&h->secret_now);
	buf_release(&h->scratch);
	buf_clear(&h->cursor);
}

void hook_move(struct hook *h, enum hook_phase phase)
{
	assert(allowed[h->phase] & MAY(phase));
	h->phase = phase;
	if (phase == HOOK_AT_REST)
		rest(h);
}

/* A listing from its first page. */
void hook_list_again(struct hook *h, enum hook_phase phase)
{
	hook_move(h, phase);
	h->pages = 0;
	h->seen = 0;
	h->mine_seen = false;
	h->best[0] = '\0';
	h->best_differs = 0;
	buf_clear(&h->cursor);
	buf_clear(&h->scratch);
	buf_clear(&h->added);
}

struct hook *hook_new(struct gateway_config *config, const struct route_config *route,
		      const struct hook_provider *provider, struct str path, struct str place)
{
	struct hook *h = mem_alloc(sizeof(*h));

	if (!h)
		return NULL;
	*h = (struct hook){ .route = route, .provider = provider, .phase = HOOK_AT_REST };
	h->path = str_dup(path);
	h->place = str_dup(place);
	if (!h->path || !h->place) {
		hook_free(h);
		return NULL;
	}
	h->config = gateway_config_ref(config);
	return h;
}

void hook_free(struct hook *h)
{
	if (!h)
		return;
	rest(h);
	buf_release(&h->cursor);
	buf_release(&h->added);
	secret_file_release(&h->secret);
	mem_free(h->path);
	mem_free(h->place);
	mem_free(h->url);
	mem_free(h->broken);
	if (h->config)
		gateway_config_unref(h->config);
	mem_free(h);
}

void hook_begin(struct hook *h, enum hook_goal goal)
{
	rest(h);
	h->goal = goal;
	h->action = HOOK_NOTHING;
	h->changed = 0;
	h->pause_ms = 0;
	h->phase = HOOK_LISTING;
	hook_list_again(h, HOOK_LISTING);
}

void hook_stop(struct hook *h)
{
	h->phase = HOOK_AT_REST;
	rest(h);
}

enum err hook_set_secret(struct hook *h, struct str secret, uint64_t mark)
{
	buf_wipe(&h->secret_now);
	if (!buf_reserve(&h->secret_now, secret.n + 1))
		return E_NOMEM;
	buf_str(&h->secret_now, secret);
	if (h->secret_mark != mark)
		h->unkept &= ~(unsigned)HOOK_SECRET;
	h->secret_mark = mark;
	if (!h->given_mark)
		h->given_mark = mark; /* nobody shows the secret that it has: it is taken for this one */
	return E_OK;
}

unsigned hook_secret_differs(const struct hook *h, bool has)
{
	bool ours = has && h->given_mark == h->secret_mark;

	return h->secret.path && !ours ? HOOK_SECRET : 0;
}

/* ---- asking ------------------------------------------------------------------------------------------------------------- */

bool hook_is_listing(const struct hook *h)
{
	return h->phase == HOOK_LISTING || h->phase == HOOK_CHECKING || h->phase == HOOK_VERIFYING;
}

enum err hook_request(struct hook *h, struct hook_request *r)
{
	assert(h->phase != HOOK_AT_REST);
	*r = (struct hook_request){ .method = "GET" };
	if (hook_is_listing(h)) {
		h->provider->list(h, buf_view(&h->cursor), r);
	} else if (h->phase == HOOK_WRITING) {
		if (h->action == HOOK_CREATE && !h->once[0])
			rand_uuid_hex(h->once);
		h->provider->write(h, str_of(h->action == HOOK_CREATE ? "" : h->best), r);
	} else {
		h->provider->remove(h, str_of(h->best), r);
	}
	return r->path.err != E_OK ? r->path.err : r->body.err;
}

void hook_request_release(struct hook_request *r)
{
	buf_wipe(&r->body); /* a secret may stand in it */
	buf_release(&r->path);
}

/* ---- what is there ------------------------------------------------------------------------------------------------------ */

/* Ids that count up compare as numbers. */
static bool is_before(struct str a, struct str b)
{
	return a.n != b.n ? a.n < b.n : str_cmp(a, b) < 0;
}

/* Better is what needs no change, then what was there first. */
static bool is_better(const struct hook *h, struct str id, unsigned differs)
{
	if (!h->best[0] || !differs != !h->best_differs)
		return !h->best[0] || !differs;
	return is_before(id, str_of(h->best));
}

void hook_saw(struct hook *h, struct str id, unsigned differs)
{
	differs = (differs & ~h->unkept) | (h->rewrite ? HOOK_SECRET : 0);
	if (id.n == 0 || id.n >= sizeof(h->best) || memchr(id.p, '\0', id.n))
		return; /* nothing that could be asked for again */
	h->seen++;
	h->mine_seen = h->mine_seen || str_is(id, h->mine);
	if (!is_better(h, id, differs))
		return;
	memcpy(h->best, id.p, id.n);
	h->best[id.n] = '\0';
	h->best_differs = differs;
}

void hook_more(struct hook *h, struct str cursor)
{
	buf_clear(&h->cursor);
	buf_str(&h->cursor, cursor);
}

void hook_add_place(struct hook *h, struct str path, struct str place)
{
	buf_str(&h->added, path);
	buf_char(&h->added, '\0');
	buf_str(&h->added, place);
	buf_char(&h->added, '\0');
}

/* Gerrit puts a line in front of JSON, against browsers. */
struct str hook_body(const struct hook_provider *p, struct str raw, struct buf *space)
{
	struct str guard = STR(")]}'\n");

	if (p->xml)
		return raw;
	if (str_starts(raw, guard))
		raw = str_sub(raw, guard.n, raw.n);
	buf_clear(space);
	return json_compact(raw, /* plain= */ true, space, NULL) == E_OK ? buf_view(space) : (struct str){ 0 };
}

/* ---- for people ---------------------------------------------------------------------------------------------------------- */

void hook_write_parts(unsigned parts, struct buf *ret_text)
{
	static const char *const words[] = {
#define X(name, text) text,
		HOOK_PARTS(X)
#undef X
	};
	bool first = true;

	for (unsigned i = 0; i < HOOK_BIT_COUNT; i++) {
		if (!(parts & 1u << i))
			continue;
		buf_str(ret_text, first ? STR("") : STR(", "));
		buf_str(ret_text, str_of(words[i]));
		first = false;
	}
}
