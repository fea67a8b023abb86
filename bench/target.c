#include "target.h"

#include <netdb.h>
#include <stdio.h>

/* Splits "host:port", "[v6]:port" or either without the port. */
static struct str split_port(struct str host, struct str *ret_port)
{
	size_t colon = host.n;

	*ret_port = STR("80");
	while (colon && host.p[colon - 1] != ':' && host.p[colon - 1] != ']')
		colon--;
	if (colon && host.p[colon - 1] == ':') {
		*ret_port = str_sub(host, colon, host.n);
		host.n = colon - 1;
	}
	if (host.n > 2 && host.p[0] == '[')
		return str_sub(host, 1, host.n - 2);
	return host;
}

enum err target_parse(const char *url, struct why *why, struct target *ret)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
	struct target t = { 0 };
	struct str rest = str_of(url);
	struct str host, port;
	char host_text[256], port_text[8];
	int error;

	if (!str_starts(rest, STR("http://")))
		return why_set(why, E_CONFIG, "%s: expected http://host:port/path", url);
	rest = str_sub(rest, 7, rest.n);
	t.host = str_sub(rest, 0, str_find(rest, '/'));
	t.path = str_sub(rest, t.host.n, rest.n);
	if (!t.path.n)
		t.path = STR("/");
	host = split_port(t.host, &port);
	if (!host.n || host.n >= sizeof(host_text) || port.n >= sizeof(port_text))
		return why_set(why, E_CONFIG, "%s: expected http://host:port/path", url);
	(void)snprintf(host_text, sizeof(host_text), "%.*s", STR_ARG(host));
	(void)snprintf(port_text, sizeof(port_text), "%.*s", STR_ARG(port));
	error = getaddrinfo(host_text, port_text, &hints, &found);
	if (error)
		return why_set(why, E_UNAVAILABLE, "%s: %s", url, gai_strerror(error));
	memcpy(&t.addr, found->ai_addr, found->ai_addrlen);
	t.addr_len = found->ai_addrlen;
	freeaddrinfo(found);
	*ret = t;
	return E_OK;
}
