#include "rpc/pb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"

/* Of generated files, whose headers are rpc's own. */
extern const ProtobufCMessageDescriptor grpc__health__v1__health_check_request__descriptor;
extern const ProtobufCMessageDescriptor grpc__reflection__v1__file_descriptor_response__descriptor;
extern const ProtobufCMessageDescriptor grpc__reflection__v1__server_reflection_request__descriptor;

static enum err reads(const ProtobufCMessageDescriptor *type, struct str bytes)
{
	ProtobufCMessage *message = NULL;
	enum err err = pb_read(type, bytes, &message);

	pb_free(message);
	return err;
}

static void a_string_is_text_at_any_depth(void **state)
{
	static const struct {
		const char *what;
		const ProtobufCMessageDescriptor *type;
		struct str bytes;
		enum err err;
	} rows[] = {
		{ "none", &grpc__health__v1__health_check_request__descriptor, STR(""), E_OK },
		{ "one", &grpc__health__v1__health_check_request__descriptor, STR("\12\3a/b"), E_OK },
		{ "a NUL behind it", &grpc__health__v1__health_check_request__descriptor, STR("\12\3ab\0"),
		  E_MALFORMED },
		{ "a NUL in the first of two", &grpc__health__v1__health_check_request__descriptor,
		  STR("\12\2a\0\12\1a"), E_MALFORMED },
		{ "not UTF-8", &grpc__health__v1__health_check_request__descriptor, STR("\12\1\377"), E_MALFORMED },
		{ "another field", &grpc__health__v1__health_check_request__descriptor, STR("\172\2a\0"), E_OK },
		{ "bytes", &grpc__reflection__v1__file_descriptor_response__descriptor, STR("\12\2a\0"), E_OK },
		{ "inside a message", &grpc__reflection__v1__server_reflection_request__descriptor, STR("\52\3\12\1a"),
		  E_OK },
		{ "a NUL inside a message", &grpc__reflection__v1__server_reflection_request__descriptor,
		  STR("\52\4\12\2a\0"), E_MALFORMED },
		{ "cut off behind a NUL", &grpc__health__v1__health_check_request__descriptor, STR("\12\2a\0\12"),
		  E_MALFORMED },
		{ "a tag of more than 32 bits, which would hide what follows",
		  &grpc__health__v1__health_check_request__descriptor, STR("\372\377\377\377\177\0\12\2a\0"),
		  E_MALFORMED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (reads(rows[i].type, rows[i].bytes) != rows[i].err)
			fail_msg("%s", rows[i].what);
}

static void a_missing_allocation_is_an_error(void **state)
{
	(void)state;
	mem_fail_at(1);
	assert_int_equal(reads(&grpc__health__v1__health_check_request__descriptor, STR("\12\1a")), E_NOMEM);
	mem_fail_at(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_string_is_text_at_any_depth),
		cmocka_unit_test(a_missing_allocation_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
