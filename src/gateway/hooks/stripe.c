/*
 * Stripe: webhook endpoints of an account. Facts argo-events 1.10; "API Reference", Webhook Endpoints. What Stripe will sign
 * with is shown once, in the answer to the making, and is not ours to keep: a person copies it from Stripe's dashboard. No key
 * of the manifest asks for it to be taken away.
 */
#include "gateway/sources/stripe.h"
#include "gateway/hooks/rest.h"

static const struct stripe_settings *settings_of(const struct hook *h)
{
	return h->route->settings;
}

static bool has_events(const struct hook *h, struct str array, struct buf *arena)
{
	char star[] = "*", *all = star;
	const struct text_list everything = { &all, 1 };
	const struct text_list *want = &settings_of(h)->event_filter;

	return text_same_set(array, want->count ? want : &everything, "*", arena);
}

static void see(struct hook *h, struct str item, struct buf *arena)
{
	struct str id = text_of(item, "id", arena);
	unsigned differs = 0;

	/* The last one of the page is where the next begins. */
	buf_clear(&h->cursor);
	buf_lit(&h->cursor, "limit=100&starting_after=");
	text_encode(&h->cursor, id);
	if (!hook_is_ours(h, text_of(item, "url", arena)))
		return;
	if (!has_events(h, json_member_raw(item, "enabled_events"), arena))
		differs |= HOOK_EVENTS;
	if (str_is(text_of(item, "status", arena), "disabled"))
		differs |= HOOK_ACTIVE;
	hook_saw(h, id, differs);
}

static enum err read(struct hook *h, const struct hook_answer *a, struct why *why)
{
	enum err err = rest_each(h, json_member_raw(a->body, "data"), see, why);

	if (!text_flag(a->body, "has_more"))
		buf_clear(&h->cursor);
	return err;
}

static void add_event(struct hook_request *r, const char *event)
{
	buf_lit(&r->body, "&enabled_events%5B%5D=");
	text_encode(&r->body, str_of(event));
}

static void write(const struct hook *h, struct str id, struct hook_request *r)
{
	const struct text_list *want = &settings_of(h)->event_filter;

	rest_write(h, id, "POST", r);
	r->form = true;
	r->once = !id.n;
	buf_lit(&r->body, "url=");
	text_encode(&r->body, str_of(h->url));
	for (size_t i = 0; i < want->count; i++)
		add_event(r, want->items[i]);
	if (!want->count)
		add_event(r, "*");
	if (id.n)
		buf_lit(&r->body, "&disabled=false");
}

static const struct hook_provider provider = {
	.name = "stripe",
	.interval_ms = 600000,
	.first = "limit=100",
	.list = rest_list,
	.read = read,
	.write = write,
	.made = rest_made,
	.remove = rest_remove,
};

static void plan(const struct route_config *route, struct hook_plan *p)
{
	const struct stripe_settings *s = route->settings;

	if (!s->create_webhook || !s->api_key.path)
		return;
	p->login.kind = LOGIN_BEARER;
	p->login.first = &s->api_key;
	hook_plan_base(p, "https://api.stripe.com");
	hook_plan_add(p, &provider, "/v1/webhook_endpoints", "account", NULL, NULL);
}

const struct hook_kind hook_kind_stripe = { "stripe", plan };
