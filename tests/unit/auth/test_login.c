#include "auth/login.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "scratch.h"

#define NOW 1800000000000LL
#define FPA "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define FPB "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"

/* The three methods. */
enum { USERPASS, MTLS, HEADER, RULES };

static struct auth_rule auth[RULES];
static struct passwords *users;
static struct blocklist *blocked;
static struct patterns *accepted;
static struct jwt_keys *keys;

static const struct tls_peer certs[] = {
	{ .subject = (char *)"CN=agent-1", .common_name = (char *)"agent-1", .fingerprint = FPA },
	{ .subject = (char *)"CN=agent-2", .common_name = (char *)"agent-2", .fingerprint = FPA },
	{ .subject = (char *)"CN=agent-1", .common_name = (char *)"agent-1", .fingerprint = FPB }, /* blocked */
	{ .subject = (char *)"CN=argocd",
	  .common_name = (char *)"argocd",
	  .fingerprint = FPA }, /* the principal's namespace */
	{ .subject = (char *)"CN=No Label", .common_name = (char *)"No Label", .fingerprint = FPA },
};

static int begin(void **state)
{
	static const char *const options[RULES] = { "userpass:x", "mtls:^CN=([^,]+)", "header:x-agent:^([^;]+)" };
	struct problems problems = { 0 };

	if (scratch_begin(state) != 0)
		return 1;
	for (size_t i = 0; i < RULES; i++)
		assert_int_equal(E_OK, auth_rule_parse(options[i], NULL, &auth[i]));
	assert_int_equal(
		E_OK,
		passwords_open(
			scratch_file("users", "agent-1:$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n"),
			&problems, &users));
	assert_int_equal(E_OK, blocklist_open(scratch_file("blocked", FPB "\n"), NULL, &problems, &blocked));
	assert_int_equal(E_OK, patterns_new(STR("0.8.*"), NULL, &accepted));
	return jwt_keys_generate(NULL, &keys) == E_OK ? 0 : 1;
}

static int end(void **state)
{
	for (size_t i = 0; i < RULES; i++)
		auth_rule_release(&auth[i]);
	passwords_free(users);
	blocklist_free(blocked);
	patterns_free(accepted);
	jwt_keys_free(keys);
	return scratch_end(state);
}

static struct login_rules rules_of(int method)
{
	return (struct login_rules){ .auth = &auth[method],
				     .passwords = users,
				     .blocklist = blocked,
				     .version = STR("0.9.0"),
				     .principal_namespace = STR("argocd") };
}

static void refusals_come_in_upstreams_order(void **state)
{
	static const struct {
		int method;
		const char *mode, *said, *version;
		int cert; /* -1: none */
		enum rpc_code code;
		const char *text, *story;
	} rows[] = {
		/* The mode is first, whatever else is wrong. */
		{ MTLS, "", "userpass", "", -1, RPC_UNKNOWN, "unknown or missing operation mode: ''",
		  "unknown or missing operation mode: ''" },
		{ MTLS, "root", "mtls", "0.9.0", 0, RPC_UNKNOWN, "unknown or missing operation mode: 'root'",
		  "unknown or missing operation mode: 'root'" },
		{ MTLS, "managed", "userpass", "", -1, RPC_UNAUTHENTICATED, "authentication failed",
		  "the method is 'userpass', but --auth says 'mtls'" },
		{ MTLS, "managed", "", "", -1, RPC_UNAUTHENTICATED, "authentication failed",
		  "the method is '', but --auth says 'mtls'" },
		{ MTLS, "managed", "mtls", "", -1, RPC_UNAUTHENTICATED, "authentication failed",
		  "no client certificate was shown" },
		{ MTLS, "managed", "mtls", "", 2, RPC_UNAUTHENTICATED, "authentication failed",
		  "the certificate " FPB " is blocked" },
		{ MTLS, "managed", "mtls", "", 3, RPC_UNAUTHENTICATED, "authentication failed",
		  "'argocd' is the principal's own namespace" },
		{ MTLS, "managed", "mtls", "", 4, RPC_UNAUTHENTICATED, "authentication failed",
		  "'No Label' is no name of an agent: 1 to 63 lower-case letters, digits and '-' inside" },
		{ HEADER, "managed", "header", "", 0, RPC_UNAUTHENTICATED, "authentication failed",
		  "the header 'x-agent' was not sent" },
		{ MTLS, "managed", "mtls", "", 0, RPC_INVALID_ARGUMENT, "agent version is required",
		  "the agent says no version" },
		{ MTLS, "managed", "mtls", "0.8.1", 0, RPC_FAILED_PRECONDITION, "version mismatch",
		  "the agent's version '0.8.1' is not ours, '0.9.0'; --accept-version '0.8.1' would let it in" },
		{ MTLS, "managed", "mtls", "0.9.0", 0, RPC_OK, "", "" },
		{ MTLS, "autonomous", "mtls", "0.9.0", 0, RPC_OK, "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct login_rules rules = rules_of(rows[i].method);
		const struct login_peer peer = { .cert = rows[i].cert < 0 ? NULL : &certs[rows[i].cert] };
		const struct login_request request = { .method = str_of(rows[i].said),
						       .mode = str_of(rows[i].mode),
						       .version = str_of(rows[i].version) };
		struct login_answer a;

		login_begin(&rules, &request, &peer, &a);
		if (a.code != rows[i].code || strcmp(a.text, rows[i].text) != 0 ||
		    strcmp(a.why.text, rows[i].story) != 0)
			fail_msg("row %zu: %s, '%s', '%s'", i, rpc_code_name(a.code), a.text, a.why.text);
		assert_int_equal(a.code == RPC_OK ? LOGIN_ACCEPTED : LOGIN_REFUSED, a.step);
		if (a.code == RPC_OK)
			assert_string_equal("agent-1", a.agent.text);
	}
}

static void versions_are_equal_or_accepted(void **state)
{
	static const struct {
		const char *version;
		bool exact, listed;
	} rows[] = {
		{ "0.9.0", true, true },   { "0.8.7", false, true },   { "0.8", false, false },
		{ "0.9.1", false, false }, { "0.9.0 ", false, false },
	};
	const struct login_peer peer = { .cert = &certs[0] };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct login_request request = { .method = STR("mtls"),
						       .mode = STR("managed"),
						       .version = str_of(rows[i].version) };
		struct login_rules rules = rules_of(MTLS);
		struct login_answer a;

		login_begin(&rules, &request, &peer, &a);
		assert_int_equal(rows[i].exact, a.step == LOGIN_ACCEPTED);
		rules.accept = accepted;
		login_begin(&rules, &request, &peer, &a);
		assert_int_equal(rows[i].listed, a.step == LOGIN_ACCEPTED);
	}
}

static void a_password_is_checked_before_the_version(void **state)
{
	static const struct {
		const char *name, *version;
		enum err checked;
		enum rpc_code code;
		const char *story;
	} rows[] = {
		{ "agent-1", "0.9.0", E_OK, RPC_OK, "" },
		{ "agent-1", "", E_OK, RPC_INVALID_ARGUMENT, "the agent says no version" },
		{ "agent-1", "", E_UNAUTHENTICATED, RPC_UNAUTHENTICATED, "no such user, or a wrong password" },
		{ "agent-1", "0.9.0", E_BUSY, RPC_UNAVAILABLE, "too many passwords wait for their check" },
		{ "agent-1", "0.9.0", E_NOMEM, RPC_UNAVAILABLE, "check the password: out of memory" },
		{ "No Label", "0.9.0", E_UNAUTHENTICATED, RPC_UNAUTHENTICATED, "no such user, or a wrong password" },
		{ "No Label", "0.9.0", E_OK, RPC_UNAUTHENTICATED, "no such user, or a wrong password" },
		{ "", "0.9.0", E_OK, RPC_UNAUTHENTICATED, "no such user, or a wrong password" },
	};
	const struct login_rules rules = rules_of(USERPASS);
	const struct login_peer peer = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct login_request request = { .method = STR("userpass"),
						       .mode = STR("managed"),
						       .version = str_of(rows[i].version),
						       .client_id = str_of(rows[i].name),
						       .client_secret = STR("secret-word") };
		struct login_answer a;

		login_begin(&rules, &request, &peer, &a);
		assert_int_equal(LOGIN_PASSWORD, a.step);
		login_end(&rules, &request, rows[i].checked, &a);
		if (a.code != rows[i].code || strcmp(a.why.text, rows[i].story) != 0)
			fail_msg("row %zu: %s, '%s'", i, rpc_code_name(a.code), a.why.text);
		assert_int_equal(a.code == RPC_OK ? LOGIN_ACCEPTED : LOGIN_REFUSED, a.step);
		assert_null(strstr(a.text, "secret-word"));
	}
}

static void a_common_name_must_be_the_agents_when_that_is_asked_for(void **state)
{
	const struct login_request request = {
		.method = STR("userpass"), .mode = STR("managed"), .version = STR("0.9.0"), .client_id = STR("agent-1")
	};
	struct login_rules rules = rules_of(USERPASS);
	struct login_peer peer = { .cert = &certs[1] };
	struct login_answer a;

	(void)state;
	login_begin(&rules, &request, &peer, &a);
	assert_int_equal(LOGIN_PASSWORD, a.step);
	rules.subject_match = true;
	login_begin(&rules, &request, &peer, &a);
	assert_int_equal(LOGIN_REFUSED, a.step);
	assert_string_equal("the certificate's common name 'agent-2' is not the agent's", a.why.text);
	peer.cert = NULL;
	login_begin(&rules, &request, &peer, &a);
	assert_int_equal(LOGIN_REFUSED, a.step);
	peer.cert = &certs[0];
	login_begin(&rules, &request, &peer, &a);
	assert_int_equal(LOGIN_PASSWORD, a.step);
}

static struct buf token_of(const char *name, enum jwt_use use, int64_t now_ms)
{
	struct agent_name agent;
	struct buf token = { 0 };

	assert_true(agent_name_set(&agent, str_of(name)));
	assert_int_equal(E_OK, jwt_issue(keys, use, &agent, AGENT_AUTONOMOUS, now_ms,
					 (const unsigned char *)"0123456789abcdef", &token));
	return token;
}

/* What upstream checks at the login only holds at every refresh and every call. */
static void rights_that_are_gone_end_tokens_too(void **state)
{
	static const struct {
		int method;
		const char *agent;
		int cert;
		const char *header;
		const char *story; /* NULL: let in */
	} rows[] = {
		{ USERPASS, "agent-1", -1, "", NULL },
		{ USERPASS, "agent-2", -1, "", "no user of this name any more" },
		{ USERPASS, "agent-1", 2, "", "the certificate " FPB " is blocked" },
		{ USERPASS, "argocd", -1, "", "'argocd' is the principal's own namespace" },
		{ MTLS, "agent-1", 0, "", NULL },
		{ MTLS, "agent-1", 1, "", "the peer is 'agent-2'" },
		{ MTLS, "agent-1", 2, "", "the certificate " FPB " is blocked" },
		{ MTLS, "agent-1", -1, "", "no client certificate was shown" },
		{ HEADER, "agent-1", -1, "agent-1;x", NULL },
		{ HEADER, "agent-1", -1, "", NULL },
		{ HEADER, "agent-1", -1, "agent-2;x", "the peer is 'agent-2'" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct login_rules rules = rules_of(rows[i].method);
		const struct login_peer peer = { .cert = rows[i].cert < 0 ? NULL : &certs[rows[i].cert],
						 .header = str_of(rows[i].header) };
		struct buf access = token_of(rows[i].agent, JWT_ACCESS, NOW);
		struct buf refresh = token_of(rows[i].agent, JWT_REFRESH, NOW);
		struct login_answer called, refreshed;
		struct jwt_claims claims = { 0 };
		struct agent_name agent;
		struct why why = { 0 };
		bool ok = !rows[i].story;

		login_call(&rules, keys, buf_view(&access), &peer, NOW, &called);
		login_refresh(&rules, keys, buf_view(&refresh), &peer, NOW, &refreshed, &claims);
		(void)agent_name_set(&agent, str_of(rows[i].agent));
		if (ok != (called.step == LOGIN_ACCEPTED) || ok != (refreshed.step == LOGIN_ACCEPTED) ||
		    ok != login_still(&rules, &agent, &peer, &why))
			fail_msg("row %zu: %s, %s, %s", i, called.why.text, refreshed.why.text, why.text);
		if (ok) {
			assert_int_equal(AGENT_AUTONOMOUS, called.mode);
			assert_string_equal(rows[i].agent, claims.agent.text);
		} else {
			assert_int_equal(RPC_UNAUTHENTICATED, called.code);
			assert_string_equal("invalid authentication data", called.text);
			assert_string_equal("authentication failed", refreshed.text);
			assert_string_equal(rows[i].story, called.why.text);
			assert_string_equal(rows[i].story, why.text);
			assert_string_equal("", claims.agent.text);
		}
		buf_release(&access);
		buf_release(&refresh);
	}
}

static void a_token_opens_only_its_own_door(void **state)
{
	const struct login_rules rules = rules_of(USERPASS);
	const struct login_peer peer = { 0 };
	struct buf access = token_of("agent-1", JWT_ACCESS, NOW), refresh = token_of("agent-1", JWT_REFRESH, NOW);
	struct login_answer a;
	struct jwt_claims claims;

	(void)state;
	login_call(&rules, keys, buf_view(&refresh), &peer, NOW, &a);
	assert_int_equal(RPC_UNAUTHENTICATED, a.code);
	login_refresh(&rules, keys, buf_view(&access), &peer, NOW, &a, &claims);
	assert_int_equal(RPC_UNAUTHENTICATED, a.code);
	login_call(&rules, keys, (struct str){ 0 }, &peer, NOW, &a);
	assert_string_equal("no token", a.why.text);
	login_call(&rules, keys, buf_view(&access), &peer, NOW + 2 * JWT_ACCESS_MS, &a);
	assert_int_equal(RPC_UNAUTHENTICATED, a.code);
	assert_string_equal("agent-1", a.agent.text); /* we signed it: the log says whose it was */
	buf_release(&access);
	buf_release(&refresh);
}

static void a_refresh_token_is_renewed_near_its_end(void **state)
{
	struct jwt_claims claims = { .expires_ms = NOW };

	(void)state;
	assert_false(login_renews(&claims, NOW - JWT_RENEW_MS));
	assert_true(login_renews(&claims, NOW - JWT_RENEW_MS + 1));
	assert_true(login_renews(&claims, NOW + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusals_come_in_upstreams_order),
		cmocka_unit_test(versions_are_equal_or_accepted),
		cmocka_unit_test(a_password_is_checked_before_the_version),
		cmocka_unit_test(a_common_name_must_be_the_agents_when_that_is_asked_for),
		cmocka_unit_test(rights_that_are_gone_end_tokens_too),
		cmocka_unit_test(a_token_opens_only_its_own_door),
		cmocka_unit_test(a_refresh_token_is_renewed_near_its_end),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
