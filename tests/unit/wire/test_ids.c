#include "wire/ids.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/mem.h"

static const struct {
	enum wire_type type;
	const char *name, *uid, *version, *event_id;
} rows[] = {
	{ WIRE_CREATE, "guestbook", "6fd1", "42", "guestbook_6fd1_42" },
	{ WIRE_DELETE, "guestbook", "6fd1", "42", "guestbook_6fd1_42.delete" },
	{ WIRE_DELETE, "guestbook", "6fd1", "", "guestbook_6fd1_.delete" }, /* of an orphan: facts 2.7 */
	{ WIRE_SPEC_UPDATE, "a_b", "u", "1", "a_b_u_1" },
	{ WIRE_STATUS_UPDATE, "a.b", "u", "1", "a.b_u_1" },
	{ WIRE_SET_OPERATION, "guestbook", "6fd1", "42", "guestbook_6fd1_42.set-operation" },
	{ WIRE_TERMINATE_OPERATION, "guestbook", "6fd1", "42", "guestbook_6fd1_42.terminate-operation" },
};

static void ids_are_put_together_and_taken_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str name = str_of(rows[i].name), uid = str_of(rows[i].uid), version = str_of(rows[i].version);
		struct wire_id id;
		struct buf b = { 0 };

		wire_event_id(rows[i].type, name, uid, version, &b);
		assert_true(str_is(buf_view(&b), rows[i].event_id));
		assert_true(wire_event_id_parse(buf_view(&b), &id));
		assert_true(str_eq(id.name, name));
		assert_true(str_eq(id.uid, uid));
		assert_true(str_eq(id.version, version));
		assert_true(id.word.n == 0 || str_is(id.word, wire_type_name(rows[i].type)));
		buf_clear(&b);
		wire_resource_id(name, uid, &b);
		assert_true(wire_resource_id_parse(buf_view(&b), &id));
		assert_true(str_eq(id.name, name));
		assert_true(str_eq(id.uid, uid));
		buf_release(&b);
	}
}

/* An answer of upstream's names nothing but the ids: that to a spec must not end the deletion behind it. */
static void what_may_be_in_flight_beside_a_spec_is_told_from_it(void **state)
{
	static const enum wire_type types[] = { WIRE_DELETE, WIRE_SET_OPERATION, WIRE_TERMINATE_OPERATION };
	struct buf spec = { 0 };

	(void)state;
	wire_event_id(WIRE_SPEC_UPDATE, STR("a"), STR("u"), STR("1"), &spec);
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct buf other = { 0 };

		wire_event_id(types[i], STR("a"), STR("u"), STR("1"), &other);
		assert_false(str_eq(buf_view(&spec), buf_view(&other)));
		buf_release(&other);
	}
	buf_release(&spec);
}

static void what_is_no_id_is_refused(void **state)
{
	static const char *const resources[] = { "", "name", "_uid", "0f0e-11" };
	static const char *const events[] = { "", "name", "name_uid", "_uid_1", "__" };
	struct wire_id id;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(resources); i++)
		assert_false(wire_resource_id_parse(str_of(resources[i]), &id));
	for (size_t i = 0; i < ARRAY_LEN(events); i++)
		assert_false(wire_event_id_parse(str_of(events[i]), &id));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_are_put_together_and_taken_apart),
		cmocka_unit_test(what_may_be_in_flight_beside_a_spec_is_told_from_it),
		cmocka_unit_test(what_is_no_id_is_refused),
	};

	return cmocka_run_group_tests_name("wire ids", tests, NULL, NULL);
}
