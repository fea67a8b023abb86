#include "auth/agent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"

static void names_are_labels(void **state)
{
	static const struct {
		const char *text;
		bool ok;
	} rows[] = {
		{ "a", true },
		{ "agent-1", true },
		{ "0", true },
		{ "123456789012345678901234567890123456789012345678901234567890123", true },
		{ "1234567890123456789012345678901234567890123456789012345678901234", false },
		{ "", false },
		{ "-a", false },
		{ "a-", false },
		{ "A", false },
		{ "a.b", false },
		{ "a_b", false },
		{ "a b", false },
		{ "a/b", false },
		{ "..", false },
		{ "\xc3\xa9", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct agent_name name = { "before" };
		bool ok = agent_name_set(&name, str_of(rows[i].text));

		if (ok != rows[i].ok || strcmp(name.text, ok ? rows[i].text : "before") != 0)
			fail_msg("'%s': %d, '%s'", rows[i].text, ok, name.text);
	}
	assert_false(agent_name_ok((struct str){ "a\0b", 3 }));
}

static void modes_are_two_words(void **state)
{
	enum agent_mode mode = AGENT_MODE_NONE;

	(void)state;
	assert_true(agent_mode_parse(STR("managed"), &mode));
	assert_int_equal(AGENT_MANAGED, mode);
	assert_true(agent_mode_parse(STR("autonomous"), &mode));
	assert_int_equal(AGENT_AUTONOMOUS, mode);
	assert_false(agent_mode_parse(STR("Managed"), &mode));
	assert_false(agent_mode_parse(STR(""), &mode));
	assert_false(agent_mode_parse(STR("managed "), &mode));
	assert_int_equal(AGENT_AUTONOMOUS, mode);
	assert_string_equal("managed", agent_mode_text(AGENT_MANAGED));
	assert_string_equal("", agent_mode_text(AGENT_MODE_NONE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_labels),
		cmocka_unit_test(modes_are_two_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
