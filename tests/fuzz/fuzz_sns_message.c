/*
 * fuzz_sns_message.c -- what Amazon SNS sends, or who pretends to be it.
 *
 * Property  A JSON text is a message or malformed, never anything else. The texts of a message are together no longer than it; the
 *           signed text is made of four pieces for each name; a message written down anew from its texts is signed the same.
 *           An address that is taken begins with the server's and leads nowhere else.
 */
#include <stdlib.h>

#include "event/json_text.h"
#include "gateway/sources/sns_message.h"

#define BASE "https://sns.eu-west-1.amazonaws.com"

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check_address(struct str url)
{
	struct str base = STR(BASE), topic = STR("arn:t");

	if (sns_is_cert_url(url, base)) {
		must(str_starts(url, STR(BASE "/")) && str_ends(url, STR(".pem")));
		for (size_t i = base.n; i < url.n; i++)
			must(url.p[i] != '@' && url.p[i] != '?' && url.p[i] != '#' && url.p[i] != '%' &&
			     url.p[i] != '\\');
	}
	if (sns_is_subscribe_url(url, base, topic))
		must(str_starts(url, STR(BASE "/?")) && str_find(url, '#') == url.n && str_find(url, ' ') == url.n);
}

static void signed_text(const struct sns_message *m, struct buf *ret_text)
{
	struct str pieces[SNS_PIECES];
	size_t n = sns_message_signed(m, pieces);

	must(n % 4 == 0 && n <= SNS_PIECES && (n == 0) == (m->kind == SNS_UNKNOWN));
	for (size_t i = 0; i < n; i++)
		buf_str(ret_text, pieces[i]);
}

static void write_member(const char *name, struct str text, struct buf *json)
{
	buf_addf(json, "%c\"%s\":", json->n ? ',' : '{', name);
	json_write_string(json, text);
}

/* The same message with nothing but its texts. */
static void write_message(const struct sns_message *m, struct buf *json)
{
	write_member("Signature", m->signature, json);
	write_member("Timestamp", m->timestamp, json);
	write_member("MessageId", m->message_id, json);
	write_member("Message", m->message, json);
	if (m->has_subject)
		write_member("Subject", m->subject, json);
	write_member("SubscribeURL", m->subscribe_url, json);
	write_member("Token", m->token, json);
	write_member("TopicArn", m->topic_arn, json);
	write_member("Type", m->type, json);
	buf_char(json, '}');
}

static void check_again(const struct sns_message *m)
{
	struct buf json = { 0 }, first = { 0 }, second = { 0 };
	struct sns_message again = { 0 };

	write_message(m, &json);
	must(sns_message_parse(buf_view(&json), NULL, &again) == E_OK && again.kind == m->kind);
	signed_text(m, &first);
	signed_text(&again, &second);
	must(str_eq(buf_view(&first), buf_view(&second)));
	sns_message_release(&again);
	buf_release(&json);
	buf_release(&first);
	buf_release(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf json = { 0 };
	struct sns_message m = { 0 };
	struct str text = { (const char *)data, size };
	enum err err;

	check_address(text);
	if (json_compact(text, /* plain= */ false, &json, NULL) == E_OK) {
		err = sns_message_parse(buf_view(&json), NULL, &m);
		must(err == E_OK || err == E_MALFORMED);
		must(m.type.n + m.message_id.n + m.token.n + m.topic_arn.n + m.subject.n + m.message.n +
			     m.subscribe_url.n + m.timestamp.n + m.version.n + m.signature.n + m.cert_url.n <=
		     json.n);
		check_address(m.cert_url);
		check_address(m.subscribe_url);
		if (err == E_OK && str_is_utf8(buf_view(&json)))
			check_again(&m);
	}
	sns_message_release(&m);
	buf_release(&json);
	return 0;
}
