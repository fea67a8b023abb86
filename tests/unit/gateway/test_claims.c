#include "gateway/sources/claims.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"

#define HEX  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF"
#define HEX2 "ff23456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF"
#define B64  "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
#define B64E "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="

static void slack_has_one_signature_and_a_time(void **state)
{
	static const struct {
		const char *signature, *time;
		bool ok;
	} rows[] = {
		{ "v0=" HEX, "1531420618", true },
		{ "v0=" HEX, "0", true },
		{ "v0=" HEX, "", false },
		{ "v0=" HEX, "-1", false },
		{ "v0=" HEX, "+1", false },
		{ "v0=" HEX, "1.5", false },
		{ "v0=" HEX, " 1", false },
		{ "v0=" HEX, "9223372036854775807", false },
		{ "v0=" HEX, "18446744073709551617", false },
		{ "v0=" HEX "0", "1", false },
		{ "v0=0", "1", false },
		{ "v0=", "1", false },
		{ "v0", "1", false },
		{ "v1=" HEX, "1", false },
		{ HEX, "1", false },
		{ "", "1", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct claims c = { 0 };

		assert_int_equal(claims_slack(str_of(rows[i].signature), str_of(rows[i].time), &c), rows[i].ok);
		if (!rows[i].ok)
			continue;
		assert_int_equal(c.hmac_count, 1);
		assert_int_equal(c.hmac[0].bytes[1], 0x23);
		assert_true(str_is(c.time, rows[i].time));
	}
}

/* Slack's own example: "Verifying requests from Slack". */
static void slacks_own_example_is_signed(void **state)
{
	struct claims c;
	struct str pieces[] = {
		STR("v0:1531420618:"),
		STR("token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&"
		    "channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&"
		    "response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F"
		    "96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"),
	};
	struct signature_claim claim = { SIGNATURE_SHA256, pieces, ARRAY_LEN(pieces), c.hmac, 1 };

	(void)state;
	assert_true(claims_slack(STR("v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"),
				 STR("1531420618"), &c));
	assert_int_equal(signature_check(&claim, STR("8f742231b10e8888abcd99yyyzzz85a5")), E_OK);
	assert_int_equal(signature_check(&claim, STR("8f742231b10e8888abcd99yyyzzz85a6")), E_UNAUTHENTICATED);
}

static void stripe_has_a_time_and_any_number_of_signatures(void **state)
{
	static const struct {
		const char *header;
		size_t count; /* 0: refused */
		int64_t time_s;
	} rows[] = {
		{ "t=1492774577,v1=" HEX, 1, 1492774577 },
		{ "t=1,v1=" HEX ",v1=" HEX2, 2, 1 },
		{ "v1=" HEX ",t=1", 1, 1 },
		{ "t=1, v1=" HEX " ,v0=" HEX ",,x", 1, 1 },
		{ "t=1,v1=zz,v1=" HEX, 1, 1 },
		{ "t=1,v0=" HEX, 0, 0 },
		{ "t=1,v1=", 0, 0 },
		{ "t=1", 0, 0 },
		{ "v1=" HEX, 0, 0 },
		{ "t=,v1=" HEX, 0, 0 },
		{ "t=x,v1=" HEX, 0, 0 },
		{ "t=1,t=1,v1=" HEX, 0, 0 },
		{ "T=1,v1=" HEX, 0, 0 },
		{ "", 0, 0 },
		{ ",,,,", 0, 0 },
		{ "=", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct claims c = { 0 };

		assert_int_equal(claims_stripe(str_of(rows[i].header), &c), rows[i].count != 0);
		assert_int_equal(c.hmac_count, rows[i].count);
		assert_int_equal(c.time_s, rows[i].time_s);
	}
}

/* Made by Stripe's own library, stripe-node: webhooks.generateTestHeaderString(). */
static void a_header_of_stripes_library_is_signed(void **state)
{
	struct claims c;
	struct str pieces[] = { STR("1614265330"), STR("."), STR("{\"id\":\"evt_test\"}") };
	struct signature_claim claim = { SIGNATURE_SHA256, pieces, ARRAY_LEN(pieces), c.hmac, 1 };

	(void)state;
	assert_true(claims_stripe(
		STR("t=1614265330,v1=00cd8805b6dfb4317048892c492f8ff769e2075ec20013c6ed546e639a4e20ba"), &c));
	assert_true(str_eq(c.time, pieces[0]));
	assert_int_equal(signature_check(&claim, STR("whsec_test_secret")), E_OK);
	assert_int_equal(signature_check(&claim, STR("test_secret")), E_UNAUTHENTICATED);
}

static void more_signatures_than_anybody_has_are_passed_over(void **state)
{
	struct buf header = { 0 };
	struct claims c;

	(void)state;
	buf_lit(&header, "t=1");
	for (int i = 0; i < 1000; i++)
		buf_lit(&header, ",v1=" HEX);
	assert_true(claims_stripe(buf_view(&header), &c));
	assert_int_equal(c.hmac_count, CLAIMS_MAX);
	buf_clear(&header);
	for (int i = 0; i < 1000; i++)
		buf_lit(&header, "v1," B64 " v1a," B64E " ");
	assert_true(claims_standard(STR("i"), STR("1"), buf_view(&header), &c));
	assert_int_equal(c.hmac_count, CLAIMS_MAX);
	assert_int_equal(c.ed25519_count, CLAIMS_MAX);
	buf_release(&header);
}

static void standard_webhooks_have_an_id_a_time_and_signatures_of_two_kinds(void **state)
{
	static const struct {
		const char *id, *time, *signatures;
		size_t hmac, ed25519; /* both 0: refused */
	} rows[] = {
		{ "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", "v1," B64, 1, 0 },
		{ "m", "1", "v1," B64 " v1," B64, 2, 0 },
		{ "m", "1", "v1a," B64E, 0, 1 },
		{ "m", "1", "v2,x v1," B64 "  v1a," B64E " v1", 1, 1 },
		{ "m", "1", "v1,x v1," B64, 1, 0 },
		{ "m", "1", "v1," B64E, 0, 0 },
		{ "m", "1", "v1a," B64, 0, 0 },
		{ "m", "1", "v1," B64 "," B64, 0, 0 },
		{ "m", "1", B64, 0, 0 },
		{ "m", "1", "", 0, 0 },
		{ "m", "1", " ", 0, 0 },
		{ "", "1", "v1," B64, 0, 0 },
		{ "a.b", "1", "v1," B64, 0, 0 },
		{ "m", "", "v1," B64, 0, 0 },
		{ "m", "1.0", "v1," B64, 0, 0 },
		{ "m", "-1", "v1," B64, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct claims c = { 0 };

		assert_int_equal(
			claims_standard(str_of(rows[i].id), str_of(rows[i].time), str_of(rows[i].signatures), &c),
			rows[i].hmac + rows[i].ed25519 != 0);
		assert_int_equal(c.hmac_count, rows[i].hmac);
		assert_int_equal(c.ed25519_count, rows[i].ed25519);
	}
}

static void a_time_is_fresh_within_the_tolerance_on_both_sides(void **state)
{
	static const struct {
		int64_t time_s, now_s;
		bool fresh;
	} rows[] = {
		{ 1000, 1000, true },        { 1000, 1300, true },        { 1000, 1301, false },
		{ 1300, 1000, true },        { 1301, 1000, false },       { 0, 1792538403, false },
		{ INT64_MAX / 2, 0, false }, { 0, INT64_MAX / 2, false }, { INT64_MAX / 2, -1000, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct claims c = { .time_s = rows[i].time_s };

		assert_int_equal(claims_fresh(&c, rows[i].now_s, CLAIMS_TOLERANCE), rows[i].fresh);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slack_has_one_signature_and_a_time),
		cmocka_unit_test(slacks_own_example_is_signed),
		cmocka_unit_test(stripe_has_a_time_and_any_number_of_signatures),
		cmocka_unit_test(a_header_of_stripes_library_is_signed),
		cmocka_unit_test(more_signatures_than_anybody_has_are_passed_over),
		cmocka_unit_test(standard_webhooks_have_an_id_a_time_and_signatures_of_two_kinds),
		cmocka_unit_test(a_time_is_fresh_within_the_tolerance_on_both_sides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
