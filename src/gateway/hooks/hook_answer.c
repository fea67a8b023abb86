/* What an answer means for a hook: the next request, or rest. */
#include <assert.h>

#include "base/mem.h"
#include "gateway/hooks/hook_impl.h"

/* Two gateways made one each: both keep the first. */
static bool is_twin(const struct hook *h)
{
	return h->mine_seen && h->best_differs == 0 && !str_is(str_of(h->mine), h->best);
}

static void remove_twin(struct hook *h)
{
	memcpy(h->best, h->mine, sizeof(h->best));
	h->mine[0] = '\0';
	h->action = HOOK_DELETE;
	hook_move(h, HOOK_REMOVING);
}

static void write_it(struct hook *h, enum hook_action action)
{
	h->action = action;
	h->changed = action == HOOK_UPDATE ? h->best_differs : 0;
	h->rewrite = false;
	hook_move(h, HOOK_WRITING);
}

/* The listing is complete and something must be done about it, or not. */
static void judge_keep(struct hook *h, uint64_t random)
{
	if (!h->seen && h->phase == HOOK_LISTING) {
		hook_list_again(h, HOOK_CHECKING);
		h->pause_ms = random % HOOK_JITTER_MS;
	} else if (!h->seen) {
		write_it(h, HOOK_CREATE);
	} else if (h->best_differs) {
		write_it(h, HOOK_UPDATE);
	} else if (is_twin(h)) {
		remove_twin(h);
	} else {
		hook_move(h, HOOK_AT_REST);
	}
}

static void judge_look(struct hook *h)
{
	h->action = !h->seen ? HOOK_CREATE : h->best_differs ? HOOK_UPDATE : HOOK_NOTHING;
	h->changed = h->best_differs;
	hook_move(h, HOOK_AT_REST);
}

static void judge_remove(struct hook *h)
{
	h->action = h->seen ? HOOK_DELETE : HOOK_NOTHING;
	hook_move(h, h->seen ? HOOK_REMOVING : HOOK_AT_REST);
}

/* What is not as it was written a moment ago is never going to be. */
static void judge_written(struct hook *h)
{
	if (h->seen)
		h->unkept |= h->best_differs;
	if (is_twin(h))
		remove_twin(h);
	else
		hook_move(h, HOOK_AT_REST);
}

static void judge(struct hook *h, uint64_t random)
{
	if (h->provider->expands)
		hook_move(h, HOOK_AT_REST);
	else if (h->phase == HOOK_VERIFYING)
		judge_written(h);
	else if (h->goal == HOOK_REMOVE)
		judge_remove(h);
	else if (h->goal == HOOK_LOOK)
		judge_look(h);
	else
		judge_keep(h, random);
}

static enum err take_page(struct hook *h, const struct hook_answer *a, uint64_t random, struct why *why)
{
	enum err err = E_OK;

	buf_clear(&h->cursor);
	if (a->status != 404 || !h->provider->missing_is_404)
		err = h->provider->read(h, a, why);
	if (err == E_OK && (h->cursor.err != E_OK || h->scratch.err != E_OK || h->added.err != E_OK))
		err = why_set(why, E_NOMEM, "no memory for what is there");
	if (err != E_OK)
		return err;
	if (!h->cursor.n)
		judge(h, random);
	else if (++h->pages >= HOOK_PAGES_MAX)
		return why_set(why, E_LIMIT, "the list does not end after %d pages", HOOK_PAGES_MAX);
	return E_OK;
}

static void take_written(struct hook *h, const struct hook_answer *a)
{
	struct buf arena = { 0 };
	struct str id = { 0 };

	h->once[0] = '\0';
	h->given_mark = h->secret_mark;
	if (h->action == HOOK_CREATE && h->provider->made && buf_reserve(&arena, a->body.n + 1))
		id = h->provider->made(a, &arena);
	if (id.n && id.n < sizeof(h->mine) && !memchr(id.p, '\0', id.n)) {
		memcpy(h->mine, id.p, id.n);
		h->mine[id.n] = '\0';
	}
	buf_release(&arena);
	hook_list_again(h, HOOK_VERIFYING);
}

static bool is_gone(const struct hook_answer *a)
{
	return a->status == 404 || a->status == 410;
}

enum err hook_take(struct hook *h, const struct hook_answer *a, uint64_t random, struct why *why)
{
	bool good = a->status >= 200 && a->status < 300;

	assert(h->phase != HOOK_AT_REST);
	h->pause_ms = 0;
	if (hook_is_listing(h) && (good || (a->status == 404 && h->provider->missing_is_404)))
		return take_page(h, a, random, why);
	if (h->phase == HOOK_REMOVING && (good || is_gone(a))) {
		hook_move(h, HOOK_AT_REST);
		return E_OK;
	}
	if (h->phase == HOOK_WRITING && good) {
		take_written(h, a);
		return E_OK;
	}
	return why_set(why, is_gone(a) ? E_NOT_FOUND : E_FORBIDDEN, "the answer was %u", a->status);
}
