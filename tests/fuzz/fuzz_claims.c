/*
 * fuzz_claims.c -- the header fields of signed requests: Slack, Stripe, Standard Webhooks.
 *
 * Property  What is accepted holds at least one signature and at most CLAIMS_MAX of a kind, each of its kind's size, and a time
 *           that is a plain number; written down anew it is read as the same; an id of Standard Webhooks has no dot.
 *           Input: three lines: id, time, signatures.
 */
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/buf.h"
#include "gateway/sources/claims.h"

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check(const struct claims *c)
{
	must(c->hmac_count <= CLAIMS_MAX && c->ed25519_count <= CLAIMS_MAX && c->hmac_count + c->ed25519_count > 0);
	for (size_t i = 0; i < c->hmac_count; i++)
		must(c->hmac[i].n == 32);
	for (size_t i = 0; i < c->ed25519_count; i++)
		must(c->ed25519[i].n == 64);
	must(c->time.n > 0 && c->time_s >= 0);
	for (size_t i = 0; i < c->time.n; i++)
		must(c->time.p[i] >= '0' && c->time.p[i] <= '9');
	must(claims_fresh(c, c->time_s, 0) && claims_fresh(c, c->time_s + 300, 300) &&
	     !claims_fresh(c, c->time_s + 301, 300));
}

static void same(const struct claims *a, const struct claims *b)
{
	must(a->time_s == b->time_s && str_eq(a->time, b->time) && str_eq(a->id, b->id));
	must(a->hmac_count == b->hmac_count && a->ed25519_count == b->ed25519_count);
	for (size_t i = 0; i < a->hmac_count; i++)
		must(memcmp(a->hmac[i].bytes, b->hmac[i].bytes, 32) == 0);
	for (size_t i = 0; i < a->ed25519_count; i++)
		must(memcmp(a->ed25519[i].bytes, b->ed25519[i].bytes, 64) == 0);
}

static void write_hex(const struct signature *s, struct buf *b)
{
	for (size_t i = 0; i < s->n; i++)
		buf_addf(b, "%02x", s->bytes[i]);
}

static void write_base64(const char *before, const struct signature *s, struct buf *b)
{
	buf_str(b, str_of(before));
	base64_write((struct str){ (const char *)s->bytes, s->n }, b);
}

static void slack(struct str time, struct str signature)
{
	struct claims c, again;
	struct buf b = { 0 };

	if (!claims_slack(signature, time, &c))
		return;
	check(&c);
	buf_lit(&b, "v0=");
	write_hex(&c.hmac[0], &b);
	must(claims_slack(buf_view(&b), c.time, &again));
	same(&c, &again);
	buf_release(&b);
}

static void stripe(struct str header)
{
	struct claims c, again;
	struct buf b = { 0 };

	if (!claims_stripe(header, &c))
		return;
	check(&c);
	buf_addf(&b, "t=%.*s", STR_ARG(c.time));
	for (size_t i = 0; i < c.hmac_count; i++) {
		buf_lit(&b, ",v1=");
		write_hex(&c.hmac[i], &b);
	}
	must(claims_stripe(buf_view(&b), &again));
	same(&c, &again);
	buf_release(&b);
}

static void standard(struct str id, struct str time, struct str signatures)
{
	struct claims c, again;
	struct buf b = { 0 };

	if (!claims_standard(id, time, signatures, &c))
		return;
	check(&c);
	must(c.id.n && str_find(c.id, '.') == c.id.n);
	for (size_t i = 0; i < c.hmac_count; i++)
		write_base64(" v1,", &c.hmac[i], &b);
	for (size_t i = 0; i < c.ed25519_count; i++)
		write_base64(" v1a,", &c.ed25519[i], &b);
	must(claims_standard(c.id, c.time, buf_view(&b), &again));
	same(&c, &again);
	buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = { (const char *)data, size };
	struct str id = str_cut(&rest, '\n'), time = str_cut(&rest, '\n');

	slack(time, rest);
	stripe(rest);
	standard(id, time, rest);
	return 0;
}
