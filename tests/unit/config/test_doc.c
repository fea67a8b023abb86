#include "config/doc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"

/* The tree as text: {key: value, ...} [..] "quoted" plain, each scalar with its line. */
static void show(const struct node *n, struct buf *b)
{
	if (n->kind == NODE_SCALAR) {
		buf_addf(b, n->quoted ? "\"%s\"@%u" : "%s@%u", n->text.p, n->line);
		return;
	}
	buf_char(b, n->kind == NODE_MAP ? '{' : '[');
	for (const struct node *c = n->first; c; c = c->next) {
		if (c != n->first)
			buf_char(b, ' ');
		if (n->kind == NODE_MAP)
			buf_addf(b, "%s@%u:", c->key.p, c->key_line);
		show(c, b);
	}
	buf_char(b, n->kind == NODE_MAP ? '}' : ']');
}

/* What parsing gives: the documents, or the problems. */
static char *outcome(struct str yaml)
{
	struct problems problems = { 0 };
	struct doc_file *file = NULL;
	struct buf b = { 0 };
	enum err err = doc_parse("a.yaml", yaml, 0, &problems, &file);
	char *text;

	for (size_t i = 0; err == E_OK && i < file->count; i++) {
		show(file->documents[i], &b);
		buf_char(&b, '\n');
	}
	problems_write(&problems, &b);
	text = str_dup(buf_view(&b));
	buf_release(&b);
	problems_release(&problems);
	doc_free(file);
	return text;
}

static void each_value_knows_its_line(void **state)
{
	static const struct {
		const char *yaml;
		const char *tree;
	} rows[] = {
		{ "a: 1\nb:\n  c: x\n", "{a@1:1@1 b@2:{c@3:x@3}}\n" },
		{ "- 1\n- [2, '3']\n", "[1@1 [2@2 \"3\"@2]]\n" },
		{ "{\"a\": [1, {\"b\": null}],\n\"c\": \"\\u0041\"}", "{a@1:[1@1 {b@1:null@1}] c@2:\"A\"@2}\n" },
		{ "a: |\n  x\n  y\n", "{a@1:\"x\ny\n\"@1}\n" },
		{ "a: 1\n---\nb: 2\n---\n---\n# nothing\n", "{a@1:1@1}\n{b@3:2@3}\n" },
		{ "", "" },
		{ "# only a comment\n", "" },
		{ "~\n", "" },
		{ "word\n", "word@1\n" },
		{ "a:\nb: ''\n", "{a@1:@1 b@2:\"\"@2}\n" },
		{ "\xef\xbb\xbf"
		  "a: 1\n",
		  "{a@1:1@1}\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *got = outcome(str_of(rows[i].yaml));

		assert_string_equal(got, rows[i].tree);
		mem_free(got);
	}
}

static void what_cannot_be_read_is_told_with_its_line(void **state)
{
	static const struct {
		struct str yaml;
		const char *problems;
	} rows[] = {
		{ STR("a: 1\n\tb: 2\n"), "a.yaml:2: not valid YAML: found a tab character that violates indentation "
					 "while scanning a plain scalar that begins in line 1 "
					 "(indent with spaces, not with tabs)\n" },
		{ STR("a:\n\tb: 2\n"), "a.yaml:2: not valid YAML: found character that cannot start any token while "
				       "scanning for the next token "
				       "(indent with spaces, not with tabs)\n" },
		{ STR("a: [1\nb: 2\n"), "a.yaml:2: not valid YAML: did not find expected ',' or ']' while parsing a "
					"flow sequence that begins in "
					"line 1 (close it with ], with commas between its members)\n" },
		{ STR("x: 1\na: {b: 1\nc: 2\n"), "a.yaml:3: not valid YAML: did not find expected ',' or '}' while "
						 "parsing a flow mapping that begins in "
						 "line 2 (close it with }, with commas between its members)\n" },
		{ STR("a: \"x\n"), "a.yaml:2: not valid YAML: found unexpected end of stream while scanning a quoted "
				   "scalar that begins in line 1 (close the quotation mark)\n" },
		{ STR("a:\n    b: 1\n   c: 2\n"), "a.yaml:3: not valid YAML: did not find expected key while parsing a "
						  "block mapping that begins in line 1 "
						  "(begin the keys of one level in the same column)\n" },
		{ STR("- a\nb: 2\n"), "a.yaml:2: not valid YAML: did not find expected '-' indicator while parsing a "
				      "block collection that begins in line 1 "
				      "(begin the `- ` of one list in the same column)\n" },
		{ STR("a: b: 1\n"), "a.yaml:1: not valid YAML: mapping values are not allowed in this context "
				    "(begin the keys of one level in one column; quote a string with `: `)\n" },
		{ STR("a: 1\nb\nc: 2\n"),
		  "a.yaml:3: not valid YAML: could not find expected ':' while scanning a simple "
		  "key that begins in line 2 (write `key: value`)\n" },
		{ STR("a: 1\nb: \xff\n"),
		  "a.yaml:2: not valid YAML: invalid leading UTF-8 octet (save it as text in UTF-8)\n" },
		{ STR("a: 1\nb: \x01\n"),
		  "a.yaml:2: not valid YAML: control characters are not allowed (save it as text in UTF-8)\n" },
		{ STR("a: &x 1\n"), "a.yaml:1: anchors and aliases (& and *) are not allowed; put a string that begins "
				    "with one in quotes (write the value out)\n" },
		{ STR("a: 1\nb: *x\n"), "a.yaml:2: anchors and aliases (& and *) are not allowed; put a string that "
					"begins with one in quotes (write the value out)\n" },
		{ STR("a: !!int 1\n"),
		  "a.yaml:1: tags (!) are not allowed (remove it, or put a string that begins with ! in quotes)\n" },
		{ STR("a: !x {}\n"),
		  "a.yaml:1: tags (!) are not allowed (remove it, or put a string that begins with ! in quotes)\n" },
		{ STR("a: \"x\\0y\"\n"), "a.yaml:1: a string holds a NUL character (remove it)\n" },
		{ STR("? [a]\n: 1\n"), "a.yaml:1: a key is a map or a list (write a plain word before the colon; fill "
				       "in the {{ }} of a template before)\n" },
		{ STR("a: {{ .x }}\n"), "a.yaml:1: a key is a map or a list (write a plain word before the colon; fill "
					"in the {{ }} of a template before)\n" },
		{ STR("  a: 1\nb: 2\n"), "a.yaml:2: not valid YAML: did not find expected <document start> (begin the "
					 "keys of one level in the same column)\n" },
		{ STR("a: - b\n"), "a.yaml:1: not valid YAML: block sequence entries are not allowed in this context "
				   "(begin a list in the next line, or write [a, b])\n" },
		{ STR("a: |x\n"), "a.yaml:1: not valid YAML: did not find expected comment or line break while "
				  "scanning a block scalar (begin the text in the line below | or >)\n" },
		{ STR("a: \"\\d\"\n"),
		  "a.yaml:1: not valid YAML: found unknown escape character while parsing a quoted scalar (write \\\\ "
		  "for a backslash between \", or put the string between ')\n" },
		{ STR("a: @b\n"), "a.yaml:1: not valid YAML: found character that cannot start any token while "
				  "scanning for the next token (put a string that begins with @, ` or % in quotes)\n" },
		{ STR("a: *\n"), "a.yaml:1: not valid YAML: did not find expected alphabetic or numeric character "
				 "while scanning an alias (put a string that begins with & or * in quotes)\n" },
		{ STR("a: &\n"), "a.yaml:1: not valid YAML: did not find expected alphabetic or numeric character "
				 "while scanning an anchor (put a string that begins with & or * in quotes)\n" },
		{ STR("a: !x!y b\n"), "a.yaml:1: not valid YAML: found undefined tag handle while parsing a node (put "
				      "a string that begins with ! in quotes)\n" },
		{ STR("%x\na: 1\n"), "a.yaml:1: not valid YAML: found unknown directive name while scanning a "
				     "directive (remove the line, or put a string that begins with % in quotes)\n" },
		{ STR("a: [\n"), "a.yaml:2: not valid YAML: did not find expected node content while parsing a flow "
				 "node (close each [ and { with its ] or })\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *got = outcome(rows[i].yaml);

		assert_string_equal(got, rows[i].problems);
		mem_free(got);
	}
}

static void of_a_key_that_stands_twice_the_first_counts_and_reading_goes_on(void **state)
{
	struct problems problems = { 0 };
	struct doc_file *file = NULL;
	struct buf text = { 0 };
	(void)state;

	assert_int_equal(doc_parse("a.yaml", STR("a:\n  b: 1\n  b: 2\n  c: 3\n"), 10, &problems, &file), E_OK);
	problems_write(&problems, &text);
	assert_string_equal(buf_cstr(&text), "a.yaml:13: a.b: stands twice; first at line 12 (remove one of them)\n");
	assert_true(str_is(node_get(node_get(file->documents[0], "a"), "b")->text, "1"));
	assert_true(str_is(node_get(node_get(file->documents[0], "a"), "c")->text, "3"));
	buf_release(&text);
	problems_release(&problems);
	doc_free(file);
}

static void a_path_names_keys_and_places(void **state)
{
	struct problems problems = { 0 };
	struct doc_file *file = NULL;
	struct buf path = { 0 };
	const struct node *n;

	(void)state;
	assert_int_equal(doc_parse("a.yaml", STR("a: {b: [x, {c: y}]}\n"), 0, &problems, &file), E_OK);
	n = node_get(node_get(file->documents[0], "a"), "b")->last;
	node_path(node_get(n, "c"), &path);
	assert_string_equal(buf_cstr(&path), "a.b[1].c");
	buf_clear(&path);
	node_path(file->documents[0], &path);
	assert_string_equal(buf_cstr(&path), "");
	assert_null(node_get(n, "d"));
	assert_null(node_get(NULL, "d"));
	assert_null(node_get(n->first, "d"));
	buf_release(&path);
	doc_free(file);
}

/* `count` times `unit`, then `end`. */
static struct str repeated(struct buf *b, const char *unit, size_t count, const char *end)
{
	buf_clear(b);
	for (size_t i = 0; i < count; i++)
		buf_str(b, str_of(unit));
	buf_str(b, str_of(end));
	assert_int_equal(b->err, E_OK);
	return buf_view(b);
}

static void limits_hold_exactly(void **state)
{
	struct buf b = { 0 };
	char *got;

	(void)state;
	got = outcome(
		repeated(&b, "[", DOC_DEPTH_MAX, "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"));
	assert_int_equal(strlen(got), 2 * DOC_DEPTH_MAX + 1);
	mem_free(got);
	got = outcome(repeated(&b, "[", DOC_DEPTH_MAX + 1, ""));
	assert_string_equal(got, "a.yaml:1: nested deeper than 64 levels\n");
	mem_free(got);
	got = outcome(repeated(&b, "---\na\n", DOC_COUNT_MAX, ""));
	assert_null(strstr(got, "more than"));
	mem_free(got);
	got = outcome(repeated(&b, "---\na\n", DOC_COUNT_MAX + 1, ""));
	assert_string_equal(got, "a.yaml:2002: more than 1000 documents (split the file)\n");
	mem_free(got);
	buf_release(&b);
}

static void expect_read(const char *path, enum err want, const char *problems_want)
{
	struct problems problems = { 0 };
	struct doc_file *file = NULL;
	struct buf text = { 0 };

	assert_int_equal(doc_read(path, &problems, &file), want);
	problems_write(&problems, &text);
	assert_string_equal(buf_cstr(&text), problems_want);
	buf_release(&text);
	problems_release(&problems);
	doc_free(file);
}

static void a_file_that_cannot_be_read_is_a_problem(void **state)
{
	(void)state;
	expect_read("no/such/file.yaml", E_CONFIG, "no/such/file.yaml: cannot be read: No such file or directory\n");
	expect_read("/", E_CONFIG, "/: cannot be read: Is a directory\n");
	expect_read("/dev/zero", E_CONFIG, "/dev/zero: cannot be read: not a regular file\n");
}

static void no_allocation_that_fails_is_lost(void **state)
{
	static const char yaml[] = "a: {b: [1, two, \"three\"]}\nc: 1\nc: 2\n---\nd: |\n  e\n";
	long allocations;

	(void)state;
	mem_fail_at(0);
	mem_free(outcome(str_of(yaml)));
	allocations = mem_count();
	assert_true(allocations > 5);
	for (long n = 1; n <= allocations; n++) {
		struct problems problems = { 0 };
		struct doc_file *file = NULL;
		enum err err;

		mem_fail_at(n);
		err = doc_parse("a.yaml", str_of(yaml), 0, &problems, &file);
		mem_fail_at(0);
		assert_true(err == E_OK || problems.lost);
		assert_true((err == E_OK) == (file != NULL));
		assert_true(problems_fatal(&problems));
		problems_release(&problems);
		doc_free(file);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_value_knows_its_line),
		cmocka_unit_test(what_cannot_be_read_is_told_with_its_line),
		cmocka_unit_test(of_a_key_that_stands_twice_the_first_counts_and_reading_goes_on),
		cmocka_unit_test(a_path_names_keys_and_places),
		cmocka_unit_test(limits_hold_exactly),
		cmocka_unit_test(a_file_that_cannot_be_read_is_a_problem),
		cmocka_unit_test(no_allocation_that_fails_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
