/*
 * fuzz_route.c -- from the path of a request to the endpoint it means.
 *
 * Property  Cleaning: the result is clean, begins with '/', is at most one byte longer than the path, and cleaning it again changes
 *           nothing; a clean path stays as it is.
 *           Decoding: never longer, never holds NUL, equal to the path when that has no '%'; a path of plain bytes that is encoded
 *           byte for byte decodes to itself.
 *           Templates: compiling refuses with a reason or succeeds; a template without expressions matches what its own text
 *           becomes when each variable is filled in, and not that with one more segment.
 *           Input: a line with an endpoint, then the path.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "gateway/path.h"

#define PATH_MAX_BYTES 4096

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check_clean(struct str path)
{
	struct buf once = { 0 }, twice = { 0 };

	if (path.n == 0 || path.p[0] != '/')
		return;
	path_clean(path, &once);
	must(once.n >= 1 && once.p[0] == '/' && once.n <= path.n + 1);
	must(path_is_clean(buf_view(&once)));
	must(path_is_clean(path) == str_eq(path, buf_view(&once)));
	path_clean(buf_view(&once), &twice);
	must(str_eq(buf_view(&once), buf_view(&twice)));
	buf_release(&once);
	buf_release(&twice);
}

static void check_decode(struct str path)
{
	struct buf decoded = { 0 }, encoded = { 0 }, again = { 0 };
	enum err err = path_decode(path, &decoded);

	must(err == E_OK || err == E_MALFORMED);
	if (err == E_OK) {
		must(decoded.n <= path.n);
		if (str_find(path, '%') == path.n)
			must(str_eq(buf_view(&decoded), path));
		else
			must(str_find(buf_view(&decoded), '\0') == decoded.n || str_find(path, '\0') < path.n);
	}
	for (size_t i = 0; i < path.n; i++)
		buf_addf(&encoded, "%%%02x", (unsigned char)path.p[i]);
	err = path_decode(buf_view(&encoded), &again);
	must((err == E_OK) == (str_find(path, '\0') == path.n));
	if (err == E_OK)
		must(str_eq(buf_view(&again), path));
	buf_release(&decoded);
	buf_release(&encoded);
	buf_release(&again);
}

/* A path of `endpoint`: each variable becomes "v". False: it has expressions, whose matches are not known here. */
static bool fill_in(struct str endpoint, struct buf *ret_path)
{
	while (endpoint.n) {
		struct str literal = str_cut(&endpoint, '{'), variable;

		buf_str(ret_path, literal);
		if (endpoint.n == 0)
			break;
		variable = str_cut(&endpoint, '}');
		if (str_find(variable, ':') < variable.n || str_find(variable, '{') < variable.n)
			return false;
		buf_char(ret_path, 'v');
	}
	return true;
}

static bool matches(const struct regex *regex, const struct buf *path)
{
	bool match = false;

	must(regex_match(regex, buf_view(path), &match, NULL) != E_MALFORMED);
	return match;
}

static void check_template(struct str endpoint, struct str path)
{
	struct buf own = { 0 }, other = { 0 };
	struct why why = { 0 };
	struct regex *regex = NULL;
	enum err err = path_template_compile(endpoint, &why, &regex);

	must(err == E_OK || err == E_CONFIG);
	must((err == E_OK) == (why.text[0] == '\0'));
	if (err != E_OK)
		return;
	buf_str(&other, path);
	(void)matches(regex, &other);
	if (fill_in(endpoint, &own)) {
		must(matches(regex, &own));
		buf_lit(&own, "/more");
		must(!matches(regex, &own));
	}
	regex_free(regex);
	buf_release(&own);
	buf_release(&other);
}

/* What a manifest can hold: no control characters, no NUL. */
static bool is_text(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str path = { (const char *)data, size }, endpoint;

	if (size > PATH_MAX_BYTES)
		return 0;
	endpoint = str_cut(&path, '\n');
	check_clean(path);
	check_decode(path);
	if (is_text(endpoint))
		check_template(endpoint, path);
	return 0;
}
