#include "gateway/query.h"

#include "gateway/path.h"
#include "net/http_page.h"

struct str query_raw(struct str query, const char *name)
{
	while (query.n) {
		struct str value = str_cut(&query, '&'), key = str_cut(&value, '=');

		if (str_is(key, name))
			return value.p ? value : STR("");
	}
	return (struct str){ 0 };
}

enum err query_u64(struct str query, const char *name, uint64_t max, uint64_t dflt, uint64_t *ret_value)
{
	struct str text = query_raw(query, name);

	if (!text.p) {
		*ret_value = dflt;
		return E_OK;
	}
	return str_to_u64(text, max, ret_value) ? E_OK : E_MALFORMED;
}

enum err query_text(struct str query, const char *name, struct buf *ret_text)
{
	return path_decode(query_raw(query, name), ret_text);
}

struct str query_stray(struct str query, const char *const names[])
{
	unsigned seen = 0; /* a bit for each of `names` */

	while (query.n) {
		struct str value = str_cut(&query, '&'), key = str_cut(&value, '=');
		size_t i = 0;

		while (names[i] && !str_is(key, names[i]))
			i++;
		if (key.n && (!names[i] || seen & 1u << i))
			return key;
		seen |= 1u << i;
	}
	return (struct str){ 0 };
}

void query_refuse(struct http_request *r, struct str stray, struct str usage)
{
	char text[256];
	struct buf b = { .p = text, .cap = sizeof(text), .max = sizeof(text) };

	if (stray.n)
		buf_addf(&b, "there is no parameter %.*s, or more than one: ", STR_ARG(str_sub(stray, 0, 40)));
	buf_str(&b, usage);
	http_text(r, 400, buf_view(&b));
}
