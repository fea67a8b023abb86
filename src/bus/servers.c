#include "bus/servers.h"

#include "base/buf.h"
#include "base/mem.h"

/* scheme://user@host:port taken apart; parts that are not there are empty */
struct parts {
	struct str scheme;
	struct str host;
	struct str port;
};

static struct str after_user(struct str rest)
{
	for (size_t i = rest.n; i-- > 0;)
		if (rest.p[i] == '@')
			return str_sub(rest, i + 1, rest.n);
	return rest;
}

static size_t find_scheme(struct str url)
{
	for (size_t i = 0; i + 3 <= url.n; i++)
		if (str_starts(str_sub(url, i, 3), STR("://")))
			return i;
	return url.n;
}

static void split(struct str url, struct parts *parts)
{
	size_t scheme = find_scheme(url);
	struct str rest = scheme < url.n ? str_sub(url, scheme + 3, url.n) : url;

	parts->scheme = scheme < url.n ? str_sub(url, 0, scheme) : STR("nats");
	rest = after_user(rest);
	if (str_ends(rest, STR("/")))
		rest.n--;
	if (str_starts(rest, STR("["))) {
		rest = str_sub(rest, 1, rest.n);
		parts->host = str_cut(&rest, ']');
		parts->port = str_starts(rest, STR(":")) ? str_sub(rest, 1, rest.n) : rest;
		return;
	}
	parts->host = str_cut(&rest, ':');
	parts->port = rest;
}

static bool plain_text(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f || s.p[i] == '/')
			return false;
	return s.n > 0;
}

static enum err check(const struct parts *parts, const char *shown, struct why *why)
{
	uint64_t port;

	if (!str_is(parts->scheme, "nats") && !str_is(parts->scheme, "tls"))
		return why_set(why, E_CONFIG, "bus URL \"%s\": use nats:// or tls://", shown);
	if (!plain_text(parts->host))
		return why_set(why, E_CONFIG, "bus URL \"%s\": no host", shown);
	if (parts->port.n && (!str_to_u64(parts->port, 65535, &port) || port == 0))
		return why_set(why, E_CONFIG, "bus URL \"%s\": the port is not a number from 1 to 65535", shown);
	return E_OK;
}

static char *show(const struct parts *parts)
{
	struct buf b = { 0 };
	bool v6 = str_find(parts->host, ':') < parts->host.n;

	buf_str(&b, parts->scheme);
	buf_addf(&b, v6 ? "://[%.*s]" : "://%.*s", STR_ARG(parts->host));
	buf_addf(&b, ":%.*s", STR_ARG(parts->port.n ? parts->port : STR("4222")));
	if (buf_cstr(&b))
		return b.p;
	buf_release(&b);
	return NULL;
}

static enum err add(struct servers *s, struct str url, struct why *why)
{
	struct server *server = &s->list[s->n];
	struct parts parts;

	split(url, &parts);
	s->n++;
	server->url = str_dup(url);
	server->shown = show(&parts);
	server->host = str_dup(parts.host);
	if (!server->url || !server->shown || !server->host)
		return why_set(why, E_NOMEM, "read the bus URLs");
	return check(&parts, server->shown, why);
}

static size_t count_commas(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == ',';
	return n;
}

enum err servers_parse(const char *list, struct servers *ret_servers, struct why *why)
{
	struct str rest = str_of(list);
	struct servers s = { .list = mem_array(count_commas(rest) + 1, sizeof(struct server)) };
	enum err err = E_OK;

	if (!s.list)
		return why_set(why, E_NOMEM, "read the bus URLs");
	while (!err && rest.n) {
		struct str url = str_trim(str_cut(&rest, ','));

		if (url.n)
			err = add(&s, url, why);
	}
	if (!err && s.n == 0)
		err = why_set(why, E_CONFIG, "no bus URL");
	if (err) {
		servers_release(&s);
		return err;
	}
	*ret_servers = s;
	return E_OK;
}

void servers_release(struct servers *s)
{
	for (size_t i = 0; i < s->n; i++) {
		mem_free(s->list[i].url);
		mem_free(s->list[i].shown);
		mem_free(s->list[i].host);
	}
	mem_free(s->list);
	*s = (struct servers){ 0 };
}

void servers_shuffle(struct servers *s, uint64_t (*random)(void))
{
	for (size_t i = s->n; i > 1; i--) {
		size_t other = (size_t)(random() % i);
		struct server kept = s->list[i - 1];

		s->list[i - 1] = s->list[other];
		s->list[other] = kept;
	}
}
