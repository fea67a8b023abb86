#include "auth/identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "scratch.h"

static void options_are_taken_apart(void **state)
{
	static const struct {
		const char *option;
		enum auth_method method;
		enum auth_part part;
		const char *file, *header;
	} rows[] = {
		{ "userpass:/etc/users", AUTH_USERPASS, 0, "/etc/users", NULL },
		{ "userpass:a:b", AUTH_USERPASS, 0, "a:b", NULL },
		{ "mtls:subject:CN=(.+)", AUTH_MTLS, AUTH_SUBJECT, NULL, NULL },
		{ "mtls:uri:spiffe://x/(.+)", AUTH_MTLS, AUTH_URI, NULL, NULL },
		{ "mtls:CN=(.+)", AUTH_MTLS, AUTH_SUBJECT, NULL, NULL },
		{ "header:X-Agent:^(.+)$", AUTH_HEADER, 0, NULL, "x-agent" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct auth_rule rule = { 0 };
		struct why why = { 0 };

		if (auth_rule_parse(rows[i].option, &why, &rule) != E_OK)
			fail_msg("%s", why.text);
		assert_int_equal(rows[i].method, rule.method);
		assert_int_equal(rows[i].part, rule.part);
		assert_int_equal(rows[i].file != NULL, rule.file != NULL);
		assert_int_equal(rows[i].header != NULL, rule.header != NULL);
		if (rows[i].file)
			assert_string_equal(rows[i].file, rule.file);
		if (rows[i].header)
			assert_string_equal(rows[i].header, rule.header);
		assert_int_equal(rows[i].method != AUTH_USERPASS, rule.regex != NULL);
		auth_rule_release(&rule);
	}
}

static void wrong_options_teach(void **state)
{
	static const struct {
		const char *option, *story;
	} rows[] = {
		{ "",
		  "--auth: '': there is no colon; it looks like userpass:FILE, mtls:subject:REGEX, mtls:uri:REGEX or "
		  "header:NAME:REGEX" },
		{ "mtls", "--auth: 'mtls': there is no colon; it looks like userpass:FILE, mtls:subject:REGEX, "
			  "mtls:uri:REGEX or header:NAME:REGEX" },
		{ "mttls:x", "--auth: 'mttls' is no method; it looks like userpass:FILE, mtls:subject:REGEX, "
			     "mtls:uri:REGEX or header:NAME:REGEX" },
		{ "userpass:", "--auth: userpass: the file is missing, as in userpass:/etc/holdfast/users" },
		{ "mtls:", "--auth: the expression is missing, as in mtls:subject:^CN=([^,]+)" },
		{ "mtls:uri:", "--auth: the expression is missing, as in "
			       "mtls:uri:spiffe://example\\.org/agent/([^/]+)$" },
		{ "mtls:CN=.+", "--auth: 'CN=.+' has no group: what the first (...) matches is the agent's name, as in "
				"mtls:subject:^CN=([^,]+)" },
		{ "mtls:CN=(.+", "--auth: 'CN=(.+': the regular expression is not valid: missing closing parenthesis" },
		{ "header:x", "--auth: the expression is missing, as in header:x-forwarded-client-cert:CN=([^,;]+)" },
		{ "header::(.+)",
		  "--auth: '' is no name of a header, as in header:x-forwarded-client-cert:CN=([^,;]+)" },
		{ "header:a b:(.+)",
		  "--auth: 'a b' is no name of a header, as in header:x-forwarded-client-cert:CN=([^,;]+)" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct auth_rule rule = { 0 };
		struct why why = { 0 };

		assert_int_equal(E_CONFIG, auth_rule_parse(rows[i].option, &why, &rule));
		assert_string_equal(rows[i].story, why.text);
	}
}

/* The agent's name, or the story in `why`. */
static const char *agent_of(const char *option, const struct tls_peer *peer, const char *header, struct why *why)
{
	static struct agent_name agent;
	struct auth_rule rule;
	enum err err;

	assert_int_equal(E_OK, auth_rule_parse(option, why, &rule));
	err = rule.method == AUTH_MTLS ? auth_rule_peer(&rule, peer, why, &agent)
				       : auth_rule_header(&rule, str_of(header), why, &agent);
	auth_rule_release(&rule);
	if (err == E_OK)
		return agent.text;
	assert_int_equal(E_UNAUTHENTICATED, err);
	return NULL;
}

static void group_one_is_the_agent(void **state)
{
	char *uris[] = { (char *)"https://example.org", (char *)"spiffe://x/agent/two",
			 (char *)"spiffe://x/agent/three" };
	const struct tls_peer peer = { .subject = (char *)"CN=agent-1,O=Big Corp",
				       .common_name = (char *)"agent-1",
				       .uris = uris,
				       .uri_count = ARRAY_LEN(uris) };
	static const struct {
		const char *option, *header, *agent, *story;
	} rows[] = {
		{ "mtls:subject:^CN=([^,]+)", "", "agent-1", NULL },
		{ "mtls:^CN=([^,]+)", "", "agent-1", NULL },
		{ "mtls:subject:O=(.+)", "", NULL,
		  "'Big Corp' is no name of an agent: 1 to 63 lower-case letters, digits and '-' inside" },
		{ "mtls:subject:^O=(.+)", "", NULL,
		  "the certificate's subject 'CN=agent-1,O=Big Corp' does not match" },
		{ "mtls:subject:CN=agent-1|(x)", "", NULL,
		  "'' is no name of an agent: 1 to 63 lower-case letters, digits and '-' inside" },
		{ "mtls:uri:^spiffe://x/agent/([^/]+)$", "", "two", NULL },
		{ "mtls:uri:^spiffe://y/([^/]+)$", "", NULL, "none of the certificate's 3 URIs matches" },
		{ "header:x-agent:^CN=([^;]+)", "CN=four;x", "four", NULL },
		{ "header:x-agent:^CN=([^;]+)", "", NULL, "the header 'x-agent' was not sent" },
		{ "header:x-agent:^CN=([^;]+)", "nobody", NULL, "the header 'x-agent' does not match: 'nobody'" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct why why = { 0 };
		const char *agent = agent_of(rows[i].option, &peer, rows[i].header, &why);

		if (!agent != !rows[i].agent || (agent && strcmp(agent, rows[i].agent) != 0))
			fail_msg("'%s': '%s' (%s)", rows[i].option, agent ? agent : "", why.text);
		if (!agent)
			assert_string_equal(rows[i].story, why.text);
	}
}

static void without_a_certificate_there_is_no_agent(void **state)
{
	const struct tls_peer none = { .subject = (char *)"", .common_name = (char *)"" };
	struct why why = { 0 };

	(void)state;
	assert_null(agent_of("mtls:^CN=([^,]+)", NULL, "", &why));
	assert_string_equal("no client certificate was shown", why.text);
	assert_null(agent_of("mtls:^CN=([^,]+)", &none, "", &why));
	assert_null(agent_of("mtls:uri:(.+)", &none, "", &why));
}

static void the_agents_side_is_taken_apart(void **state)
{
	static const struct {
		const char *option, *story;
		enum auth_method method;
	} rows[] = {
		{ "userpass:/x", NULL, AUTH_USERPASS },
		{ "mtls:any", NULL, AUTH_MTLS },
		{ "header:", NULL, AUTH_HEADER },
		{ "mtls:subject:x",
		  "--creds: 'mtls:subject:x': the principal decides what it reads of a certificate; say mtls:any", 0 },
		{ "header:x", "--creds: 'header:x': the proxy adds the header; say header:", 0 },
		{ "userpass:", "--creds: userpass: the file is missing, as in userpass:/etc/holdfast/users", 0 },
		{ "token:x", "--creds: 'token' is no method; it looks like userpass:FILE, mtls:any or header:", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct auth_creds creds = { 0 };
		struct why why = { 0 };

		if (auth_creds_parse(rows[i].option, &why, &creds) == E_OK)
			assert_int_equal(rows[i].method, creds.method);
		else
			assert_string_equal(rows[i].story, why.text);
		auth_creds_release(&creds);
	}
}

static void name_and_password_come_from_the_first_line(void **state)
{
	static const struct {
		const char *text, *name, *password;
	} rows[] = {
		{ "agent-1:secret\nmore", "agent-1", "secret" },
		{ "agent-1:se:cr et\r\n", "agent-1", "se:cr et" },
		{ "a:b", "a", "b" },
		{ "", NULL, NULL },
		{ "agent-1", NULL, NULL },
		{ "agent-1:\n", NULL, NULL },
		{ ":secret", NULL, NULL },
		{ "Agent:secret", NULL, NULL },
	};
	struct auth_creds creds;

	(void)state;
	creds = (struct auth_creds){ .file = (char *)scratch_path("creds") };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct auth_login login = { 0 };
		struct why why = { 0 };

		(void)scratch_file("creds", rows[i].text);
		creds.file = (char *)scratch_path("creds");
		if (auth_login_read(&creds, &why, &login) == E_OK) {
			assert_string_equal(rows[i].name, login.name.text);
			assert_string_equal(rows[i].password, login.password);
		} else {
			assert_null(rows[i].name);
			assert_non_null(strstr(why.text, "the first line is not name:password"));
		}
		auth_login_release(&login);
	}
	creds.file = (char *)scratch_path("none");
	assert_int_equal(E_CONFIG, auth_login_read(&creds, NULL, NULL));
}

static void a_failing_allocation_is_an_error(void **state)
{
	static const char *const options[] = { "userpass:/x", "mtls:CN=(.+)", "header:x:(.+)" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		struct auth_rule rule = { 0 };
		struct why why = { 0 };
		long n = 1;
		enum err err;

		do {
			mem_fail_at(n++);
			err = auth_rule_parse(options[i], &why, &rule);
			mem_fail_at(0);
			assert_true(err == E_OK || err == E_NOMEM);
		} while (err != E_OK);
		assert_true(n > 2);
		auth_rule_release(&rule);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_are_taken_apart),
		cmocka_unit_test(wrong_options_teach),
		cmocka_unit_test(group_one_is_the_agent),
		cmocka_unit_test(without_a_certificate_there_is_no_agent),
		cmocka_unit_test(the_agents_side_is_taken_apart),
		cmocka_unit_test(name_and_password_come_from_the_first_line),
		cmocka_unit_test(a_failing_allocation_is_an_error),
	};
	return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
