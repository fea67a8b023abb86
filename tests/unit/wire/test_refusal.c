#include "wire/refusal.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/mem.h"

static const unsigned char random_bytes[16] = { 0 };

#define NO "holdfast does not serve this request"

static const struct {
	enum wire_type type;
	enum wire_target target;
	const char *data;
	enum wire_refusal refusal;
	const char *reply; /* the data of the event; or the whole message */
} rows[] = {
	{ WIRE_REDIS_REQUEST, WIRE_TO_REDIS,
	  "{\"uuid\":\"q\",\"connectionUuid\":\"c\",\"body\":{\"get\":{\"key\":\"k\"}}}", WIRE_REFUSE_EVENT,
	  "{\"uuid\":\"q\",\"connectionUuid\":\"c\",\"body\":{\"get\":{\"bytes\":null,\"cacheHit\":false,\"error\":"
	  "\"" NO "\"}}}" },
	{ WIRE_REDIS_REQUEST, WIRE_TO_REDIS,
	  "{\"uuid\":\"q\",\"connectionUuid\":\"c\",\"body\":{\"subscribe\":{\"channel\":\"k\"}}}", WIRE_REFUSE_EVENT,
	  "{\"uuid\":\"q\",\"connectionUuid\":\"c\",\"body\":{\"subscribeResponse\":{\"error\":\"" NO "\"}}}" },
	{ WIRE_REDIS_REQUEST, WIRE_TO_REDIS, "{\"uuid\":\"q\",\"connectionUuid\":\"c\",\"body\":{\"ping\":{}}}",
	  WIRE_REFUSE_EVENT, "{\"uuid\":\"q\",\"connectionUuid\":\"c\",\"body\":{\"pong\":{}}}" },
	{ WIRE_REDIS_REQUEST, WIRE_TO_REDIS, "{\"uuid\":\"q\"}", WIRE_REFUSE_EVENT,
	  "{\"uuid\":\"q\",\"connectionUuid\":\"\",\"body\":{}}" },
	{ WIRE_HTTP_GET, WIRE_TO_RESOURCE, "{\"uuid\":\"q\",\"name\":\"pod\"}", WIRE_REFUSE_EVENT,
	  "{\"uuid\":\"q\",\"status\":501}" },
	{ WIRE_HTTP_PATCH, WIRE_TO_RESOURCE, "{\"uuid\":\"q\"}", WIRE_REFUSE_EVENT, "{\"uuid\":\"q\",\"status\":501}" },
	{ WIRE_UNKNOWN_TYPE, WIRE_TO_RESOURCE, "{\"uuid\":\"q\"}", WIRE_REFUSE_EVENT,
	  "{\"uuid\":\"q\",\"status\":501}" },
	{ WIRE_HTTP_GET, WIRE_TO_CONTAINERLOG, "{\"uuid\":\"q\"}", WIRE_REFUSE_LOGS, "\x0a\x01q\x18\x01\x22\x24" NO },
	{ WIRE_TERMINAL_REQUEST, WIRE_TO_TERMINAL, "{\"uuid\":\"q\"}", WIRE_REFUSE_TERMINAL,
	  "\x0a\x01q\x38\x01\x42\x24" NO },
	/* unreadable data: the event id is the request's UUID too */
	{ WIRE_HTTP_GET, WIRE_TO_RESOURCE, "{", WIRE_REFUSE_EVENT, "{\"uuid\":\"q\",\"status\":501}" },
	{ WIRE_HTTP_GET, WIRE_TO_RESOURCE, "", WIRE_REFUSE_EVENT, "{\"uuid\":\"q\",\"status\":501}" },
	{ WIRE_HTTP_GET, WIRE_TO_RESOURCE, "{\"uuid\":7}", WIRE_REFUSE_EVENT, "{\"uuid\":\"q\",\"status\":501}" },
	/* the ACK is enough */
	{ WIRE_RESPONSE, WIRE_TO_RESOURCE, "{\"uuid\":\"q\"}", WIRE_REFUSE_NOTHING, "" },
	{ WIRE_REDIS_RESPONSE, WIRE_TO_REDIS, "{\"uuid\":\"q\"}", WIRE_REFUSE_NOTHING, "" },
	{ WIRE_CACHE_INFO, WIRE_TO_CACHE_INFO, "{}", WIRE_REFUSE_NOTHING, "" },
	{ WIRE_ERROR, WIRE_TO_APPLICATION, "{}", WIRE_REFUSE_NOTHING, "" },
	{ WIRE_CREATE, WIRE_TO_APPLICATIONSET, "{}", WIRE_REFUSE_NOTHING, "" },
};

static struct wire_event request(size_t i)
{
	return (struct wire_event){
		.type = rows[i].type,
		.target = rows[i].target,
		.resource_id = STR("q"),
		.event_id = STR("q"),
		.data = str_of(rows[i].data),
	};
}

static void assert_reply(const struct wire_event *request, struct str bytes, const char *data)
{
	struct wire_event e;

	assert_int_equal(wire_event_decode(bytes, &e, NULL), E_OK);
	assert_int_equal(e.type, request->target == WIRE_TO_REDIS ? WIRE_REDIS_RESPONSE : WIRE_RESPONSE);
	assert_int_equal(e.target, request->target);
	assert_true(str_is(e.event_id, "q"));
	assert_true(str_is(e.resource_id, "00000000-0000-4000-8000-000000000000"));
	assert_true(str_is(e.content_type, "application/json"));
	assert_true(str_is(e.source, "me"));
	assert_true(str_is(e.data, data));
}

static void nobody_who_asks_is_left_waiting(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct wire_event e = request(i);
		enum wire_refusal refusal;
		struct buf bytes = { 0 };

		assert_int_equal(wire_refuse(&e, STR("me"), random_bytes, &refusal, &bytes), E_OK);
		assert_int_equal(refusal, rows[i].refusal);
		if (refusal == WIRE_REFUSE_EVENT)
			assert_reply(&e, buf_view(&bytes), rows[i].reply);
		else
			assert_true(str_eq(buf_view(&bytes), str_of(rows[i].reply)));
		buf_release(&bytes);
	}
}

static void a_request_without_a_name_cannot_be_answered(void **state)
{
	struct wire_event e = { .type = WIRE_HTTP_GET, .target = WIRE_TO_RESOURCE };
	enum wire_refusal refusal;
	struct buf bytes = { 0 };

	(void)state;
	assert_int_equal(wire_refuse(&e, STR("me"), random_bytes, &refusal, &bytes), E_MALFORMED);
	assert_int_equal(refusal, WIRE_REFUSE_NOTHING);
	assert_int_equal(bytes.n, 0);
}

static void any_missing_memory_is_an_error(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum err err = E_NOMEM;

		for (long at = 1; err != E_OK && at < 100; at++) {
			struct wire_event e = request(i);
			enum wire_refusal refusal;
			struct buf bytes = { 0 };

			mem_fail_at(at);
			err = wire_refuse(&e, STR("me"), random_bytes, &refusal, &bytes);
			mem_fail_at(0);
			assert_true(err == E_OK || err == E_NOMEM);
			assert_int_equal(refusal, err == E_OK ? rows[i].refusal : WIRE_REFUSE_NOTHING);
			buf_release(&bytes);
		}
		assert_int_equal(err, E_OK);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_who_asks_is_left_waiting),
		cmocka_unit_test(a_request_without_a_name_cannot_be_answered),
		cmocka_unit_test(any_missing_memory_is_an_error),
	};

	return cmocka_run_group_tests_name("wire refusal", tests, NULL, NULL);
}
