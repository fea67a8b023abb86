/* The guide's examples give what it says, and the reference page is what the rows say (UPDATE_DOCS=1 writes it). */
#include <stdlib.h>
#include <string.h>

#include "evaluate.h"

#define MARK "### Operators\n"

static const char *source_root; /* argv[1] */

static void read_page(const char *name, char path[512], struct buf *ret_text)
{
	FILE *f;
	int c;

	(void)snprintf(path, 512, "%s/docs/%s", source_root, name);
	f = fopen(path, "r");
	assert_non_null(f);
	while ((c = getc(f)) != EOF)
		buf_char(ret_text, (char)c);
	assert_int_equal(fclose(f), 0);
}

/* The next block of this language behind `*rest`. */
static bool next_block(struct str *rest, const char *fence, struct str *ret_block)
{
	const char *from = memmem(rest->p, rest->n, fence, strlen(fence)), *to;

	if (!from)
		return false;
	from += strlen(fence);
	to = memmem(from, (size_t)(rest->p + rest->n - from), "\n```", 4);
	assert_non_null(to);
	*ret_block = (struct str){ from, (size_t)(to - from) };
	*rest = (struct str){ to, (size_t)(rest->p + rest->n - to) };
	return true;
}

/* "expression    // result" */
static void check_line(struct str line, struct str object)
{
	const char *mark = memmem(line.p, line.n, " // ", 4);
	struct filter_input in = { .object = object };
	struct filter *f = NULL;
	struct buf text = { 0 };
	struct why why = { 0 };
	struct str expected;

	assert_non_null(mark);
	expected = (struct str){ mark + 4, line.n - (size_t)(mark + 4 - line.p) };
	if (filter_compile_any((struct str){ line.p, (size_t)(mark - line.p) }, &why, NULL, &f) != E_OK ||
	    filter_value(f, &in, &why, &text) != E_OK)
		fail_msg("%.*s: %s", STR_ARG(line), why.text);
	if (!str_eq(buf_view(&text), expected))
		fail_msg("%.*s: gives %.*s", STR_ARG(line), STR_ARG(buf_view(&text)));
	filter_free(f);
	buf_release(&text);
}

static void every_example_of_the_guide_gives_what_stands_behind_it(void **state)
{
	struct buf page = { 0 }, object = { 0 };
	struct str rest, block;
	char path[512];
	size_t examples = 0;

	(void)state;
	read_page("guide/filters.md", path, &page);
	rest = buf_view(&page);
	assert_true(next_block(&rest, "```json\n", &block));
	assert_int_equal(json_compact(block, /* plain= */ false, &object, NULL), E_OK);
	while (next_block(&rest, "```expr\n", &block)) {
		for (; block.n; examples++)
			check_line(str_cut(&block, '\n'), buf_view(&object));
	}
	assert_true(examples > 30);
	buf_release(&page);
	buf_release(&object);
}

static void the_filter_of_the_guide_compiles(void **state)
{
	struct buf page = { 0 };
	struct str rest, block;
	char path[512];
	const char *at;
	struct filter *f = NULL;
	struct why why = { 0 };

	(void)state;
	read_page("guide/filters.md", path, &page);
	rest = buf_view(&page);
	assert_true(next_block(&rest, "```yaml\n", &block));
	at = memmem(block.p, block.n, "expression: |\n", 14);
	assert_non_null(at);
	at += 14;
	if (filter_compile((struct str){ at, (size_t)(block.p + block.n - at) }, &why, NULL, &f) != E_OK)
		fail_msg("%s", why.text);
	filter_free(f);
	buf_release(&page);
}

static void the_reference_page_is_what_the_rows_say(void **state)
{
	struct buf page = { 0 }, expected = { 0 };
	char path[512];
	const char *mark;
	size_t head;

	(void)state;
	read_page("reference/filters.md", path, &page);
	mark = memmem(page.p, page.n, MARK, strlen(MARK));
	head = mark ? (size_t)(mark - page.p) : page.n;
	buf_add(&expected, page.p, head);
	filter_reference(&expected);
	if (getenv("UPDATE_DOCS")) {
		FILE *f = fopen(path, "w");

		assert_non_null(f);
		assert_int_equal(fwrite(expected.p, 1, expected.n, f), expected.n);
		assert_int_equal(fclose(f), 0);
	} else if (!str_eq(buf_view(&page), buf_view(&expected))) {
		fail_msg("%s is behind: run this test with UPDATE_DOCS=1", path);
	}
	buf_release(&page);
	buf_release(&expected);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_example_of_the_guide_gives_what_stands_behind_it),
		cmocka_unit_test(the_filter_of_the_guide_compiles),
		cmocka_unit_test(the_reference_page_is_what_the_rows_say),
	};

	assert_int_equal(argc, 2);
	source_root = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
