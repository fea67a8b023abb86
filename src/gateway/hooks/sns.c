/*
 * Amazon SNS: a subscription of our address to the topic. Subscribing again is no second subscription; it makes SNS ask for
 * confirmation again, which the source answers. Facts argo-events 1.2; "Amazon SNS API Reference". A gateway that ends stays
 * subscribed: what is published until the next start is then delivered by SNS's own retries. Upstream unsubscribes.
 */
#include "gateway/sources/sns.h"
#include "gateway/hooks/rest.h"

#define VERSION "&Version=2010-03-31"
#define PENDING "PendingConfirmation"

static const struct sns_settings *settings_of(const struct hook *h)
{
	return h->route->settings;
}

static void begin(const struct hook *h, const char *action, struct hook_request *r)
{
	r->method = "POST";
	r->form = true;
	buf_str(&r->path, str_of(h->path));
	buf_addf(&r->body, "Action=%s" VERSION, action);
}

static void add(struct hook_request *r, const char *name, struct str value)
{
	buf_addf(&r->body, "&%s=", name);
	text_encode(&r->body, value);
}

static void list(const struct hook *h, struct str cursor, struct hook_request *r)
{
	begin(h, "ListSubscriptionsByTopic", r);
	add(r, "TopicArn", str_of(settings_of(h)->topic_arn));
	if (cursor.n)
		add(r, "NextToken", cursor);
}

/* The text of an element, decoded into `space`. */
static struct str element(struct str xml, const char *name, struct buf *space)
{
	size_t at = 0;

	buf_clear(space);
	text_from_xml(space, text_element(xml, name, &at));
	return buf_view(space);
}

static void see(struct hook *h, struct str member, struct buf *space)
{
	bool pending;

	if (!hook_is_ours(h, element(member, "Endpoint", space)))
		return;
	pending = str_is(element(member, "SubscriptionArn", space), PENDING);
	if (pending && h->goal == HOOK_REMOVE)
		return; /* it has no name yet by which it could be ended, and ends by itself */
	hook_saw(h, buf_view(space), pending ? HOOK_PENDING : 0);
}

static enum err read(struct hook *h, const struct hook_answer *a, struct why *why)
{
	struct buf space = { 0 };
	size_t at = 0;

	if (!text_element(a->body, "ListSubscriptionsByTopicResult", &at).p)
		return why_set(why, E_MALFORMED, "the answer is not a list of subscriptions");
	at = 0;
	for (struct str member; (member = text_element(a->body, "member", &at)).p;)
		see(h, member, &space);
	hook_more(h, element(a->body, "NextToken", &space));
	buf_release(&space);
	return E_OK;
}

static void write(const struct hook *h, struct str id, struct hook_request *r)
{
	(void)id;
	begin(h, "Subscribe", r);
	add(r, "TopicArn", str_of(settings_of(h)->topic_arn));
	add(r, "Protocol", str_starts(str_of(h->url), STR("https://")) ? STR("https") : STR("http"));
	add(r, "Endpoint", str_of(h->url));
	add(r, "ReturnSubscriptionArn", STR("true"));
}

static void remove_it(const struct hook *h, struct str id, struct hook_request *r)
{
	begin(h, "Unsubscribe", r);
	add(r, "SubscriptionArn", id);
}

static const struct hook_provider provider = {
	.name = "sns",
	.interval_ms = 600000,
	.xml = true,
	.list = list,
	.read = read,
	.write = write,
	.remove = remove_it,
};

static void plan(const struct route_config *route, struct hook_plan *p)
{
	const struct sns_settings *s = route->settings;

	if (!s->access_key.path || !s->secret_key.path)
		return;
	p->login.kind = LOGIN_AWS;
	p->login.first = &s->access_key;
	p->login.second = &s->secret_key;
	p->login.region = s->region;
	p->login.ca_path = s->endpoint_ca ? s->endpoint_ca : p->login.ca_path;
	p->login.named = s->endpoint != NULL;
	sns_write_base(s, &p->login.base);
	if (s->role_arn && *s->role_arn) {
		p->login.kind = LOGIN_ROLE;
		p->login.role_arn = s->role_arn;
	}
	hook_plan_add(p, &provider, "/", "*", s->topic_arn, NULL);
}

const struct hook_kind hook_kind_sns = { "sns", plan };
