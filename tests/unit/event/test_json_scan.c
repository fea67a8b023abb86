#include "event/json_scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "event/json_text.h"

/* What encoding/json makes of a json.RawMessage with this text. */
static const struct {
	const char *in;
	const char *out;
} good[] = {
	{ "{}", "{}" },
	{ "[]", "[]" },
	{ "\"\"", "\"\"" },
	{ "0", "0" },
	{ "-0", "-0" },
	{ "true", "true" },
	{ "false", "false" },
	{ "null", "null" },
	{ " \t\r\n{ \"a\" : [ 1 , 2.50 , -3e+07 , 1E5, 0.0e-0 ] , \"b\" : { } } \n",
	  "{\"a\":[1,2.50,-3e+07,1E5,0.0e-0],\"b\":{}}" },
	{ "[1,1.0,1e0,100000000000000000000000,0.1000]", "[1,1.0,1e0,100000000000000000000000,0.1000]" },
	{ "{\"z\":1,\"a\":2,\"z\":3}", "{\"z\":1,\"a\":2,\"z\":3}" },
	{ "\"a < b > c & d\"", "\"a \\u003c b \\u003e c \\u0026 d\"" },
	{ "\"&&\"", "\"\\u0026\\u0026\"" },
	{ "{\"<k>\":\"v\"}", "{\"\\u003ck\\u003e\":\"v\"}" },
	{ "\"\\u003c\\/\\\"\\\\\\b\\f\\n\\r\\t\\uD83D\\ude00\"",
	  "\"\\u003c\\/\\\"\\\\\\b\\f\\n\\r\\t\\uD83D\\ude00\"" },
	{ "\"\\ud800\"", "\"\\ud800\"" },
	{ "\"\xe2\x80\xa8\xe2\x80\xa9\"", "\"\\u2028\\u2029\"" },
	{ "\"\xe2\x80\xa7 \xe2\x80\xaa \xe2\x80 \xe2 \xe2\xe2\x80\xa8\"",
	  "\"\xe2\x80\xa7 \xe2\x80\xaa \xe2\x80 \xe2 \xe2\\u2028\"" },
	{ "\"\xe2\x80\"", "\"\xe2\x80\"" },
	{ "\"\xe2\xa8\xe2\xa9\"", "\"\xe2\xa8\xe2\xa9\"" },
	{ "\"\xe2\"", "\"\xe2\"" },
	{ "\"\xff\xc0\x80 \xed\xa0\x80 \xf0\x9f\x98\x80 \x7f\"",
	  "\"\xff\xc0\x80 \xed\xa0\x80 \xf0\x9f\x98\x80 \x7f\"" },
	{ "[[[[[[[[[[{\"a\":[{}]}]]]]]]]]]]", "[[[[[[[[[[{\"a\":[{}]}]]]]]]]]]]" },
	{ "{\"a\":\"b\",\"c\":\"d\" ,\"e\": \"f\",\"g\":\"h\\n\",\"i\\n\":\"j\",\"k\":\"l\"}",
	  "{\"a\":\"b\",\"c\":\"d\",\"e\":\"f\",\"g\":\"h\\n\",\"i\\n\":\"j\",\"k\":\"l\"}" },
	{ "{\"a\":\"0123456789abcdef0123456789abcde<\",\"0123456789abcdef&\":\"\"}",
	  "{\"a\":\"0123456789abcdef0123456789abcde\\u003c\",\"0123456789abcdef\\u0026\":\"\"}" },
};

static const struct {
	const char *in;
	size_t offset;
	const char *error;
} bad[] = {
	{ "", 0, "unexpected end of JSON input" },
	{ " \n", 2, "unexpected end of JSON input" },
	{ "{", 1, "unexpected end of JSON input" },
	{ "{\"a\"", 4, "unexpected end of JSON input" },
	{ "{\"a\":1,", 7, "unexpected end of JSON input" },
	{ "[1,2", 4, "unexpected end of JSON input" },
	{ "\"abc", 4, "unexpected end of JSON input" },
	{ "\"abc\xe2\x80", 6, "unexpected end of JSON input" },
	{ "\"\\", 2, "invalid character ' ' in string escape code" },
	{ "\"\\u12", 5, "invalid character ' ' in \\u hexadecimal character escape" },
	{ "tru", 3, "invalid character ' ' in literal true (expecting 'e')" },
	{ "-", 1, "invalid character ' ' in numeric literal" },
	{ "1.", 2, "invalid character ' ' after decimal point in numeric literal" },
	{ "1e", 2, "invalid character ' ' in exponent of numeric literal" },
	{ "1e+", 3, "invalid character ' ' in exponent of numeric literal" },
	{ "Invalid", 0, "invalid character 'I' looking for beginning of value" },
	{ "\xef\xbb\xbf{}", 0, "invalid character '\xc3\xaf' looking for beginning of value" },
	{ "\xff", 0, "invalid character '\xc3\xbf' looking for beginning of value" },
	{ "\x85", 0, "invalid character '\\u0085' looking for beginning of value" },
	{ "\x0c[]", 0, "invalid character '\\f' looking for beginning of value" },
	{ "'a'", 0, "invalid character '\\'' looking for beginning of value" },
	{ "{a:1}", 1, "invalid character 'a' looking for beginning of object key string" },
	{ "{'a':1}", 1, "invalid character '\\'' looking for beginning of object key string" },
	{ "{\"a\":1,}", 7, "invalid character '}' looking for beginning of object key string" },
	{ "{,}", 1, "invalid character ',' looking for beginning of object key string" },
	{ "{\"a\" 1}", 5, "invalid character '1' after object key" },
	{ "{\"a\",1}", 4, "invalid character ',' after object key" },
	{ "{\"a\":1 \"b\":2}", 7, "invalid character '\"' after object key:value pair" },
	{ "{\"a\":\"b\" \"c\":2}", 9, "invalid character '\"' after object key:value pair" },
	{ "{\"a\":\"b\",}", 9, "invalid character '}' looking for beginning of object key string" },
	{ "{\"a\":1]", 6, "invalid character ']' after object key:value pair" },
	{ "[1 2]", 3, "invalid character '2' after array element" },
	{ "[1}", 2, "invalid character '}' after array element" },
	{ "[1,]", 3, "invalid character ']' looking for beginning of value" },
	{ "[,1]", 1, "invalid character ',' looking for beginning of value" },
	{ "{} x", 3, "invalid character 'x' after top-level value" },
	{ "1 2", 2, "invalid character '2' after top-level value" },
	{ "01", 1, "invalid character '1' after top-level value" },
	{ "-01", 2, "invalid character '1' after top-level value" },
	{ "{}}", 2, "invalid character '}' after top-level value" },
	{ "[]]", 2, "invalid character ']' after top-level value" },
	{ "1.e5", 2, "invalid character 'e' after decimal point in numeric literal" },
	{ ".5", 0, "invalid character '.' looking for beginning of value" },
	{ "+1", 0, "invalid character '+' looking for beginning of value" },
	{ "-a", 1, "invalid character 'a' in numeric literal" },
	{ "1ea", 2, "invalid character 'a' in exponent of numeric literal" },
	{ "1e+-1", 3, "invalid character '-' in exponent of numeric literal" },
	{ "0x10", 1, "invalid character 'x' after top-level value" },
	{ "1.5.5", 3, "invalid character '.' after top-level value" },
	{ "NaN", 0, "invalid character 'N' looking for beginning of value" },
	{ "nul!", 3, "invalid character '!' in literal null (expecting 'l')" },
	{ "tXue", 1, "invalid character 'X' in literal true (expecting 'r')" },
	{ "fals\\", 4, "invalid character '\\\\' in literal false (expecting 'e')" },
	{ "truee", 4, "invalid character 'e' after top-level value" },
	{ "\"a\nb\"", 2, "invalid character '\\n' in string literal" },
	{ "\"0123456789abcdefghi\x1f\"", 20, "invalid character '\\x1f' in string literal" },
	{ "{\"a\x01\":1}", 3, "invalid character '\\x01' in string literal" },
	{ "\"\xe2\x80\x01\"", 3, "invalid character '\\x01' in string literal" },
	{ "\"\\x\"", 2, "invalid character 'x' in string escape code" },
	{ "\"\\U0041\"", 2, "invalid character 'U' in string escape code" },
	{ "\"\\u12g4\"", 5, "invalid character 'g' in \\u hexadecimal character escape" },
	{ "\"\\u\xe2\x80\xa8\"", 3, "invalid character '\xc3\xa2' in \\u hexadecimal character escape" },
	{ "[1]//", 3, "invalid character '/' after top-level value" },
};

/* Everything that an outside observer can tell about a scan. */
struct result {
	enum err err;
	size_t offset;
	struct buf out;
	struct buf error;
};

static void release(struct result *r)
{
	buf_release(&r->out);
	buf_release(&r->error);
}

/* Feeds the parts [0,a) [a,b) [b,n), each from a block of its own size so that the sanitizer sees a read past its end. */
static struct result scan_in_three(struct str in, size_t a, size_t b)
{
	const size_t cuts[] = { 0, a, b, in.n };
	struct result r = { 0 };
	struct json_scan s;

	json_scan_init(&s);
	for (size_t i = 0; i < 3 && r.err == E_OK; i++) {
		size_t n = cuts[i + 1] - cuts[i];
		char *part = malloc(n ? n : 1);

		memcpy(part, in.p + cuts[i], n);
		r.err = json_scan_feed(&s, (struct str){ part, n }, &r.out);
		free(part);
	}
	if (r.err == E_OK)
		r.err = json_scan_finish(&s, &r.out);
	r.offset = s.offset;
	if (r.err == E_MALFORMED)
		json_explain(&s, &r.error);
	return r;
}

static struct result scan(struct str in)
{
	return scan_in_three(in, in.n, in.n);
}

static void assert_text(const struct buf *got, const char *want)
{
	assert_int_equal(got->n, strlen(want));
	assert_memory_equal(got->p ? got->p : "", want, got->n);
}

static void valid_json_is_compacted_and_escaped_as_go_does(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct result r = scan(str_of(good[i].in));

		assert_int_equal(r.err, E_OK);
		assert_int_equal(r.offset, strlen(good[i].in));
		assert_text(&r.out, good[i].out);
		release(&r);
	}
}

static void invalid_json_is_refused_at_its_first_bad_byte_in_the_words_of_go(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct result r = scan(str_of(bad[i].in));

		assert_int_equal(r.err, E_MALFORMED);
		assert_text(&r.error, bad[i].error);
		assert_int_equal(r.offset, bad[i].offset);
		release(&r);
	}
}

static void assert_same_in_all_splits(struct str in)
{
	struct result whole = scan(in);

	for (size_t a = 0; a <= in.n; a++) {
		for (size_t b = a; b <= in.n; b++) {
			struct result r = scan_in_three(in, a, b);

			assert_int_equal(r.err, whole.err);
			assert_int_equal(r.offset, whole.offset);
			assert_int_equal(r.out.n, whole.out.n);
			assert_memory_equal(r.out.p ? r.out.p : "", whole.out.p ? whole.out.p : "", r.out.n);
			assert_int_equal(r.error.n, whole.error.n);
			release(&r);
		}
	}
	release(&whole);
}

static void the_result_does_not_depend_on_how_the_input_is_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_same_in_all_splits(str_of(good[i].in));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_same_in_all_splits(str_of(bad[i].in));
}

static void what_comes_out_scans_to_itself(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct result r = scan(str_of(good[i].out));

		assert_int_equal(r.err, E_OK);
		assert_text(&r.out, good[i].out);
		release(&r);
	}
}

/* `depth` times "[" or, alternating, "[" and "{\"\":". */
static struct buf nested(size_t depth, bool mixed)
{
	struct buf b = { 0 };

	for (size_t i = 0; i < depth; i++)
		buf_str(&b, mixed && i % 2 ? STR("{\"\":") : STR("["));
	if (mixed && depth % 2 == 0)
		buf_char(&b, '1');
	for (size_t i = depth; i-- > 0;)
		buf_char(&b, mixed && i % 2 ? '}' : ']');
	return b;
}

static void ten_thousand_levels_are_taken_and_one_more_is_not(void **state)
{
	(void)state;
	for (int mixed = 0; mixed < 2; mixed++) {
		struct buf deep = nested(JSON_DEPTH_MAX, mixed), deeper = nested(JSON_DEPTH_MAX + 1, mixed);
		struct result r = scan(buf_view(&deep)), refused = scan(buf_view(&deeper));

		assert_int_equal(r.err, E_OK);
		assert_int_equal(r.out.n, deep.n);
		assert_int_equal(refused.err, E_MALFORMED);
		assert_text(&refused.error, "invalid character '[' exceeded max depth");
		release(&r);
		release(&refused);
		buf_release(&deep);
		buf_release(&deeper);
	}
}

static void a_bracket_must_match_its_partner_at_every_depth(void **state)
{
	struct buf text = nested(64, /* mixed= */ true);

	(void)state;
	for (size_t i = text.n - 64; i < text.n; i++) {
		char was = text.p[i];
		struct result r;

		text.p[i] = was == '}' ? ']' : '}';
		r = scan(buf_view(&text));
		assert_int_equal(r.err, E_MALFORMED);
		assert_int_equal(r.offset, i);
		text.p[i] = was;
		release(&r);
	}
	buf_release(&text);
}

static void every_byte_at_every_place_of_a_long_string_is_judged_alike(void **state)
{
	char text[64];

	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		for (size_t at = 1; at + 1 < sizeof(text); at++) {
			bool refused = c < 0x20 || c == '"' || c == '\\';
			struct json_scan s;

			memset(text, 'x', sizeof(text));
			text[0] = text[sizeof(text) - 1] = '"';
			text[at] = (char)c;
			json_scan_init(&s);
			(void)json_scan_feed(&s, (struct str){ text, sizeof(text) }, NULL);
			assert_int_equal(json_scan_finish(&s, NULL), refused ? E_MALFORMED : E_OK);
		}
	}
}

static void without_a_buffer_it_only_validates(void **state)
{
	(void)state;
	assert_true(json_valid(STR(" { \"a\" : \"<&>\xe2\x80\xa8\" } ")));
	assert_false(json_valid(STR("{\"a\":}")));
	assert_false(json_valid((struct str){ 0 }));
}

static void plain_leaves_strings_as_they_are(void **state)
{
	struct buf out = { 0 };

	(void)state;
	assert_int_equal(json_compact(STR("[ \"<&>\xe2\x80\xa8\xe2\" ]"), /* plain= */ true, &out, NULL), E_OK);
	assert_text(&out, "[\"<&>\xe2\x80\xa8\xe2\"]");
	buf_release(&out);
}

static void a_failed_scan_stays_failed(void **state)
{
	struct json_scan s;

	(void)state;
	json_scan_init(&s);
	assert_int_equal(json_scan_feed(&s, STR("[1,x"), NULL), E_MALFORMED);
	assert_int_equal(json_scan_feed(&s, STR("1]"), NULL), E_MALFORMED);
	assert_int_equal(json_scan_finish(&s, NULL), E_MALFORMED);
	assert_int_equal(s.offset, 3);
}

static void the_ceiling_of_the_buffer_comes_first_however_the_input_is_cut(void **state)
{
	static const char text[] = "[\"0123456789\",!";

	(void)state;
	for (size_t cut = 0; cut < sizeof(text); cut++) {
		struct buf out = { .max = 8 };
		struct json_scan s;
		enum err err;

		json_scan_init(&s);
		err = json_scan_feed(&s, (struct str){ text, cut }, &out);
		if (err == E_OK)
			err = json_scan_feed(&s, (struct str){ text + cut, sizeof(text) - 1 - cut }, &out);
		assert_int_equal(err, E_LIMIT);
		buf_release(&out);
	}
}

static void without_memory_it_says_so(void **state)
{
	struct why why = { 0 };
	struct buf out = { 0 };

	(void)state;
	mem_fail_at(1);
	assert_int_equal(json_compact(STR("[1, 2]"), false, &out, &why), E_NOMEM);
	mem_fail_at(0);
	assert_int_equal(why.err, E_NOMEM);
	buf_release(&out);
}

static void the_story_names_the_byte(void **state)
{
	struct why why = { 0 };
	struct buf out = { 0 };

	(void)state;
	assert_int_equal(json_compact(STR("{\"a\":1,}"), false, &out, &why), E_MALFORMED);
	assert_string_equal(why.text, "invalid character '}' looking for beginning of object key string at byte 7");
	buf_release(&out);
}

/* What encoding/json writes for a string with HTML escaping on. */
static const struct {
	struct str in;
	const char *out;
} strings[] = {
	{ { "", 0 }, "\"\"" },
	{ { "plain", 5 }, "\"plain\"" },
	{ { "q\" b\\ /", 7 }, "\"q\\\" b\\\\ /\"" },
	{ { "\b\f\n\r\t\0\x1f\x7f", 8 }, "\"\\b\\f\\n\\r\\t\\u0000\\u001f\x7f\"" },
	{ { "<a href=\"x\">&amp;</a>", 21 }, "\"\\u003ca href=\\\"x\\\"\\u003e\\u0026amp;\\u003c/a\\u003e\"" },
	{ { "\xe2\x80\xa8\xe2\x80\xa9\xe2\x82\xac", 9 }, "\"\\u2028\\u2029\xe2\x82\xac\"" },
	{ { "ok \xff\xc3", 5 }, "\"ok \\ufffd\\ufffd\"" },
	{ { "\xc3\xa4\xed\xa0\x80<\xe2\x80\xa8\xe2", 10 }, "\"\xc3\xa4\\ufffd\\ufffd\\ufffd\\u003c\\u2028\\ufffd\"" },
	{ { "0123456789abcdef\"0123456789abcde\n", 33 }, "\"0123456789abcdef\\\"0123456789abcde\\n\"" },
};

static void strings_are_written_as_go_writes_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(strings); i++) {
		struct buf out = { 0 };

		json_write_string(&out, strings[i].in);
		assert_text(&out, strings[i].out);
		assert_true(json_valid(buf_view(&out)));
		buf_release(&out);
	}
}

/* Long strings are looked at in groups: a byte that needs more than copying is seen wherever it stands. */
static void every_byte_at_every_place_of_a_string_is_written_alike(void **state)
{
	char text[40], before[40];

	(void)state;
	memset(before, 'x', sizeof(before));
	for (unsigned c = 0; c < 256; c++) {
		struct buf alone = { 0 };
		char byte = (char)c;

		json_write_string(&alone, (struct str){ &byte, 1 });
		for (size_t at = 0; at < sizeof(text); at++) {
			struct str inside = str_sub(buf_view(&alone), 1, alone.n - 2);
			struct buf out = { 0 }, want = { 0 };

			memset(text, 'x', sizeof(text));
			text[at] = byte;
			buf_addf(&want, "\"%.*s", (int)at, before);
			buf_str(&want, inside);
			buf_addf(&want, "%.*s\"", (int)(sizeof(text) - at - 1), before);
			json_write_string(&out, (struct str){ text, sizeof(text) });
			assert_true(str_eq(buf_view(&out), buf_view(&want)));
			buf_release(&out);
			buf_release(&want);
		}
		buf_release(&alone);
	}
}

static void a_string_over_the_ceiling_is_an_error(void **state)
{
	(void)state;
	for (size_t max = 1; max <= 22; max++) {
		struct buf out = { .max = max };

		json_write_string(&out, STR("01234567890123456789"));
		assert_int_equal(out.err, max < 22 ? E_LIMIT : E_OK);
		buf_release(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid_json_is_compacted_and_escaped_as_go_does),
		cmocka_unit_test(invalid_json_is_refused_at_its_first_bad_byte_in_the_words_of_go),
		cmocka_unit_test(the_result_does_not_depend_on_how_the_input_is_cut),
		cmocka_unit_test(what_comes_out_scans_to_itself),
		cmocka_unit_test(ten_thousand_levels_are_taken_and_one_more_is_not),
		cmocka_unit_test(a_bracket_must_match_its_partner_at_every_depth),
		cmocka_unit_test(every_byte_at_every_place_of_a_long_string_is_judged_alike),
		cmocka_unit_test(without_a_buffer_it_only_validates),
		cmocka_unit_test(plain_leaves_strings_as_they_are),
		cmocka_unit_test(a_failed_scan_stays_failed),
		cmocka_unit_test(the_ceiling_of_the_buffer_comes_first_however_the_input_is_cut),
		cmocka_unit_test(without_memory_it_says_so),
		cmocka_unit_test(the_story_names_the_byte),
		cmocka_unit_test(strings_are_written_as_go_writes_them),
		cmocka_unit_test(every_byte_at_every_place_of_a_string_is_written_alike),
		cmocka_unit_test(a_string_over_the_ceiling_is_an_error),
	};

	return cmocka_run_group_tests_name("json_scan", tests, NULL, NULL);
}
