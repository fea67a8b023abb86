#include "gateway/sources/refs_changed.h"

#include "base/clock.h"
#include "base/mem.h"
#include "event/json_members.h"
#include "event/json_walk.h"
#include "gateway/sources/bitbucketserver.h"
#include "gateway/sources/open_pulls.h"
#include "gateway/sources/provider.h"

/* The events of one push together are at most this many times as large as the largest body. */
#define SPLIT_FACTOR 16

/* A push, in pieces of x->payload. */
struct push {
	struct str head;    /* {"headers":{..},"body":{..,"changes":[ */
	struct str tail;    /* ],..},"metadata":{..}} */
	struct str changes; /* the list; absent: there is none */
	size_t count;
	struct open_pulls asked; /* asked.skip: the changes to leave out; NULL: none */
};

static const struct bitbucketserver_settings *settings_of(const struct exchange *x)
{
	return x->route->config->settings;
}

static void push_free(void *own)
{
	struct push *p = own;

	open_pulls_release(&p->asked);
	mem_free(p);
}

static size_t count_items(struct str array)
{
	struct json_walk walk = json_walk(array);
	size_t n = 0;

	for (json_walk_enter(&walk); json_walk_next(&walk); n++)
		(void)json_walk_value(&walk);
	return n;
}

/* `text` is the whole payload, `body` its body. */
static bool find_changes(struct push *p, struct str text, struct str body)
{
	struct json_member changes = { .name = "changes" };
	const char *end;

	if (json_members(body, &changes, 1) != E_OK || (changes.raw.p && changes.raw.p[0] != '['))
		return false;
	p->changes = changes.raw;
	if (!changes.raw.p)
		return true;
	end = changes.raw.p + changes.raw.n - 1;
	p->count = count_items(changes.raw);
	p->head = (struct str){ text.p, (size_t)(changes.raw.p + 1 - text.p) };
	p->tail = (struct str){ end, (size_t)(text.p + text.n - end) };
	return true;
}

/* ---- events ---------------------------------------------------------------------------------------------------------- */

static bool is_kept(const struct push *p, size_t change)
{
	return !p->asked.skip || !p->asked.skip[change];
}

static size_t count_kept(const struct push *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->count; i++)
		n += is_kept(p, i);
	return n;
}

/* What is kept, one payload behind the other, into x->body, which is no longer needed as it was. */
static void write_each(struct exchange *x, const struct push *p, size_t *sizes)
{
	struct json_walk walk = json_walk(p->changes);

	buf_clear(&x->body);
	json_walk_enter(&walk);
	for (size_t i = 0; json_walk_next(&walk); i++) {
		struct str change = json_walk_value(&walk);

		if (!is_kept(p, i))
			continue;
		buf_str(&x->body, p->head);
		buf_str(&x->body, change);
		buf_str(&x->body, p->tail);
		*sizes++ = p->head.n + change.n + p->tail.n;
	}
}

static void emit_each(struct exchange *x, const struct push *p, size_t kept)
{
	uint64_t size = kept * (uint64_t)(p->head.n + p->tail.n) + p->changes.n;
	CLEANUP(mem_freep) size_t *sizes = mem_array(kept, sizeof(*sizes));

	if (size > SPLIT_FACTOR * x->route->config->max_payload) {
		exchange_refuse(x, ANSWER_TOO_LARGE_READ, STR("too many changes in one push to make each an event"));
		return;
	}
	if (!sizes) {
		provider_refuse(x, ANSWER_OVERLOAD, STR(""));
		return;
	}
	write_each(x, p, sizes);
	provider_take_body(x);
	if (exchange_charge(x))
		exchange_emit_parts(x, sizes, kept, provider_id(x, "X-Request-Id"));
}

/* One event with what is kept. */
static void emit_rest(struct exchange *x, const struct push *p)
{
	struct json_walk walk = json_walk(p->changes);
	bool first = true;

	buf_clear(&x->body);
	buf_str(&x->body, p->head);
	json_walk_enter(&walk);
	for (size_t i = 0; json_walk_next(&walk); i++) {
		struct str change = json_walk_value(&walk);

		if (!is_kept(p, i))
			continue;
		if (!first)
			buf_char(&x->body, ',');
		buf_str(&x->body, change);
		first = false;
	}
	buf_str(&x->body, p->tail);
	provider_take_body(x);
	if (exchange_charge(x))
		exchange_emit(x, provider_id(x, "X-Request-Id"));
}

static void emit(struct exchange *x, const struct push *p)
{
	size_t kept = count_kept(p);

	if (p->count == 0)
		exchange_emit(x, provider_id(x, "X-Request-Id")); /* nothing to take apart: it is kept as it is */
	else if (kept == 0)
		exchange_reply_text(x, STR("success")); /* all of it was to be left out */
	else if (settings_of(x)->one_event_per_change)
		emit_each(x, p, kept);
	else
		emit_rest(x, p);
}

/* ---- Bitbucket is asked ---------------------------------------------------------------------------------------------- */

static enum err ask_with(void *ctx, struct str token)
{
	struct exchange *x = ctx;
	struct push *p = x->own;

	open_pulls_ask(&p->asked, settings_of(x), token, x->route->config->deadline_ms / 4 * 3);
	return E_OK;
}

/* In the errands' thread. Without a token nothing is asked, and all is kept. */
static void ask(struct exchange *x)
{
	struct route_secret *token = &x->route->secrets[BITBUCKETSERVER_ACCESS_TOKEN];

	if (token->count)
		(void)secret_file_match(&token->files[0], clock_mono_ms(), ask_with, x);
}

static void answered(struct exchange *x)
{
	emit(x, x->own);
}

void refs_changed(struct exchange *x)
{
	struct push *p = mem_alloc(sizeof(*p));
	struct str body;
	size_t at;

	if (!p) {
		provider_refuse(x, ANSWER_OVERLOAD, STR(""));
		return;
	}
	x->own = p;
	x->own_free = push_free;
	provider_open(x);
	at = x->payload.n;
	if (!provider_json(x, buf_view(&x->body)))
		return;
	body.n = x->payload.n - at;
	provider_close(x);
	if (!exchange_charge(x))
		return;
	body.p = x->payload.p + at;
	if (!find_changes(p, buf_view(&x->payload), body))
		exchange_refuse(x, ANSWER_MALFORMED,
				STR("decoding repo:refs_changed webhook: it is an object with a list of changes"));
	else if (settings_of(x)->skip_on_open_pr && p->count && open_pulls_init(&p->asked, body, p->changes, p->count))
		exchange_errand(x, ask, answered);
	else
		emit(x, p);
}
