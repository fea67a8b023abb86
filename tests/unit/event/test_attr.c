#include "event/attr.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/mem.h"

static const struct {
	enum event_attr_type type;
	const char *text;
	bool ok;
} rows[] = {
	{ EVENT_ATTR_STRING, "", true },
	{ EVENT_ATTR_STRING, "plain \"text\" \\ <>", true },
	{ EVENT_ATTR_STRING, "Euro \xe2\x82\xac \xf0\x9f\x98\x80 \xc2\xa0", true },
	{ EVENT_ATTR_STRING, "tab\t", false },
	{ EVENT_ATTR_STRING, "line\r\nX-Forged: 1", false },
	{ EVENT_ATTR_STRING, "\x7f", false },
	{ EVENT_ATTR_STRING, "\xc2\x80", false },
	{ EVENT_ATTR_STRING, "\xc2\x9f", false },
	{ EVENT_ATTR_STRING, "\xef\xb7\x8f", true },      /* U+FDCF */
	{ EVENT_ATTR_STRING, "\xef\xb7\x90", false },     /* U+FDD0 */
	{ EVENT_ATTR_STRING, "\xef\xb7\xaf", false },     /* U+FDEF */
	{ EVENT_ATTR_STRING, "\xef\xbf\xbd", true },      /* U+FFFD */
	{ EVENT_ATTR_STRING, "\xef\xbf\xbe", false },     /* U+FFFE */
	{ EVENT_ATTR_STRING, "\xf0\x9f\xbf\xbf", false }, /* U+1FFFF */
	{ EVENT_ATTR_STRING, "\xf4\x8f\xbf\xbe", false }, /* U+10FFFE */
	{ EVENT_ATTR_STRING, "\xf4\x8f\xbf\xbd", true },  /* U+10FFFD */
	{ EVENT_ATTR_STRING, "\xc0\xaf", false },         /* overlong */
	{ EVENT_ATTR_STRING, "\xed\xa0\x80", false },     /* surrogate */
	{ EVENT_ATTR_STRING, "\xff", false },
	{ EVENT_ATTR_BOOLEAN, "true", true },
	{ EVENT_ATTR_BOOLEAN, "false", true },
	{ EVENT_ATTR_BOOLEAN, "True", false },
	{ EVENT_ATTR_BOOLEAN, "", false },
	{ EVENT_ATTR_INTEGER, "0", true },
	{ EVENT_ATTR_INTEGER, "-1", true },
	{ EVENT_ATTR_INTEGER, "2147483647", true },
	{ EVENT_ATTR_INTEGER, "-2147483648", true },
	{ EVENT_ATTR_INTEGER, "2147483648", false },
	{ EVENT_ATTR_INTEGER, "-2147483649", false },
	{ EVENT_ATTR_INTEGER, "-0", false },
	{ EVENT_ATTR_INTEGER, "01", false },
	{ EVENT_ATTR_INTEGER, "+1", false },
	{ EVENT_ATTR_INTEGER, "1.0", false },
	{ EVENT_ATTR_INTEGER, "1e2", false },
	{ EVENT_ATTR_INTEGER, "-", false },
	{ EVENT_ATTR_INTEGER, "", false },
	{ EVENT_ATTR_BINARY, "Zm9v", true },
	{ EVENT_ATTR_BINARY, "Zm9", false },
	{ EVENT_ATTR_URI, "https://example.com/a?b=c#d", true },
	{ EVENT_ATTR_URI, "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66", true },
	{ EVENT_ATTR_URI, "mailto:a@example.com", true },
	{ EVENT_ATTR_URI, "http://[::1]:8080/", true },
	{ EVENT_ATTR_URI, "a%20b:c", false },
	{ EVENT_ATTR_URI, "/relative", false },
	{ EVENT_ATTR_URI, "1http://x", false },
	{ EVENT_ATTR_URI, "", false },
	{ EVENT_ATTR_URI, ":x", false },
	{ EVENT_ATTR_URI_REF, "webhook", true },
	{ EVENT_ATTR_URI_REF, "/cloudevents/spec/pull/123", true },
	{ EVENT_ATTR_URI_REF, "//host/a:b", true },
	{ EVENT_ATTR_URI_REF, "a/b:c", true },
	{ EVENT_ATTR_URI_REF, "?q=a:b", true },
	{ EVENT_ATTR_URI_REF, "#part", true },
	{ EVENT_ATTR_URI_REF, "a%2Fb", true },
	{ EVENT_ATTR_URI_REF, "10.0.0.1:80/x", false },
	{ EVENT_ATTR_URI_REF, "a b", false },
	{ EVENT_ATTR_URI_REF, "a%2", false },
	{ EVENT_ATTR_URI_REF, "a%zz", false },
	{ EVENT_ATTR_URI_REF, "a#b#c", false },
	{ EVENT_ATTR_URI_REF, "caf\xc3\xa9", false },
	{ EVENT_ATTR_URI_REF, "a\"b", false },
	{ EVENT_ATTR_URI_REF, "a<b>", false },
	{ EVENT_ATTR_TIMESTAMP, "2026-07-18T12:57:49.123456789Z", true },
	{ EVENT_ATTR_TIMESTAMP, "2026-07-18t12:57:49z", true },
	{ EVENT_ATTR_TIMESTAMP, "0001-01-01T00:00:00+23:59", true },
	{ EVENT_ATTR_TIMESTAMP, "9999-12-31T23:59:60-00:00", true },
	{ EVENT_ATTR_TIMESTAMP, "2024-02-29T00:00:00Z", true },
	{ EVENT_ATTR_TIMESTAMP, "2000-02-29T00:00:00Z", true },
	{ EVENT_ATTR_TIMESTAMP, "1900-02-29T00:00:00Z", false },
	{ EVENT_ATTR_TIMESTAMP, "2023-02-29T00:00:00Z", false },
	{ EVENT_ATTR_TIMESTAMP, "2026-04-31T00:00:00Z", false },
	{ EVENT_ATTR_TIMESTAMP, "2026-13-01T00:00:00Z", false },
	{ EVENT_ATTR_TIMESTAMP, "2026-00-01T00:00:00Z", false },
	{ EVENT_ATTR_TIMESTAMP, "2026-01-00T00:00:00Z", false },
	{ EVENT_ATTR_TIMESTAMP, "2026-07-18 12:57:49Z", false },
	{ EVENT_ATTR_TIMESTAMP, "2026-07-18T24:00:00Z", false },
	{ EVENT_ATTR_TIMESTAMP, "2026-07-18T12:60:00Z", false },
	{ EVENT_ATTR_TIMESTAMP, "2026-07-18T12:00:61Z", false },
	{ EVENT_ATTR_TIMESTAMP, "2026-07-18T12:57:49.Z", false },
	{ EVENT_ATTR_TIMESTAMP, "2026-07-18T12:57:49", false },
	{ EVENT_ATTR_TIMESTAMP, "2026-07-18T12:57:49+24:00", false },
	{ EVENT_ATTR_TIMESTAMP, "2026-07-18T12:57:49+0200", false },
	{ EVENT_ATTR_TIMESTAMP, "2026-07-18T12:57:49Zx", false },
	{ EVENT_ATTR_TIMESTAMP, "26-07-18T12:57:49Z", false },
	{ EVENT_ATTR_TIMESTAMP, "", false },
};

static void each_type_takes_its_values_and_no_others(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *problem = attr_problem(rows[i].type, str_of(rows[i].text));

		if ((problem == NULL) != rows[i].ok)
			fail_msg("type %d, \"%s\": %s", rows[i].type, rows[i].text, problem ? problem : "was taken");
	}
}

static void a_zero_byte_is_a_control_character(void **state)
{
	(void)state;
	assert_false(attr_is_string((struct str){ "a\0b", 3 }));
	assert_false(attr_is_uri_reference((struct str){ "a\0b", 3 }));
	assert_false(attr_is_time((struct str){ "2026-07-18T12:57:49Z\0", 21 }));
}

static const struct {
	const char *text;
	bool ok;
} media_types[] = {
	{ "application/json", true },
	{ "application/vnd.api+json; charset=utf-8", true },
	{ "text/plain;charset=\"utf-8\"", true },
	{ "text", false },
	{ "/json", false },
	{ "text/", false },
	{ "text/plain\r\nX: y", false },
	{ "text/plain; a=\r\n", false },
	{ "te xt/plain", false },
	{ "", false },
};

static void a_media_type_has_two_tokens_and_no_line_ends(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(media_types); i++)
		assert_int_equal(attr_is_media_type(str_of(media_types[i].text)), media_types[i].ok);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_type_takes_its_values_and_no_others),
		cmocka_unit_test(a_zero_byte_is_a_control_character),
		cmocka_unit_test(a_media_type_has_two_tokens_and_no_line_ends),
	};

	return cmocka_run_group_tests_name("attr", tests, NULL, NULL);
}
