/*
 * fuzz_jwt.c -- whatever comes as a token.
 *
 * Property  Bytes that we did not sign are not a token of ours.
 *           What can be read of a token without a key names an agent, and says the same when it is read again.
 *           As base64url a text has one meaning and one form.
 *           As claims its texts are no longer than what was sent.
 *           Input: a token, the payload of a token, base64url, and claims.
 */
#include <stdint.h>
#include <stdlib.h>

#include "auth/claims.h"
#include "auth/jwt.h"
#include "base/base64.h"

#define NOW 1800000000000

static struct jwt_keys *keys(void)
{
	static struct jwt_keys *k;

	if (!k && jwt_keys_generate(NULL, &k) != E_OK)
		abort();
	return k;
}

static void check_token(struct str token)
{
	struct jwt_claims once, again;

	if (jwt_verify(keys(), token, JWT_ACCESS, NOW, NULL, &once) != E_UNAUTHENTICATED)
		abort();
	if (jwt_peek(token, NULL, &once) != E_OK)
		return;
	if (!agent_name_ok(agent_name(&once.agent)) || once.expires_ms < 0 || once.issued_ms < 0)
		abort();
	if (jwt_peek(token, NULL, &again) != E_OK || !str_eq(agent_name(&once.agent), agent_name(&again.agent)) ||
	    once.expires_ms != again.expires_ms)
		abort();
}

/* The bytes as the payload of a token whose signature is wrong. */
static void check_payload(struct str payload)
{
	struct buf token = { 0 };

	buf_lit(&token, "eyJhbGciOiJSUzUxMiJ9.");
	base64url_write(payload, &token);
	buf_lit(&token, ".AAAA");
	check_token(buf_view(&token));
	buf_release(&token);
}

static void check_base64url(struct str text)
{
	struct buf bytes = { 0 }, back = { 0 };

	if (base64url_read(text, &bytes)) {
		base64url_write(buf_view(&bytes), &back);
		if (!str_eq(text, buf_view(&back)))
			abort();
	} else if (bytes.n) {
		abort();
	}
	buf_release(&bytes);
	buf_release(&back);
}

static void check_claims(struct str json)
{
	struct buf arena = { 0 };
	struct claims c;

	if (claims_read(json, &arena, &c) == E_OK &&
	    c.issuer.n + c.subject.n + c.id.n + c.audience.n + c.audiences > json.n)
		abort();
	buf_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct str bytes = { (const char *)data, size };

	check_token(bytes);
	check_payload(bytes);
	check_base64url(bytes);
	check_claims(bytes);
	return 0;
}
