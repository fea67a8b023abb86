/* The Events API: JSON with an envelope around the event. */
#include "base/mem.h"
#include "event/json_members.h"
#include "event/json_text.h"
#include "gateway/sources/provider.h"
#include "gateway/sources/slack.h"

/* The members of the outer object, decoded. */
struct envelope {
	struct str type;
	struct str token;
	struct str challenge;
	struct str event_id;
	struct str event; /* raw */
	struct buf arena;
};

static void refuse_event(struct exchange *x, const char *reason)
{
	exchange_refusef(x, slack_refusal(x), "failed to extract event, %s", reason);
}

static enum err read_envelope(struct str json, struct envelope *e)
{
	struct json_member m[] = { { .name = "type" },
				   { .name = "token" },
				   { .name = "challenge" },
				   { .name = "event_id" },
				   { .name = "event" } };
	struct str *texts[] = { &e->type, &e->token, &e->challenge, &e->event_id };

	if (json_members(json, m, ARRAY_LEN(m)) == E_MALFORMED)
		return E_MALFORMED;
	if (!buf_reserve(&e->arena, json.n))
		return E_NOMEM;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (!json_member_text(&m[i], &e->arena, texts[i]))
			return E_MALFORMED;
	e->event = m[ARRAY_LEN(m) - 1].raw;
	return E_OK;
}

/* {"type":<the event's>,"Data":<the event>}: what upstream's struct makes of it, with nothing lost. */
static void emit_event(struct exchange *x, const struct envelope *e)
{
	struct str type = json_member_raw(e->event, "type");

	if (!str_starts(type, STR("\""))) {
		refuse_event(x, "the inner event or its type is missing");
		return;
	}
	buf_clear(&x->body); /* verified and read: its memory takes the payload */
	buf_lit(&x->body, "{\"type\":");
	buf_str(&x->body, type);
	buf_lit(&x->body, ",\"Data\":");
	buf_str(&x->body, e->event);
	buf_char(&x->body, '}');
	provider_take_body(x);
	if (exchange_charge(x))
		exchange_emit(x, provider_id_text(e->event_id));
}

/* The challenge alone: upstream adds "success" to it, which Slack does not take. */
static void answer_challenge(struct exchange *x, struct str challenge)
{
	if (challenge.n)
		exchange_reply(x, &(struct http_response){ .status = 200,
							   .content_type = STR("text/plain; charset=utf-8"),
							   .headers = STR("X-Content-Type-Options: nosniff\r\n"),
							   .body = challenge });
	else
		refuse_event(x, "the challenge is missing");
}

static void dispatch(struct exchange *x, const struct envelope *e)
{
	if (str_is(e->type, "url_verification"))
		answer_challenge(x, e->challenge);
	else if (str_is(e->type, "event_callback"))
		emit_event(x, e);
	else if (str_is(e->type, "app_rate_limited") || x->route->config->compat_strict)
		exchange_reply_text(x, STR("success")); /* Slack's word about itself, no event */
	else
		refuse_event(x, "its type is not known: nothing was stored");
}

static bool has_token(struct exchange *x, struct envelope *e)
{
	enum err err = provider_match(x, SLACK_TOKEN, provider_check_token, &e->token);
	struct str text = STR("failed to extract event, invalid verification token");

	if (err != E_UNAUTHENTICATED)
		return slack_judge(x, err, "");
	exchange_refuse(x, x->route->config->compat_strict ? ANSWER_BUS_FAILED : ANSWER_AUTH_WRONG, text);
	return false;
}

void slack_event(struct exchange *x)
{
	struct envelope e = { 0 };
	struct why why = { 0 };
	enum err err = json_compact(buf_view(&x->body), /* plain= */ false, &x->payload, &why);

	if (err == E_MALFORMED) {
		refuse_event(x, why.text);
		return;
	}
	if (err == E_OK)
		err = read_envelope(buf_view(&x->payload), &e);
	if (err == E_MALFORMED)
		refuse_event(x, "it is not an object with a type");
	else if (err != E_OK)
		exchange_refuse(x, ANSWER_OVERLOAD, STR(""));
	else if (has_token(x, &e))
		dispatch(x, &e);
	buf_release(&e.arena);
}
