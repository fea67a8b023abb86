#include "wire/event.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/mem.h"
#include "rpc/proto.h"

/* Made by python3-protobuf of proto/: a spec-update with every attribute and one nobody knows. */
static const char python_event[] = "0ad40212156167656e743a2f2f6167656e742d6d616e616765641a03312e30222a696f2e6172676f707"
				   "26f6a2e6172676f63642d6167656e74"
				   "2e6576656e742e737065632d7570646174652a250a0f64617461636f6e74656e747479706512121a106"
				   "170706c69636174696f6e2f6a736f6e"
				   "2a1b0a0a64617461736368656d61120d2a0b6170706c69636174696f6e2a1b0a076576656e746964121"
				   "01a0e6775657374626f6f6b5f75315f"
				   "372a140a0c7072696e636970616c75696412041a0270312a1c0a0a7265736f757263656964120e1a0c6"
				   "775657374626f6f6b5f75312a220a06"
				   "73656e74617412181a16323032362d30382d32305431303a30303a30302e355a2a1d0a077375626a656"
				   "37412121a106172676f63642f677565"
				   "7374626f6f6b2a1c0a0b7472616365706172656e74120d1a0b30302d61612d62622d30312a0b0a047a6"
				   "f6e6512031a017832077b2261223a31"
				   "7d";

/* The CloudEvent of each: what stands in front of its attributes, in hex. */
#define VERSION "1a03312e30"

static struct str from_hex(const char *hex, char *ret_bytes)
{
	size_t n = 0;

	for (; hex[0] && hex[1]; hex += 2) {
		unsigned high = (unsigned)(hex[0] <= '9' ? hex[0] - '0' : hex[0] - 'a' + 10);
		unsigned low = (unsigned)(hex[1] <= '9' ? hex[1] - '0' : hex[1] - 'a' + 10);

		ret_bytes[n++] = (char)(high << 4 | low);
	}
	return (struct str){ ret_bytes, n };
}

static struct wire_event full_event(void)
{
	return (struct wire_event){
		.type = WIRE_SPEC_UPDATE,
		.target = WIRE_TO_APPLICATION,
		.type_text = STR(WIRE_PREFIX ".spec-update"),
		.target_text = STR("application"),
		.source = STR("agent://agent-managed"),
		.subject = STR("argocd/guestbook"),
		.resource_id = STR("guestbook_u1"),
		.event_id = STR("guestbook_u1_7"),
		.sent_at = STR("2026-08-20T10:00:00.5Z"),
		.principal_uid = STR("p1"),
		.traceparent = STR("00-aa-bb-01"),
		.content_type = STR("application/json"),
		.data = STR("{\"a\":1}"),
	};
}

static void assert_same(const struct wire_event *a, const struct wire_event *b)
{
	assert_int_equal(a->type, b->type);
	assert_int_equal(a->target, b->target);
	assert_true(str_eq(a->type_text, b->type_text));
	assert_true(str_eq(a->target_text, b->target_text));
	assert_true(str_eq(a->source, b->source));
	assert_true(str_eq(a->subject, b->subject));
	assert_true(str_eq(a->resource_id, b->resource_id));
	assert_true(str_eq(a->event_id, b->event_id));
	assert_true(str_eq(a->sent_at, b->sent_at));
	assert_true(str_eq(a->principal_uid, b->principal_uid));
	assert_true(str_eq(a->traceparent, b->traceparent));
	assert_true(str_eq(a->tracestate, b->tracestate));
	assert_true(str_eq(a->content_type, b->content_type));
	assert_true(str_eq(a->data, b->data));
	assert_true(str_eq(a->reason, b->reason));
	assert_int_equal(a->order, b->order);
	assert_int_equal(a->outcome, b->outcome);
	assert_int_equal(a->retryable, b->retryable);
	assert_int_equal(a->bare, b->bare);
}

static struct wire_event decoded(struct str bytes)
{
	struct wire_event e;
	struct why why = { 0 };

	if (wire_event_decode(bytes, &e, &why) != E_OK)
		fail_msg("%s", why.text);
	return e;
}

static void an_event_of_another_protobuf_is_read(void **state)
{
	char bytes[sizeof(python_event) / 2];
	struct wire_event expected = full_event();
	struct wire_event e = decoded(from_hex(python_event, bytes));

	(void)state;
	assert_same(&e, &expected);
}

static void every_field_comes_back(void **state)
{
	struct wire_event e = full_event(), back;
	struct buf bytes = { 0 };

	(void)state;
	e.tracestate = STR("k=v");
	e.order = UINT64_MAX;
	e.outcome = WIRE_REJECTED;
	e.retryable = true;
	e.bare = true;
	e.reason = STR("no such \"project\"");
	assert_int_equal(wire_event_encode(&e, &bytes), E_OK);
	back = decoded(buf_view(&bytes));
	assert_same(&e, &back);
	buf_release(&bytes);
}

static const struct {
	enum wire_type type;
	const char *text, *name;
	enum wire_role role;
	enum delivery_type delivered;
} type_rows[] = {
	/* argocd-agent facts 2.6 */
	{ WIRE_PING, WIRE_PREFIX ".ping", "ping", WIRE_CONTROL, DELIVERY_REQUEST },
	{ WIRE_PONG, WIRE_PREFIX ".pong", "pong", WIRE_CONTROL, DELIVERY_REQUEST },
	{ WIRE_CREATE, WIRE_PREFIX ".create", "create", WIRE_PAYLOAD, DELIVERY_CREATE },
	{ WIRE_DELETE, WIRE_PREFIX ".delete", "delete", WIRE_PAYLOAD, DELIVERY_DELETE },
	{ WIRE_SPEC_UPDATE, WIRE_PREFIX ".spec-update", "spec-update", WIRE_PAYLOAD, DELIVERY_SPEC },
	{ WIRE_STATUS_UPDATE, WIRE_PREFIX ".status-update", "status-update", WIRE_PAYLOAD, DELIVERY_STATUS },
	{ WIRE_SET_OPERATION, WIRE_PREFIX ".set-operation", "set-operation", WIRE_PAYLOAD, DELIVERY_COMMAND },
	{ WIRE_TERMINATE_OPERATION, WIRE_PREFIX ".terminate-operation", "terminate-operation", WIRE_PAYLOAD,
	  DELIVERY_COMMAND },
	{ WIRE_PROCESSED, WIRE_PREFIX ".processed", "processed", WIRE_CONTROL, DELIVERY_REQUEST },
	{ WIRE_GET, WIRE_PREFIX ".get", "get", WIRE_PAYLOAD, DELIVERY_REQUEST },
	{ WIRE_RESPONSE, WIRE_PREFIX ".response", "response", WIRE_PAYLOAD, DELIVERY_REQUEST },
	{ WIRE_REDIS_REQUEST, WIRE_PREFIX ".redis-request", "redis-request", WIRE_PAYLOAD, DELIVERY_REQUEST },
	{ WIRE_REDIS_RESPONSE, WIRE_PREFIX ".redis-response", "redis-response", WIRE_PAYLOAD, DELIVERY_REQUEST },
	{ WIRE_SYNCED_LIST_REQUEST, WIRE_PREFIX ".request-synced-resource-list", "request-synced-resource-list",
	  WIRE_PAYLOAD, DELIVERY_REQUEST },
	{ WIRE_SYNCED_RESOURCE, WIRE_PREFIX ".response-synced-resource", "response-synced-resource", WIRE_PAYLOAD,
	  DELIVERY_REQUEST },
	{ WIRE_REQUEST_UPDATE, WIRE_PREFIX ".request-update", "request-update", WIRE_PAYLOAD, DELIVERY_REQUEST },
	{ WIRE_RESOURCE_RESYNC, WIRE_PREFIX ".request-resource-resync", "request-resource-resync", WIRE_PAYLOAD,
	  DELIVERY_REQUEST },
	{ WIRE_CACHE_INFO, WIRE_PREFIX ".cluster-cache-info-update", "cluster-cache-info-update", WIRE_PAYLOAD,
	  DELIVERY_REQUEST },
	{ WIRE_TERMINAL_REQUEST, WIRE_PREFIX ".terminal-request", "terminal-request", WIRE_PAYLOAD, DELIVERY_REQUEST },
	{ WIRE_ERROR, WIRE_PREFIX ".error", "error", WIRE_PAYLOAD, DELIVERY_REQUEST },
	{ WIRE_AGAIN, "io.holdfast.again", "again", WIRE_CONTROL, DELIVERY_REQUEST },
	{ WIRE_HTTP_GET, "GET", "GET", WIRE_PAYLOAD, DELIVERY_REQUEST },
	{ WIRE_HTTP_POST, "POST", "POST", WIRE_PAYLOAD, DELIVERY_REQUEST },
	{ WIRE_HTTP_PATCH, "PATCH", "PATCH", WIRE_PAYLOAD, DELIVERY_REQUEST },
	{ WIRE_HTTP_DELETE, "DELETE", "DELETE", WIRE_PAYLOAD, DELIVERY_REQUEST },
};

static void every_type_has_its_text(void **state)
{
	(void)state;
	assert_int_equal(ARRAY_LEN(type_rows), WIRE_TYPE_COUNT - 1);
	for (size_t i = 0; i < ARRAY_LEN(type_rows); i++) {
		assert_true(str_is(wire_type_text(type_rows[i].type), type_rows[i].text));
		assert_int_equal(wire_type_of(str_of(type_rows[i].text)), type_rows[i].type);
		assert_string_equal(wire_type_name(type_rows[i].type), type_rows[i].name);
		assert_int_equal(wire_role_of(type_rows[i].type), type_rows[i].role);
		assert_int_equal(wire_delivered_as(type_rows[i].type), type_rows[i].delivered);
	}
	assert_int_equal(wire_type_of(STR("create")), WIRE_UNKNOWN_TYPE);
	assert_int_equal(wire_type_of(STR(WIRE_PREFIX ".creates")), WIRE_UNKNOWN_TYPE);
	assert_int_equal(wire_type_of((struct str){ 0 }), WIRE_UNKNOWN_TYPE);
	assert_string_equal(wire_type_name(WIRE_UNKNOWN_TYPE), "unknown");
}

static const struct {
	enum wire_target target;
	const char *text, *kind;
} target_rows[] = {
	{ WIRE_TO_APPLICATION, "application", "Application" },
	{ WIRE_TO_APPPROJECT, "appproject", "AppProject" },
	{ WIRE_TO_ACK, "eventProcessed", "" },
	{ WIRE_TO_RESOURCE, "resource", "" },
	{ WIRE_TO_REDIS, "redis", "" },
	{ WIRE_TO_RESYNC, "resourceResync", "" },
	{ WIRE_TO_CACHE_INFO, "clusterCacheInfoUpdate", "" },
	{ WIRE_TO_REPOSITORY, "repository", "Repository" },
	{ WIRE_TO_GPGKEY, "gpgkey", "GPGKey" },
	{ WIRE_TO_CONTAINERLOG, "containerlog", "" },
	{ WIRE_TO_HEARTBEAT, "heartbeat", "" },
	{ WIRE_TO_TERMINAL, "terminal", "" },
	{ WIRE_TO_APPLICATIONSET, "applicationset", "ApplicationSet" },
};

static void every_target_has_its_text_and_kind(void **state)
{
	(void)state;
	assert_int_equal(ARRAY_LEN(target_rows), WIRE_TARGET_COUNT - 1);
	for (size_t i = 0; i < ARRAY_LEN(target_rows); i++) {
		struct str kind = str_of(target_rows[i].kind);

		assert_true(str_is(wire_target_text(target_rows[i].target), target_rows[i].text));
		assert_int_equal(wire_target_of(str_of(target_rows[i].text)), target_rows[i].target);
		assert_true(str_eq(wire_kind_of(target_rows[i].target), kind));
		if (kind.n)
			assert_int_equal(wire_target_of_kind(kind), target_rows[i].target);
	}
	assert_int_equal(wire_target_of(STR("unknown")), WIRE_UNKNOWN_TARGET);
	assert_int_equal(wire_target_of_kind((struct str){ 0 }), WIRE_UNKNOWN_TARGET);
	assert_int_equal(wire_target_of_kind(STR("application")), WIRE_UNKNOWN_TARGET);
}

static void the_schema_is_a_uri_the_rest_are_strings_and_data_is_there_even_when_empty(void **state)
{
	static const char expected[] = "0a5e" VERSION
				       "2225696f2e6172676f70726f6a2e6172676f63642d6167656e742e6576656e742e637265617465"
				       "2a1b0a0a64617461736368656d61120d2a0b6170706c69636174696f6e"
				       "2a110a0a7265736f75726365696412031a0172"
				       "3200";
	char bytes[sizeof(expected) / 2];
	struct str want = from_hex(expected, bytes);
	struct wire_event e = { .type = WIRE_CREATE, .target = WIRE_TO_APPLICATION, .resource_id = STR("r") };
	struct buf got = { 0 };

	(void)state;
	assert_int_equal(wire_event_encode(&e, &got), E_OK);
	assert_int_equal(got.n, want.n);
	assert_memory_equal(got.p, want.p, want.n);
	buf_release(&got);
}

static void an_unknown_type_or_target_is_kept_and_no_failure(void **state)
{
	struct wire_event e = full_event(), back;
	struct buf bytes = { 0 };

	(void)state;
	e.type = WIRE_UNKNOWN_TYPE;
	e.type_text = STR("PUT");
	e.target = WIRE_UNKNOWN_TARGET;
	e.target_text = STR("moon");
	assert_int_equal(wire_event_encode(&e, &bytes), E_OK);
	back = decoded(buf_view(&bytes));
	assert_same(&e, &back);
	buf_release(&bytes);
}

static void a_name_that_fills_the_log_is_refused_and_answered(void **state)
{
	struct wire_event e = full_event(), back;
	struct buf bytes = { 0 }, type = { 0 };
	struct why why = { 0 };

	(void)state;
	while (type.n <= WIRE_ATTRIBUTES_MAX)
		buf_str(&type, STR("type"));
	e.type = WIRE_UNKNOWN_TYPE;
	e.type_text = buf_view(&type);
	assert_int_equal(wire_event_encode(&e, &bytes), E_OK);
	assert_int_equal(wire_event_decode(buf_view(&bytes), &back, &why), E_MALFORMED);
	assert_string_equal(why.text, "too long: type");
	assert_int_equal(back.type_text.n, 0);
	assert_true(str_eq(back.resource_id, e.resource_id) && str_eq(back.event_id, e.event_id));
	buf_release(&type);
	buf_release(&bytes);
}

/* An event "r", "r_1" with so many empty fields behind it, in the CloudEvent or around it. */
static enum err decode_with_fields(size_t n, bool inside, struct why *why)
{
	struct wire_event e = full_event(), back;
	struct buf event = { 0 }, bytes = { 0 };
	struct proto_field f;
	struct proto m;
	enum err err;

	assert_int_equal(wire_event_encode(&e, &event), E_OK);
	m = proto(buf_view(&event));
	assert_true(proto_next(&m, &f));
	buf_str(&bytes, inside ? f.bytes : f.entire);
	for (size_t i = 0; i < n; i++)
		buf_lit(&bytes, "\x7a\0");
	buf_clear(&event);
	proto_add_bytes(&event, /* number= */ 1, buf_view(&bytes));
	err = wire_event_decode(buf_view(inside ? &event : &bytes), &back, why);
	assert_true(str_eq(back.resource_id, e.resource_id) && str_eq(back.event_id, e.event_id));
	buf_release(&event);
	buf_release(&bytes);
	return err;
}

/* 200 MiB of them held up everybody for as long as they took. */
static void a_message_of_very_many_fields_is_not_read_to_its_end(void **state)
{
	(void)state;
	for (int inside = 0; inside < 2; inside++) {
		struct why why = { 0 };

		assert_int_equal(decode_with_fields(WIRE_FIELDS_MAX - 100, inside, &why), E_OK);
		assert_int_equal(decode_with_fields(WIRE_FIELDS_MAX, inside, &why), E_MALFORMED);
		assert_string_equal(why.text, "it has too many fields");
	}
}

/* Messages in hex around: version 1.0, dataschema, resourceid "r", eventid "e". */
#define IDS      "2a110a0a7265736f75726365696412031a01722a0e0a076576656e74696412031a0165"
#define SCHEMA   "2a1b0a0a64617461736368656d61120d2a0b6170706c69636174696f6e"
#define SCHEMA_S "2a1b0a0a64617461736368656d61120d1a0b6170706c69636174696f6e"

static const struct {
	const char *what, *hex;
	enum err err;
} decode_rows[] = {
	{ "the least there is", "0a45" VERSION SCHEMA IDS, E_OK },
	{ "the schema of old SDKs", "0a45" VERSION SCHEMA_S IDS, E_OK },
	{ "text_data", "0a4a" VERSION SCHEMA IDS "3a037b7d20", E_OK },
	{ "unknown fields", "0a4a" VERSION SCHEMA IDS "7a00f80101", E_OK },
	{ "two events that are one", "0a05" VERSION "0a1d" SCHEMA "0a23" IDS, E_OK },
	{ "an unknown field behind it", "0a45" VERSION SCHEMA IDS "1005", E_OK },
	{ "no version", "0a40" SCHEMA IDS, E_MALFORMED },
	{ "version 0.3",
	  "0a45"
	  "1a03302e33" SCHEMA IDS,
	  E_MALFORMED },
	{ "a schema in bytes", "0a45" VERSION "2a1b0a0a64617461736368656d61120d220b6170706c69636174696f6e" IDS,
	  E_MALFORMED },
	{ "an attribute without a value", "0a4b" VERSION SCHEMA IDS "2a040a02787a", E_MALFORMED },
	{ "an attribute with an empty value", "0a4d" VERSION SCHEMA IDS "2a060a02787a1200", E_MALFORMED },
	{ "a subject that is a number", "0a54" VERSION SCHEMA IDS "2a0d0a077375626a65637412021005", E_MALFORMED },
	{ "a source that is not UTF-8", "0a48" VERSION SCHEMA IDS "1201ff", E_MALFORMED },
	{ "an id that is not UTF-8", "0a48" VERSION SCHEMA IDS "0a01ff", E_MALFORMED },
	{ "a source with a NUL", "0a49" VERSION SCHEMA IDS "12026100", E_MALFORMED },
	{ "a subject with a NUL", "0a56" VERSION SCHEMA IDS "2a0f0a077375626a65637412041a026100", E_MALFORMED },
	{ "an attribute whose name has a NUL", "0a50" VERSION SCHEMA IDS "2a090a02780012031a0161", E_MALFORMED },
	{ "text_data that is not UTF-8", "0a48" VERSION SCHEMA IDS "3a01ff", E_MALFORMED },
	{ "protobuf data", "0a47" VERSION SCHEMA IDS "4200", E_MALFORMED },
	{ "a source that is a number", "0a47" VERSION SCHEMA IDS "1005", E_MALFORMED },
	{ "a group", "0a46" VERSION SCHEMA IDS "7b", E_MALFORMED },
	{ "field number 0", "0a47" VERSION SCHEMA IDS "0000", E_MALFORMED },
	{ "a length past the end", "0a47" VERSION SCHEMA IDS "1205", E_MALFORMED },
	{ "a message cut off in its data", "0a7f" VERSION SCHEMA IDS "32407b", E_MALFORMED },
	{ "a bad order", "0a5a" VERSION SCHEMA IDS "2a130a0d686f6c64666173746f7264657212021a00", E_MALFORMED },
};

static void what_is_malformed_is_refused_and_its_ids_are_known(void **state)
{
	char bytes[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(decode_rows); i++) {
		struct wire_event e;
		struct why why = { 0 };
		enum err err = wire_event_decode(from_hex(decode_rows[i].hex, bytes), &e, &why);

		if (err != decode_rows[i].err)
			fail_msg("%s: %s %s", decode_rows[i].what, err_name(err), why.text);
		assert_int_equal(err != E_OK, why.text[0] != '\0');
		assert_true(str_is(e.resource_id, "r"));
		assert_true(str_is(e.event_id, "e"));
	}
}

static void nothing_and_noise_are_malformed(void **state)
{
	static const char *const rows[] = { "",     "0a",   "ff", "ffffffffffffffffffff01",
					    "0a00", "0801", "0b", "ffffffffffffffffff7f" };
	char bytes[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct wire_event e;

		assert_int_equal(wire_event_decode(from_hex(rows[i], bytes), &e, NULL), E_MALFORMED);
		assert_int_equal(e.resource_id.n, 0);
	}
}

static bool lies_in(struct str part, struct str whole)
{
	return part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static void assert_borrowed(const struct wire_event *e, struct str bytes)
{
	assert_true(lies_in(e->resource_id, bytes));
	assert_true(lies_in(e->event_id, bytes));
	assert_true(lies_in(e->subject, bytes));
	assert_true(lies_in(e->data, bytes));
	assert_true(lies_in(e->target_text, bytes));
}

/* In memory of exactly its size, so that the sanitizer sees one byte too many. */
static enum err decode_copy(struct str bytes)
{
	char *copy = mem_alloc(bytes.n + 1);
	char *exact = mem_realloc(copy, bytes.n ? bytes.n : 1);
	struct wire_event e;
	enum err err;

	assert_non_null(exact);
	memcpy(exact, bytes.p, bytes.n);
	err = wire_event_decode((struct str){ exact, bytes.n }, &e, NULL);
	assert_borrowed(&e, (struct str){ exact, bytes.n });
	mem_free(exact);
	return err;
}

static void no_truncation_is_taken_for_the_whole(void **state)
{
	char bytes[sizeof(python_event) / 2];
	struct str event = from_hex(python_event, bytes);

	(void)state;
	for (size_t n = 0; n < event.n; n++)
		assert_int_equal(decode_copy((struct str){ event.p, n }), E_MALFORMED);
	assert_int_equal(decode_copy(event), E_OK);
}

static void no_flipped_bit_does_harm(void **state)
{
	char bytes[sizeof(python_event) / 2];
	struct str event = from_hex(python_event, bytes);
	size_t refused = 0;

	(void)state;
	for (size_t bit = 0; bit < event.n * 8; bit++) {
		bytes[bit / 8] ^= (char)(1 << bit % 8);
		refused += decode_copy(event) != E_OK;
		bytes[bit / 8] ^= (char)(1 << bit % 8);
	}
	assert_true(refused > event.n); /* lengths, tags and UTF-8 */
}

static void a_stamp_adds_what_only_the_sending_knows(void **state)
{
	struct wire_event e = full_event(), back;
	struct buf bytes = { 0 };

	(void)state;
	e.sent_at = (struct str){ 0 };
	assert_int_equal(wire_event_encode(&e, &bytes), E_OK);
	assert_int_equal(wire_event_stamp((struct str){ 0 }, 0, &bytes), E_OK);
	back = decoded(buf_view(&bytes));
	assert_same(&e, &back);
	assert_int_equal(wire_event_stamp(STR("2026-08-20T10:00:00Z"), 12, &bytes), E_OK);
	e.sent_at = STR("2026-08-20T10:00:00Z");
	e.order = 12;
	back = decoded(buf_view(&bytes));
	assert_same(&e, &back);
	assert_int_equal(wire_event_stamp(STR("2026-08-20T10:00:05Z"), 13, &bytes), E_OK); /* the later one counts */
	back = decoded(buf_view(&bytes));
	assert_int_equal(back.order, 13);
	assert_true(str_is(back.sent_at, "2026-08-20T10:00:05Z"));
	buf_release(&bytes);
}

static void a_large_event_has_lengths_of_several_bytes(void **state)
{
	struct wire_event e = full_event(), back;
	struct buf bytes = { 0 };
	char *data = mem_alloc(300000);

	(void)state;
	assert_non_null(data);
	memset(data, 'x', 300000);
	e.data = (struct str){ data, 300000 };
	e.subject = (struct str){ data, 200 };
	assert_int_equal(wire_event_encode(&e, &bytes), E_OK);
	back = decoded(buf_view(&bytes));
	assert_same(&e, &back);
	buf_release(&bytes);
	mem_free(data);
}

static void without_room_nothing_is_appended(void **state)
{
	struct wire_event e = full_event();
	struct buf bytes = { .max = 100 }, none = { 0 };

	(void)state;
	buf_lit(&bytes, "before");
	assert_int_equal(wire_event_encode(&e, &bytes), E_LIMIT);
	assert_int_equal(bytes.n, 6);
	assert_int_equal(wire_event_stamp(STR("x"), 1, &bytes), E_LIMIT);
	mem_fail_at(1);
	assert_int_equal(wire_event_encode(&e, &none), E_NOMEM);
	mem_fail_at(0);
	buf_release(&bytes);
	buf_release(&none);
}

static void reading_allocates_nothing(void **state)
{
	char bytes[sizeof(python_event) / 2];
	struct str event = from_hex(python_event, bytes);
	struct wire_event e;

	(void)state;
	mem_fail_at(0);
	assert_int_equal(wire_event_decode(event, &e, NULL), E_OK);
	assert_int_equal(mem_count(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_of_another_protobuf_is_read),
		cmocka_unit_test(every_field_comes_back),
		cmocka_unit_test(every_type_has_its_text),
		cmocka_unit_test(every_target_has_its_text_and_kind),
		cmocka_unit_test(the_schema_is_a_uri_the_rest_are_strings_and_data_is_there_even_when_empty),
		cmocka_unit_test(an_unknown_type_or_target_is_kept_and_no_failure),
		cmocka_unit_test(a_name_that_fills_the_log_is_refused_and_answered),
		cmocka_unit_test(a_message_of_very_many_fields_is_not_read_to_its_end),
		cmocka_unit_test(what_is_malformed_is_refused_and_its_ids_are_known),
		cmocka_unit_test(nothing_and_noise_are_malformed),
		cmocka_unit_test(no_truncation_is_taken_for_the_whole),
		cmocka_unit_test(no_flipped_bit_does_harm),
		cmocka_unit_test(a_stamp_adds_what_only_the_sending_knows),
		cmocka_unit_test(a_large_event_has_lengths_of_several_bytes),
		cmocka_unit_test(without_room_nothing_is_appended),
		cmocka_unit_test(reading_allocates_nothing),
	};

	return cmocka_run_group_tests_name("wire event", tests, NULL, NULL);
}
