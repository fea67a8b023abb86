#include "sync/destination.h"

#include "base/glob.h"
#include "base/hex.h"
#include "sync/graft.h"

/* The byte that an escape at `at` ("%2A") stands for; -1: none begins there. */
static int escaped(struct str s, size_t at)
{
	int high, low;

	if (at + 2 >= s.n || s.p[at] != '%')
		return -1;
	high = hex_value(s.p[at + 1]);
	low = hex_value(s.p[at + 2]);
	return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* The value of a URL's parameter, decoded into GLOB_MAX bytes; false: it is longer. */
static bool decode(struct str value, char *ret_text, struct str *ret_value)
{
	size_t n = 0;

	for (size_t i = 0; i < value.n; i++) {
		int byte = escaped(value, i);

		if (n == GLOB_MAX)
			return false;
		ret_text[n++] = byte < 0 ? value.p[i] : (char)byte;
		i += byte < 0 ? 0 : 2;
	}
	*ret_value = (struct str){ ret_text, n };
	return true;
}

static bool server_names(struct str server, struct str agent)
{
	struct str url = str_cut(&server, '#'), query, glob;
	char text[GLOB_MAX];

	if (str_is(url, "*"))
		return true;
	(void)str_cut(&url, '?');
	while (url.n) {
		query = str_cut(&url, '&');
		if (str_is(str_cut(&query, '='), "agentName"))
			return decode(query, text, &glob) && glob_matches(glob, agent);
	}
	return false;
}

enum destination_says destination_says(json_object *destination, struct str agent)
{
	struct str name = str_of(graft_text(graft_member(destination, "name")));
	struct str server = str_of(graft_text(graft_member(destination, "server")));
	struct str pattern = name.n ? name : server;
	bool deny = pattern.n && pattern.p[0] == '!', match;

	if (deny)
		pattern = str_sub(pattern, 1, pattern.n);
	match = name.n ? glob_matches(pattern, agent) : server_names(pattern, agent);
	return !match ? DESTINATION_SILENT : deny ? DESTINATION_DENIED : DESTINATION_NAMED;
}
