#include "gateway/hooks/aws_role.h"

#include "base/clock.h"
#include "base/mem.h"
#include "gateway/hooks/text.h"

#define GOOD_S    3600
#define KEY_BYTES 8192 /* more than any key or token has */

void aws_role_base(const struct login *l, struct buf *ret_base)
{
	if (l->named)
		buf_str(ret_base, buf_view(&l->base));
	else
		buf_addf(ret_base, "https://sts.%s.amazonaws.com%s", l->region,
			 str_starts(str_of(l->region), STR("cn-")) ? ".cn" : "");
}

void aws_role_request(const struct login *l, struct hook_request *ret_request)
{
	*ret_request = (struct hook_request){ .method = "POST", .form = true };
	buf_char(&ret_request->path, '/');
	buf_lit(&ret_request->body, "Action=AssumeRole&Version=2011-06-15&RoleSessionName=holdfast&RoleArn=");
	text_encode(&ret_request->body, str_of(l->role_arn));
}

/* The text of an element, and a line's end. False: it is missing, or nothing that a key can be. */
static bool add_key(struct str xml, const char *name, struct buf *keys)
{
	size_t at = 0;
	struct str key = str_trim(text_element(xml, name, &at));

	for (size_t i = 0; i < key.n; i++)
		if (key.p[i] <= ' ' || key.p[i] >= 0x7f || key.p[i] == '&')
			return false;
	buf_str(keys, key);
	buf_char(keys, '\n');
	return key.n && key.n <= KEY_BYTES;
}

enum err aws_role_read(struct str answer, int64_t now_s, struct buf *ret_keys, int64_t *ret_until_s, struct why *why)
{
	size_t at = 0;
	struct str xml = text_element(answer, "Credentials", &at), until;
	int64_t until_ns;
	bool whole;

	buf_clear(ret_keys);
	if (!buf_reserve(ret_keys, xml.n + 4))
		return why_set(why, E_NOMEM, "no memory for the keys of the role");
	whole = add_key(xml, "AccessKeyId", ret_keys) && add_key(xml, "SecretAccessKey", ret_keys) &&
		add_key(xml, "SessionToken", ret_keys);
	if (!whole || ret_keys->err != E_OK) {
		buf_clear(ret_keys);
		return why_set(why, E_MALFORMED, "the answer holds no keys of the role");
	}
	at = 0;
	until = str_trim(text_element(xml, "Expiration", &at));
	*ret_until_s = clock_parse_rfc3339(until, &until_ns) ? until_ns / 1000000000 : now_s + GOOD_S;
	return E_OK;
}
