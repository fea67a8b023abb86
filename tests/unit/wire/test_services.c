#include "wire/services.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "auth.pb-c.h"
#include "base/mem.h"
#include "rpc/symbols.h"
#include "version.pb-c.h"

static const struct rpc_file *const files[] = {
	&wire_file_auth,           &wire_file_version,     &wire_file_eventstream, &wire_file_logstream,
	&wire_file_terminalstream, &wire_file_cloudevents, &wire_file_any,         &wire_file_timestamp,
};

static const char *const names[] = {
	WIRE_AUTH_SERVICE,
	WIRE_AUTH_SERVICE ".Authenticate",
	WIRE_AUTH_SERVICE ".RefreshToken",
	WIRE_VERSION_SERVICE ".Version",
	WIRE_EVENTS_SERVICE ".Subscribe",
	WIRE_EVENTS_SERVICE ".Push",
	WIRE_EVENTS_SERVICE ".Ping",
	WIRE_LOGS_SERVICE ".StreamLogs",
	WIRE_TERMINAL_SERVICE ".StreamTerminal",
	"io.cloudevents.v1.CloudEvent.CloudEventAttributeValue",
	"google.protobuf.Any",
};

static void reflection_knows_every_service_and_all_it_imports(void **state)
{
	struct symbols s = { 0 };
	const struct rpc_file *closure[8];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		assert_int_equal(symbols_add(&s, files[i]), E_OK);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_non_null(symbols_of_name(&s, str_of(names[i])));
	assert_int_equal(symbols_closure(&s, symbols_of_name(&s, STR(WIRE_EVENTS_SERVICE)), closure, 8), 4);
	symbols_release(&s);
}

/* Facts 1.1: the numbers are the contract. */
static void fields_have_their_numbers(void **state)
{
	static const struct {
		const ProtobufCMessageDescriptor *type;
		const char *field;
		unsigned number;
	} rows[] = {
		{ &authapi__auth_request__descriptor, "method", 1 },
		{ &authapi__auth_request__descriptor, "credentials", 2 },
		{ &authapi__auth_request__descriptor, "mode", 3 },
		{ &authapi__auth_request__descriptor, "version", 4 },
		{ &authapi__auth_request__descriptor, "agentNamespace", 5 },
		{ &authapi__auth_response__descriptor, "accessToken", 1 },
		{ &authapi__auth_response__descriptor, "refreshToken", 2 },
		{ &authapi__auth_response__descriptor, "version", 3 },
		{ &authapi__auth_response__descriptor, "principalNamespace", 4 },
		{ &authapi__refresh_token_request__descriptor, "refreshToken", 1 },
		{ &versionapi__version_response__descriptor, "version", 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field_by_name(rows[i].type,
												    rows[i].field);

		assert_non_null(f);
		assert_int_equal(f->id, rows[i].number);
	}
}

static void a_push_is_summed_up(void **state)
{
	static const char expected[] = "\x0a\x02ok\x10\xac\x02\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
	struct buf bytes = { 0 };

	(void)state;
	wire_push_summary(STR("ok"), 300, -1, &bytes);
	assert_int_equal(bytes.n, sizeof(expected) - 1);
	assert_memory_equal(bytes.p, expected, bytes.n);
	buf_clear(&bytes);
	wire_push_summary((struct str){ 0 }, 0, 0, &bytes);
	assert_int_equal(bytes.n, 0);
	buf_release(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reflection_knows_every_service_and_all_it_imports),
		cmocka_unit_test(fields_have_their_numbers),
		cmocka_unit_test(a_push_is_summed_up),
	};

	return cmocka_run_group_tests_name("wire services", tests, NULL, NULL);
}
