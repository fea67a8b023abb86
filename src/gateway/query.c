#include "gateway/query.h"

#include "gateway/path.h"

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
