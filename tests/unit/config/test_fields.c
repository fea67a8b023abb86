#include "config/fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"

struct target {
	char *text;
	char *needed;
	bool flag;
	uint64_t count;
	int64_t number;
	uint64_t size;
	uint64_t time;
	uint64_t port;
	int word;
	struct secret_ref secret;
	struct secret_list secrets;
	struct text_list list;
	struct text_map map;
	struct {
		uint64_t deep;
	} inner;
	struct table_list tables;
	const struct node *node;
};

struct item {
	char *name;
	struct text_list parts;
	uint64_t deep;
};

#define AT(member) offsetof(struct target, member)

static const char *const words[] = { "red", "green", NULL };
static const struct field inner_rows[] = {
	{ .key = "deep", .type = FIELD_COUNT, .max = 9, .dflt = 4, .meaning = "Deep." },
};
static const struct field_table inner_table = { .rows = inner_rows, .count = 1 };

/* clang-format off */
static const struct field item_rows[] = {
	{ .key = "name", .type = FIELD_STRING, .offset = offsetof(struct item, name), .missing = "name can't be empty", .fix = "add it", .meaning = "Name." },
	{ .key = "parts", .type = FIELD_LIST, .offset = offsetof(struct item, parts), .meaning = "Parts." },
	{ .key = "deep", .type = FIELD_COUNT, .offset = offsetof(struct item, deep), .dflt = 4, .meaning = "Deep." },
};
static const struct field_table item_table = { .rows = item_rows, .count = ARRAY_LEN(item_rows) };

static const struct field rows[] = {
	{ .key = "text", .type = FIELD_STRING, .offset = AT(text), .meaning = "Text." },
	{ .key = "needed", .type = FIELD_STRING, .offset = AT(needed), .missing = "needed can't be empty", .fix = "add it", .meaning = "Needed." },
	{ .key = "flag", .type = FIELD_BOOL, .offset = AT(flag), .dflt = 1, .meaning = "Flag." },
	{ .key = "count", .type = FIELD_COUNT, .offset = AT(count), .min = 1, .max = 10, .dflt = 3, .unit = "a day", .meaning = "Count." },
	{ .key = "number", .type = FIELD_INT, .offset = AT(number), .min = UINT64_MAX, .dflt = UINT64_MAX, .meaning = "Number." },
	{ .key = "size", .type = FIELD_SIZE, .offset = AT(size), .min = 1024, .max = 1 << 20, .dflt = 2048, .meaning = "Size." },
	{ .key = "time", .type = FIELD_TIME, .offset = AT(time), .min = 100, .dflt = 2000, .meaning = "Time." },
	{ .key = "port", .type = FIELD_PORT, .offset = AT(port), .meaning = "Port." },
	{ .key = "word", .type = FIELD_WORD, .offset = AT(word), .words = words, .dflt = 1, .meaning = "Word." },
	{ .key = "secret", .type = FIELD_SECRET, .offset = AT(secret), .meaning = "Secret." },
	{ .key = "secrets", .type = FIELD_SECRETS, .offset = AT(secrets), .meaning = "Secrets." },
	{ .key = "list", .type = FIELD_LIST, .offset = AT(list), .meaning = "List." },
	{ .key = "map", .type = FIELD_MAP, .offset = AT(map), .meaning = "Map." },
	{ .key = "inner", .type = FIELD_TABLE, .offset = AT(inner), .table = &inner_table },
	{ .key = "tables", .type = FIELD_TABLES, .offset = AT(tables), .table = &item_table, .item_size = sizeof(struct item) },
	{ .key = "node", .type = FIELD_NODE, .offset = AT(node), .meaning = "Node." },
	{ .key = "any", .type = FIELD_ANY, .dflt_text = "whatever", .meaning = "Any." },
};
/* clang-format on */
static const struct field_table table = { .rows = rows, .count = ARRAY_LEN(rows) };

static enum err read_yaml(const char *yaml, struct target *t, struct problems *problems, struct doc_file **ret_file)
{
	struct fields_ctx ctx = { .problems = problems, .secrets_dir = "/secrets" };
	enum err err = doc_parse("a.yaml", str_of(yaml), 0, problems, ret_file);

	*t = (struct target){ 0 };
	if (err != E_OK)
		return err;
	ctx.file = *ret_file;
	fields_defaults(&table, t);
	return fields_read(&ctx, &table, (*ret_file)->count ? (*ret_file)->documents[0] : NULL, NULL, t);
}

static void a_map_is_read_into_a_struct(void **state)
{
	struct problems problems = { 0 };
	struct doc_file *file = NULL;
	const struct item *items;
	struct target t;

	(void)state;
	assert_int_equal(read_yaml("text: a b\n"
				   "needed: 7\n"
				   "flag: false\n"
				   "count: 10\n"
				   "number: -1\n"
				   "size: 64Ki\n"
				   "time: 1m\n"
				   "port: \"80\"\n"
				   "word: red\n"
				   "secret: {name: n, key: k, optional: true}\n"
				   "secrets: [{name: n, key: a}, {name: n, key: b}]\n"
				   "list: [b, '', a]\n"
				   "map: {z: '1', a: 2}\n"
				   "inner: {deep: 9}\n"
				   "tables: [{name: a, parts: [x, y]}, {name: b, deep: 7}]\n"
				   "node: {x: y}\n"
				   "any: [{}]\n",
				   &t, &problems, &file),
			 E_OK);
	assert_string_equal(t.text, "a b");
	assert_string_equal(t.needed, "7");
	assert_false(t.flag);
	assert_int_equal(t.count, 10);
	assert_int_equal(t.number, -1);
	assert_int_equal(t.size, 65536);
	assert_int_equal(t.time, 60000);
	assert_int_equal(t.port, 80);
	assert_int_equal(t.word, 0);
	assert_string_equal(t.secret.path, "/secrets/n/k");
	assert_int_equal(t.secrets.count, 2);
	assert_string_equal(t.secrets.items[0].path, "/secrets/n/a");
	assert_string_equal(t.secrets.items[1].path, "/secrets/n/b");
	assert_int_equal(t.list.count, 3);
	assert_string_equal(t.list.items[0], "b");
	assert_string_equal(t.list.items[1], "");
	assert_string_equal(t.list.items[2], "a");
	assert_int_equal(t.map.count, 2);
	assert_string_equal(t.map.items[0].key, "a");
	assert_string_equal(t.map.items[0].value, "2");
	assert_string_equal(t.map.items[1].key, "z");
	assert_int_equal(t.inner.deep, 9);
	items = t.tables.items;
	assert_int_equal(t.tables.count, 2);
	assert_string_equal(items[0].name, "a");
	assert_string_equal(items[0].parts.items[1], "y");
	assert_int_equal(items[0].deep, 4);
	assert_string_equal(items[1].name, "b");
	assert_int_equal(items[1].deep, 7);
	assert_true(str_is(node_get(t.node, "x")->text, "y"));
	fields_release(&table, &t);
	doc_free(file);
}

static void what_is_absent_or_null_keeps_its_default(void **state)
{
	struct problems problems = { 0 };
	struct doc_file *file = NULL;
	struct target t;

	(void)state;
	assert_int_equal(read_yaml("needed: x\ntext:\ncount: ~\ninner: null\nlist:\n", &t, &problems, &file), E_OK);
	assert_null(t.text);
	assert_true(t.flag);
	assert_int_equal(t.count, 3);
	assert_int_equal(t.number, -1);
	assert_int_equal(t.size, 2048);
	assert_int_equal(t.time, 2000);
	assert_int_equal(t.word, 1);
	assert_int_equal(t.inner.deep, 4);
	assert_int_equal(t.list.count, 0);
	fields_release(&table, &t);
	doc_free(file);
}

static void every_wrong_value_is_told_with_its_place_and_a_fix(void **state)
{
	static const struct {
		const char *yaml;
		const char *problem;
	} cases[] = {
		{ "needed: ''\n", "a.yaml:1: needed: needed can't be empty (add it)\n" },
		{ "text: x\n", "a.yaml:1: needed can't be empty (add it)\n" },
		{ "needed: x\ntext: [a]\n",
		  "a.yaml:2: text: a list is not a string (write a single value, or a string of "
		  "several lines behind `|`)\n" },
		{ "needed: x\nflag: yes\n",
		  "a.yaml:2: flag: \"yes\" is not true or false (write true or false, without quotes)\n" },
		{ "needed: x\nflag: 'true'\n",
		  "a.yaml:2: flag: \"true\" is not true or false (write true or false, without quotes)\n" },
		{ "needed: x\ncount: 11\n", "a.yaml:2: count: \"11\" is not a number from 1 to 10\n" },
		{ "needed: x\ncount: 0\n", "a.yaml:2: count: \"0\" is not a number from 1 to 10\n" },
		{ "needed: x\ncount: -1\n", "a.yaml:2: count: \"-1\" is not a number from 1 to 10\n" },
		{ "needed: x\nnumber: -2\n", "a.yaml:2: number: \"-2\" is not a number of at least -1\n" },
		{ "needed: x\nsize: 2MiB\n",
		  "a.yaml:2: size: \"2MiB\" is not a size from 1KiB to 1MiB (write bytes, or "
		  "a number with a unit such as 64Ki, 1MiB or 10GiB)\n" },
		{ "needed: x\ntime: 5\n",
		  "a.yaml:2: time: \"5\" is not a time of at least 100ms (write a number with a "
		  "unit such as 500ms, 2s, 1h30m or 3d)\n" },
		{ "needed: x\nport: 0\n",
		  "a.yaml:2: port: failed to parse server port 0. err: not a port number (write "
		  "a number from 1 to 65535)\n" },
		{ "needed: x\nport: {}\n", "a.yaml:2: port: a map is not a port (write a single value, or a string of "
					   "several lines behind `|`)\n" },
		{ "needed: x\nword: blue\n", "a.yaml:2: word: \"blue\" is not one of red, green\n" },
		{ "needed: x\nsecret: s\n",
		  "a.yaml:2: secret: \"s\" is not a secret `{name, key}` (write {name: ..., key: ...})\n" },
		{ "needed: x\nsecret: {name: n}\n", "a.yaml:2: secret: the key of the secret is missing (add `key: ` "
						    "with the key in the secret)\n" },
		{ "needed: x\nsecret: {name: ../n, key: k}\n", "a.yaml:2: secret: a secret's name and key are single "
							       "file names (write the plain name and key of the "
							       "secret)\n" },
		{ "needed: x\nsecret: {name: n, key: ..}\n", "a.yaml:2: secret: a secret's name and key are single "
							     "file names (write the plain name and key of the "
							     "secret)\n" },
		{ "needed: x\nsecrets: {name: n, key: k}\n",
		  "a.yaml:2: secrets: a map is not a list of secrets `[{name, key}]` "
		  "(write a list: [{name: ..., key: ...}])\n" },
		{ "needed: x\nsecrets: [s]\n",
		  "a.yaml:2: secrets[0]: is not a secret (write {name: ..., key: ...})\n" },
		{ "needed: x\nsecrets: [{name: n, key: k}, {name: n}]\n",
		  "a.yaml:2: secrets[1]: the key of the secret is missing (add `key: ` with the key in the secret)\n" },
		{ "needed: x\nlist: a\n", "a.yaml:2: list: \"a\" is not a list of strings (write a list: [a, b])\n" },
		{ "needed: x\nlist: [a, {}]\n",
		  "a.yaml:2: list[1]: is not a string (write a string, in quotes when in doubt)\n" },
		{ "needed: x\nmap: [a]\n",
		  "a.yaml:2: map: a list is not a map of strings (write a map: {key: value})\n" },
		{ "needed: x\nmap: {a: ~}\n",
		  "a.yaml:2: map.a: is not a string (write a string, in quotes when in doubt)\n" },
		{ "needed: x\ninner: {deep: 10}\n", "a.yaml:2: inner.deep: \"10\" is not a number from 0 to 9\n" },
		{ "needed: x\ninner: {dep: 1}\n", "a.yaml:2: inner.dep: unknown key (did you mean `deep`?)\n" },
		{ "needed: x\ndeep: 1\n", "a.yaml:2: deep: unknown key (write it below `inner`)\n" },
		{ "needed: x\ninner:\n  other: 1\n", "a.yaml:3: inner.other: unknown key (known here: deep)\n" },
		{ "needed: x\ninner: [1]\n",
		  "a.yaml:2: inner: a list is not a map (write `key: value` lines below it)\n" },
		{ "needed: x\ntables: {name: a}\n",
		  "a.yaml:2: tables: a map is not a list of maps (write a list, each item with `- ` in front)\n" },
		{ "needed: x\ntables: [{name: a}, {parts: [x]}]\n",
		  "a.yaml:2: tables[1]: name can't be empty (add it)\n" },
		{ "needed: x\ntables: [a]\n",
		  "a.yaml:2: tables[0]: is not a map (write `key: value` lines below it)\n" },
		{ "needed: x\nNode: {}\n", "a.yaml:2: Node: unknown key (did you mean `node`?)\n" },
		{ "[a]\n", "a.yaml:1: is not a map (write `key: value` lines below it)\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct problems problems = { 0 };
		struct doc_file *file = NULL;
		struct buf text = { 0 };
		struct target t;

		assert_int_equal(read_yaml(cases[i].yaml, &t, &problems, &file), E_CONFIG);
		problems_write(&problems, &text);
		assert_string_equal(buf_cstr(&text), cases[i].problem);
		buf_release(&text);
		fields_release(&table, &t);
		problems_release(&problems);
		doc_free(file);
	}
}

static void all_problems_of_a_map_are_told_at_once(void **state)
{
	struct problems problems = { 0 };
	struct doc_file *file = NULL;
	struct target t;

	(void)state;
	assert_int_equal(read_yaml("count: x\nflag: x\nunknown: x\n", &t, &problems, &file), E_CONFIG);
	assert_int_equal(problems.errors, 4); /* and `needed` is missing */
	fields_release(&table, &t);
	problems_release(&problems);
	doc_free(file);
}

static void a_second_map_over_the_first_changes_only_what_it_says(void **state)
{
	struct problems problems = { 0 };
	struct doc_file *file = NULL, *again = NULL;
	struct fields_ctx ctx = { .problems = &problems, .secrets_dir = "/secrets" };
	struct target t;

	(void)state;
	assert_int_equal(read_yaml("needed: x\ntext: a\nlist: [a]\ncount: 5\n", &t, &problems, &file), E_OK);
	assert_int_equal(doc_parse("b.yaml", STR("needed: y\nlist: [b, c]\n"), 0, &problems, &again), E_OK);
	ctx.file = again;
	assert_int_equal(fields_read(&ctx, &table, again->documents[0], NULL, &t), E_OK);
	assert_string_equal(t.needed, "y");
	assert_string_equal(t.text, "a");
	assert_int_equal(t.list.count, 2);
	assert_int_equal(t.count, 5);
	fields_release(&table, &t);
	doc_free(file);
	doc_free(again);
}

static void values_are_compared_and_handed_over_by_their_row(void **state)
{
	struct target a = { .text = str_dup(STR("x")), .count = 1, .flag = true };
	struct target b = { .text = str_dup(STR("x")), .count = 2, .flag = true };

	(void)state;
	assert_true(field_same(&rows[0], &a.text, &b.text));
	assert_true(field_same(&rows[2], &a.flag, &b.flag));
	assert_false(field_same(&rows[3], &a.count, &b.count));
	field_move(&rows[0], &a.text, &b.text);
	field_move(&rows[3], &a.count, &b.count);
	assert_null(a.text);
	assert_string_equal(b.text, "x");
	assert_int_equal(b.count, 1);
	fields_release(&table, &b);
}

static void the_reference_has_a_line_for_each_row(void **state)
{
	struct buf text = { 0 };

	(void)state;
	fields_reference(&table, "spec.x", &text);
	assert_string_equal(buf_cstr(&text), "| `spec.x.text` | a string | none | Text. |\n"
					     "| `spec.x.needed` | a string | required | Needed. |\n"
					     "| `spec.x.flag` | true or false | true | Flag. |\n"
					     "| `spec.x.count` | a number from 1 to 10 a day | 3 | Count. |\n"
					     "| `spec.x.number` | a number of at least -1 | -1 | Number. |\n"
					     "| `spec.x.size` | a size from 1KiB to 1MiB | 2KiB | Size. |\n"
					     "| `spec.x.time` | a time of at least 100ms | 2s | Time. |\n"
					     "| `spec.x.port` | a port | none | Port. |\n"
					     "| `spec.x.word` | one of red, green | green | Word. |\n"
					     "| `spec.x.secret` | a secret `{name, key}` | none | Secret. |\n"
					     "| `spec.x.secrets` | a list of secrets `[{name, key}]` | none | "
					     "Secrets. |\n"
					     "| `spec.x.list` | a list of strings | none | List. |\n"
					     "| `spec.x.map` | a map of strings | none | Map. |\n"
					     "| `spec.x.inner.deep` | a number from 0 to 9 | 4 | Deep. |\n"
					     "| `spec.x.tables[].name` | a string | required | Name. |\n"
					     "| `spec.x.tables[].parts` | a list of strings | none | Parts. |\n"
					     "| `spec.x.tables[].deep` | a number | 4 | Deep. |\n"
					     "| `spec.x.node` | a map | none | Node. |\n"
					     "| `spec.x.any` | a map | whatever | Any. |\n");
	buf_release(&text);
}

static void no_allocation_that_fails_is_lost(void **state)
{
	static const char yaml[] = "needed: a\ntext: b\nsecret: {name: n, key: k}\nsecrets: [{name: a, key: b}]\nlist: "
				   "[a, b]\nmap: {a: b, c: d}\nflg: 1\n";
	long allocations = 0;

	(void)state;
	for (long n = 0; n <= allocations; n++) {
		struct problems problems = { 0 };
		struct doc_file *file = NULL;
		struct target t;
		enum err err;

		mem_fail_at(n);
		err = read_yaml(yaml, &t, &problems, &file);
		allocations = n ? allocations : mem_count();
		mem_fail_at(0);
		assert_int_equal(err, n ? E_NOMEM : E_CONFIG);
		assert_true(problems_fatal(&problems));
		fields_release(&table, &t);
		problems_release(&problems);
		doc_free(file);
	}
	assert_true(allocations > 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_map_is_read_into_a_struct),
		cmocka_unit_test(what_is_absent_or_null_keeps_its_default),
		cmocka_unit_test(every_wrong_value_is_told_with_its_place_and_a_fix),
		cmocka_unit_test(all_problems_of_a_map_are_told_at_once),
		cmocka_unit_test(a_second_map_over_the_first_changes_only_what_it_says),
		cmocka_unit_test(values_are_compared_and_handed_over_by_their_row),
		cmocka_unit_test(the_reference_has_a_line_for_each_row),
		cmocka_unit_test(no_allocation_that_fails_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
