#include "event/event.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/mem.h"
#include "event/json_text.h"

static struct event example(void)
{
	return (struct event){
		.id = STR("0f0e0d0c0b0a09080706050403020100"),
		.source = STR("webhook"),
		.type = STR("webhook"),
		.subject = STR("example"),
		.datacontenttype = STR("application/json"),
		.time = STR("2026-07-18T12:57:49.123456789Z"),
		.data_kind = EVENT_DATA_JSON,
		.data = STR("{\"header\":{},\"body\":{}}"),
	};
}

static void assert_json(const struct event *event, enum event_json_form form, const char *want)
{
	struct buf meta = { 0 }, json = { 0 };

	event_write_meta(event, &meta);
	event_write_json(buf_view(&meta), event->data_kind, event->data, form, &json);
	assert_int_equal(json.err, E_OK);
	assert_string_equal(buf_cstr(&json), want);
	assert_true(json_valid(buf_view(&json)));
	buf_release(&meta);
	buf_release(&json);
}

static void the_upstream_form_is_the_upstream_s_to_the_byte(void **state)
{
	struct event event = example();

	(void)state;
	assert_json(&event, EVENT_JSON_UPSTREAM,
		    "{\"specversion\":\"1.0\",\"id\":\"0f0e0d0c0b0a09080706050403020100\",\"source\":\"webhook\","
		    "\"type\":\"webhook\",\"subject\":\"example\",\"datacontenttype\":\"application/json\","
		    "\"time\":\"2026-07-18T12:57:49.123456789Z\","
		    "\"data_base64\":\"eyJoZWFkZXIiOnt9LCJib2R5Ijp7fX0=\"}");
}

static void the_native_form_has_json_data_as_it_is(void **state)
{
	struct event event = example();

	(void)state;
	assert_json(&event, EVENT_JSON_NATIVE,
		    "{\"specversion\":\"1.0\",\"id\":\"0f0e0d0c0b0a09080706050403020100\",\"source\":\"webhook\","
		    "\"type\":\"webhook\",\"subject\":\"example\",\"datacontenttype\":\"application/json\","
		    "\"time\":\"2026-07-18T12:57:49.123456789Z\",\"data\":{\"header\":{},\"body\":{}}}");
}

static void every_kind_of_data_has_its_place_in_json(void **state)
{
	static const struct {
		enum event_data kind;
		struct str data;
		const char *native, *upstream;
	} rows[] = {
		{ EVENT_DATA_NONE, { 0 }, "", "" },
		{ EVENT_DATA_JSON, { "1.50", 4 }, ",\"data\":1.50", ",\"data_base64\":\"MS41MA==\"" },
		{ EVENT_DATA_JSON, { "\"<&>\"", 5 }, ",\"data\":\"<&>\"", ",\"data_base64\":\"IjwmPiI=\"" },
		{ EVENT_DATA_JSON, { "[1,\r\n 2]\n", 9 }, ",\"data\":[1,2]", ",\"data_base64\":\"WzEsDQogMl0K\"" },
		{ EVENT_DATA_JSON, { "\"\xff\"", 3 }, ",\"data_base64\":\"Iv8i\"", ",\"data_base64\":\"Iv8i\"" },
		{ EVENT_DATA_TEXT,
		  { "a\n<b>", 5 },
		  ",\"data\":\"a\\n\\u003cb\\u003e\"",
		  ",\"data_base64\":\"YQo8Yj4=\"" },
		{ EVENT_DATA_TEXT, { "", 0 }, ",\"data\":\"\"", ",\"data_base64\":\"\"" },
		{ EVENT_DATA_BINARY, { "\0\xff", 2 }, ",\"data_base64\":\"AP8=\"", ",\"data_base64\":\"AP8=\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str meta = STR("{\"id\":\"1\"}");
		struct buf native = { 0 }, upstream = { 0 }, want = { 0 };

		event_write_json(meta, rows[i].kind, rows[i].data, EVENT_JSON_NATIVE, &native);
		event_write_json(meta, rows[i].kind, rows[i].data, EVENT_JSON_UPSTREAM, &upstream);
		buf_addf(&want, "{\"id\":\"1\"%s}{\"id\":\"1\"%s}", rows[i].native, rows[i].upstream);
		buf_str(&native, buf_view(&upstream));
		assert_string_equal(buf_cstr(&native), buf_cstr(&want));
		buf_release(&native);
		buf_release(&upstream);
		buf_release(&want);
	}
}

static void all_attributes_stand_in_order_and_keep_their_types(void **state)
{
	struct event event = example();

	(void)state;
	event.dataschema = STR("https://example.com/s?a=1&b=2");
	event.data_kind = EVENT_DATA_NONE;
	event.data = (struct str){ 0 };
	event.extensions[0] = (struct event_attr){ STR("zeta"), STR("<z>"), EVENT_ATTR_STRING };
	event.extensions[1] = (struct event_attr){ STR("flag"), STR("true"), EVENT_ATTR_BOOLEAN };
	event.extensions[2] = (struct event_attr){ STR("count"), STR("-7"), EVENT_ATTR_INTEGER };
	event.extensions[3] = (struct event_attr){ STR("raw"), STR("Zm9v"), EVENT_ATTR_BINARY };
	event.extension_count = 4;
	assert_int_equal(event_check(&event, NULL), E_OK);
	assert_json(
		&event, EVENT_JSON_NATIVE,
		"{\"specversion\":\"1.0\",\"id\":\"0f0e0d0c0b0a09080706050403020100\",\"source\":\"webhook\","
		"\"type\":\"webhook\",\"subject\":\"example\",\"datacontenttype\":\"application/json\","
		"\"dataschema\":\"https://example.com/s?a=1\\u0026b=2\",\"time\":\"2026-07-18T12:57:49.123456789Z\","
		"\"zeta\":\"\\u003cz\\u003e\",\"flag\":true,\"count\":-7,\"raw\":\"Zm9v\"}");
}

static void damaged_parts_are_reported_and_not_joined(void **state)
{
	static const struct {
		struct str meta;
		enum event_data kind;
		struct str data;
	} rows[] = {
		{ { "", 0 }, EVENT_DATA_NONE, { 0 } },
		{ { "{\"id\":\"1\"", 9 }, EVENT_DATA_NONE, { 0 } },
		{ { "{}", 2 }, (enum event_data)9, { "x", 1 } },
		{ { "{}", 2 }, EVENT_DATA_JSON, { "[1,\n", 4 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf json = { 0 };

		event_write_json(rows[i].meta, rows[i].kind, rows[i].data, EVENT_JSON_NATIVE, &json);
		assert_int_equal(json.err, E_CORRUPT);
		buf_release(&json);
	}
}

static void a_broken_rule_is_named_with_its_attribute(void **state)
{
	static const struct {
		size_t place;
		struct str text;
		const char *story;
	} rows[] = {
		{ offsetof(struct event, id), { 0 }, "id: is missing or empty" },
		{ offsetof(struct event, source), { 0 }, "source: is missing or empty" },
		{ offsetof(struct event, type), { 0 }, "type: is missing or empty" },
		{ offsetof(struct event, id),
		  { "a\nb", 3 },
		  "id: has a control character, a noncharacter or bytes that are not UTF-8" },
		{ offsetof(struct event, source),
		  { "a b", 3 },
		  "source: is not a URI reference (RFC 3986); percent-encode what may not stand in one" },
		{ offsetof(struct event, subject),
		  { "\xff", 1 },
		  "subject: has a control character, a noncharacter or bytes that are not UTF-8" },
		{ offsetof(struct event, dataschema), { "/a", 2 }, "dataschema: is not an absolute URI (RFC 3986)" },
		{ offsetof(struct event, time), { "now", 3 }, "time: is not an RFC 3339 time" },
		{ offsetof(struct event, datacontenttype),
		  { "json", 4 },
		  "datacontenttype: is not a media type (RFC 2045)" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct event event = example();
		struct why why = { 0 };

		*(struct str *)(void *)((char *)&event + rows[i].place) = rows[i].text;
		assert_int_equal(event_check(&event, &why), E_MALFORMED);
		assert_string_equal(why.text, rows[i].story);
	}
}

static void extensions_are_checked_by_name_and_type(void **state)
{
	static const struct {
		struct event_attr attr;
		bool ok;
	} rows[] = {
		{ { { "trace0", 6 }, { "", 0 }, EVENT_ATTR_STRING }, true },
		{ { { "n", 1 }, { "12", 2 }, EVENT_ATTR_INTEGER }, true },
		{ { { "n", 1 }, { "x", 1 }, EVENT_ATTR_INTEGER }, false },
		{ { { "t", 1 }, { "yesterday", 9 }, EVENT_ATTR_TIMESTAMP }, false },
		{ { { "Trace", 5 }, { "a", 1 }, EVENT_ATTR_STRING }, false },
		{ { { "tr-ace", 6 }, { "a", 1 }, EVENT_ATTR_STRING }, false },
		{ { { "", 0 }, { "a", 1 }, EVENT_ATTR_STRING }, false },
		{ { { "data", 4 }, { "a", 1 }, EVENT_ATTR_STRING }, false },
		{ { { "specversion", 11 }, { "1.0", 3 }, EVENT_ATTR_STRING }, false },
		{ { { "subject", 7 }, { "a", 1 }, EVENT_ATTR_STRING }, false },
		{ { { "datacontenttype", 15 }, { "a/b", 3 }, EVENT_ATTR_STRING }, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct event event = example();

		event.extensions[event.extension_count++] = rows[i].attr;
		assert_int_equal(event_check(&event, NULL), rows[i].ok ? E_OK : E_MALFORMED);
	}
}

static void an_attribute_is_set_once(void **state)
{
	struct event event = { 0 };
	struct why why = { 0 };

	(void)state;
	assert_int_equal(event_set(&event, STR("id"), STR("1"), EVENT_ATTR_STRING, &why), E_OK);
	assert_int_equal(event_set(&event, STR("id"), STR("1"), EVENT_ATTR_STRING, &why), E_MALFORMED);
	assert_string_equal(why.text, "id: given twice");
	assert_int_equal(event_set(&event, STR("ext"), STR(""), EVENT_ATTR_STRING, &why), E_OK);
	assert_int_equal(event_set(&event, STR("ext"), STR(""), EVENT_ATTR_STRING, &why), E_MALFORMED);
	assert_string_equal(why.text, "ext: given twice");
	assert_int_equal(event_set(&event, STR("type"), STR("1"), EVENT_ATTR_INTEGER, &why), E_MALFORMED);
	assert_string_equal(why.text, "type: is not a string");
	assert_int_equal(event_set(&event, STR("specversion"), STR("0.3"), EVENT_ATTR_STRING, &why), E_MALFORMED);
	assert_int_equal(event_set(&event, STR("specversion"), STR("1.0"), EVENT_ATTR_INTEGER, &why), E_MALFORMED);
	assert_int_equal(event_set(&event, STR("b\nd"), STR("1"), EVENT_ATTR_STRING, &why), E_MALFORMED);
	assert_string_equal(why.text, "an attribute name has other characters than a-z and 0-9");
	assert_int_equal(event.extension_count, 1);
}

static void too_many_extensions_are_refused(void **state)
{
	static char names[EVENT_EXTENSIONS_MAX + 1][2];
	struct event event = { 0 };

	(void)state;
	for (size_t i = 0; i <= EVENT_EXTENSIONS_MAX; i++) {
		names[i][0] = (char)('a' + i % 26);
		names[i][1] = (char)('0' + i / 26);
		assert_int_equal(event_set(&event, (struct str){ names[i], 2 }, STR("v"), EVENT_ATTR_STRING, NULL),
				 i < EVENT_EXTENSIONS_MAX ? E_OK : E_LIMIT);
	}
}

static void the_kind_of_data_follows_its_type_and_its_bytes(void **state)
{
	static const struct {
		const char *type;
		struct str data;
		enum event_data kind;
	} rows[] = {
		{ "application/json", { "", 0 }, EVENT_DATA_NONE },
		{ "application/json", { " {\"a\":1}\n", 9 }, EVENT_DATA_JSON },
		{ "Application/JSON; charset=utf-8", { "1", 1 }, EVENT_DATA_JSON },
		{ "application/vnd.github.v3+json", { "[]", 2 }, EVENT_DATA_JSON },
		{ "text/json", { "[]", 2 }, EVENT_DATA_JSON },
		{ "", { "{}", 2 }, EVENT_DATA_JSON },
		{ "", { "{", 1 }, EVENT_DATA_BINARY },
		{ "application/json", { "{", 1 }, EVENT_DATA_BINARY },
		{ "application/json", { "\"\xff\"", 3 }, EVENT_DATA_BINARY },
		{ "application/jsonp", { "{}", 2 }, EVENT_DATA_BINARY },
		{ "text/plain", { "hello", 5 }, EVENT_DATA_TEXT },
		{ "TEXT/HTML;charset=UTF-8", { "\xc3\xa9", 2 }, EVENT_DATA_TEXT },
		{ "text/plain; format=flowed; charset=\"utf-8\"", { "a", 1 }, EVENT_DATA_TEXT },
		{ "text/plain", { "\xe9", 1 }, EVENT_DATA_BINARY },
		{ "text/plain; charset=iso-8859-1", { "\xc3\xa9", 2 }, EVENT_DATA_BINARY },
		{ "application/xml", { "<a/>", 4 }, EVENT_DATA_BINARY },
		{ "application/octet-stream", { "{}", 2 }, EVENT_DATA_BINARY },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(event_data_kind(str_of(rows[i].type), rows[i].data), rows[i].kind);
}

static void an_allocation_that_fails_is_an_error_in_the_buffer(void **state)
{
	struct event event = example();

	(void)state;
	for (long n = 1;; n++) {
		struct buf json = { 0 }, meta = { 0 };
		bool ok;

		mem_fail_at(n);
		event_write_meta(&event, &meta);
		event_write_json(buf_view(&meta), event.data_kind, event.data, EVENT_JSON_UPSTREAM, &json);
		ok = mem_count() < n;
		mem_fail_at(0);
		assert_true(ok ? json.err == E_OK : meta.err == E_NOMEM || json.err == E_NOMEM);
		buf_release(&json);
		buf_release(&meta);
		if (ok)
			break;
	}
}

/* A route's events: what they share is written once. */
static void an_event_around_what_it_shares_is_the_event_itself(void **state)
{
	struct str ids[] = { STR("0f0e0d0c0b0a09080706050403020100"), STR("<a \"b\">"), STR("\xff") };
	struct event events[] = { example(), example() };

	(void)state;
	events[1].source = STR("with \"quotes\"");
	events[1].subject = (struct str){ 0 };
	events[1].dataschema = STR("https://example.com/schema");
	for (size_t i = 0; i < 2 * ARRAY_LEN(ids); i++) {
		struct event *event = &events[i % 2];
		struct buf whole = { 0 }, shared = { 0 }, around = { 0 };

		event->id = ids[i / 2];
		event_write_meta(event, &whole);
		event_write_shared(event, &shared);
		event_write_meta_around(buf_view(&shared), event->id, event->time, &around);
		assert_string_equal(buf_cstr(&around), buf_cstr(&whole));
		buf_release(&whole);
		buf_release(&shared);
		buf_release(&around);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_upstream_form_is_the_upstream_s_to_the_byte),
		cmocka_unit_test(the_native_form_has_json_data_as_it_is),
		cmocka_unit_test(an_event_around_what_it_shares_is_the_event_itself),
		cmocka_unit_test(every_kind_of_data_has_its_place_in_json),
		cmocka_unit_test(all_attributes_stand_in_order_and_keep_their_types),
		cmocka_unit_test(damaged_parts_are_reported_and_not_joined),
		cmocka_unit_test(a_broken_rule_is_named_with_its_attribute),
		cmocka_unit_test(extensions_are_checked_by_name_and_type),
		cmocka_unit_test(an_attribute_is_set_once),
		cmocka_unit_test(too_many_extensions_are_refused),
		cmocka_unit_test(the_kind_of_data_follows_its_type_and_its_bytes),
		cmocka_unit_test(an_allocation_that_fails_is_an_error_in_the_buffer),
	};

	return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
