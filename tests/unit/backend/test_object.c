/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include <stdio.h>

#include "backend/recent.h"
#include "base/mem.h"

static struct object *made(enum object_kind kind, const char *json)
{
	struct why why = { 0 };
	struct object *o = NULL;

	if (object_new(kind, str_of(json), &why, &o) != E_OK)
		fail_msg("%s: %s", json, why.text);
	return o;
}

static void what_everybody_asks_for_is_taken_out(void **state)
{
	struct object *o = made(
		OBJECT_APPLICATION,
		"{\"metadata\":{\"name\":\"guestbook\",\"namespace\":\"argocd\",\"uid\":\"u\","
		"\"resourceVersion\":\"7\",\"annotations\":{\"argocd.argoproj.io/source-uid\":\"s\"}}}");

	(void)state;
	assert_int_equal(o->kind, OBJECT_APPLICATION);
	assert_string_equal(o->name, "guestbook");
	assert_string_equal(o->namespace, "argocd");
	assert_string_equal(o->uid, "u");
	assert_string_equal(o->version, "7");
	assert_string_equal(o->source_uid, "s");
	object_unref(o);
	object_unref(NULL);
}

static void what_is_missing_is_empty(void **state)
{
	struct object *o = made(OBJECT_APPPROJECT, "{\"metadata\":{\"name\":\"p\",\"namespace\":null}}");

	(void)state;
	assert_string_equal(o->namespace, "");
	assert_string_equal(o->uid, "");
	assert_string_equal(o->version, "");
	assert_string_equal(o->source_uid, "");
	object_unref(o);
}

static void kind_and_api_version_are_filled_in(void **state)
{
	static const struct {
		enum object_kind kind;
		const char *json, *want;
	} rows[] = {
		{ OBJECT_APPLICATION, "{\"metadata\":{\"name\":\"a\"},\"spec\":{}}",
		  "{\"apiVersion\":\"argoproj.io/"
		  "v1alpha1\",\"kind\":\"Application\",\"metadata\":{\"name\":\"a\"},\"spec\":{}}" },
		{ OBJECT_APPPROJECT, "{\"kind\":\"AppProject\",\"metadata\":{\"name\":\"a\"}}",
		  "{\"apiVersion\":\"argoproj.io/v1alpha1\",\"kind\":\"AppProject\",\"metadata\":{\"name\":\"a\"}}" },
		{ OBJECT_REPOSITORY, "{\"kind\":\"Repository\",\"metadata\":{\"name\":\"a\"}}",
		  "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"a\"}}" },
		{ OBJECT_GPGKEY, "{\"metadata\":{\"name\":\"a\"},\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\"}",
		  "{\"metadata\":{\"name\":\"a\"},\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\"}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct object *o = made(rows[i].kind, rows[i].json);

		assert_true(str_is(blob_view(o->json), rows[i].want));
		object_unref(o);
	}
}

static void what_is_no_object_is_refused(void **state)
{
	static const struct {
		const char *json, *says;
	} rows[] = {
		{ "[]", "not an object" },
		{ "null", "not an object" },
		{ "{}", "no metadata" },
		{ "{\"metadata\":{}}", "RFC 1123" },
		{ "{\"metadata\":{\"name\":7}}", "must be strings" },
		{ "{\"metadata\":{\"name\":\"a\\u0000b\"}}", "must be strings" },
		{ "{\"metadata\":{\"name\":\"..\"}}", "RFC 1123" },
		{ "{\"metadata\":{\"name\":\"a/b\"}}", "RFC 1123" },
		{ "{\"metadata\":{\"name\":\"a\",\"namespace\":\"../b\"}}", "namespace" },
		{ "{\"metadata\":{\"name\":\"a\",\"uid\":1}}", "must be strings" },
		{ "{\"kind\":\"Secret\",\"metadata\":{\"name\":\"a\"}}", "kind is Secret" },
		{ "{\"kind\":1,\"metadata\":{\"name\":\"a\"}}", "must be strings" },
		{ "{\"apiVersion\":\"v2\",\"metadata\":{\"name\":\"a\"}}", "apiVersion is v2" },
		{ "{\"metadata\":{\"name\":\"a\",\"name\":\"b\"}}", "stands twice" },
		{ "{\"metadata\":{\"name\":\"a\",\"labels\":{\"x\":true}}}",
		  "metadata.labels: the value of \"x\" is not a string" },
		{ "{\"metadata\":{\"name\":\"a\",\"annotations\":[]}}", "metadata.annotations is not a map" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct why why = { 0 };
		struct object *o;

		assert_int_equal(object_new(OBJECT_APPLICATION, str_of(rows[i].json), &why, &o), E_MALFORMED);
		if (!strstr(why.text, rows[i].says))
			fail_msg("%s: %s", rows[i].json, why.text);
	}
}

static void names_are_rfc_1123_subdomains(void **state)
{
	static const char *const good[] = { "a", "0", "a-b", "a.b", "a--b", "web-0.prod.example" };
	static const char *const bad[] = { "",     ".",    "..",   "-a", "a-", "A",       "a_b",
					   "a..b", "a.-b", "a-.b", ".a", "a.", "\xc3\xa4" };
	char name[OBJECT_NAME_MAX + 2];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (!object_name_ok(str_of(good[i])))
			fail_msg("%s", good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (object_name_ok(str_of(bad[i])))
			fail_msg("%s", bad[i]);
	memset(name, 'a', sizeof(name));
	assert_true(object_name_ok((struct str){ name, OBJECT_NAME_MAX }));
	assert_false(object_name_ok((struct str){ name, OBJECT_NAME_MAX + 1 }));
	assert_false(object_name_ok(STR("a\0b")));
}

static void a_tree_of_ones_own_may_be_changed(void **state)
{
	struct object *o = made(OBJECT_APPLICATION, "{\"metadata\":{\"name\":\"a\"}}");
	json_object *tree = object_tree_own(o);
	struct object *second;

	(void)state;
	assert_int_equal(tree_meta_set(tree, "uid", "u2"), E_OK);
	assert_int_equal(object_from_tree(OBJECT_APPLICATION, tree, NULL, &second), E_OK);
	json_object_put(tree);
	assert_string_equal(o->uid, "");
	assert_string_equal(second->uid, "u2");
	object_unref(object_ref(second));
	object_unref(second);
	object_unref(o);
}

static void a_tree_is_shared_and_its_fork_is_not(void **state)
{
	struct object *o = made(OBJECT_APPLICATION,
				"{\"metadata\":{\"name\":\"a\",\"labels\":{\"l\":\"1\"}},\"spec\":{}}");
	json_object *tree = object_tree(o), *again = object_tree(o), *fork = tree_fork(tree);

	(void)state;
	assert_ptr_equal(tree, again);
	assert_int_equal(tree_meta_set(fork, "uid", "u2"), E_OK);
	json_object_object_del(fork, "spec");
	assert_string_equal(tree_meta(tree, "uid"), "");
	assert_non_null(tree_get(tree, "spec", NULL));
	assert_ptr_equal(tree_get(tree, "metadata", "labels", NULL), tree_get(fork, "metadata", "labels", NULL));
	assert_int_equal(tree_mark_set(fork, "labels", "m", "2"), E_OK);
	assert_string_equal(tree_mark(tree, "labels", "m"), "");
	json_object_put(fork);
	fork = tree_fork(tree);
	assert_int_equal(tree_mark_set(fork, "labels", "l", NULL), E_OK);
	assert_string_equal(tree_mark(fork, "labels", "l"), "");
	assert_string_equal(tree_mark(tree, "labels", "l"), "1");
	json_object_put(fork);
	json_object_put(again);
	json_object_put(tree);
	object_unref(o);
}

static void trees_of_what_was_used_long_ago_go(void **state)
{
	static struct object *objects[RECENT_OBJECTS + 1];
	size_t kept = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(objects); i++) {
		objects[i] = made(OBJECT_APPLICATION, "{\"metadata\":{\"name\":\"a\"}}");
		json_object_put(object_tree(objects[i]));
	}
	for (size_t i = 0; i < ARRAY_LEN(objects); i++)
		kept += objects[i]->tree != NULL;
	assert_null(objects[0]->tree);
	assert_int_equal(kept, RECENT_OBJECTS);
	for (size_t i = 0; i < ARRAY_LEN(objects); i++)
		object_unref(objects[i]);
}

/* An object whose text has this many bytes, and whose tree somebody has asked for. */
static struct object *of_size(size_t n)
{
	static char json[RECENT_BYTES];
	size_t front = (size_t)snprintf(
		json, sizeof(json),
		"{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"a\"},\"x\":\"");
	struct object *o;

	memset(json + front, 'x', n - front);
	memcpy(json + n - 2, "\"}", 3);
	o = made(OBJECT_REPOSITORY, json);
	assert_int_equal(o->json->n, n);
	json_object_put(object_tree(o));
	return o;
}

static void what_is_large_keeps_its_tree_until_the_next(void **state)
{
	struct object *just[20], *over = of_size(RECENT_BYTES - 1), *next;
	size_t kept = 0;

	(void)state;
	assert_non_null(over->tree);
	next = of_size(100);
	assert_null(over->tree);
	assert_non_null(next->tree);
	object_unref(next);
	for (size_t i = 0; i < ARRAY_LEN(just); i++)
		just[i] = of_size(RECENT_BYTES / 16);
	for (size_t i = 0; i < ARRAY_LEN(just); i++)
		kept += just[i]->tree != NULL;
	assert_int_equal(kept, 16); /* all that they may have together */
	for (size_t i = 0; i < ARRAY_LEN(just); i++)
		object_unref(just[i]);
	object_unref(over);
}

static void what_comes_is_parsed_as_an_object_would_be(void **state)
{
	static const char *const rows[] = {
		"{\"metadata\":{\"name\":\"a\"},\"kind\":\"Application\",\"spec\":1}",
		"{\"metadata\":{\"name\":\"a\"},\"spec\":1,\"apiVersion\":\"argoproj.io/v1alpha1\"}",
		"{\"apiVersion\":\"argoproj.io/v1alpha1\",\"kind\":\"Application\",\"metadata\":{\"name\":\"a\"}}",
		"{\"metadata\":{\"name\":\"A\"}}",
		"{\"metadata\":{\"name\":\"a\"},\"kind\":\"Pod\"}",
		"{\"metadata\":[]}",
		"[]",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(buf_release) struct buf text = { 0 };
		struct why a = { 0 }, b = { 0 };
		json_object *tree = NULL;
		struct object *o = NULL;
		enum err err = object_new(OBJECT_APPLICATION, str_of(rows[i]), &a, &o);

		assert_int_equal(object_parse(OBJECT_APPLICATION, str_of(rows[i]), &b, &tree), err);
		assert_string_equal(a.text, b.text);
		if (err == E_OK) {
			assert_int_equal(tree_write(tree, &text, NULL), E_OK);
			assert_true(str_eq(buf_view(&text), blob_view(o->json)));
		}
		json_object_put(tree);
		object_unref(o);
	}
}

static void keys_are_kind_namespace_and_name(void **state)
{
	char text[OBJECT_KEY_MAX], again[OBJECT_KEY_MAX], name[OBJECT_NAME_MAX + 2];
	struct str key = object_key(OBJECT_APPPROJECT, "team", "web", text);

	(void)state;
	assert_true(str_is(key, "1/team/web"));
	assert_string_equal(text, "1/team/web");
	assert_false(str_eq(key, object_key(OBJECT_APPPROJECT, "team/web", "", again)));
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(object_key(OBJECT_GPGKEY, name, name, text).n, 3 + 2 * OBJECT_NAME_MAX);
}

static void kinds_have_their_names(void **state)
{
	(void)state;
	for (int i = 0; i < OBJECT_KIND_COUNT; i++)
		assert_int_equal(object_kind_of(str_of(object_kind_name((enum object_kind)i))), i);
	assert_int_equal(object_kind_of(STR("Pod")), OBJECT_KIND_COUNT);
}

static void each_allocation_may_fail(void **state)
{
	static const char json[] = "{\"metadata\":{\"name\":\"a\",\"uid\":\"u\"},\"spec\":{\"x\":[1,2]}}";
	long points;

	(void)state;
	mem_fail_at(0);
	object_unref(made(OBJECT_APPLICATION, json));
	points = mem_count();
	assert_true(points > 4);
	for (long n = 1; n <= points; n++) {
		struct object *o = NULL;

		mem_fail_at(n);
		assert_int_equal(object_new(OBJECT_APPLICATION, str_of(json), NULL, &o), E_NOMEM);
	}
	mem_fail_at(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_everybody_asks_for_is_taken_out),
		cmocka_unit_test(what_is_missing_is_empty),
		cmocka_unit_test(kind_and_api_version_are_filled_in),
		cmocka_unit_test(what_is_no_object_is_refused),
		cmocka_unit_test(names_are_rfc_1123_subdomains),
		cmocka_unit_test(a_tree_of_ones_own_may_be_changed),
		cmocka_unit_test(a_tree_is_shared_and_its_fork_is_not),
		cmocka_unit_test(trees_of_what_was_used_long_ago_go),
		cmocka_unit_test(what_is_large_keeps_its_tree_until_the_next),
		cmocka_unit_test(what_comes_is_parsed_as_an_object_would_be),
		cmocka_unit_test(keys_are_kind_namespace_and_name),
		cmocka_unit_test(kinds_have_their_names),
		cmocka_unit_test(each_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
