/*
 * Subscriptions are confirmed through Amazon's API when there are keys for it, else through the address in the message. Keys
 * that are there to take on a role may not be allowed more than that.
 */
#include "base/mem.h"
#include "gateway/fetch.h"
#include "gateway/sources/provider.h"
#include "gateway/sources/sns_case.h"

#define CONFIRM_MS  4000
#define CONFIRM_MAX (64 << 10)

static void run_confirmation(struct exchange *x)
{
	struct sns_case *c = x->own;
	struct fetch_aws aws = { buf_view(&c->access_key), buf_view(&c->secret_key), sns_settings_of(x)->region,
				 "sns" };
	struct fetch f = {
		.url = c->url,
		.plain = str_starts(buf_view(&c->base), STR("http://")),
		.ca_path = sns_settings_of(x)->endpoint_ca,
		.form = c->form.n ? buf_cstr(&c->form) : NULL,
		.aws = c->form.n ? &aws : NULL,
		.timeout_ms = CONFIRM_MS,
		.max = CONFIRM_MAX,
	};
	struct buf answer = { 0 };

	c->err = fetch_run(&f, &answer, &c->why);
	buf_release(&answer);
}

static void confirmed(struct exchange *x)
{
	const struct sns_case *c = x->own;

	if (c->err != E_OK) {
		sns_case_refuse(x, "the subscription could not be confirmed");
		return;
	}
	log_info("gateway", "subscription of Amazon SNS confirmed", LOG_ROUTE(x->route->config),
		 LOG_STRN("topic", c->message.topic_arn));
	exchange_reply_text(x, STR(""));
}

static enum err copy_secret(void *ctx, struct str secret)
{
	buf_str(ctx, secret);
	return ((struct buf *)ctx)->err;
}

static void add_encoded(struct buf *form, struct str value)
{
	for (size_t i = 0; i < value.n; i++)
		buf_addf(form, "%%%02X", (unsigned)(unsigned char)value.p[i]);
}

/* Through Amazon's API, with the keys that are there now. */
static enum err prepare_api(struct exchange *x)
{
	struct sns_case *c = x->own;
	enum err err = provider_match(x, SNS_ACCESS_KEY, copy_secret, &c->access_key);

	if (err == E_OK)
		err = provider_match(x, SNS_SECRET_KEY, copy_secret, &c->secret_key);
	if (err != E_OK)
		return err;
	buf_lit(&c->form, "Action=ConfirmSubscription&Version=2010-03-31&TopicArn=");
	add_encoded(&c->form, c->message.topic_arn);
	buf_lit(&c->form, "&Token=");
	add_encoded(&c->form, c->message.token);
	buf_char(&c->base, '/');
	mem_free(c->url);
	c->url = str_dup(buf_view(&c->base));
	return c->url && c->form.err == E_OK ? E_OK : E_NOMEM;
}

static bool has_keys(const struct exchange *x)
{
	const char *role = sns_settings_of(x)->role_arn;

	return provider_has_secret(x, SNS_ACCESS_KEY) && !(role && *role);
}

void sns_confirm(struct exchange *x)
{
	struct sns_case *c = x->own;
	enum err err = E_OK;

	if (has_keys(x)) {
		err = prepare_api(x);
	} else if (!sns_is_subscribe_url(c->message.subscribe_url, buf_view(&c->base), c->message.topic_arn)) {
		exchange_refuse(x, ANSWER_FORBIDDEN, STR("SubscribeURL does not confirm a subscription of this topic"));
		return;
	} else {
		mem_free(c->url);
		c->url = str_dup(c->message.subscribe_url);
		err = c->url ? E_OK : E_NOMEM;
	}
	if (err == E_OK)
		exchange_errand(x, run_confirmation, confirmed);
	else if (err == E_NOMEM)
		exchange_refuse(x, ANSWER_OVERLOAD, STR(""));
	else
		exchange_refuse(x, ANSWER_SECRET_UNREADABLE, STR(""));
}
