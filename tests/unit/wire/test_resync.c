#include "wire/resync.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/mem.h"

static const struct wire_resync full = {
	.kind = { "Application", 11 },
	.namespace = { "argocd", 6 },
	.name = { "guest<book>", 11 },
	.uid = { "6fd1", 4 },
	.checksum = { "\x00\xff\x10", 3 },
};
static const struct wire_resync counted = { .checksum = { "\x00\xff\x10", 3 }, .count = { "12", 2 } };
static const struct wire_resync bare = { .kind = { "AppProject", 10 }, .name = { "p", 1 } };

/* facts 2.8, as Go writes them */
static const struct {
	enum wire_type type;
	const struct wire_resync *resync;
	const char *json;
} rows[] = {
	{ WIRE_SYNCED_LIST_REQUEST, &full, "{\"checksum\":\"AP8Q\"}" },
	{ WIRE_SYNCED_LIST_REQUEST, &bare, "{\"checksum\":null}" },
	{ WIRE_SYNCED_LIST_REQUEST, &counted, "{\"checksum\":\"AP8Q\",\"count\":\"12\"}" },
	{ WIRE_SYNCED_RESOURCE, &full,
	  "{\"name\":\"guest\\u003cbook\\u003e\",\"namespace\":\"argocd\",\"uid\":\"6fd1\",\"kind\":\"Application\"}" },
	{ WIRE_SYNCED_RESOURCE, &bare, "{\"name\":\"p\",\"uid\":\"\",\"kind\":\"AppProject\"}" },
	{ WIRE_REQUEST_UPDATE, &full,
	  "{\"name\":\"guest\\u003cbook\\u003e\",\"namespace\":\"argocd\",\"uid\":\"6fd1\",\"kind\":\"Application\","
	  "\"checksum\":\"AP8Q\"}" },
	{ WIRE_REQUEST_UPDATE, &bare, "{\"name\":\"p\",\"uid\":\"\",\"kind\":\"AppProject\",\"checksum\":null}" },
	{ WIRE_RESOURCE_RESYNC, &full, "{}" },
};

static void payloads_are_written_as_upstream_writes_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf json = { 0 };

		wire_resync_write(rows[i].type, rows[i].resync, &json);
		assert_string_equal(buf_cstr(&json), rows[i].json);
		buf_release(&json);
	}
}

static bool same_or_absent(struct str read, struct str written)
{
	return read.n == 0 || str_eq(read, written);
}

static void payloads_come_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct wire_resync r;
		struct buf arena = { 0 };

		assert_int_equal(wire_resync_read(str_of(rows[i].json), &arena, &r, NULL), E_OK);
		assert_true(same_or_absent(r.kind, rows[i].resync->kind));
		assert_true(same_or_absent(r.namespace, rows[i].resync->namespace));
		assert_true(same_or_absent(r.name, rows[i].resync->name));
		assert_true(same_or_absent(r.uid, rows[i].resync->uid));
		assert_true(same_or_absent(r.checksum, rows[i].resync->checksum));
		assert_true(str_eq(r.count, rows[i].resync->count));
		if (rows[i].type == WIRE_REQUEST_UPDATE) {
			assert_true(str_eq(r.name, rows[i].resync->name));
			assert_true(str_eq(r.checksum, rows[i].resync->checksum));
		}
		buf_release(&arena);
	}
}

static void order_spaces_unknown_members_and_nothing_are_read(void **state)
{
	static const char *const texts[] = { "", "{}", " { } ", "{\"checksum\":\"\",\"name\":null}",
					     "{\"other\":[{}]}" };
	struct wire_resync r;
	struct buf arena = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_equal(wire_resync_read(str_of(texts[i]), &arena, &r, NULL), E_OK);
		assert_int_equal(r.kind.n + r.name.n + r.uid.n + r.namespace.n + r.checksum.n, 0);
		buf_release(&arena);
	}
	assert_int_equal(
		wire_resync_read(
			STR(" {\"x\":{\"kind\":\"no\"}, \"uid\":\"u\", \"kind\" : \"\\u0041\", \"uid\":\"v\"}"), &arena,
			&r, NULL),
		E_OK);
	assert_true(str_is(r.kind, "A"));
	assert_true(str_is(r.uid, "v"));
	buf_release(&arena);
}

static void what_is_no_payload_is_malformed(void **state)
{
	static const char *const texts[] = { "{",
					     "[]",
					     "null",
					     "7",
					     "{\"name\":7}",
					     "{\"uid\":{}}",
					     "{\"checksum\":\"*\"}",
					     "{\"checksum\":7}",
					     "{\"kind\":\"\xff\"}",
					     "{\"name\":\"\\ud800\"}",
					     "{}x" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct wire_resync r = full;
		struct buf arena = { 0 };
		struct why why = { 0 };

		assert_int_equal(wire_resync_read(str_of(texts[i]), &arena, &r, &why), E_MALFORMED);
		assert_true(why.text[0] != '\0');
		assert_true(str_eq(r.name, full.name));
		buf_release(&arena);
	}
}

static void a_failure_comes_back(void **state)
{
	const struct wire_failure f = { STR("app"), STR("ns"), STR("line 1\nline \"2\"") };
	struct wire_failure back;
	struct buf json = { 0 }, arena = { 0 };

	(void)state;
	wire_failure_write(&f, &json);
	assert_string_equal(buf_cstr(&json), "{\"resourceName\":\"app\",\"resourceNamespace\":\"ns\","
					     "\"message\":\"line 1\\nline \\\"2\\\"\"}");
	assert_int_equal(wire_failure_read(buf_view(&json), &arena, &back, NULL), E_OK);
	assert_true(str_eq(back.name, f.name));
	assert_true(str_eq(back.namespace, f.namespace));
	assert_true(str_eq(back.message, f.message));
	buf_release(&arena);
	assert_int_equal(wire_failure_read(STR("{\"message\":{}}"), &arena, &back, NULL), E_MALFORMED);
	buf_release(&arena);
	buf_release(&json);
}

static void without_memory_it_says_so(void **state)
{
	struct wire_resync r;
	struct buf arena = { 0 }, small = { .max = 20 };

	(void)state;
	mem_fail_at(1);
	assert_int_equal(wire_resync_read(STR("{}"), &arena, &r, NULL), E_NOMEM);
	mem_fail_at(0);
	assert_int_equal(wire_resync_read(STR("{\"name\":\"guestbook\"}"), &small, &r, NULL), E_LIMIT);
	buf_release(&arena);
	buf_release(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(payloads_are_written_as_upstream_writes_them),
		cmocka_unit_test(payloads_come_back),
		cmocka_unit_test(order_spaces_unknown_members_and_nothing_are_read),
		cmocka_unit_test(what_is_no_payload_is_malformed),
		cmocka_unit_test(a_failure_comes_back),
		cmocka_unit_test(without_memory_it_says_so),
	};

	return cmocka_run_group_tests_name("wire resync", tests, NULL, NULL);
}
