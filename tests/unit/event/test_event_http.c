#include "event/event_http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"

/* Splits "name: value\n" lines into fields. */
static size_t fields_of(const char *text, struct event_field *fields, size_t max)
{
	struct str rest = str_of(text);
	size_t n = 0;

	while (rest.n) {
		struct str line = str_cut(&rest, '\n'), value = line;

		assert_true(n < max);
		fields[n].name = str_cut(&value, ':');
		fields[n++].value = str_trim(value);
	}
	return n;
}

#define NEEDED "ce-specversion: 1.0\nce-id: 1\nce-source: /s\nce-type: t\n"

static enum err read_text(const char *text, struct str body, struct buf *arena, struct event *event, struct why *why)
{
	struct event_field fields[80];
	size_t n = fields_of(text, fields, ARRAY_LEN(fields));

	return event_http_read(fields, n, body, arena, event, why);
}

static const struct {
	const char *content_type;
	enum event_http_mode mode;
} modes[] = {
	{ "", EVENT_HTTP_BINARY },
	{ "application/json", EVENT_HTTP_BINARY },
	{ "application/cloudevents+json", EVENT_HTTP_STRUCTURED },
	{ "Application/CloudEvents+JSON; charset=UTF-8", EVENT_HTTP_STRUCTURED },
	{ "application/cloudevents-batch+json", EVENT_HTTP_BATCH },
	{ "APPLICATION/CLOUDEVENTS-BATCH+JSON ;charset=utf-8", EVENT_HTTP_BATCH },
	{ "application/cloudevents+protobuf", EVENT_HTTP_UNKNOWN },
	{ "application/cloudevents", EVENT_HTTP_UNKNOWN },
	{ "application/cloudevents-batch+avro", EVENT_HTTP_UNKNOWN },
	{ "application/cloudevents-batch", EVENT_HTTP_UNKNOWN },
	{ "text/application/cloudevents+json", EVENT_HTTP_BINARY },
};

static void the_content_type_chooses_the_mode(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(modes); i++)
		assert_int_equal(event_http_mode(str_of(modes[i].content_type)), modes[i].mode);
}

static void binary_mode_is_read_from_fields_in_any_case(void **state)
{
	struct buf arena = { 0 };
	struct event e;

	(void)state;
	assert_int_equal(
		read_text("Host: x\nCE-SpecVersion: 1.0\nCe-Id: A-1\nce-source: /s?a=b\nce-type: com.example.T\n"
			  "Content-Type: application/json; charset=utf-8\nCe-Subject: s\nce-time: "
			  "2026-07-18T12:57:49Z\nce-dataschema: urn:x\nCe-MyExt: Value\nce-n: 7\n",
			  STR(" {\"a\" : 1}\n"), &arena, &e, NULL),
		E_OK);
	assert_true(str_is(e.id, "A-1"));
	assert_true(str_is(e.source, "/s?a=b"));
	assert_true(str_is(e.type, "com.example.T"));
	assert_true(str_is(e.subject, "s"));
	assert_true(str_is(e.time, "2026-07-18T12:57:49Z"));
	assert_true(str_is(e.dataschema, "urn:x"));
	assert_true(str_is(e.datacontenttype, "application/json; charset=utf-8"));
	assert_int_equal(e.extension_count, 2);
	assert_true(str_is(e.extensions[0].name, "myext"));
	assert_true(str_is(e.extensions[0].text, "Value"));
	assert_true(str_is(e.extensions[1].text, "7"));
	assert_int_equal(e.extensions[1].type, EVENT_ATTR_STRING);
	assert_int_equal(e.data_kind, EVENT_DATA_JSON);
	assert_true(str_is(e.data, " {\"a\" : 1}\n"));
	buf_release(&arena);
}

static const struct {
	const char *value;
	const char *text;  /* NULL: refused */
	const char *story; /* then */
} values[] = {
	{ "plain", "plain", NULL },
	{ "", "", NULL },
	{ "Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro \xe2\x82\xac \xf0\x9f\x98\x80", NULL },
	{ "%e2%82%ac", "\xe2\x82\xac", NULL },
	{ "%41%2d", "A-", NULL },
	{ "%2541", "%41", NULL },
	{ "a b", "a b", NULL },
	{ "caf\xc3\xa9", "caf\xc3\xa9", NULL },
	{ "\"quoted\"", "quoted", NULL },
	{ "\"a \\\"b\\\" \\\\ \\c\"", "a \"b\" \\ c", NULL },
	{ "\"%22\"", "\"", NULL },
	{ "\"\"", "", NULL },
	{ "\"", "\"", NULL },
	{ "a\"b\"", "a\"b\"", NULL },
	{ "a\\b", "a\\b", NULL },
	{ "\"a\"b\"", NULL, "ce-x: has a stray quote or backslash inside quotes" },
	{ "\"a\\\"", NULL, "ce-x: has a stray quote or backslash inside quotes" },
	{ "%", NULL, "ce-x: has a '%' without two hexadecimal digits behind it; write %25" },
	{ "100% sure", NULL, "ce-x: has a '%' without two hexadecimal digits behind it; write %25" },
	{ "%4", NULL, "ce-x: has a '%' without two hexadecimal digits behind it; write %25" },
	{ "%g0", NULL, "ce-x: has a '%' without two hexadecimal digits behind it; write %25" },
	{ "%C0%A0", NULL, "ce-x: is not UTF-8" },
	{ "%ed%a0%80", NULL, "ce-x: is not UTF-8" },
	{ "%ff", NULL, "ce-x: is not UTF-8" },
	{ "caf\xe9", NULL, "ce-x: is not UTF-8" },
	{ "a%0d%0aX-Forged: 1", NULL, "x: has a control character, a noncharacter or bytes that are not UTF-8" },
	{ "%00", NULL, "x: has a control character, a noncharacter or bytes that are not UTF-8" },
	{ "%EF%BF%BF", NULL, "x: has a control character, a noncharacter or bytes that are not UTF-8" },
};

static void values_are_unquoted_and_percent_decoded_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		const struct event_field fields[] = {
			{ STR("ce-specversion"), STR("1.0") },    { STR("ce-id"), STR("1") },
			{ STR("ce-source"), STR("/s") },          { STR("ce-type"), STR("t") },
			{ STR("ce-x"), str_of(values[i].value) },
		};
		struct buf arena = { 0 };
		struct why why = { 0 };
		struct event e;
		enum err err = event_http_read(fields, ARRAY_LEN(fields), STR(""), &arena, &e, &why);

		assert_int_equal(err, values[i].text ? E_OK : E_MALFORMED);
		if (values[i].text)
			assert_true(str_is(e.extensions[0].text, values[i].text));
		else
			assert_string_equal(why.text, values[i].story);
		buf_release(&arena);
	}
}

static const struct {
	const char *fields;
	const char *story;
} refused[] = {
	{ "", "specversion: is missing (send ce-specversion: 1.0)" },
	{ "ce-id: 1\nce-source: /s\nce-type: t\n", "specversion: is missing (send ce-specversion: 1.0)" },
	{ "ce-specversion: 0.3\nce-id: 1\nce-source: /s\nce-type: t\n", "specversion: is not \"1.0\"" },
	{ "ce-specversion: 1.0\nce-source: /s\nce-type: t\n", "id: is missing or empty" },
	{ "ce-specversion: 1.0\nce-id:\nce-source: /s\nce-type: t\n", "id: is missing or empty" },
	{ NEEDED "CE-ID: 2\n", "id: given twice" },
	{ NEEDED "ce-subject: \nce-subject: x\n", "subject: given twice" },
	{ NEEDED "ce-x: 1\nCe-X: 1\n", "x: given twice" },
	{ NEEDED "ce-specversion: 1.0\n", "specversion: given twice" },
	{ NEEDED "content-type: a/b\nContent-Type: a/b\n", "datacontenttype: given twice" },
	{ NEEDED "Content-Type: nonsense\n", "datacontenttype: is not a media type (RFC 2045)" },
	{ NEEDED "ce-datacontenttype: a/b\n", "ce-datacontenttype: belongs into Content-Type" },
	{ NEEDED "ce-data: x\n", "data: is not allowed here" },
	{ NEEDED "ce-my_ext: x\n", "an attribute name has other characters than a-z and 0-9" },
	{ NEEDED "ce-: x\n", "an attribute name has other characters than a-z and 0-9" },
	{ NEEDED "ce-my-ext: %\n", "ce-?: has a '%' without two hexadecimal digits behind it; write %25" },
	{ NEEDED "ce-time: noon\n", "time: is not an RFC 3339 time" },
	{ "ce-specversion: 1.0\nce-id: 1\nce-source: /a%20b\nce-type: t\n",
	  "source: is not a URI reference (RFC 3986); percent-encode what may not stand in one" },
};

static void what_is_not_an_event_is_refused_with_attribute_and_rule(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		struct buf arena = { 0 };
		struct why why = { 0 };
		struct event e;

		assert_int_equal(read_text(refused[i].fields, STR("x"), &arena, &e, &why), E_MALFORMED);
		assert_string_equal(why.text, refused[i].story);
		buf_release(&arena);
	}
}

static void sixty_four_extensions_are_taken_and_one_more_is_not(void **state)
{
	struct buf text = { 0 }, arena = { 0 };
	struct event e;

	(void)state;
	buf_lit(&text, NEEDED);
	for (unsigned i = 0; i < EVENT_EXTENSIONS_MAX; i++)
		buf_addf(&text, "Ce-Ext%u: %u\n", i, i);
	assert_int_equal(read_text(buf_cstr(&text), STR(""), &arena, &e, NULL), E_OK);
	assert_int_equal(e.extension_count, EVENT_EXTENSIONS_MAX);
	for (unsigned i = 0; i < EVENT_EXTENSIONS_MAX; i++)
		assert_true(str_starts(e.extensions[i].name, STR("ext")));
	buf_lit(&text, "ce-more: 1\n");
	assert_int_equal(read_text(buf_cstr(&text), STR(""), &arena, &e, NULL), E_LIMIT);
	buf_release(&text);
	buf_release(&arena);
}

static void only_ce_fields_make_a_binary_event(void **state)
{
	const struct event_field fields[] = { { STR("Cexy"), STR("") },
					      { STR("X-Ce-Id"), STR("") },
					      { STR("CE-Id"), STR("") } };

	(void)state;
	assert_false(event_http_is_binary(fields, 2));
	assert_true(event_http_is_binary(fields, 3));
	assert_false(event_http_is_binary(NULL, 0));
}

static struct event example(void)
{
	return (struct event){
		.id = STR("1"),
		.source = STR("/s%20"),
		.type = STR("t"),
		.subject = STR("Euro \xe2\x82\xac \"100%\""),
		.datacontenttype = STR("text/plain"),
		.time = STR("2026-07-18T12:57:49Z"),
		.extensions = { { STR("flag"), STR("true"), EVENT_ATTR_BOOLEAN },
				{ STR("x"), STR("~!"), EVENT_ATTR_STRING } },
		.extension_count = 2,
		.data_kind = EVENT_DATA_TEXT,
		.data = STR("hi"),
	};
}

static void binary_mode_is_written_percent_encoded(void **state)
{
	struct event event = example();
	struct buf fields = { 0 };
	struct str type;

	(void)state;
	assert_int_equal(event_http_write(&event, &fields, &type, NULL), E_OK);
	assert_string_equal(buf_cstr(&fields), "ce-specversion: 1.0\r\n"
					       "ce-id: 1\r\n"
					       "ce-source: /s%2520\r\n"
					       "ce-type: t\r\n"
					       "ce-subject: Euro%20%E2%82%AC%20%22100%25%22\r\n"
					       "ce-time: 2026-07-18T12:57:49Z\r\n"
					       "ce-flag: true\r\n"
					       "ce-x: ~!\r\n");
	assert_true(str_is(type, "text/plain"));
	buf_release(&fields);
}

static void what_is_written_reads_back_the_same(void **state)
{
	struct event event = example(), back;
	struct buf written = { 0 }, arena = { 0 }, first = { 0 }, second = { 0 };
	struct str type;

	(void)state;
	event.extensions[0].type = EVENT_ATTR_STRING; /* HTTP has no types */
	assert_int_equal(event_http_write(&event, &written, &type, NULL), E_OK);
	buf_addf(&written, "content-type: %.*s", STR_ARG(type));
	for (size_t i = 0; i < written.n; i++)
		if (written.p[i] == '\r')
			written.p[i] = ' ';
	assert_int_equal(read_text(buf_cstr(&written), event.data, &arena, &back, NULL), E_OK);
	event_write_meta(&event, &first);
	event_write_meta(&back, &second);
	assert_string_equal(buf_cstr(&first), buf_cstr(&second));
	buf_release(&written);
	buf_release(&arena);
	buf_release(&first);
	buf_release(&second);
}

static void json_data_without_a_type_is_declared_as_json(void **state)
{
	struct event event = example();
	struct buf fields = { 0 };
	struct str type;

	(void)state;
	event.datacontenttype = (struct str){ 0 };
	event.data_kind = EVENT_DATA_JSON;
	event.data = STR("{}");
	assert_int_equal(event_http_write(&event, &fields, &type, NULL), E_OK);
	assert_true(str_is(type, "application/json"));
	event.data_kind = EVENT_DATA_NONE;
	assert_int_equal(event_http_write(&event, &fields, &type, NULL), E_OK);
	assert_int_equal(type.n, 0);
	buf_release(&fields);
}

static void no_field_can_be_forged(void **state)
{
	static const char *const evil[] = { "a\r\nX-Forged: 1", "a\nb", "a\rb" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(evil); i++) {
		struct event value = example(), name = example(), type = example();
		struct buf fields = { 0 };
		struct str content_type = { 0 };

		value.subject = str_of(evil[i]);
		name.extensions[1].name = str_of(evil[i]);
		type.datacontenttype = str_of(evil[i]);
		assert_int_equal(event_http_write(&value, &fields, &content_type, NULL), E_MALFORMED);
		assert_int_equal(event_http_write(&name, &fields, &content_type, NULL), E_MALFORMED);
		assert_int_equal(event_http_write(&type, &fields, &content_type, NULL), E_MALFORMED);
		assert_int_equal(fields.n, 0);
		assert_int_equal(content_type.n, 0);
		buf_release(&fields);
	}
}

static void each_allocation_may_fail(void **state)
{
	(void)state;
	for (long n = 1;; n++) {
		struct buf arena = { 0 }, fields = { 0 };
		struct why why = { 0 };
		struct event e;
		struct str type;
		enum err err;

		mem_fail_at(n);
		err = read_text(NEEDED "ce-subject: %41\n", STR("{}"), &arena, &e, &why);
		if (err == E_OK)
			err = event_http_write(&e, &fields, &type, &why);
		if (mem_count() < n) {
			mem_fail_at(0);
			assert_int_equal(err, E_OK);
			assert_true(n > 2);
			buf_release(&arena);
			buf_release(&fields);
			break;
		}
		mem_fail_at(0);
		assert_int_equal(err, E_NOMEM);
		assert_int_equal(why.err, E_NOMEM);
		buf_release(&arena);
		buf_release(&fields);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_content_type_chooses_the_mode),
		cmocka_unit_test(binary_mode_is_read_from_fields_in_any_case),
		cmocka_unit_test(values_are_unquoted_and_percent_decoded_once),
		cmocka_unit_test(what_is_not_an_event_is_refused_with_attribute_and_rule),
		cmocka_unit_test(sixty_four_extensions_are_taken_and_one_more_is_not),
		cmocka_unit_test(only_ce_fields_make_a_binary_event),
		cmocka_unit_test(binary_mode_is_written_percent_encoded),
		cmocka_unit_test(what_is_written_reads_back_the_same),
		cmocka_unit_test(json_data_without_a_type_is_declared_as_json),
		cmocka_unit_test(no_field_can_be_forged),
		cmocka_unit_test(each_allocation_may_fail),
	};

	return cmocka_run_group_tests_name("event_http", tests, NULL, NULL);
}
