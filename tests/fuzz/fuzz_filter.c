/*
 * fuzz_filter.c -- an expression over an event.
 *
 * Property  Compiling refuses with a place inside the expression or succeeds; what succeeds gives JSON or an error with a story. Evaluating
 *           is bounded whatever both are.
 *           A filter that is compiled to a bool and evaluates gives true or false, and its negation the other.
 *           Patterns and JSONPaths inside the expression are fuzzed with it.
 *           Input: an event's JSON in one line (or none: a fixed one), then the expression.
 */
#include <stdlib.h>

#include "event/json_text.h"
#include "filter/filter.h"
#include "filter/limits.h"

static const char fixed[] = "{\"headers\":{\"X-A\":[\"1\",\"2\"]},\"body\":{\"a\":1,\"b\":[1,\"x\",null,{\"c\":true}],"
			    "\"s\":\"\\u00e9x\",\"d-e\":{}},"
			    "\"m.n\":2}";

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check_story(struct str text, const struct why *why, struct filter_place place)
{
	struct buf expected = { 0 };
	size_t lines = 1;

	for (size_t i = 0; i < text.n; i++)
		lines += text.p[i] == '\n';
	must(place.line >= 1 && place.line <= lines && place.column >= 1 && place.column <= text.n + 1);
	if (place.line > 1)
		buf_addf(&expected, "line %u, column %u: ", place.line, place.column);
	else
		buf_addf(&expected, "column %u: ", place.column);
	must(str_starts(str_of(why->text), buf_view(&expected)));
	buf_release(&expected);
}

static void check_value(const struct filter *f, struct str object)
{
	struct filter_input in = { .object = object, .now_ns = 1700000000000000000 };
	struct buf json = { .max = 16 << 20 };
	struct why why = { 0 };
	enum err err = filter_value(f, &in, &why, &json);

	must(err == E_OK || err == E_MALFORMED || err == E_LIMIT);
	must(err == E_OK || why.text[0]);
	must(err != E_OK || json.err != E_OK || json_valid(buf_view(&json)) || !str_is_utf8(buf_view(&json)));
	buf_release(&json);
}

static void check_negated(const struct filter *f, struct str text, struct str object)
{
	struct filter_input in = { .object = object };
	struct buf negated = { 0 };
	struct filter *g = NULL;
	bool pass = false, other = false;

	buf_addf(&negated, "not (\n%.*s\n)", STR_ARG(text));
	if (filter_compile(buf_view(&negated), NULL, NULL, &g) == E_OK && filter_eval(f, &in, NULL, &pass) == E_OK &&
	    filter_eval(g, &in, NULL, &other) == E_OK)
		must(pass != other);
	filter_free(g);
	buf_release(&negated);
}

static void run(struct str event, struct str text)
{
	struct buf object = { 0 };
	struct filter *f = NULL;
	struct filter_place place = { 0 };
	struct why why = { 0 };
	enum err err;

	if (json_compact(event, /* plain= */ false, &object, NULL) != E_OK) {
		buf_clear(&object);
		buf_lit(&object, "{}");
	}
	err = filter_compile_any(text, &why, &place, &f);
	if (err != E_OK)
		check_story(text, &why, place);
	else
		check_value(f, buf_view(&object));
	filter_free(f);
	f = NULL;
	if (err == E_OK && filter_compile(text, NULL, NULL, &f) == E_OK)
		check_negated(f, text, buf_view(&object));
	filter_free(f);
	buf_release(&object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = { (const char *)data, size }, event = str_of(fixed);

	if (text.n && text.p[0] == '{')
		event = str_cut(&text, '\n');
	run(event, text);
	return 0;
}
