#include "gateway/hooks/hooks.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "gateway/hooks/engine.h"

#define LEAVE_MS 10000
#define TURN_MS  3600000
#define AGAIN_MS 1000

void hooks_init(struct hooks *h, struct metrics *metrics)
{
	*h = (struct hooks){ .metrics = metrics, .again_ms = AGAIN_MS };
	pthread_mutex_init(&h->lock, NULL);
}

/* What the main thread wants. */
static bool is_stopping(struct hooks *h)
{
	bool stopping;

	pthread_mutex_lock(&h->lock);
	stopping = h->stopping;
	pthread_mutex_unlock(&h->lock);
	return stopping;
}

static struct gateway_config *take_next(struct hooks *h)
{
	struct gateway_config *next;

	pthread_mutex_lock(&h->lock);
	next = h->next;
	h->next = NULL;
	pthread_mutex_unlock(&h->lock);
	return next;
}

/* Takes away what `after` does not want any more. A gateway that stops meanwhile waits no longer than it says. */
static void leave(struct hooks *h, struct engine *e, const struct engine *after)
{
	uint64_t end_ms = clock_mono_ms() + LEAVE_MS, now_ms;

	if (!e)
		return;
	if (is_stopping(h))
		end_ms = h->stop_ms;
	engine_leave(e, after, end_ms);
	while (!engine_is_done(e) && (now_ms = clock_mono_ms()) < end_ms) {
		if (after && is_stopping(h) && end_ms > h->stop_ms)
			end_ms = h->stop_ms;
		engine_turn(e, end_ms - now_ms);
	}
	engine_free(e);
}

/* Unless there is a newer one. */
static void put_back(struct hooks *h, struct gateway_config *config)
{
	pthread_mutex_lock(&h->lock);
	if (!h->next)
		h->next = TAKE(config);
	pthread_mutex_unlock(&h->lock);
	gateway_config_unref(config);
}

static void turn(struct hooks *h, struct engine *e, int max_wait_ms)
{
	if (e)
		engine_turn(e, (uint64_t)max_wait_ms);
	else
		(void)curl_multi_poll(h->multi, NULL, 0, max_wait_ms, NULL);
}

static struct engine *change(struct hooks *h, struct engine *before, struct gateway_config *config)
{
	struct engine_options options = { .goal = HOOK_KEEP, .metrics = h->metrics };
	struct engine *e = NULL;

	if (engine_new(config, &options, h->multi, &e) != E_OK) {
		log_error("hooks", "no memory for the hooks of the new configuration; trying again");
		put_back(h, config);
		turn(h, before, h->again_ms);
		return before;
	}
	if (before)
		engine_inherit(e, before);
	leave(h, before, e);
	gateway_config_unref(config);
	return e;
}

static void *hooks_main(void *arg)
{
	struct hooks *h = arg;
	struct engine *e = NULL;

	while (!is_stopping(h)) {
		struct gateway_config *next = take_next(h);

		if (next)
			e = change(h, e, next);
		else
			turn(h, e, TURN_MS);
	}
	leave(h, e, NULL);
	return NULL;
}

static bool wants_any(const struct gateway_config *config)
{
	for (size_t i = 0; i < config->route_count; i++) {
		struct hook_plan p;
		bool any;

		hook_plan_route(&config->routes[i], &p);
		any = p.count > 0 || p.err != E_OK;
		hook_plan_release(&p);
		if (any)
			return true;
	}
	return false;
}

static enum err start(struct hooks *h, struct why *why)
{
	enum err err;

	curl_global_init(CURL_GLOBAL_DEFAULT);
	h->multi = curl_multi_init();
	if (!h->multi)
		return why_set(why, E_NOMEM, "no memory for requests");
	err = thread_start("hooks", hooks_main, h, why, &h->thread);
	h->started = err == E_OK;
	if (err != E_OK)
		curl_multi_cleanup(TAKE(h->multi));
	return err;
}

void hooks_apply(struct hooks *h, struct gateway_config *config)
{
	struct gateway_config *before;
	struct why why = { 0 };

	if (!h->started && !wants_any(config))
		return;
	pthread_mutex_lock(&h->lock);
	before = h->next;
	h->next = gateway_config_ref(config);
	pthread_mutex_unlock(&h->lock);
	if (before)
		gateway_config_unref(before);
	if (h->started)
		curl_multi_wakeup(h->multi);
	else if (start(h, &why) != E_OK)
		log_error("hooks", "hooks are not managed", LOG_WHY(&why));
}

void hooks_stop(struct hooks *h)
{
	pthread_mutex_lock(&h->lock);
	if (!h->stopping)
		h->stop_ms = clock_mono_ms() + LEAVE_MS;
	h->stopping = true;
	pthread_mutex_unlock(&h->lock);
	if (h->started)
		curl_multi_wakeup(h->multi);
}

void hooks_release(struct hooks *h)
{
	hooks_stop(h);
	if (h->started) {
		pthread_join(h->thread, NULL);
		curl_multi_cleanup(h->multi);
	}
	if (h->next)
		gateway_config_unref(h->next);
	pthread_mutex_destroy(&h->lock);
}
