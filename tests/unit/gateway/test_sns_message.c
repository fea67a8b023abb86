#include "gateway/sources/sns_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"

#define BASE  "https://sns.eu-west-1.amazonaws.com"
#define TOPIC "arn:aws:sns:eu-west-1:123456789012:MyTopic"

static void expect_signed(const char *json, const char *text)
{
	struct str pieces[SNS_PIECES];
	struct buf b = { 0 };
	struct sns_message m;
	size_t n;

	assert_int_equal(sns_message_parse(str_of(json), NULL, &m), E_OK);
	n = sns_message_signed(&m, pieces);
	for (size_t i = 0; i < n; i++)
		buf_str(&b, pieces[i]);
	assert_string_equal(buf_cstr(&b), text);
	buf_release(&b);
	sns_message_release(&m);
}

#define GUIDE_TOPIC "arn:aws:sns:us-east-2:123456789012:s4-MySNSTopic-1G1WEFCOXTC0P"
#define GUIDE_URL                                                                                         \
	"https://sns.us-east-2.amazonaws.com/?Action=ConfirmSubscription&TopicArn=" GUIDE_TOPIC "&Token=" \
	"233..."

/* The examples of docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html, of both strings to sign. */
static void the_examples_of_amazons_guide_are_signed_as_it_shows(void **state)
{
	(void)state;
	expect_signed("{\"Type\":\"Notification\",\"MessageId\":\"4d4dc071-ddbf-465d-bba8-08f81c89da64\",\"TopicArn\":"
		      "\"" GUIDE_TOPIC "\",\"Subject\":\"My subject\",\"Message\":\"My Test Message\",\"Timestamp\":"
		      "\"2019-01-31T04:37:04.321Z\"}",
		      "Message\nMy Test Message\nMessageId\n4d4dc071-ddbf-465d-bba8-08f81c89da64\nSubject\nMy subject\n"
		      "Timestamp\n2019-01-31T04:37:04.321Z\nTopicArn\n" GUIDE_TOPIC "\nType\nNotification\n");
	expect_signed(
		"{\"Type\":\"SubscriptionConfirmation\",\"MessageId\":\"3d891288-136d-417f-bc05-901c108273ee\","
		"\"Token\":\"233...\",\"TopicArn\":\"" GUIDE_TOPIC "\",\"Message\":\"You have chosen to subscribe to "
		"the topic " GUIDE_TOPIC ".\\nTo confirm the subscription, visit the SubscribeURL included in this "
		"message.\",\"SubscribeURL\":\"" GUIDE_URL "\",\"Timestamp\":\"2019-01-31T19:25:13.719Z\"}",
		"Message\nYou have chosen to subscribe to the topic " GUIDE_TOPIC ".\nTo confirm the subscription, "
		"visit the SubscribeURL included in this message.\nMessageId\n3d891288-136d-417f-bc05-901c108273ee\n"
		"SubscribeURL\n" GUIDE_URL
		"\nTimestamp\n2019-01-31T19:25:13.719Z\nToken\n233...\nTopicArn\n" GUIDE_TOPIC
		"\nType\nSubscriptionConfirmation\n");
}

/* Amazon SNS Developer Guide, "Verifying the signatures": names in order, a line each. */
static void the_signed_text_is_what_amazon_says(void **state)
{
	(void)state;
	expect_signed("{\"Type\":\"Notification\",\"MessageId\":\"i\",\"TopicArn\":\"t\",\"Subject\":\"s\",\"Message\":"
		      "\"a\\nb\","
		      "\"Timestamp\":\"2012\",\"SignatureVersion\":\"1\",\"Signature\":\"x\",\"SigningCertURL\":\"u\","
		      "\"UnsubscribeURL\":\"v\"}",
		      "Message\na\nb\nMessageId\ni\nSubject\ns\nTimestamp\n2012\nTopicArn\nt\nType\nNotification\n");
	expect_signed("{\"Type\":\"Notification\",\"MessageId\":\"i\",\"TopicArn\":\"t\",\"Message\":\"m\","
		      "\"Timestamp\":\"2012\","
		      "\"Subject\":null}",
		      "Message\nm\nMessageId\ni\nTimestamp\n2012\nTopicArn\nt\nType\nNotification\n");
	expect_signed("{\"Type\":\"Notification\",\"Subject\":\"\"}",
		      "Message\n\nMessageId\n\nSubject\n\nTimestamp\n\nTopicArn\n\nType\nNotification\n");
	expect_signed("{\"Type\":\"SubscriptionConfirmation\",\"MessageId\":\"i\",\"Token\":\"k\",\"TopicArn\":\"t\","
		      "\"Message\":\"m\","
		      "\"SubscribeURL\":\"u\",\"Timestamp\":\"2012\",\"Subject\":\"s\"}",
		      "Message\nm\nMessageId\ni\nSubscribeURL\nu\nTimestamp\n2012\nToken\nk\nTopicArn\nt\nType\n"
		      "SubscriptionConfirmation\n");
	expect_signed("{\"Type\":\"Other\",\"Message\":\"m\"}", "");
}

static void what_is_no_message_is_refused(void **state)
{
	static const struct {
		const char *json;
		enum err err;
		enum sns_type kind;
	} rows[] = {
		{ "{}", E_OK, SNS_UNKNOWN },
		{ "{\"Type\":\"Notification\"}", E_OK, SNS_NOTIFICATION },
		{ "{\"Type\":\"SubscriptionConfirmation\"}", E_OK, SNS_SUBSCRIPTION },
		{ "{\"Type\":\"UnsubscribeConfirmation\"}", E_OK, SNS_UNSUBSCRIPTION },
		{ "{\"type\":\"Notification\"}", E_OK, SNS_UNKNOWN },
		{ "{\"Type\":null,\"Token\":null}", E_OK, SNS_UNKNOWN },
		{ "null", E_MALFORMED, 0 },
		{ "[]", E_MALFORMED, 0 },
		{ "\"Notification\"", E_MALFORMED, 0 },
		{ "{\"Type\":1}", E_MALFORMED, 0 },
		{ "{\"Message\":{}}", E_MALFORMED, 0 },
		{ "{\"Message\":\"\\ud800\"}", E_MALFORMED, 0 },
		{ "{\"Message\":\"a\",\"Message\":\"b\"}", E_MALFORMED, 0 },
		{ "{\"Message\":\"a\",\"\\u004dessage\":\"b\"}", E_MALFORMED, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sns_message m = { 0 };
		struct why why = { 0 };

		assert_int_equal(sns_message_parse(str_of(rows[i].json), &why, &m), rows[i].err);
		assert_int_equal(m.kind, rows[i].err == E_OK ? rows[i].kind : 0);
		assert_int_equal(why.text[0] != '\0', rows[i].err != E_OK);
		sns_message_release(&m);
	}
}

static void no_allocation_that_fails_is_lost(void **state)
{
	struct sns_message m = { 0 };

	(void)state;
	mem_fail_at(1);
	assert_int_equal(sns_message_parse(STR("{\"Type\":\"a\\n\"}"), NULL, &m), E_NOMEM);
	mem_fail_at(0);
	assert_null(m.arena.p);
}

static void a_certificate_comes_from_its_server_only(void **state)
{
	static const struct {
		const char *url;
		bool ok;
	} rows[] = {
		{ BASE "/SimpleNotificationService-f3ecfb7224c7233fe7bb5f59f96de52f.pem", true },
		{ BASE "/a/b.pem", true },
		{ BASE "/a.pem", true },
		{ BASE "/a.crt", false },
		{ BASE "/.pem.txt", false },
		{ BASE "/..pem", false },
		{ BASE "/../a.pem", false },
		{ BASE "/a.pem?x=.pem", false },
		{ BASE "/a#.pem", false },
		{ BASE "/%2e.pem", false },
		{ BASE "/a b.pem", false },
		{ BASE "/a\n.pem", false },
		{ BASE "/a\\b.pem", false },
		{ BASE "a.pem", false },
		{ BASE ":443/a.pem", false },
		{ BASE "@evil.example/a.pem", false },
		{ BASE ".evil.example/a.pem", false },
		{ "http://sns.eu-west-1.amazonaws.com/a.pem", false },
		{ "https://sns.us-east-1.amazonaws.com/a.pem", false },
		/* A bucket called "sns" in S3's old addresses passes upstream's pattern for hosts. */
		{ "https://sns.s3-us-west-2.amazonaws.com/a.pem", false },
		{ "https://u@sns.eu-west-1.amazonaws.com/a.pem", false },
		{ "HTTPS://SNS.eu-west-1.amazonaws.com/a.pem", false },
		{ BASE, false },
		{ BASE "/", false },
		{ "", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(sns_is_cert_url(str_of(rows[i].url), STR(BASE)), rows[i].ok);
}

static void a_confirmation_confirms_its_topic_only(void **state)
{
	static const struct {
		const char *url;
		bool ok;
	} rows[] = {
		{ BASE "/?Action=ConfirmSubscription&TopicArn=" TOPIC "&Token=2336412f37", true },
		{ BASE
		  "/?Token=t&TopicArn=arn%3Aaws%3Asns%3Aeu-west-1%3A123456789012%3AMyTopic&Action=ConfirmSubscription",
		  true },
		{ BASE "/?Action=ConfirmSubscription&TopicArn=" TOPIC "&Token=t&Version=2010-03-31", true },
		{ BASE "/?Action=ConfirmSubscription&TopicArn=" TOPIC, false },
		{ BASE "/?Action=ConfirmSubscription&Token=t", false },
		{ BASE "/?TopicArn=" TOPIC "&Token=t", false },
		{ BASE "/?Action=Unsubscribe&TopicArn=" TOPIC "&Token=t", false },
		{ BASE "/?Action=ConfirmSubscription&TopicArn=" TOPIC "2&Token=t", false },
		{ BASE "/?Action=ConfirmSubscription&TopicArn=" TOPIC "&Token=t&TopicArn=x", false },
		{ BASE "/?Action=ConfirmSubscription&TopicArn=" TOPIC "&Token=t&Topic%41rn=x", false },
		{ BASE "/?Action=ConfirmSubscription&TopicArn=" TOPIC "&Token=t&Action=Publish", false },
		{ BASE "/?Action=ConfirmSubscription&TopicArn=%zz&Token=t", false },
		{ BASE "/x?Action=ConfirmSubscription&TopicArn=" TOPIC "&Token=t", false },
		{ BASE "/?Action=ConfirmSubscription&TopicArn=" TOPIC "&Token=t#", false },
		{ BASE "/?Action=ConfirmSubscription&TopicArn=" TOPIC "&Token=t\r\nX: y", false },
		{ "http://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=" TOPIC "&Token=t", false },
		{ BASE "@evil/?Action=ConfirmSubscription&TopicArn=" TOPIC "&Token=t", false },
		{ BASE "/?", false },
		{ BASE "/", false },
		{ "", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(sns_is_subscribe_url(str_of(rows[i].url), STR(BASE), STR(TOPIC)), rows[i].ok);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_examples_of_amazons_guide_are_signed_as_it_shows),
		cmocka_unit_test(the_signed_text_is_what_amazon_says),
		cmocka_unit_test(what_is_no_message_is_refused),
		cmocka_unit_test(no_allocation_that_fails_is_lost),
		cmocka_unit_test(a_certificate_comes_from_its_server_only),
		cmocka_unit_test(a_confirmation_confirms_its_topic_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
