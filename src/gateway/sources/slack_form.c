/* Slash commands and interactions, which come as forms. */
#include "base/hex.h"
#include "base/mem.h"
#include "event/json_text.h"
#include "gateway/payload.h"
#include "gateway/sources/provider.h"
#include "gateway/sources/slack.h"

/* The id of a request that has none. */
static void emit_signed(struct exchange *x, const struct claims *claims)
{
	char id[2 * SIGNATURE_MAX];
	const struct signature *s = &claims->hmac[0];

	hex_write(s->bytes, s->n, id);
	if (exchange_charge(x))
		exchange_emit(x, (struct str){ id, 2 * s->n });
}

/* Refuses what is no JSON object. The payload is the interaction as Slack sent it. */
static void interaction(struct exchange *x, struct str payload, const struct claims *claims)
{
	struct why why = { 0 };
	enum err err = json_compact(payload, /* plain= */ false, &x->payload, &why);

	if (err == E_OK && x->payload.p[0] == '{') {
		x->mode = SLACK_FORM;
		emit_signed(x, claims);
	} else if (err == E_OK || err == E_MALFORMED) {
		exchange_refusef(x, slack_refusal(x), "failed to parse interaction event, %s",
				 err == E_OK ? "it is not an object" : why.text);
	} else {
		exchange_refuse(x, ANSWER_OVERLOAD, STR(""));
	}
}

/* Of a slash command, in the order of upstream's struct. */
static const struct command_field {
	const char *name;
	enum { TEXT, TEXT_IF_ANY, FLAG } kind;
} command_fields[] = {
	{ "token", TEXT },
	{ "team_id", TEXT },
	{ "team_domain", TEXT },
	{ "enterprise_id", TEXT_IF_ANY },
	{ "enterprise_name", TEXT_IF_ANY },
	{ "is_enterprise_install", FLAG },
	{ "channel_id", TEXT },
	{ "channel_name", TEXT },
	{ "user_id", TEXT },
	{ "user_name", TEXT },
	{ "command", TEXT },
	{ "text", TEXT },
	{ "response_url", TEXT },
	{ "trigger_id", TEXT },
	{ "api_app_id", TEXT },
};

static enum err write_field(const struct command_field *f, struct str form, struct buf *json)
{
	struct buf value = { 0 };
	enum err err = payload_form_field(form, str_of(f->name), &value);

	if ((err == E_OK || err == E_NOT_FOUND) && (f->kind != TEXT_IF_ANY || value.n)) {
		buf_addf(json, "%s\"%s\":", f == command_fields ? "{" : ",", f->name);
		if (f->kind == FLAG)
			buf_str(json, str_is(buf_view(&value), "true") ? STR("true") : STR("false"));
		else
			json_write_string(json, buf_view(&value));
	}
	buf_release(&value);
	return err == E_NOT_FOUND ? E_OK : err;
}

static void command(struct exchange *x, const struct claims *claims)
{
	enum err err = E_OK;

	for (size_t i = 0; i < ARRAY_LEN(command_fields) && err == E_OK; i++)
		err = write_field(&command_fields[i], buf_view(&x->body), &x->payload);
	buf_char(&x->payload, '}');
	if (err == E_OK) {
		x->mode = SLACK_FORM;
		emit_signed(x, claims);
	} else {
		exchange_refuse(x, ANSWER_OVERLOAD, STR(""));
	}
}

/* Slack looks at a command's endpoint now and then: nothing to store. */
static bool is_probe(const struct exchange *x)
{
	struct buf value = { 0 };
	bool probe = payload_form_field(buf_view(&x->body), STR("ssl_check"), &value) == E_OK &&
		     str_is(buf_view(&value), "1");

	buf_release(&value);
	return probe;
}

static void no_form(struct exchange *x, enum err err)
{
	struct str text = STR("could not determine slack type from form parameters");

	if (err == E_NOMEM || err == E_LIMIT)
		exchange_refuse(x, ANSWER_OVERLOAD, STR(""));
	else if (err == E_NOT_FOUND && is_probe(x))
		exchange_reply_text(x, STR(""));
	else
		exchange_refuse(x, slack_refusal(x), text);
}

void slack_form(struct exchange *x, const struct claims *claims)
{
	struct buf value = { 0 };
	enum err err = payload_form_field(buf_view(&x->body), STR("payload"), &value);

	if (err == E_OK && value.n) {
		interaction(x, buf_view(&value), claims);
	} else if (err == E_OK || err == E_NOT_FOUND) {
		err = payload_form_field(buf_view(&x->body), STR("command"), &value);
		if (err == E_OK && value.n)
			command(x, claims);
		else
			no_form(x, err == E_OK ? E_NOT_FOUND : err);
	} else {
		no_form(x, err);
	}
	buf_release(&value);
}
