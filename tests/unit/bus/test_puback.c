/* clang-format off */
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "base/mem.h"
#include "bus/js_sync.h"
#include "bus/puback.h"

static void answers_are_read_as_what_they_promise(void **state)
{
	static const struct {
		struct str json;
		enum err err;
		uint64_t seq;
		bool duplicate;
		bool stream_gone;
	} rows[] = {
		{ STR("{\"stream\":\"default\", \"seq\":7}"), E_OK, 7, false, false },
		{ STR("{\"stream\":\"default\",\"seq\":7}"), E_OK, 7, false, false },
		{ STR("{\"stream\":\"default\", \"seq\":7,\"duplicate\": true}"), E_OK, 7, true, false },
		{ STR("{\"stream\":\"default\",\"seq\":7,\"domain\":\"hub\"}"), E_OK, 7, false, false },
		{ STR("{\"stream\":\"default\",\"domain\":\"hub\",\"seq\":7,\"duplicate\":true}"), E_OK, 7, true,
		  false },
		{ STR("{\"stream\":\"a\\\"b\",\"seq\":7}"), E_OK, 7, false, false },
		{ STR("{\"stream\":\"default\",\"seq\":0}"), E_UNAVAILABLE, 0, false, false },
		{ STR("{\"stream\":\"\",\"seq\":7}"), E_UNAVAILABLE, 0, false, false },
		{ STR("{\"seq\":7}"), E_UNAVAILABLE, 0, false, false },
		{ STR("{\"stream\":\"default\",\"seq\":7"), E_UNAVAILABLE, 0, false, false },
		{ STR("{}"), E_UNAVAILABLE, 0, false, false },
		{ STR("[]"), E_UNAVAILABLE, 0, false, false },
		{ STR("+OK"), E_UNAVAILABLE, 0, false, false },
		{ STR("{\"stream\":\"default\",\"seq\":7} "), E_OK, 7, false, false },
		{ STR("{\"stream\":\"default\",\"seq\":7}}"), E_UNAVAILABLE, 0, false, false },
		{ STR("{\"stream\":\"default\",\"seq\":7}{\"error\":{}}"), E_UNAVAILABLE, 0, false, false },
		{ STR(""), E_UNAVAILABLE, 0, false, false },
		{ STR("{\"error\":{\"code\":400,\"err_code\":10054,\"description\":\"message size exceeds maximum "
		      "allowed\"},"
		      "\"stream\":\"default\",\"seq\":0}"),
		  E_LIMIT, 0, false, false },
		{ STR("{\"error\":{\"code\":400,\"err_code\":10097}}"), E_LIMIT, 0, false, false },
		{ STR("{\"error\":{\"code\":404,\"err_code\":10059,\"description\":\"stream not found\"}}"),
		  E_UNAVAILABLE, 0, false, true },
		{ STR("{\"error\":{\"code\":503,\"err_code\":10077,\"description\":\"maximum messages exceeded\"}}"),
		  E_UNAVAILABLE, 0, false, false },
		{ STR("{\"error\":{\"code\":503,\"err_code\":10023,\"description\":\"insufficient resources\"}}"),
		  E_UNAVAILABLE, 0, false, false },
		{ STR("{\"error\":{},\"stream\":\"default\",\"seq\":9}"), E_UNAVAILABLE, 0, false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct puback ack;
		struct why why = { 0 };

		assert_int_equal(puback_parse(rows[i].json, &ack, &why), rows[i].err);
		assert_int_equal(ack.stream_gone, rows[i].stream_gone);
		assert_true(rows[i].err == E_OK || why.text[0]);
		if (rows[i].err)
			continue;
		assert_int_equal(ack.seq, rows[i].seq);
		assert_int_equal(ack.duplicate, rows[i].duplicate);
	}
}

/* No byte of an ack may be lost on the way and leave an ack. */
static void a_cut_ack_is_no_ack(void **state)
{
	struct str whole = STR("{\"stream\":\"default\",\"seq\":1234567,\"duplicate\":true}");

	(void)state;
	for (size_t n = 0; n < whole.n; n++) {
		struct puback ack;

		assert_int_equal(puback_parse(str_sub(whole, 0, n), &ack, NULL), E_UNAVAILABLE);
	}
}

static void reports_of_servers_old_and_new_are_understood(void **state)
{
	static const struct {
		struct str json;
		enum bus_sync sync;
	} rows[] = {
		/* 2.9.10 */
		{ STR("{\"server_id\":\"N\",\"config\":{\"max_memory\":1,\"max_storage\":2,\"store_dir\":\"/"
		      "x\"},\"memory\":0}"),
		  BUS_SYNC_UNKNOWN },
		/* 2.10 and later */
		{ STR("{\"config\":{\"max_memory\":1,\"sync_interval\":120000000000}}"), BUS_SYNC_LATER },
		{ STR("{\"config\":{\"sync_interval\":120000000000,\"sync_always\":true}}"), BUS_SYNC_ALWAYS },
		{ STR("{\"server\":{},\"data\":{\"config\":{\"sync_always\":true}}}"), BUS_SYNC_ALWAYS },
		{ STR("{\"server\":{},\"error\":{\"code\":403}}"), BUS_SYNC_UNKNOWN },
		{ STR("{\"config\":{\"sync_always\":\"true\"}}"), BUS_SYNC_UNKNOWN },
		{ STR("{\"config\":{\"sync_always\":false}}"), BUS_SYNC_UNKNOWN },
		{ STR("{\"config\":{\"sync_interval\":1,\"sync_always\":false}}"), BUS_SYNC_LATER },
		{ STR("{\"config\":[]}"), BUS_SYNC_UNKNOWN },
		{ STR("[1]"), BUS_SYNC_UNKNOWN },
		{ STR("{"), BUS_SYNC_UNKNOWN },
		{ STR(""), BUS_SYNC_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(js_sync_parse(rows[i].json), rows[i].sync);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_read_as_what_they_promise),
		cmocka_unit_test(a_cut_ack_is_no_ack),
		cmocka_unit_test(reports_of_servers_old_and_new_are_understood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
