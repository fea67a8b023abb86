#include "gateway/hooks/engine.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/rand.h"
#include "gateway/hooks/engine_impl.h"
#include "gateway/hooks/text.h"

#define SELDOM_MS  600000 /* after the first passes of a provider that counts requests */
#define TRIES_ONCE 4

/* ---- when --------------------------------------------------------------------------------------------------------------- */

static uint64_t interval_of(const struct hook *h)
{
	if (h->interval_ms)
		return h->interval_ms;
	return h->provider->often && h->passes >= h->provider->often ? SELDOM_MS : h->provider->interval_ms;
}

static void finish(struct engine *e, struct hook *h)
{
	h->finished = h->finished || e->options.once || h->goal == HOOK_REMOVE;
}

static void come_to_rest(struct engine *e, struct hook *h, uint64_t now_ms)
{
	uint64_t interval_ms = interval_of(h);

	h->passes++;
	backoff_reset(&h->backoff);
	h->due_ms = now_ms + interval_ms + rand_u64() % (interval_ms / 10 + 1);
	engine_tell_rest(e, h);
	finish(e, h);
	if (h->provider->expands)
		engine_expand(e, h, now_ms);
}

/* The next pass begins from the start: what was done meanwhile, and by whom, is not known. */
static void fail(struct engine *e, struct hook *h, enum pace pace, uint64_t wait_ms, uint64_t now_ms)
{
	uint64_t pause_ms = backoff_next(&h->backoff, rand_u64());

	engine_tell_failure(e, h);
	hook_stop(h);
	if (pace == PACE_REFUSED && !e->options.once)
		pause_ms += interval_of(h); /* a person must do something first */
	h->due_ms = now_ms + (pause_ms > wait_ms ? pause_ms : wait_ms);
	if (e->options.once)
		h->finished = pace == PACE_REFUSED || h->backoff.attempts >= TRIES_ONCE ||
			      h->due_ms >= e->options.deadline_ms;
}

/* ---- answers ------------------------------------------------------------------------------------------------------------ */

static const char *doing(const struct hook *h)
{
	static const char *const words[] = {
		[HOOK_LISTING] = "look",   [HOOK_CHECKING] = "look",   [HOOK_WRITING] = "write",
		[HOOK_VERIFYING] = "look", [HOOK_REMOVING] = "delete", [HOOK_AT_REST] = "look",
	};

	return h->phase == HOOK_WRITING ? hook_action_words[h->action] : words[h->phase];
}

/* What the provider says about it, unless it says the secret along with it. */
static void add_complaint(struct hook *h, const struct hook_answer *a)
{
	struct buf line = { 0 };
	size_t n = strlen(h->why.text);

	text_complaint(a->body, &line);
	if (line.n && line.err == E_OK && n + line.n + 3 < sizeof(h->why.text)) {
		memcpy(h->why.text + n, ": ", 2);
		memcpy(h->why.text + n + 2, line.p, line.n);
		h->why.text[n + 2 + line.n] = '\0';
	}
	buf_release(&line);
}

static void explain(struct hook *h, const struct account_outcome *o)
{
	unsigned long wait_s = (unsigned long)(o->wait_ms / 1000);

	if (o->pace == PACE_LIMITED)
		why_set(&h->why, E_UNAVAILABLE, "too many requests (%u): the provider asks to wait %lu s",
			o->answer.status, wait_s);
	else
		why_set(&h->why, o->pace == PACE_LATER ? E_UNAVAILABLE : E_FORBIDDEN, "the answer was %u",
			o->answer.status);
	add_complaint(h, &o->answer);
}

/* An answer to what was asked. False: it was none, as h->why says. */
static bool take(struct engine *e, struct hook *h, const struct account_outcome *o)
{
	enum hook_phase before = h->phase;

	if (hook_take(h, &o->answer, e->options.once ? 0 : rand_u64(), &h->why) != E_OK) {
		add_complaint(h, &o->answer);
		return false;
	}
	if ((before == HOOK_WRITING || before == HOOK_REMOVING) && h->phase != before)
		engine_tell_action(e, h);
	return true;
}

/* Logged in, the request itself is next; a token that is refused is thrown away. */
static bool take_login(struct account *a, struct hook *h, const struct account_outcome *o)
{
	if (account_take_login(a, o, &h->why) != E_OK) {
		add_complaint(h, &o->answer);
		return false;
	}
	return true;
}

static enum pace answered(struct engine *e, struct account *a, struct hook *h, const struct account_outcome *o)
{
	if (o->err != E_OK)
		return PACE_LATER;
	if (o->pace != PACE_GOOD) {
		explain(h, o);
		if (o->answer.status == 401 || (o->answer.status == 403 && a->login.kind == LOGIN_ROLE))
			buf_clear(&a->token);
		return o->pace;
	}
	if (a->logging_in)
		return take_login(a, h, o) ? PACE_GOOD : PACE_REFUSED;
	return take(e, h, o) ? PACE_GOOD : PACE_REFUSED;
}

static void on_transfer(struct engine *e, struct account *a, CURLcode code)
{
	struct hook *h = a->busy;
	uint64_t now_ms = clock_mono_ms();
	struct account_outcome o;
	enum hook_phase phase = h->phase;
	const char *action = doing(h);
	enum pace pace;

	h->why = (struct why){ 0 };
	account_finish(a, code, &o, &h->why);
	pace = answered(e, a, h, &o);
	if (o.wait_ms)
		a->free_ms = now_ms + o.wait_ms;
	account_forget(a);
	if (pace != PACE_GOOD) {
		why_add(&h->why, "%s", a->logging_in ? "log in" : action);
		fail(e, h, pace, o.wait_ms, now_ms);
	} else if (h->phase == HOOK_AT_REST && phase != HOOK_AT_REST) {
		come_to_rest(e, h, now_ms);
	} else {
		h->due_ms = now_ms + (e->options.once ? 0 : h->pause_ms);
	}
}

/* ---- asking ------------------------------------------------------------------------------------------------------------- */

static enum err copy_secret(void *ctx, struct str secret)
{
	struct buf *to = ctx;

	buf_str(to, secret);
	return to->err;
}

/* The secret as it is at the start of a pass; without it nothing is written. */
static enum err look_at_secret(struct engine *e, struct hook *h)
{
	struct buf secret = { 0 };
	enum err err;

	if (!h->secret.path)
		return E_OK;
	err = secret_file_match(&h->secret, clock_mono_ms(), copy_secret, &secret);
	if (err == E_OK)
		err = hook_set_secret(h, buf_view(&secret), siphash(e->mark_key, buf_view(&secret)) | 1);
	buf_wipe(&secret);
	return err == E_OK ? E_OK : why_set(&h->why, err, "the secret %s cannot be read", h->secret.path);
}

static void start(struct engine *e, struct hook *h, uint64_t now_ms)
{
	enum err err = E_OK;

	h->why = (struct why){ 0 };
	if (h->phase == HOOK_AT_REST) {
		hook_begin(h, h->goal == HOOK_REMOVE ? HOOK_REMOVE : e->options.goal);
		h->rewrite = e->options.rewrite && h->secret.path;
		err = look_at_secret(e, h);
	}
	if (err == E_OK)
		err = account_start(h->account, h, &h->why);
	if (err != E_OK)
		fail(e, h, err == E_CONFIG ? PACE_REFUSED : PACE_LATER, 0, now_ms);
}

/* Who was begun goes on; else who waits longest. What is taken away goes in the opposite order of the making. */
static bool goes_before(const struct hook *h, const struct hook *best)
{
	bool begun = h->phase != HOOK_AT_REST;

	if (!best || begun != (best->phase != HOOK_AT_REST))
		return !best || begun;
	return h->goal == HOOK_REMOVE || h->due_ms < best->due_ms;
}

static struct hook *next_of(const struct engine *e, const struct account *a, uint64_t now_ms)
{
	struct hook *best = NULL;

	for (struct hook *h = e->hooks; h; h = h->next)
		if (h->account == a && !h->finished && !h->broken && h->due_ms <= now_ms && goes_before(h, best))
			best = h;
	return best;
}

static void start_due(struct engine *e, uint64_t now_ms)
{
	for (struct account *a = e->accounts; a; a = a->next) {
		struct hook *h = NULL;

		while (!a->busy && a->free_ms <= now_ms && (h = next_of(e, a, now_ms)))
			start(e, h, now_ms);
	}
}

/* Until the next hook is due; what waits for a transfer is woken by it. */
static uint64_t idle_ms(const struct engine *e, uint64_t now_ms, uint64_t max_ms)
{
	for (const struct hook *h = e->hooks; h; h = h->next) {
		uint64_t due_ms = h->due_ms;

		if (h->finished || h->broken || h->account->busy)
			continue;
		if (h->account->free_ms > due_ms)
			due_ms = h->account->free_ms;
		due_ms = due_ms > now_ms ? due_ms - now_ms : 0;
		max_ms = due_ms < max_ms ? due_ms : max_ms;
	}
	return max_ms;
}

static void take_finished(struct engine *e)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(e->multi, &left))) {
		CURLcode code = message->data.result;
		CURL *curl = message->easy_handle;
		struct account *a = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(curl, CURLINFO_PRIVATE, (char **)&a);
		curl_multi_remove_handle(e->multi, curl);
		on_transfer(e, a, code);
	}
}

void engine_turn(struct engine *e, uint64_t max_wait_ms)
{
	uint64_t wait_ms;
	int running;

	start_due(e, clock_mono_ms());
	curl_multi_perform(e->multi, &running);
	take_finished(e);
	start_due(e, clock_mono_ms());
	if (e->options.once && engine_is_done(e))
		return;
	wait_ms = engine_is_done(e) ? max_wait_ms : idle_ms(e, clock_mono_ms(), max_wait_ms);
	(void)curl_multi_poll(e->multi, NULL, 0, wait_ms > 3600000 ? 3600000 : (int)wait_ms, NULL);
}

bool engine_is_done(const struct engine *e)
{
	for (const struct hook *h = e->hooks; h; h = h->next)
		if (!h->finished && !h->broken)
			return false;
	return true;
}

/* ---- leaving ------------------------------------------------------------------------------------------------------------ */

void engine_leave(struct engine *e, const struct engine *after, uint64_t deadline_ms)
{
	for (struct account *a = e->accounts; a; a = a->next)
		account_cancel(a);
	e->options.once = true;
	e->options.deadline_ms = deadline_ms;
	for (struct hook *h = e->hooks; h; h = h->next) {
		hook_stop(h);
		h->goal = HOOK_REMOVE;
		h->due_ms = 0;
		h->backoff.attempts = 0;
		h->finished = !h->delete_on_finish || h->provider->expands || (after && engine_find(after, h));
	}
}
