/*
 * fuzz_glob.c -- globs against names.
 *
 * Property  Each byte of a text behind a backslash matches that text, and no other. What a glob matches, the glob between two
 *           stars matches with anything around it; the glob twice as an alternative matches just what it matches alone; what is no
 *           glob matches nothing. A glob and a text of any kind come to an end.
 *           Input: a line with the glob, then the text.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "base/glob.h"

#define TEXT_MAX 2048

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check_escaped(struct str text, struct str other)
{
	struct buf glob = { 0 };

	for (size_t i = 0; i < text.n; i++) {
		buf_char(&glob, '\\');
		buf_char(&glob, text.p[i]);
	}
	if (glob.n <= GLOB_MAX) {
		must(glob_matches(buf_view(&glob), text));
		must(glob_matches(buf_view(&glob), other) == str_eq(text, other));
	}
	buf_release(&glob);
}

/* "front glob middle glob back", the second glob only with `middle`. */
static bool matches(const char *front, struct str glob, const char *middle, const char *back, struct str text)
{
	struct buf b = { 0 };
	bool match;

	buf_str(&b, str_of(front));
	buf_str(&b, glob);
	buf_str(&b, str_of(middle));
	if (middle[0])
		buf_str(&b, glob);
	buf_str(&b, str_of(back));
	must(glob_ok(buf_view(&b)));
	match = glob_matches(buf_view(&b), text);
	buf_release(&b);
	return match;
}

static void check_around(struct str glob, struct str text)
{
	struct buf b = { 0 };

	buf_lit(&b, "a{");
	buf_str(&b, text);
	buf_lit(&b, "}*");
	must(matches("*", glob, "", "*", buf_view(&b)));
	must(matches("*", glob, "", "*", text));
	buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = { (const char *)data, size }, glob;
	bool match;

	if (size > TEXT_MAX)
		return 0;
	glob = str_cut(&text, '\n');
	check_escaped(text, glob);
	match = glob_matches(glob, text);
	must(!match || glob_ok(glob));
	if (!glob_ok(glob) || 2 * glob.n + 3 > GLOB_MAX)
		return 0;
	if (match)
		check_around(glob, text);
	/* A comma outside of braces would become another alternative. */
	if (str_find(glob, ',') == glob.n)
		must(matches("{", glob, ",", "}", text) == match);
	return 0;
}
