#include "auth/jwt.h"

#include <inttypes.h>
#include <openssl/err.h>
#include <stdio.h>

#include "auth/claims.h"
#include "auth/jwt_keys.h"
#include "base/base64.h"
#include "base/uuid.h"

#define ALG           "RS512"
#define SIGNATURE_MAX (JWT_KEY_BITS_MAX / 8)

/* In the order of enum jwt_use. */
static const char *const audiences[] = { "argocd-agent-server-access", "argocd-agent-server-refresh" };
static const int64_t lives_ms[] = { JWT_ACCESS_MS, JWT_REFRESH_MS };

/* ---- issue ------------------------------------------------------------------------------------------------------- */

static void put_claims(struct buf *b, enum jwt_use use, const struct agent_name *agent, enum agent_mode mode,
		       int64_t now_ms, const unsigned char random[static JWT_ID_BYTES])
{
	int64_t now = now_ms / 1000;
	char id[UUID_MAX];

	uuid_write(random, id);
	buf_addf(b, "{\"iss\":\"%s\",\"sub\":\"{\\\"clientID\\\":\\\"%s\\\",\\\"mode\\\":\\\"%s\\\"}\",", JWT_ISSUER,
		 agent->text, agent_mode_text(mode));
	buf_addf(b, "\"aud\":[\"%s\"],\"exp\":%" PRId64 ",\"nbf\":%" PRId64 ",\"iat\":%" PRId64 ",\"jti\":\"%s\"}",
		 audiences[use], now + lives_ms[use] / 1000, now, now, id);
}

static enum err sign(EVP_PKEY *pkey, struct str text, struct buf *ret_token)
{
	unsigned char signature[SIGNATURE_MAX];
	size_t n = sizeof(signature);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha512(), NULL, pkey) == 1 &&
		  EVP_DigestSign(ctx, signature, &n, (const unsigned char *)text.p, text.n) == 1;

	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	if (!ok)
		return E_NOMEM;
	buf_char(ret_token, '.');
	base64url_write((struct str){ (const char *)signature, n }, ret_token);
	return ret_token->err;
}

enum err jwt_issue(struct jwt_keys *keys, enum jwt_use use, const struct agent_name *agent, enum agent_mode mode,
		   int64_t now_ms, const unsigned char random[static JWT_ID_BYTES], struct buf *ret_token)
{
	size_t begin = ret_token->n;
	struct buf claims = { 0 };
	EVP_PKEY *pkey = jwt_keys_signer(keys);
	enum err err;

	put_claims(&claims, use, agent, mode, now_ms, random);
	base64url_write(STR("{\"alg\":\"" ALG "\",\"typ\":\"JWT\"}"), ret_token);
	buf_char(ret_token, '.');
	base64url_write(buf_view(&claims), ret_token);
	err = claims.err != E_OK ? claims.err : ret_token->err;
	if (err == E_OK)
		err = sign(pkey, str_sub(buf_view(ret_token), begin, ret_token->n), ret_token);
	if (err != E_OK)
		ret_token->n = begin;
	EVP_PKEY_free(pkey);
	buf_release(&claims);
	return err;
}

/* ---- verify ------------------------------------------------------------------------------------------------------ */

/* The three parts, not decoded. */
struct parts {
	struct str header, payload, signature;
	struct str signed_text; /* the first two with the dot between */
};

static bool split(struct str token, struct parts *ret_parts)
{
	struct str rest = token;
	struct parts p;

	if (token.n > JWT_TOKEN_MAX)
		return false;
	p.header = str_cut(&rest, '.');
	p.payload = str_cut(&rest, '.');
	p.signature = rest;
	p.signed_text = str_sub(token, 0, p.header.n + 1 + p.payload.n);
	if (!p.header.n || !p.payload.n || str_find(rest, '.') != rest.n || token.n - p.signed_text.n != rest.n + 1)
		return false;
	*ret_parts = p;
	return true;
}

static bool is_signed_by(EVP_PKEY *pkey, struct str text, struct str signature)
{
	EVP_MD_CTX *ctx;
	bool ok;

	if (signature.n != (size_t)EVP_PKEY_get_size(pkey))
		return false;
	ctx = EVP_MD_CTX_new();
	ok = ctx && EVP_DigestVerifyInit(ctx, NULL, EVP_sha512(), NULL, pkey) == 1 &&
	     EVP_DigestVerify(ctx, (const unsigned char *)signature.p, signature.n, (const unsigned char *)text.p,
			      text.n) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}

static enum err check_signature(struct jwt_keys *keys, const struct parts *p, int64_t now_ms, struct why *why)
{
	EVP_PKEY *all[JWT_KEYS_MAX];
	size_t n = jwt_keys_verifiers(keys, now_ms, all);
	struct buf signature = { 0 };
	bool ok = base64url_read(p->signature, &signature), found = false;
	enum err err = signature.err;

	for (size_t i = 0; i < n; i++) {
		found = found || (ok && err == E_OK && is_signed_by(all[i], p->signed_text, buf_view(&signature)));
		EVP_PKEY_free(all[i]);
	}
	buf_release(&signature);
	if (err == E_OK && !found)
		err = E_UNAUTHENTICATED;
	return err == E_OK ? E_OK : why_set(why, err, "token: not signed by a key of ours");
}

/* Appends the JSON of a part. */
static enum err open_part(struct str part, struct buf *ret_json)
{
	return base64url_read(part, ret_json) ? ret_json->err : E_MALFORMED;
}

static enum err check_alg(const struct parts *p, struct why *why)
{
	struct buf json = { 0 }, arena = { 0 };
	struct str alg = { 0 };
	enum err err = open_part(p->header, &json);

	if (err == E_OK)
		err = claims_read_alg(buf_view(&json), &arena, &alg);
	if (err == E_OK && !str_is(alg, ALG))
		err = E_MALFORMED;
	buf_release(&json);
	buf_release(&arena);
	if (err == E_NOMEM)
		return why_set(why, err, "token");
	return err == E_OK ? E_OK : why_set(why, E_UNAUTHENTICATED, "token: the algorithm is not " ALG);
}

static enum err check_time(const struct claims *c, int64_t now_ms, struct why *why)
{
	if (c->expires == CLAIMS_NO_TIME)
		return why_set(why, E_UNAUTHENTICATED, "token: it never expires");
	if (now_ms >= c->expires * 1000 + JWT_LEEWAY_MS)
		return why_set(why, E_UNAUTHENTICATED, "token: expired %" PRId64 " s ago", now_ms / 1000 - c->expires);
	if (now_ms < c->not_before * 1000 - JWT_LEEWAY_MS || now_ms < c->issued * 1000 - JWT_LEEWAY_MS)
		return why_set(why, E_UNAUTHENTICATED, "token: not valid yet");
	return E_OK;
}

/* Texts that came from the token are ours by now, but are cut all the same. */
static enum err check_claims(const struct claims *c, enum jwt_use use, int64_t now_ms, struct why *why)
{
	if (!str_is(c->issuer, JWT_ISSUER))
		return why_set(why, E_UNAUTHENTICATED, "token: issued by '%.*s'", STR_ARG(str_sub(c->issuer, 0, 80)));
	if (c->audiences != 1 || !str_is(c->audience, audiences[use]))
		return why_set(why, E_UNAUTHENTICATED, "token: made for '%.*s', not for '%s'",
			       STR_ARG(str_sub(c->audience, 0, 80)), audiences[use]);
	return check_time(c, now_ms, why);
}

/* What the claims mean; E_MALFORMED: the subject names no agent. */
static enum err fill(const struct claims *c, struct jwt_claims *ret_claims)
{
	struct jwt_claims out = { .use = str_is(c->audience, audiences[JWT_REFRESH]) ? JWT_REFRESH : JWT_ACCESS };
	enum err err = claims_read_subject(c->subject, &out.agent, &out.mode);

	if (err != E_OK)
		return err;
	out.issued_ms = c->issued == CLAIMS_NO_TIME ? 0 : c->issued * 1000;
	out.expires_ms = c->expires == CLAIMS_NO_TIME ? 0 : c->expires * 1000;
	if (c->id.n < sizeof(out.id))
		(void)snprintf(out.id, sizeof(out.id), "%.*s", STR_ARG(c->id));
	*ret_claims = out;
	return E_OK;
}

static enum err read_verified(const struct parts *p, enum jwt_use use, int64_t now_ms, struct why *why,
			      struct jwt_claims *ret_claims)
{
	struct buf json = { 0 }, arena = { 0 };
	struct claims c;
	enum err err = open_part(p->payload, &json);

	if (err == E_OK)
		err = claims_read(buf_view(&json), &arena, &c);
	if (err == E_OK)
		err = fill(&c, ret_claims);
	if (err == E_OK && ret_claims->mode == AGENT_MODE_NONE)
		err = E_MALFORMED;
	if (err == E_OK)
		err = check_claims(&c, use, now_ms, why);
	if (err == E_MALFORMED)
		err = why_set(why, E_UNAUTHENTICATED, "token: its claims are not those of an agent");
	if (err == E_NOMEM)
		(void)why_set(why, err, "token");
	buf_release(&json);
	buf_release(&arena);
	return err;
}

enum err jwt_verify(struct jwt_keys *keys, struct str token, enum jwt_use use, int64_t now_ms, struct why *why,
		    struct jwt_claims *ret_claims)
{
	struct parts parts;
	enum err err;

	*ret_claims = (struct jwt_claims){ 0 };
	if (!split(token, &parts))
		return why_set(why, E_UNAUTHENTICATED, token.n ? "token: not of three parts, or too long" : "no token");
	err = check_signature(keys, &parts, now_ms, why);
	if (err == E_OK)
		err = check_alg(&parts, why);
	if (err == E_OK)
		err = read_verified(&parts, use, now_ms, why, ret_claims);
	return err;
}

/* ---- look without a key ------------------------------------------------------------------------------------------ */

/* Both parts must be JSON, and the signature base64url, as every reader of tokens wants it. */
static enum err peek(const struct parts *p, struct buf *json, struct buf *arena, struct jwt_claims *ret_claims)
{
	struct str alg;
	struct claims c;
	enum err err = open_part(p->header, json);

	if (err == E_OK)
		err = claims_read_alg(buf_view(json), arena, &alg);
	buf_clear(json);
	buf_clear(arena);
	if (err == E_OK)
		err = open_part(p->signature, json);
	buf_clear(json);
	if (err == E_OK)
		err = open_part(p->payload, json);
	if (err == E_OK)
		err = claims_read(buf_view(json), arena, &c);
	return err == E_OK ? fill(&c, ret_claims) : err;
}

enum err jwt_peek(struct str token, struct why *why, struct jwt_claims *ret_claims)
{
	struct buf json = { 0 }, arena = { 0 };
	struct parts parts;
	enum err err = split(token, &parts) ? peek(&parts, &json, &arena, ret_claims) : E_MALFORMED;

	buf_release(&json);
	buf_release(&arena);
	return err == E_OK ? E_OK : why_set(why, err, "token: not one that names an agent");
}
