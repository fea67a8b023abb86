#include "gateway/sources/claims.h"

#include <string.h>

#include "base/base64.h"

#define TIME_MAX (INT64_MAX / 2) /* differences of two times fit */

static bool read_time(struct str text, struct claims *c)
{
	uint64_t time_s;

	if (!str_to_u64(text, TIME_MAX, &time_s))
		return false;
	c->time = text;
	c->time_s = (int64_t)time_s;
	return true;
}

static void add_hex(struct str text, struct claims *c)
{
	if (c->hmac_count < CLAIMS_MAX && signature_from_hex(text, SIGNATURE_SHA256, &c->hmac[c->hmac_count]))
		c->hmac_count++;
}

bool claims_slack(struct str signature, struct str time, struct claims *ret_claims)
{
	struct claims c = { 0 };

	if (!read_time(time, &c) || !str_starts(signature, STR("v0=")))
		return false;
	add_hex(str_sub(signature, 3, signature.n), &c);
	if (c.hmac_count == 0)
		return false;
	*ret_claims = c;
	return true;
}

/* One time only: two of them would leave open which one was signed. */
bool claims_stripe(struct str header, struct claims *ret_claims)
{
	struct claims c = { 0 };

	while (header.n) {
		struct str value = str_trim(str_cut(&header, ',')), name = str_cut(&value, '=');

		if (str_is(name, "v1"))
			add_hex(value, &c);
		else if (str_is(name, "t") && (c.time.p || !read_time(value, &c)))
			return false;
	}
	if (!c.time.p || c.hmac_count == 0)
		return false;
	*ret_claims = c;
	return true;
}

static void add_base64(struct str text, struct signature *given, size_t *count, size_t bytes)
{
	char space[CLAIMS_ED25519 + 3]; /* whole groups of three */
	struct buf b = { .p = space, .cap = sizeof(space), .max = sizeof(space) };

	if (*count == CLAIMS_MAX || text.n > 4 * sizeof(space) / 3 || !base64_read(text, &b) || b.err != E_OK ||
	    b.n != bytes)
		return;
	given[*count].n = bytes;
	memcpy(given[(*count)++].bytes, b.p, bytes);
}

/* With a dot in it, another id with another time could stand for the same signed text. */
static bool is_id(struct str id)
{
	return id.n && id.n <= CLAIMS_ID_MAX && str_find(id, '.') == id.n;
}

bool claims_standard(struct str id, struct str time, struct str signatures, struct claims *ret_claims)
{
	struct claims c = { .id = id };

	if (!is_id(id) || !read_time(time, &c))
		return false;
	while (signatures.n) {
		struct str value = str_cut(&signatures, ' '), version = str_cut(&value, ',');

		if (str_is(version, "v1"))
			add_base64(value, c.hmac, &c.hmac_count, signature_size(SIGNATURE_SHA256));
		else if (str_is(version, "v1a"))
			add_base64(value, c.ed25519, &c.ed25519_count, CLAIMS_ED25519);
	}
	if (c.hmac_count + c.ed25519_count == 0)
		return false;
	*ret_claims = c;
	return true;
}

bool claims_fresh(const struct claims *c, int64_t now_s, uint64_t tolerance_s)
{
	int64_t apart = now_s > c->time_s ? now_s - c->time_s : c->time_s - now_s;

	return (uint64_t)apart <= tolerance_s;
}
