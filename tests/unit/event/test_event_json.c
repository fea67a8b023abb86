#include "event/event_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"

#define NEEDED "\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\""

/* The events of `input` in native form, one a line; or the story of the refusal. */
static struct buf reread(struct str input, bool batch)
{
	struct buf lines = { 0 }, meta = { 0 };
	struct why why = { 0 };
	struct event_json j;
	struct event event;

	if (event_json_open(&j, input, batch, &why) != E_OK) {
		buf_str(&lines, str_of(why.text));
		return lines;
	}
	while (event_json_next(&j, &event)) {
		buf_clear(&meta);
		event_write_meta(&event, &meta);
		event_write_json(buf_view(&meta), event.data_kind, event.data, EVENT_JSON_NATIVE, &lines);
		buf_char(&lines, '\n');
	}
	event_json_release(&j);
	buf_release(&meta);
	return lines;
}

static void assert_reread(const char *input, bool batch, const char *want)
{
	struct buf lines = reread(str_of(input), batch);

	assert_string_equal(buf_cstr(&lines), want);
	buf_release(&lines);
}

static const struct {
	const char *in, *out;
} events[] = {
	{ "{" NEEDED "}", "{" NEEDED "}\n" },
	{ " {\n" NEEDED ",\n \"data\" : { \"z\" : [ 1.50 , 1e3 ], \"z\" : \"<\\u0041\\/>\" } }\n",
	  "{" NEEDED ",\"data\":{\"z\":[1.50,1e3],\"z\":\"<\\u0041\\/>\"}}\n" },
	{ "{\"data\":\"x\",\"type\":\"t\",\"source\":\"/s\",\"id\":\"1\",\"specversion\":\"1.0\"}",
	  "{" NEEDED ",\"data\":\"x\"}\n" },
	{ "{" NEEDED ",\"subject\":null,\"time\":null,\"ext\":null,\"data\":null,\"data_base64\":null}",
	  "{" NEEDED "}\n" },
	{ "{" NEEDED ",\"\\u0073ubject\":\"a\\u003cb \\\"\\\\\\/ \\ud83d\\ude00 \\u00e9\\u20ac\"}",
	  "{" NEEDED ",\"subject\":\"a\\u003cb \\\"\\\\/ \xf0\x9f\x98\x80 \xc3\xa9\xe2\x82\xac\"}\n" },
	{ "{" NEEDED ",\"flag\":true,\"n\":-2147483648,\"s\":\"\",\"off\":false}",
	  "{" NEEDED ",\"flag\":true,\"n\":-2147483648,\"s\":\"\",\"off\":false}\n" },
	{ "{" NEEDED ",\"datacontenttype\":\"text/plain\",\"data\":\"a\\tb\\u0000c\"}",
	  "{" NEEDED ",\"datacontenttype\":\"text/plain\",\"data\":\"a\\tb\\u0000c\"}\n" },
	{ "{" NEEDED ",\"data\":\"a\\tb\",\"datacontenttype\":\"application/json\"}",
	  "{" NEEDED ",\"datacontenttype\":\"application/json\",\"data\":\"a\\tb\"}\n" },
	{ "{" NEEDED ",\"datacontenttype\":\"text/plain\",\"data\":{\"a\":[]}}",
	  "{" NEEDED ",\"datacontenttype\":\"text/plain\",\"data\":{\"a\":[]}}\n" },
	{ "{" NEEDED ",\"datacontenttype\":\"application/json\",\"data_base64\":\"e30=\"}",
	  "{" NEEDED ",\"datacontenttype\":\"application/json\",\"data_base64\":\"e30=\"}\n" },
	{ "{" NEEDED ",\"data_base64\":\"\\/\\/\\/\\/\\u002f\\/8=\"}", "{" NEEDED ",\"data_base64\":\"//////8=\"}\n" },
	{ "{" NEEDED ",\"data_base64\":\"\"}", "{" NEEDED "}\n" },
	{ "{" NEEDED ",\"data\":false}", "{" NEEDED ",\"data\":false}\n" },
	{ "{" NEEDED ",\"data\":[\"]}\\\"\",{\"}\":\"{\"}]}", "{" NEEDED ",\"data\":[\"]}\\\"\",{\"}\":\"{\"}]}\n" },
};

static void an_event_survives_reading_and_writing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(events); i++)
		assert_reread(events[i].in, false, events[i].out);
}

static const struct {
	const char *in, *story;
} refused[] = {
	{ "", "unexpected end of JSON input at byte 0" },
	{ "{" NEEDED ",}", "invalid character '}' looking for beginning of object key string at byte 55" },
	{ "[]", "event 0: is not a JSON object" },
	{ "3", "event 0: is not a JSON object" },
	{ "{}", "event 0: specversion: is missing" },
	{ "{\"specversion\":\"1.0\"}", "event 0: id: is missing or empty" },
	{ "{\"specversion\":\"0.3\"}", "event 0: specversion: is not \"1.0\"" },
	{ "{\"specversion\":1.0}", "event 0: specversion: is not \"1.0\"" },
	{ "{" NEEDED ",\"specversion\":\"1.0\"}", "event 0: specversion: given twice" },
	{ "{" NEEDED ",\"id\":\"1\"}", "event 0: id: given twice" },
	{ "{" NEEDED ",\"subject\":\"\",\"subject\":\"x\"}", "event 0: subject: given twice" },
	{ "{" NEEDED ",\"ext\":\"\",\"ext\":\"\"}", "event 0: ext: given twice" },
	{ "{" NEEDED ",\"e\\u0078t\":1,\"ext\":2}", "event 0: ext: given twice" },
	{ "{" NEEDED ",\"data\":1,\"data\":2}", "event 0: data: given twice" },
	{ "{" NEEDED ",\"data_base64\":\"\",\"data_base64\":\"\"}", "event 0: data_base64: given twice" },
	{ "{" NEEDED ",\"data\":1,\"data_base64\":\"e30=\"}",
	  "event 0: data and data_base64: only one of them may be given" },
	{ "{" NEEDED ",\"data_base64\":{}}", "event 0: data_base64: is not a string" },
	{ "{" NEEDED ",\"data_base64\":\"e30\"}", "event 0: data_base64: is not base64 (RFC 4648 section 4)" },
	{ "{" NEEDED ",\"subject\":7}", "event 0: subject: is not a string" },
	{ "{" NEEDED ",\"subject\":[]}", "event 0: subject: is not a string, a boolean or a number" },
	{ "{" NEEDED ",\"ext\":{}}", "event 0: ext: is not a string, a boolean or a number" },
	{ "{" NEEDED ",\"e\\nt\":{}}", "event 0: an attribute: is not a string, a boolean or a number" },
	{ "{" NEEDED ",\"ext\":1.5}", "event 0: ext: is not a whole number of 32 bits" },
	{ "{" NEEDED ",\"ext\":2147483648}", "event 0: ext: is not a whole number of 32 bits" },
	{ "{" NEEDED ",\"Ext\":\"x\"}", "event 0: an attribute name has other characters than a-z and 0-9" },
	{ "{" NEEDED ",\"\":\"x\"}", "event 0: an attribute name has other characters than a-z and 0-9" },
	{ "{" NEEDED ",\"subject\":\"a\\nb\"}",
	  "event 0: subject: has a control character, a noncharacter or bytes that are not UTF-8" },
	{ "{" NEEDED ",\"subject\":\"\\ud800\"}", "event 0: subject: has half of a surrogate pair" },
	{ "{" NEEDED ",\"subject\":\"\\ud800\\u0041\"}", "event 0: subject: has half of a surrogate pair" },
	{ "{" NEEDED ",\"subject\":\"\\udc00\\ud800\"}", "event 0: subject: has half of a surrogate pair" },
	{ "{" NEEDED ",\"\\ud800\":\"\"}", "event 0: an attribute name: has half of a surrogate pair" },
	{ "{" NEEDED ",\"datacontenttype\":\"text/plain\",\"data\":\"\\udfff\"}",
	  "event 0: data: has half of a surrogate pair" },
	{ "{" NEEDED ",\"time\":\"today\"}", "event 0: time: is not an RFC 3339 time" },
	{ "{" NEEDED ",\"data\":\"\xff\"}", "the event is not UTF-8" },
};

static void what_is_not_an_event_is_refused_with_attribute_and_rule(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		assert_reread(refused[i].in, false, refused[i].story);
}

static void a_batch_is_read_in_order(void **state)
{
	(void)state;
	assert_reread("[]", true, "");
	assert_reread("[{" NEEDED "}]", true, "{" NEEDED "}\n");
	assert_reread(" [ {" NEEDED ",\"n\":1} , {" NEEDED ",\"data\":[1, 2]} , {" NEEDED ",\"n\":3} ] ", true,
		      "{" NEEDED ",\"n\":1}\n{" NEEDED ",\"data\":[1,2]}\n{" NEEDED ",\"n\":3}\n");
}

static void a_batch_is_all_or_nothing(void **state)
{
	(void)state;
	assert_reread("[{" NEEDED "},{" NEEDED "},{\"specversion\":\"1.0\",\"id\":\"2\"}]", true,
		      "event 2: source: is missing or empty");
	assert_reread("[{" NEEDED "},[]]", true, "event 1: is not a JSON object");
	assert_reread("{" NEEDED "}", true, "the batch is not a JSON array");
	assert_reread("[{" NEEDED "},{" NEEDED "}", true, "unexpected end of JSON input at byte 112");
}

static void all_events_of_a_batch_stay_readable_until_it_is_released(void **state)
{
	struct event_json j;
	struct event events_read[3];

	(void)state;
	assert_int_equal(
		event_json_open(&j,
				STR("[{" NEEDED ",\"subject\":\"\\u0061\"},{" NEEDED ",\"subject\":\"\\u0062\","
				    "\"data_base64\":\"\\u005a\\u006d9v\"},{" NEEDED ",\"subject\":\"c\"}]"),
				/* batch= */ true, NULL),
		E_OK);
	assert_int_equal(j.count, 3);
	for (size_t i = 0; i < 3; i++)
		assert_true(event_json_next(&j, &events_read[i]));
	assert_true(str_is(events_read[0].subject, "a"));
	assert_true(str_is(events_read[1].subject, "b"));
	assert_true(str_is(events_read[1].data, "foo"));
	assert_true(str_is(events_read[2].subject, "c"));
	event_json_release(&j);
}

static void what_ended_gives_no_more_events(void **state)
{
	struct event_json j = { 0 };
	struct event event;

	(void)state;
	assert_false(event_json_next(&j, &event));
	assert_int_equal(event_json_open(&j, STR("{" NEEDED "}"), /* batch= */ false, NULL), E_OK);
	assert_true(event_json_next(&j, &event));
	assert_false(event_json_next(&j, &event));
	assert_false(event_json_next(&j, &event));
	event_json_release(&j);
	event_json_release(&j);
}

static void meta_reads_back_as_the_event_it_came_from(void **state)
{
	struct str meta = STR(
		"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\",\"subject\":\"\\u003ca\","
		"\"datacontenttype\":\"text/plain\",\"dataschema\":\"http://x/\",\"time\":\"2026-07-18T12:57:49Z\","
		"\"n\":7,\"flag\":true}");
	struct buf lines;

	(void)state;
	lines = reread(meta, /* batch= */ false);
	assert_true(str_eq(str_sub(buf_view(&lines), 0, lines.n - 1), meta));
	buf_release(&lines);
}

static void every_prefix_of_a_batch_is_refused(void **state)
{
	static const char text[] = "[{" NEEDED ",\"subject\":\"\\u0061\",\"data\":{\"a\":[1]}},{" NEEDED "}]";

	(void)state;
	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		char *cut = malloc(n ? n : 1);
		struct event_json j;

		memcpy(cut, text, n);
		assert_int_equal(event_json_open(&j, (struct str){ cut, n }, /* batch= */ true, NULL), E_MALFORMED);
		free(cut);
	}
}

static void each_allocation_may_fail(void **state)
{
	struct str text = STR("[{" NEEDED ",\"subject\":\"\\u0061\",\"data_base64\":\"Zm9v\"}]");

	(void)state;
	for (long n = 1;; n++) {
		struct event_json j;
		struct why why = { 0 };
		enum err err;

		mem_fail_at(n);
		err = event_json_open(&j, text, /* batch= */ true, &why);
		if (mem_count() < n) {
			mem_fail_at(0);
			assert_int_equal(err, E_OK);
			assert_true(n > 2);
			event_json_release(&j);
			break;
		}
		mem_fail_at(0);
		assert_int_equal(err, E_NOMEM);
		assert_int_equal(why.err, E_NOMEM);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_survives_reading_and_writing),
		cmocka_unit_test(what_is_not_an_event_is_refused_with_attribute_and_rule),
		cmocka_unit_test(a_batch_is_read_in_order),
		cmocka_unit_test(a_batch_is_all_or_nothing),
		cmocka_unit_test(all_events_of_a_batch_stay_readable_until_it_is_released),
		cmocka_unit_test(what_ended_gives_no_more_events),
		cmocka_unit_test(meta_reads_back_as_the_event_it_came_from),
		cmocka_unit_test(every_prefix_of_a_batch_is_refused),
		cmocka_unit_test(each_allocation_may_fail),
	};

	return cmocka_run_group_tests_name("event_json", tests, NULL, NULL);
}
