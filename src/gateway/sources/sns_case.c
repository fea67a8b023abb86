#include "gateway/sources/sns_case.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "event/base64.h"
#include "event/json_members.h"
#include "gateway/fetch.h"
#include "gateway/sources/provider.h"
#include "gateway/sources/sns.h"
#include "gateway/sources/sns_message.h"
#include "gateway/worker.h"

#define CONFIRM_MS  4000
#define CONFIRM_MAX (64 << 10)

struct sns_case {
	struct sns_message message;
	struct buf base; /* where SNS is */
	char *url;       /* what the errand asks for */
	struct buf form; /* what it posts there; empty: it gets it */
	struct buf access_key;
	struct buf secret_key;
	enum err err; /* how the errand ended */
	struct why why;
};

static void wipe(struct buf *b)
{
	if (b->p)
		explicit_bzero(b->p, b->cap);
	buf_release(b);
}

static void case_free(void *own)
{
	struct sns_case *c = own;

	sns_message_release(&c->message);
	buf_release(&c->base);
	buf_release(&c->form);
	wipe(&c->access_key);
	wipe(&c->secret_key);
	mem_free(c->url);
	mem_free(c);
}

static const struct sns_settings *settings_of(const struct exchange *x)
{
	return x->route->config->settings;
}

static void no_memory(struct exchange *x)
{
	exchange_refuse(x, ANSWER_OVERLOAD, STR(""));
}

/* The other side may try again, or need not. */
static void refuse_errand(struct exchange *x, const char *what)
{
	const struct sns_case *c = x->own;
	char space[sizeof(c->why.text) + 96];
	struct buf text = { .p = space, .cap = sizeof(space), .max = sizeof(space) };
	bool final = c->err == E_FORBIDDEN || c->err == E_LIMIT;

	buf_addf(&text, "%s: %s", what, c->why.text);
	log_warn("gateway", "a message of Amazon SNS cannot be taken", LOG_S("event", x->route->config->event_name),
		 LOG_STRN("error", buf_view(&text)));
	exchange_refuse(x, final ? ANSWER_MALFORMED : ANSWER_UNAVAILABLE, buf_view(&text));
}

static void reply_empty(struct exchange *x)
{
	exchange_reply(x, &(struct http_response){ .status = 200 });
}

/* ---- confirmation: an errand ------------------------------------------------------------------------------------------- */

static void run_confirmation(struct exchange *x)
{
	struct sns_case *c = x->own;
	struct fetch_aws aws = { buf_view(&c->access_key), buf_view(&c->secret_key), settings_of(x)->region, "sns" };
	struct fetch f = {
		.url = c->url,
		.plain = str_starts(buf_view(&c->base), STR("http://")),
		.ca_path = settings_of(x)->endpoint_ca,
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
		refuse_errand(x, "the subscription could not be confirmed");
		return;
	}
	log_info("gateway", "subscription of Amazon SNS confirmed", LOG_S("event", x->route->config->event_name),
		 LOG_STRN("topic", c->message.topic_arn));
	reply_empty(x);
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

static void confirm(struct exchange *x)
{
	struct sns_case *c = x->own;
	enum err err = E_OK;

	if (provider_has_secret(x, SNS_ACCESS_KEY)) {
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
		no_memory(x);
	else
		exchange_refuse(x, ANSWER_SECRET_UNREADABLE, STR(""));
}

/* ---- what is to be done with a message that is believed ------------------------------------------------------------------ */

static void proceed(struct exchange *x)
{
	const struct sns_case *c = x->own;

	switch (c->message.kind) {
	case SNS_NOTIFICATION:
		provider_emit(x, provider_id_text(c->message.message_id));
		break;
	case SNS_SUBSCRIPTION:
		confirm(x);
		break;
	default:
		log_warn("gateway", "Amazon SNS ended a subscription", LOG_S("event", x->route->config->event_name),
			 LOG_STRN("topic", c->message.topic_arn));
		reply_empty(x);
	}
}

/* ---- the signature ------------------------------------------------------------------------------------------------------ */

static void forged(struct exchange *x, const char *strict)
{
	provider_refuse(x, ANSWER_SIGNATURE, str_of(strict));
}

static void md_ctx_freep(EVP_MD_CTX **ctx)
{
	EVP_MD_CTX_free(*ctx);
}

static bool fits(const struct sns_message *m, EVP_PKEY *key, struct str signature)
{
	CLEANUP(md_ctx_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	const EVP_MD *md = str_is(m->version, "2") ? EVP_sha256() : EVP_sha1();
	struct str pieces[SNS_PIECES];
	size_t n = sns_message_signed(m, pieces);

	if (!ctx || EVP_DigestVerifyInit(ctx, NULL, md, NULL, key) != 1)
		return false;
	for (size_t i = 0; i < n; i++)
		if (EVP_DigestVerifyUpdate(ctx, pieces[i].p, pieces[i].n) != 1)
			return false;
	return EVP_DigestVerifyFinal(ctx, (const unsigned char *)signature.p, signature.n) == 1;
}

static void verify(struct exchange *x, EVP_PKEY *key)
{
	const struct sns_case *c = x->own;
	struct buf signature = { .max = 4096 };
	bool good = base64_read(c->message.signature, &signature) && signature.err == E_OK &&
		    fits(&c->message, key, buf_view(&signature));

	buf_release(&signature);
	if (good)
		proceed(x);
	else
		forged(x, "message signature check error, crypto/rsa: verification error");
}

static void run_certificate(struct exchange *x)
{
	struct sns_case *c = x->own;

	c->err = certificates_fetch(&x->worker->gateway->certificates, c->url, settings_of(x)->endpoint_ca,
				    clock_mono_ms(), &c->why);
}

static void certificate_fetched(struct exchange *x)
{
	const struct sns_case *c = x->own;
	EVP_PKEY *key = certificates_find(&x->worker->gateway->certificates, c->message.cert_url, clock_mono_ms());

	if (key)
		verify(x, key);
	else
		refuse_errand(x, "the signing certificate cannot be had");
	EVP_PKEY_free(key);
}

/* Without a signature that could be right nothing is fetched. */
static bool is_plausible(const struct sns_case *c)
{
	const struct sns_message *m = &c->message;

	return (str_is(m->version, "1") || str_is(m->version, "2")) && m->signature.n && base64_ok(m->signature);
}

static void believe(struct exchange *x)
{
	struct sns_case *c = x->own;
	EVP_PKEY *key;

	if (!is_plausible(c)) {
		forged(x, "message signature check error, the signature is missing or malformed");
		return;
	}
	if (!str_starts(buf_view(&c->base), STR("https://")) ||
	    !sns_is_cert_url(c->message.cert_url, buf_view(&c->base))) {
		forged(x, "failed to verify SigningCertURL");
		return;
	}
	key = certificates_find(&x->worker->gateway->certificates, c->message.cert_url, clock_mono_ms());
	if (key) {
		verify(x, key);
	} else {
		c->url = str_dup(c->message.cert_url);
		if (c->url)
			exchange_errand(x, run_certificate, certificate_fetched);
		else
			no_memory(x);
	}
	EVP_PKEY_free(key);
}

/* ---- the message -------------------------------------------------------------------------------------------------------- */

static bool is_our_topic(const struct exchange *x, struct str topic_arn)
{
	const struct sns_settings *s = settings_of(x);

	/* As upstream: without signatures nobody can say what is true of it. */
	if (x->route->config->compat_strict && !s->validate_signature)
		return true;
	for (size_t i = 0; i < s->more_topics.count; i++)
		if (str_is(topic_arn, s->more_topics.items[i]))
			return true;
	return str_is(topic_arn, s->topic_arn);
}

static void judge(struct exchange *x)
{
	const struct sns_case *c = x->own;

	if (c->message.kind == SNS_UNKNOWN && x->route->config->compat_strict)
		reply_empty(x);
	else if (c->message.kind == SNS_UNKNOWN)
		exchange_refuse(
			x, ANSWER_MALFORMED,
			STR("the Type of the SNS message is missing or not known; turn raw message delivery off"));
	else if (!is_our_topic(x, c->message.topic_arn))
		exchange_refuse(x, ANSWER_FORBIDDEN, STR("the message is of another topic"));
	else if (settings_of(x)->validate_signature)
		believe(x);
	else
		proceed(x);
}

/* The value of "body", with which the payload ends so far. */
static struct str body_of(const struct exchange *x)
{
	struct json_member body = { .name = "body" };

	(void)json_members(buf_view(&x->payload), &body, 1);
	return body.raw;
}

void sns_case_begin(struct exchange *x)
{
	struct sns_case *c = mem_alloc(sizeof(*c));
	struct why why = { 0 };
	enum err err;

	if (!c) {
		no_memory(x);
		return;
	}
	x->own = c;
	x->own_free = case_free;
	sns_write_base(settings_of(x), &c->base);
	err = sns_message_parse(body_of(x), &why, &c->message);
	if (err == E_MALFORMED)
		exchange_refuse(x, ANSWER_MALFORMED, str_of(why.text));
	else if (err != E_OK || c->base.err != E_OK)
		no_memory(x);
	else
		judge(x);
}
