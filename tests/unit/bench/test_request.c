#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "request.h"

static struct request_spec spec_of(const char *body, size_t size)
{
	static const char *const fields[] = { "Content-Type: application/json", "X-Delivery: {id}" };

	return (struct request_spec){ .host = STR("h:1"),
				      .path = STR("/p"),
				      .method = STR("POST"),
				      .body = str_of(body),
				      .body_size = size,
				      .fields = fields,
				      .field_count = 2 };
}

static void ids_and_padding_are_filled_in(void **state)
{
	static const char expected[] = "POST /p HTTP/1.1\r\n"
				       "Host: h:1\r\n"
				       "Content-Type: application/json\r\n"
				       "X-Delivery: runnrunn-00007-0000000042\r\n"
				       "Content-Length: 40\r\n\r\n"
				       "{\"id\":\"runnrunn-00007-0000000042\",\"xxxx\"";
	struct request_spec spec = spec_of("{\"id\":\"{id}\",\"{pad}\"", 40);
	struct request r;
	char id[REQUEST_ID_LEN];

	(void)state;
	assert_int_equal(request_make(&spec, NULL, &r), E_OK);
	request_id("runnrunn", 7, 42, id);
	request_set_id(&r, r.bytes.p, id);
	assert_int_equal(r.bytes.n, sizeof(expected) - 1);
	assert_memory_equal(r.bytes.p, expected, sizeof(expected) - 1);
	request_release(&r);
}

static void a_body_that_cannot_have_the_size_is_refused(void **state)
{
	static const struct {
		const char *body;
		size_t size;
		enum err err;
	} rows[] = {
		{ "{id}", 24, E_LIMIT },   { "{id}", 25, E_OK },       { "{id}", 26, E_LIMIT },
		{ "{id}{pad}", 26, E_OK }, { "{id}{pad}", 25, E_OK },  { "{id}", 0, E_OK },
		{ "", 0, E_OK },           { "", 1, E_LIMIT },         { "{pad}{pad}", 100, E_OK },
		{ "{pa", 3, E_OK },        { "{pad}", 1 << 20, E_OK },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct request_spec spec = spec_of(rows[i].body, rows[i].size);
		struct why why = { 0 };
		struct request r = { 0 };

		assert_int_equal(request_make(&spec, &why, &r), rows[i].err);
		assert_int_equal(why.err, rows[i].err);
		request_release(&r);
	}
}

static void more_places_for_the_id_than_there_are_is_refused(void **state)
{
	struct request_spec spec = spec_of("{id}{id}{id}{id}{id}{id}{id}", 0); /* and one in the header */
	struct request r = { 0 };

	(void)state;
	assert_int_equal(request_make(&spec, NULL, &r), E_OK);
	request_release(&r);
	spec = spec_of("{id}{id}{id}{id}{id}{id}{id}{id}", 0);
	assert_int_equal(request_make(&spec, NULL, &r), E_LIMIT);
}

static void every_failed_allocation_is_reported(void **state)
{
	struct request_spec spec = spec_of("{id}{pad}", 5000);
	struct request r = { 0 };
	long n;

	(void)state;
	mem_fail_at(0);
	assert_int_equal(request_make(&spec, NULL, &r), E_OK);
	n = mem_count();
	request_release(&r);
	assert_true(n > 1);
	for (long i = 1; i <= n; i++) {
		mem_fail_at(i);
		assert_int_equal(request_make(&spec, NULL, &r), E_NOMEM);
	}
	mem_fail_at(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_and_padding_are_filled_in),
		cmocka_unit_test(a_body_that_cannot_have_the_size_is_refused),
		cmocka_unit_test(more_places_for_the_id_than_there_are_is_refused),
		cmocka_unit_test(every_failed_allocation_is_reported),
	};

	return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
