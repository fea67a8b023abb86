#include "gateway/sources/sns_case.h"

#include <string.h>

#include "base/mem.h"
#include "event/json_members.h"
#include "gateway/sources/provider.h"

static void case_free(void *own)
{
	struct sns_case *c = own;

	sns_message_release(&c->message);
	buf_release(&c->base);
	buf_release(&c->form);
	buf_wipe(&c->access_key);
	buf_wipe(&c->secret_key);
	mem_free(c->url);
	mem_free(c);
}

void sns_case_refuse(struct exchange *x, const char *what)
{
	const struct sns_case *c = x->own;
	char space[sizeof(c->why.text) + 96];
	struct buf text = { .p = space, .cap = sizeof(space), .max = sizeof(space) };
	bool final = c->err == E_FORBIDDEN || c->err == E_LIMIT;

	buf_addf(&text, "%s: %s", what, c->why.text);
	if (!final) /* what anybody can bring about would fill the log */
		log_warn("gateway", "a message of Amazon SNS cannot be taken", LOG_ROUTE(x->route->config),
			 LOG_STRN("error", buf_view(&text)));
	exchange_refuse(x, final ? ANSWER_MALFORMED : ANSWER_UNAVAILABLE, buf_view(&text));
}

/* ---- what is to be done with a message that is believed ------------------------------------------------------------------ */

void sns_case_proceed(struct exchange *x)
{
	const struct sns_case *c = x->own;

	switch (c->message.kind) {
	case SNS_NOTIFICATION:
		provider_emit(x, provider_id_text(c->message.message_id));
		break;
	case SNS_SUBSCRIPTION:
		sns_confirm(x);
		break;
	default:
		log_warn("gateway", "Amazon SNS ended a subscription", LOG_ROUTE(x->route->config),
			 LOG_STRN("topic", c->message.topic_arn));
		exchange_reply_text(x, STR(""));
	}
}

/* ---- the message -------------------------------------------------------------------------------------------------------- */

static bool is_our_topic(const struct exchange *x, const struct sns_message *m)
{
	const struct sns_settings *s = sns_settings_of(x);

	/* As upstream: without signatures nobody can say what is true of it. But only our topic is subscribed to. */
	if (x->route->config->compat_strict && !s->validate_signature && m->kind == SNS_NOTIFICATION)
		return true;
	for (size_t i = 0; i < s->more_topics.count; i++)
		if (str_is(m->topic_arn, s->more_topics.items[i]))
			return true;
	return str_is(m->topic_arn, s->topic_arn);
}

static void judge(struct exchange *x)
{
	const struct sns_case *c = x->own;

	if (c->message.kind == SNS_UNKNOWN && x->route->config->compat_strict)
		exchange_reply_text(x, STR(""));
	else if (c->message.kind == SNS_UNKNOWN)
		exchange_refuse(
			x, ANSWER_MALFORMED,
			STR("the Type of the SNS message is missing or not known; turn raw message delivery off"));
	else if (!is_our_topic(x, &c->message))
		exchange_refuse(x, ANSWER_FORBIDDEN, STR("the message is of another topic"));
	else if (sns_settings_of(x)->validate_signature)
		sns_verify(x);
	else
		sns_case_proceed(x);
}

/* The texts may wait for long: they count as the request's memory, in the place of a body that is not collected. */
static bool charge_texts(struct exchange *x)
{
	struct sns_case *c = x->own;

	buf_release(&x->body);
	x->body = c->message.arena;
	c->message.arena = (struct buf){ 0 };
	return exchange_charge(x);
}

void sns_case_begin(struct exchange *x)
{
	struct sns_case *c = mem_alloc(sizeof(*c));
	struct why why = { 0 };
	enum err err;

	if (!c) {
		exchange_refuse(x, ANSWER_OVERLOAD, STR(""));
		return;
	}
	x->own = c;
	x->own_free = case_free;
	sns_write_base(sns_settings_of(x), &c->base);
	err = sns_message_parse(json_member_raw(buf_view(&x->payload), "body"), &why, &c->message);
	if (err == E_MALFORMED)
		exchange_refuse(x, ANSWER_MALFORMED, str_of(why.text));
	else if (err != E_OK || c->base.err != E_OK)
		exchange_refuse(x, ANSWER_OVERLOAD, STR(""));
	else if (charge_texts(x))
		judge(x);
}
