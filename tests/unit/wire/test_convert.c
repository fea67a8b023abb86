#include "wire/convert.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/mem.h"

static const struct wire_dialect upstream = { .version = WIRE_UPSTREAM };
static const struct wire_dialect ours = { .version = WIRE_TWO_STEPS };

/* An event of each row of facts 2.8, with the resource id "r". */
static const struct {
	enum wire_type type;
	enum wire_target target;
	const char *subject, *data;
	enum delivery_type delivered;
	const char *kind, *namespace, *name;
} rows[] = {
	{ WIRE_CREATE, WIRE_TO_APPLICATION, "ns/app", "", DELIVERY_CREATE, "application", "ns", "app" },
	{ WIRE_SPEC_UPDATE, WIRE_TO_APPLICATION, "ns/app", "", DELIVERY_SPEC, "application", "ns", "app" },
	{ WIRE_STATUS_UPDATE, WIRE_TO_APPLICATION, "ns/app", "", DELIVERY_STATUS, "application", "ns", "app" },
	{ WIRE_SET_OPERATION, WIRE_TO_APPLICATION, "ns/app", "", DELIVERY_COMMAND, "application", "ns", "app" },
	{ WIRE_TERMINATE_OPERATION, WIRE_TO_APPLICATION, "ns/app", "", DELIVERY_COMMAND, "application", "ns", "app" },
	{ WIRE_DELETE, WIRE_TO_APPLICATION, "ns/app", "", DELIVERY_DELETE, "application", "ns", "app" },
	{ WIRE_CREATE, WIRE_TO_APPPROJECT, "ns/p", "", DELIVERY_CREATE, "appproject", "ns", "p" },
	{ WIRE_SPEC_UPDATE, WIRE_TO_REPOSITORY, "ns/p", "", DELIVERY_SPEC, "repository", "ns", "p" },
	{ WIRE_DELETE, WIRE_TO_GPGKEY, "ns/p", "", DELIVERY_DELETE, "gpgkey", "ns", "p" },
	{ WIRE_CREATE, WIRE_TO_APPLICATIONSET, "ns/p", "", DELIVERY_CREATE, "applicationset", "ns", "p" },
	{ WIRE_CREATE, WIRE_TO_APPLICATION, "/app", "", DELIVERY_CREATE, "application", "", "app" },
	/* without a subject: from the data */
	{ WIRE_CREATE, WIRE_TO_APPLICATION, "", " { \"metadata\" : {\"name\":\"a\\u0070p\", \"namespace\":\"ns\"}}",
	  DELIVERY_CREATE, "application", "ns", "app" },
	{ WIRE_CREATE, WIRE_TO_APPLICATION, "no-slash", "{\"metadata\":{\"name\":\"app\"}}", DELIVERY_CREATE,
	  "application", "", "app" },
	/* what is about no object has a key of its own */
	{ WIRE_SYNCED_LIST_REQUEST, WIRE_TO_RESYNC, "", "", DELIVERY_REQUEST, "resourceResync", "", "r" },
	{ WIRE_SYNCED_RESOURCE, WIRE_TO_RESYNC, "", "", DELIVERY_REQUEST, "resourceResync", "", "r" },
	{ WIRE_REQUEST_UPDATE, WIRE_TO_RESYNC, "", "", DELIVERY_REQUEST, "resourceResync", "", "r" },
	{ WIRE_RESOURCE_RESYNC, WIRE_TO_RESYNC, "", "", DELIVERY_REQUEST, "resourceResync", "", "r" },
	{ WIRE_CACHE_INFO, WIRE_TO_CACHE_INFO, "", "", DELIVERY_REQUEST, "clusterCacheInfoUpdate", "", "r" },
	{ WIRE_REDIS_REQUEST, WIRE_TO_REDIS, "", "", DELIVERY_REQUEST, "redis", "", "r" },
	{ WIRE_REDIS_RESPONSE, WIRE_TO_REDIS, "", "", DELIVERY_REQUEST, "redis", "", "r" },
	{ WIRE_HTTP_DELETE, WIRE_TO_RESOURCE, "", "", DELIVERY_REQUEST, "resource", "", "r" },
	{ WIRE_RESPONSE, WIRE_TO_RESOURCE, "", "", DELIVERY_REQUEST, "resource", "", "r" },
	{ WIRE_HTTP_GET, WIRE_TO_CONTAINERLOG, "", "", DELIVERY_REQUEST, "containerlog", "", "r" },
	{ WIRE_TERMINAL_REQUEST, WIRE_TO_TERMINAL, "", "", DELIVERY_REQUEST, "terminal", "", "r" },
	{ WIRE_ERROR, WIRE_TO_APPLICATION, "", "", DELIVERY_REQUEST, "application", "", "r" },
	/* combinations that nobody defined hold nobody up either */
	{ WIRE_DELETE, WIRE_TO_RESYNC, "", "", DELIVERY_REQUEST, "resourceResync", "", "r" },
	{ WIRE_UNKNOWN_TYPE, WIRE_TO_APPLICATION, "ns/app", "", DELIVERY_REQUEST, "application", "", "r" },
	{ WIRE_CREATE, WIRE_UNKNOWN_TARGET, "ns/app", "", DELIVERY_REQUEST, "moon", "", "r" },
};

static void every_event_has_its_ordering_key(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct wire_event e = {
			.type = rows[i].type,
			.target = rows[i].target,
			.target_text = STR("moon"),
			.subject = str_of(rows[i].subject),
			.data = str_of(rows[i].data),
			.resource_id = STR("r"),
			.event_id = STR("e"),
			.order = 5,
		};
		struct buf arena = { 0 };
		struct delivery_event d;
		struct why why = { 0 };

		if (wire_to_delivery(&e, NULL, &upstream, &arena, &d, &why) != E_OK)
			fail_msg("row %zu: %s", i, why.text);
		assert_int_equal(d.type, rows[i].delivered);
		assert_true(str_is(d.kind, rows[i].kind));
		assert_true(str_eq(d.namespace, str_of(rows[i].namespace)));
		assert_true(str_is(d.name, rows[i].name));
		assert_true(str_is(d.resource_id, "r"));
		assert_true(str_is(d.event_id, "e"));
		assert_int_equal(d.order, 0);
		buf_release(&arena);
	}
}

static struct wire_event good(void)
{
	return (struct wire_event){
		.type = WIRE_CREATE,
		.target = WIRE_TO_APPLICATION,
		.subject = STR("ns/app"),
		.resource_id = STR("r"),
		.event_id = STR("e"),
		.order = 5,
	};
}

static enum err convert(const struct wire_event *e)
{
	struct buf arena = { 0 };
	struct delivery_event d;
	struct why why = { 0 };
	enum err err = wire_to_delivery(e, NULL, &ours, &arena, &d, &why);

	assert_int_equal(err != E_OK, why.text[0] != '\0');
	buf_release(&arena);
	return err;
}

static void the_order_counts_where_it_was_agreed_and_the_bytes_go_along(void **state)
{
	struct blob *bytes = blob_new(STR("bytes"));
	struct wire_event e = good();
	struct buf arena = { 0 };
	struct delivery_event d;

	(void)state;
	assert_int_equal(wire_to_delivery(&e, bytes, &ours, &arena, &d, NULL), E_OK);
	assert_int_equal(d.order, 5);
	assert_ptr_equal(d.bytes, bytes);
	blob_unref(bytes);
}

static void what_cannot_be_delivered_is_refused(void **state)
{
	static char longer[DELIVERY_TEXT_MAX + 1];
	static const char *const data[] = { "",
					    "{",
					    "[]",
					    "{}",
					    "{\"metadata\":[]}",
					    "{\"metadata\":{\"name\":7}}",
					    "{\"metadata\":{\"name\":\"\"}}",
					    "{\"metadata\":{\"name\":\"\\ud800\"}}",
					    "{\"metadata\":{\"name\":\"a\\u0000b\"}}",
					    "{\"metadata\":{\"name\":\"\xff\"}}" };
	struct wire_event e = good();

	(void)state;
	assert_int_equal(convert(&e), E_OK);
	e.resource_id = (struct str){ 0 };
	assert_int_equal(convert(&e), E_MALFORMED);
	e = good();
	e.event_id = (struct str){ longer, sizeof(longer) };
	assert_int_equal(convert(&e), E_MALFORMED);
	e = good();
	e.subject = (struct str){ 0 };
	for (size_t i = 0; i < ARRAY_LEN(data); i++) {
		e.data = str_of(data[i]);
		assert_int_equal(convert(&e), E_MALFORMED);
	}
}

/* It would be refused as an object anyway; to look for a name in 200 MiB took three times as much memory, which the peer's arena kept. */
static void a_payload_too_large_for_an_object_is_not_searched_for_a_name(void **state)
{
	static const char begin[] = "{\"metadata\":{\"name\":\"app\"}}";
	struct wire_event e = {
		.type = WIRE_CREATE, .target = WIRE_TO_APPLICATION, .resource_id = STR("r"), .event_id = STR("r_1")
	};
	char *text = mem_alloc((4 << 20) + 1);
	struct delivery_event d;
	struct buf arena = { 0 };
	struct why why = { 0 };

	(void)state;
	memset(text, ' ', (4 << 20) + 1);
	memcpy(text, begin, sizeof(begin) - 1);
	e.data = (struct str){ text, (4 << 20) + 1 };
	assert_int_equal(wire_to_delivery(&e, NULL, &upstream, &arena, &d, &why), E_MALFORMED);
	assert_string_equal(why.text, "its data is larger than 4 MiB");
	assert_int_equal(arena.cap, 0);
	e.data.n--;
	assert_int_equal(wire_to_delivery(&e, NULL, &upstream, &arena, &d, &why), E_OK);
	assert_true(str_is(d.name, "app"));
	buf_release(&arena);
	mem_free(text);
}

static void answers_and_heartbeats_are_not_delivered(void **state)
{
	static const enum wire_type types[] = { WIRE_PING, WIRE_PONG, WIRE_PROCESSED };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct wire_event e = good();

		e.type = types[i];
		assert_int_equal(convert(&e), E_UNSUPPORTED);
	}
}

static void subjects_are_taken_apart(void **state)
{
	static const char *const bad[] = { "", "name", "ns/", "/", "a/b/c" };
	struct str namespace, name;

	(void)state;
	assert_true(wire_subject_parse(STR("ns/name"), &namespace, &name));
	assert_true(str_is(namespace, "ns") && str_is(name, "name"));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(wire_subject_parse(str_of(bad[i]), &namespace, &name));
}

static void without_memory_it_says_so(void **state)
{
	struct wire_event e = good();

	(void)state;
	e.subject = (struct str){ 0 };
	e.data = STR("{\"metadata\":{\"name\":\"app\"}}");
	mem_fail_at(1);
	assert_int_equal(convert(&e), E_NOMEM);
	mem_fail_at(0);
	assert_int_equal(convert(&e), E_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_event_has_its_ordering_key),
		cmocka_unit_test(the_order_counts_where_it_was_agreed_and_the_bytes_go_along),
		cmocka_unit_test(what_cannot_be_delivered_is_refused),
		cmocka_unit_test(a_payload_too_large_for_an_object_is_not_searched_for_a_name),
		cmocka_unit_test(answers_and_heartbeats_are_not_delivered),
		cmocka_unit_test(subjects_are_taken_apart),
		cmocka_unit_test(without_memory_it_says_so),
	};

	return cmocka_run_group_tests_name("wire convert", tests, NULL, NULL);
}
