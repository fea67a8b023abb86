#include "gateway/path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"

static void a_template_matches_as_its_variables_say(void **state)
{
	static const struct {
		const char *endpoint, *path;
		bool matches;
	} rows[] = {
		{ "/push/{repo}", "/push/a", true },
		{ "/push/{repo}", "/push/a/b", false },
		{ "/push/{repo}", "/push/", false },
		{ "/push/{id:[0-9]+}", "/push/42", true },
		{ "/push/{id:[0-9]+}", "/push/x42", false },
		{ "/push/{id:[0-9]{2}}/end", "/push/42/end", true },
		{ "/push/{id:[0-9]{2}}/end", "/push/421/end", false },
		{ "/v1.0/{x}", "/v1.0/a", true },
		{ "/v1.0/{x}", "/v1x0/a", false },
		{ "/{a}-{b}", "/x-y", true },
		{ "/{rest:.*}", "/any/thing", true },
		{ "/x/{id:\\d+}", "/x/42", true },
		{ "/x/{id:\\d+}", "/x/ddd", false },
		{ "/x/{id:(?i)abc}/y", "/x/AbC/y", true },
		{ "/x/{id:a|b}/y", "/x/b/y", true },
		{ "/x/{id:a|b}/y", "/x/a", false },
		{ "/x/{id}", "/x/a\nb", true },
		{ "/x/{id:a}", "/x/a\n", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct why why = { 0 };
		struct regex *regex = NULL;
		bool matches;

		assert_true(path_is_template(str_of(rows[i].endpoint)));
		assert_int_equal(path_template_compile(str_of(rows[i].endpoint), &why, &regex), E_OK);
		assert_int_equal(regex_match(regex, str_of(rows[i].path), &matches, NULL), E_OK);
		assert_int_equal(matches, rows[i].matches);
		regex_free(regex);
	}
}

static void a_bad_template_says_what_is_wrong(void **state)
{
	static const struct {
		const char *endpoint, *says;
	} rows[] = {
		{ "/a/{b", "a brace is never closed" },
		{ "/a/b}", "a brace is closed that was never opened" },
		{ "/a/{}", "a variable in braces has no name" },
		{ "/a/{x:}", "variable x has an empty expression" },
		{ "/a/{x:[}", NULL },
		{ "/a/{x:(}", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct why why = { 0 };
		struct regex *regex = NULL;

		assert_int_equal(path_template_compile(str_of(rows[i].endpoint), &why, &regex), E_CONFIG);
		if (rows[i].says)
			assert_string_equal(why.text, rows[i].says);
		assert_true(why.text[0]);
	}
}

static void a_template_that_is_too_long_or_finds_no_memory_says_so(void **state)
{
	struct buf longest = { 0 };
	struct why why = { 0 };
	enum err err = E_NOMEM;
	struct regex *regex = NULL;

	(void)state;
	buf_lit(&longest, "/{a}/");
	for (size_t i = 0; i < 9000; i++)
		buf_char(&longest, 'x');
	assert_int_equal(path_template_compile(buf_view(&longest), &why, &regex), E_CONFIG);
	assert_string_equal(why.text, "the template is too long");
	for (long at = 1; err != E_OK; at++) {
		why = (struct why){ 0 };
		mem_fail_at(at);
		err = path_template_compile(STR("/{a}/{b:[0-9]+}/a.long.literal.text.behind.the.variables/{c}"), &why,
					    &regex);
		mem_fail_at(0);
		if (err != E_OK) {
			assert_int_equal(err, E_NOMEM);
			assert_true(why.text[0]);
		}
	}
	regex_free(regex);
	buf_release(&longest);
}

static void a_path_is_decoded_once(void **state)
{
	static const struct {
		const char *path, *decoded; /* NULL: refused */
	} rows[] = {
		{ "/a", "/a" },     { "/a%20b", "/a b" }, { "/%C3%a4", "/\xc3\xa4" }, { "/a%2525", "/a%25" },
		{ "/a%2", NULL },   { "/a%", NULL },      { "/a%zz", NULL },          { "/a%00b", NULL },
		{ "/a+b", "/a+b" }, { "/a%2Fb", "/a/b" }, { "/%77", "/w" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = { 0 };
		enum err err = path_decode(str_of(rows[i].path), &b);

		assert_int_equal(err, rows[i].decoded ? E_OK : E_MALFORMED);
		if (rows[i].decoded)
			assert_true(str_is(buf_view(&b), rows[i].decoded));
		buf_release(&b);
	}
}

/* Facts argo-events 2.2. */
static void an_unclean_path_is_cleaned(void **state)
{
	static const struct {
		const char *path, *clean; /* NULL: it is clean */
	} rows[] = {
		{ "/a", NULL },       { "/a/", NULL },     { "/", NULL },         { "/a..b/.c", NULL },
		{ "//a", "/a" },      { "/a//b", "/a/b" }, { "/a/./b", "/a/b" },  { "/a/../b", "/b" },
		{ "/../../a", "/a" }, { "/a/b/..", "/a" }, { "/a/b/../", "/a/" }, { "/.", "/" },
		{ "/a/.", "/a" },     { "//", "/" },       { "/%2e/a", NULL },    { "/a/b/../../c/", "/c/" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = { 0 };

		assert_int_equal(path_is_clean(str_of(rows[i].path)), rows[i].clean == NULL);
		path_clean(str_of(rows[i].path), &b);
		assert_true(str_is(buf_view(&b), rows[i].clean ? rows[i].clean : rows[i].path));
		assert_true(path_is_clean(buf_view(&b)));
		buf_release(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_template_matches_as_its_variables_say),
		cmocka_unit_test(a_bad_template_says_what_is_wrong),
		cmocka_unit_test(a_template_that_is_too_long_or_finds_no_memory_says_so),
		cmocka_unit_test(a_path_is_decoded_once),
		cmocka_unit_test(an_unclean_path_is_cleaned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
