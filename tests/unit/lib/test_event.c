/* holdfast/event.h: attributes and data behind a handle, in and out of JSON. */
#include "holdfast/event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static struct hf_event *order(void)
{
	struct hf_event *e = hf_event_new();

	assert_non_null(e);
	assert_int_equal(hf_event_set(e, "id", "1"), HF_OK);
	assert_int_equal(hf_event_set(e, "source", "/shop"), HF_OK);
	assert_int_equal(hf_event_set(e, "type", "order.paid"), HF_OK);
	return e;
}

static void what_is_set_is_got(void **state)
{
	struct hf_event *e = order();

	(void)state;
	assert_int_equal(hf_event_set(e, "tenant", "blue"), HF_OK);
	assert_string_equal(hf_event_get(e, "type"), "order.paid");
	assert_string_equal(hf_event_get(e, "tenant"), "blue");
	assert_null(hf_event_get(e, "subject"));
	assert_int_equal(hf_event_set(e, "tenant", "red"), HF_OK);
	assert_string_equal(hf_event_get(e, "tenant"), "red");
	assert_int_equal(hf_event_set(e, "tenant", NULL), HF_OK);
	assert_null(hf_event_get(e, "tenant"));
	assert_int_equal(hf_event_set(e, "id", ""), HF_OK);
	assert_null(hf_event_get(e, "id"));
	hf_event_free(e);
}

static void an_event_needs_id_source_and_type(void **state)
{
	const char *const required[] = { "id", "source", "type" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(required); i++) {
		struct hf_event *e = order();
		struct hf_why why;

		assert_int_equal(hf_event_check(e, &why), HF_OK);
		assert_int_equal(hf_event_set(e, required[i], NULL), HF_OK);
		assert_int_equal(hf_event_check(e, &why), HF_MALFORMED);
		assert_int_equal(why.error, HF_MALFORMED);
		assert_non_null(strstr(why.text, required[i]));
		hf_event_free(e);
	}
}

static void a_name_that_no_attribute_has_is_refused(void **state)
{
	const char *const bad[] = { "", "Tenant", "my-tenant", "data", "specversion", "a b" };
	struct hf_event *e = order();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(hf_event_set(e, bad[i], "x"), HF_BAD_ARGUMENT);
	assert_int_equal(hf_event_set(e, NULL, "x"), HF_BAD_ARGUMENT);
	assert_int_equal(hf_event_set(NULL, "id", "x"), HF_BAD_ARGUMENT);
	assert_int_equal(hf_event_set_data(e, HF_DATA_TEXT, NULL, 1), HF_BAD_ARGUMENT);
	assert_int_equal(hf_event_set_data(e, (enum hf_data)4, "x", 1), HF_BAD_ARGUMENT);
	assert_int_equal(hf_event_set_data(e, HF_DATA_NONE, "x", 1), HF_BAD_ARGUMENT);
	assert_int_equal(hf_event_set_data(e, HF_DATA_TEXT, "x", SIZE_MAX), HF_NOMEM); /* a read() that failed */
	assert_int_equal(hf_event_check(NULL, NULL), HF_BAD_ARGUMENT);
	hf_event_free(e);
}

static void the_sixty_fifth_extension_is_over_the_limit(void **state)
{
	struct hf_event *e = order();
	char name[16];

	(void)state;
	for (int i = 0; i < 64; i++) {
		snprintf(name, sizeof(name), "x%d", i);
		assert_int_equal(hf_event_set(e, name, "v"), HF_OK);
	}
	assert_int_equal(hf_event_set(e, "one", "v"), HF_LIMIT);
	assert_int_equal(hf_event_set(e, "x0", NULL), HF_OK);
	assert_int_equal(hf_event_set(e, "one", "v"), HF_OK);
	assert_string_equal(hf_event_get(e, "x63"), "v");
	hf_event_free(e);
}

static void data_keeps_its_bytes_and_kind(void **state)
{
	static const char bytes[] = { 0, 1, (char)0xff };
	struct hf_event *e = order();
	enum hf_data kind;
	size_t size;

	(void)state;
	assert_null(hf_event_data(e, &kind, &size));
	assert_int_equal(kind, HF_DATA_NONE);
	assert_int_equal(hf_event_set_data(e, HF_DATA_BINARY, bytes, sizeof(bytes)), HF_OK);
	assert_memory_equal(hf_event_data(e, &kind, &size), bytes, sizeof(bytes));
	assert_int_equal(kind, HF_DATA_BINARY);
	assert_int_equal(size, sizeof(bytes));
	assert_int_equal(hf_event_set_data(e, HF_DATA_NONE, NULL, 0), HF_OK);
	assert_null(hf_event_data(e, NULL, NULL));
	hf_event_free(e);
}

static void json_out_and_in_is_the_same_event(void **state)
{
	static const char want[] = "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/shop\",\"type\":\"order.paid\","
				   "\"datacontenttype\":\"application/json\",\"tenant\":\"blue\",\"data\":{\"n\":1.0}}";
	struct hf_event *e = order();
	struct hf_event *back = NULL;
	char *json;
	char *again;
	size_t size;

	(void)state;
	assert_int_equal(hf_event_set(e, "datacontenttype", "application/json"), HF_OK);
	assert_int_equal(hf_event_set(e, "tenant", "blue"), HF_OK);
	assert_int_equal(hf_event_set_data(e, HF_DATA_JSON, "{\"n\":1.0}", 9), HF_OK);
	assert_int_equal(hf_event_write_json(e, NULL, &json, &size), HF_OK);
	assert_string_equal(json, want);
	assert_int_equal(size, strlen(want));
	assert_int_equal(hf_event_parse_json(json, size, NULL, &back), HF_OK);
	assert_int_equal(hf_event_write_json(back, NULL, &again, NULL), HF_OK);
	assert_string_equal(again, want);
	hf_free(json);
	hf_free(again);
	hf_event_free(back);
	hf_event_free(e);
}

static void the_names_of_all_attributes_are_told(void **state)
{
	const char *const want[] = { "id", "source", "type", "subject", "zone", "area" };
	struct hf_event *e = order();

	(void)state;
	for (size_t i = 3; i < ARRAY_LEN(want); i++)
		assert_int_equal(hf_event_set(e, want[i], "x"), HF_OK);
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		assert_string_equal(hf_event_name(e, i), want[i]);
	assert_null(hf_event_name(e, ARRAY_LEN(want)));
	assert_null(hf_event_name(e, SIZE_MAX));
	assert_null(hf_event_name(NULL, 0));
	hf_event_free(e);
}

static void a_copy_is_the_same_and_its_own(void **state)
{
	struct hf_event *e = order(), *copy;
	size_t size;

	(void)state;
	assert_int_equal(hf_event_set(e, "tenant", "blue"), HF_OK);
	assert_int_equal(hf_event_set_data(e, HF_DATA_TEXT, "hello", 5), HF_OK);
	copy = hf_event_copy(e);
	hf_event_free(e);
	assert_string_equal(hf_event_get(copy, "source"), "/shop");
	assert_string_equal(hf_event_get(copy, "tenant"), "blue");
	assert_memory_equal(hf_event_data(copy, NULL, &size), "hello", 5);
	assert_int_equal(size, 5);
	assert_null(hf_event_copy(NULL));
	hf_event_free(copy);
}

static void what_is_no_event_is_refused_with_a_story(void **state)
{
	const char *const bad[] = { "", "{", "[]", "{\"specversion\":\"1.0\"}", "{\"id\":\"1\"}" };
	struct hf_event *e = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct hf_why why = { 0 };

		assert_int_equal(hf_event_parse_json(bad[i], strlen(bad[i]), &why, &e), HF_MALFORMED);
		assert_true(why.text[0] != '\0');
		assert_null(e);
	}
}

/* One pass from nothing to JSON and back; HF_OK or HF_NOMEM. */
static enum hf_error there_and_back(void)
{
	struct hf_event *e = hf_event_new();
	struct hf_event *back = NULL;
	char *json = NULL;
	size_t size = 0;
	enum hf_error error = e ? HF_OK : HF_NOMEM;
	const char *const set[][2] = { { "id", "1" }, { "source", "/s" }, { "type", "t" }, { "tenant", "blue" } };

	for (size_t i = 0; i < ARRAY_LEN(set) && !error; i++)
		error = hf_event_set(e, set[i][0], set[i][1]);
	if (!error)
		error = hf_event_set_data(e, HF_DATA_TEXT, "hello", 5);
	if (!error)
		error = hf_event_write_json(e, NULL, &json, &size);
	if (!error)
		error = hf_event_parse_json(json, size, NULL, &back);
	hf_free(json);
	hf_event_free(back);
	hf_event_free(e);
	return error;
}

static void every_allocation_may_fail(void **state)
{
	(void)state;
	mem_fail_at(0);
	assert_int_equal(there_and_back(), HF_OK);
	long count = mem_count();
	assert_true(count > 5);
	for (long n = 1; n <= count; n++) {
		mem_fail_at(n);
		assert_int_equal(there_and_back(), HF_NOMEM);
	}
	mem_fail_at(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_set_is_got),
		cmocka_unit_test(an_event_needs_id_source_and_type),
		cmocka_unit_test(a_name_that_no_attribute_has_is_refused),
		cmocka_unit_test(the_sixty_fifth_extension_is_over_the_limit),
		cmocka_unit_test(data_keeps_its_bytes_and_kind),
		cmocka_unit_test(json_out_and_in_is_the_same_event),
		cmocka_unit_test(the_names_of_all_attributes_are_told),
		cmocka_unit_test(a_copy_is_the_same_and_its_own),
		cmocka_unit_test(what_is_no_event_is_refused_with_a_story),
		cmocka_unit_test(every_allocation_may_fail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
