#include "base/log.h"
#include "base/metrics.h"
#include "gateway/hooks/engine_impl.h"
#include "gateway/sources/source.h"

static const struct metric_family wanted = {
	.name = "holdfast_hooks",
	.type = METRIC_GAUGE,
	.help = "Hooks that the manifests ask for, by provider.",
	.labels = { "provider" },
};

static const struct metric_family in_place = {
	.name = "holdfast_hooks_in_place",
	.type = METRIC_GAUGE,
	.help = "Hooks that were found or made as the manifests ask for, by provider.",
	.labels = { "provider" },
};

static const struct metric_family writes = {
	.name = "holdfast_hook_writes_total",
	.type = METRIC_COUNTER,
	.help = "Hooks created, updated and deleted.",
	.labels = { "provider", "action" },
};

static const struct metric_family failures = {
	.name = "holdfast_hook_failures_total",
	.type = METRIC_COUNTER,
	.help = "Attempts at a hook that failed.",
	.labels = { "provider" },
};

static struct metric *metric_of(const struct engine *e, const struct metric_family *family, const struct hook *h)
{
	return metrics_get(e->options.metrics, family, (const char *[]){ h->provider->name });
}

void engine_count(const struct engine *e, struct hook *h, int delta)
{
	if (!e->options.metrics || h->provider->expands)
		return;
	metric_add(metric_of(e, &wanted, h), delta);
	metric_add(metric_of(e, &in_place, h), h->in_place ? delta : 0);
	metric_add(metric_of(e, &failures, h), 0);
}

static void set_in_place(const struct engine *e, struct hook *h, bool now)
{
	if (h->in_place == now || h->provider->expands)
		return;
	h->in_place = now;
	if (e->options.metrics)
		metric_add(metric_of(e, &in_place, h), now ? 1 : -1);
}

#define WHICH(h)                                                                                   \
	LOG_S("provider", (h)->provider->name), LOG_ROUTE((h)->route), LOG_S("place", (h)->place), \
		LOG_S("url", (h)->url)

void engine_tell_action(const struct engine *e, struct hook *h)
{
	struct buf parts = { 0 };
	const char *done = hook_action_done[h->action];

	if (e->options.metrics)
		metric_inc(metrics_get(e->options.metrics, &writes, (const char *[]){ h->provider->name, done }));
	h->did = h->action;
	hook_write_parts(h->changed, &parts);
	if (!e->options.quiet && h->changed)
		log_info("hooks", "hook updated", WHICH(h), LOG_STRN("changed", buf_view(&parts)));
	else if (!e->options.quiet)
		log_info("hooks",
			 h->action == HOOK_CREATE   ? "hook created"
			 : h->action == HOOK_DELETE ? "hook deleted"
						    : "hook updated",
			 WHICH(h));
	buf_release(&parts);
	h->told = true;
}

/* Once for each story: a provider that is away for a day is one line. */
void engine_tell_failure(const struct engine *e, struct hook *h)
{
	bool told = h->failing && str_eq(str_of(h->why.text), str_of(h->said));

	if (e->options.metrics)
		metric_inc(metric_of(e, &failures, h));
	if (!e->options.quiet && !told)
		log_warn("hooks", "hook failed, will be tried again", WHICH(h), LOG_WHY(&h->why));
	h->failing = true;
	memcpy(h->said, h->why.text, sizeof(h->said));
	set_in_place(e, h, false);
}

static void tell_unkept(const struct hook *h)
{
	struct buf parts = { 0 };

	hook_write_parts(h->unkept, &parts);
	log_warn("hooks", "the provider does not keep all that is written: left as it is", WHICH(h),
		 LOG_STRN("parts", buf_view(&parts)));
	buf_release(&parts);
}

void engine_tell_rest(const struct engine *e, struct hook *h)
{
	bool there = h->goal == HOOK_KEEP;

	set_in_place(e, h, there);
	if (!e->options.quiet) {
		if (h->unkept & ~h->unkept_told & ~(unsigned)HOOK_PENDING)
			tell_unkept(h);
		if (h->failing)
			log_info("hooks", "hook works again", WHICH(h));
		else if (there && !h->told && !h->provider->expands)
			log_info("hooks", "hook is in place", WHICH(h));
	}
	h->unkept_told |= h->unkept;
	h->told = true;
	h->failing = false;
}

void engine_tell_broken(const struct engine *e, const struct hook *h)
{
	if (!h->broken)
		return;
	if (e->options.metrics)
		metric_inc(metric_of(e, &failures, h));
	if (!e->options.quiet)
		log_error("hooks", "hook cannot be managed", WHICH(h), LOG_S("error", h->broken));
}
