#include "sync/selector.h"

#include "trees.h"

static const struct row {
	const char *selector;
	const char *labels;
	bool match;
} rows[] = {
	{ "", "{}", true },
	{ "  ", "{'a':'b'}", true },
	{ "a=b", "{'a':'b'}", true },
	{ "a==b", "{'a':'b'}", true },
	{ "a = b", "{'a':'c'}", false },
	{ "a=b", "{}", false },
	{ "a=", "{'a':''}", true },
	{ "a=", "{'a':'b'}", false },
	{ "a!=b", "{'a':'b'}", false },
	{ "a!=b", "{'a':'c'}", true },
	{ "a!=b", "{}", true },
	{ "a in (b,c)", "{'a':'c'}", true },
	{ "a in (b, c)", "{'a':'d'}", false },
	{ "a in (b)", "{}", false },
	{ "a in ()", "{'a':''}", true },
	{ "a in (,b)", "{'a':''}", true },
	{ "a notin (b,c)", "{'a':'c'}", false },
	{ "a notin (b,c)", "{'a':'d'}", true },
	{ "a notin (b,c)", "{}", true },
	{ "a", "{'a':''}", true },
	{ "a", "{}", false },
	{ "!a", "{}", true },
	{ "!a", "{'a':'b'}", false },
	{ "! a", "{}", true },
	{ "a>1", "{'a':'2'}", true },
	{ "a > 1", "{'a':'1'}", false },
	{ "a<1", "{'a':'0'}", true },
	{ "a<1", "{'a':'x'}", false },
	{ "a<1", "{}", false },
	{ "a=b,c=d", "{'a':'b','c':'d'}", true },
	{ "a=b,c=d", "{'a':'b'}", false },
	{ "a=b,!c,d in (e),f", "{'a':'b','d':'e','f':''}", true },
	{ "in in (in),notin notin (notin)", "{'in':'in'}", true },
	{ "argocd-agent.argoproj-labs.io/ignore-sync!=true,team=x", "{'team':'x'}", true },
	{ "argocd-agent.argoproj-labs.io/ignore-sync!=true", "{'argocd-agent.argoproj-labs.io/ignore-sync':'true'}",
	  false },
	{ "\ta\t=\r\n b", "{'a':'b'}", true },
	{ "a=012345678901234567890123456789012345678901234567890123456789012", "{}", false },
	{ "a012345678901234567890123456789012345678901234567890123456789_1", "{}", false },
	{ "A.b-c_d=E", "{'A.b-c_d':'E'}", true },
};

static void each_requirement_means_what_kubernetes_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_object *labels = tree_of(rows[i].labels);
		struct selector *s = NULL;
		struct why why = { 0 };

		if (selector_new(str_of(rows[i].selector), &why, &s) != E_OK)
			fail_msg("%s: %s", rows[i].selector, why.text);
		if (selector_match(s, labels) != rows[i].match)
			fail_msg("'%s' against %s", rows[i].selector, rows[i].labels);
		selector_free(s);
		json_object_put(labels);
	}
}

static void what_is_no_selector_is_refused_with_its_place(void **state)
{
	static const struct {
		const char *selector, *why;
	} bad[] = {
		{ "a=b,", "label selector: at byte 4: a label key expected" },
		{ ",a", "label selector: at byte 0: a label key expected" },
		{ "=b", "label selector: at byte 0: a label key expected" },
		{ "a b", "label selector: at byte 2: an operator expected" },
		{ "a=b c", "label selector: at byte 4: ',' expected" },
		{ "a in b", "label selector: at byte 5: '(' expected" },
		{ "a in (b", "label selector: at byte 7: ')' expected" },
		{ "a in (b))", "label selector: at byte 8: ',' expected" },
		{ "a>x", "label selector: at byte 3: a number expected" },
		{ "!a=b", "label selector: at byte 2: ',' expected" },
		{ "!!a", "label selector: at byte 1: a label key expected" },
		{ "-a", "label selector: at byte 0: a label key expected" },
		{ "a=-b", "label selector: at byte 4: a label value expected" },
		{ "a0123456789012345678901234567890123456789012345678901234567890_1",
		  "label selector: at byte 0: a label key expected" },
		{ "x/y/z", "label selector: at byte 0: a label key expected" },
		{ "/a", "label selector: at byte 0: a label key expected" },
		{ "x./a", "label selector: at byte 0: a label key expected" },
		{ "X/a", "label selector: at byte 0: a label key expected" },
		{ "a=0123456789012345678901234567890123456789012345678901234567890123",
		  "label selector: at byte 66: a label value expected" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct selector *s = NULL;
		struct why why = { 0 };

		if (selector_new(str_of(bad[i].selector), &why, &s) != E_MALFORMED)
			fail_msg("%s was taken", bad[i].selector);
		assert_null(s);
		assert_string_equal(why.text, bad[i].why);
	}
}

static void without_labels_only_the_negative_holds(void **state)
{
	struct selector *s;

	(void)state;
	assert_int_equal(selector_new(STR("a!=b,!c,d notin (e)"), NULL, &s), E_OK);
	assert_true(selector_match(s, NULL));
	selector_free(s);
	assert_int_equal(selector_new(STR("a"), NULL, &s), E_OK);
	assert_false(selector_match(s, NULL));
	selector_free(s);
	assert_true(selector_match(NULL, NULL));
}

static void more_than_is_reasonable_is_over_a_limit(void **state)
{
	char *text = mem_alloc(SELECTOR_MAX + 1);
	struct selector *s = NULL;

	(void)state;
	memset(text, ' ', SELECTOR_MAX + 1);
	assert_int_equal(selector_new((struct str){ text, SELECTOR_MAX + 1 }, NULL, &s), E_LIMIT);
	for (size_t i = 0; i < 600; i++)
		text[i] = "a,"[i % 2];
	assert_int_equal(selector_new((struct str){ text, 599 }, NULL, &s), E_LIMIT);
	assert_null(s);
	mem_free(text);
}

static void every_allocation_may_fail(void **state)
{
	struct selector *s = NULL;
	enum err err = E_NOMEM;

	(void)state;
	for (long n = 1; err != E_OK; n++) {
		mem_fail_at(n);
		err = selector_new(STR("a in (b,c),d=e,!f"), NULL, &s);
		mem_fail_at(0);
		assert_true(err == E_OK || (err == E_NOMEM && s == NULL));
		assert_true(n < 100);
	}
	selector_free(s);
	selector_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_requirement_means_what_kubernetes_says),
		cmocka_unit_test(what_is_no_selector_is_refused_with_its_place),
		cmocka_unit_test(without_labels_only_the_negative_holds),
		cmocka_unit_test(more_than_is_reasonable_is_over_a_limit),
		cmocka_unit_test(every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
