#include "bus/monitor.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

#define STEP_S 1
#define GET_MS 3000

struct target {
	char host[256];
	char port[6];
	struct str prefix;
};

static enum err take_apart(const char *url, struct target *t)
{
	struct str rest = str_of(url);
	uint64_t port = 8222;

	if (!str_starts(rest, STR("http://")))
		return E_CONFIG;
	rest = str_sub(rest, 7, rest.n);
	struct str authority = str_sub(rest, 0, str_find(rest, '/'));

	t->prefix = str_sub(rest, authority.n, rest.n);
	if (str_ends(t->prefix, STR("/")))
		t->prefix.n--;
	struct str host = str_cut(&authority, ':');

	if (host.n == 0 || host.n >= sizeof(t->host) || (authority.n && !str_to_u64(authority, 65535, &port)))
		return E_CONFIG;
	(void)snprintf(t->host, sizeof(t->host), "%.*s", STR_ARG(host));
	(void)snprintf(t->port, sizeof(t->port), "%u", (unsigned)port);
	return E_OK;
}

enum err monitor_check(const char *url, struct why *why)
{
	struct target t;

	if (take_apart(url, &t))
		return why_set(why, E_CONFIG, "monitoring URL: use http://host:8222");
	return E_OK;
}

static int dial(const struct addrinfo *a)
{
	const struct timeval step = { .tv_sec = STEP_S };
	int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &step, sizeof(step));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &step, sizeof(step));
	if (connect(fd, a->ai_addr, a->ai_addrlen) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

static int dial_any(const struct target *t)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;
	int fd = -1;

	if (getaddrinfo(t->host, t->port, &hints, &list))
		return -1;
	for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next)
		fd = dial(a);
	freeaddrinfo(list);
	return fd;
}

static enum err ask(int fd, const struct target *t, const char *page)
{
	CLEANUP(buf_release) struct buf b = { 0 };

	buf_addf(&b, "GET %.*s%s HTTP/1.0\r\nHost: %s:%s\r\n\r\n", STR_ARG(t->prefix), page, t->host, t->port);
	if (b.err)
		return b.err;
	return send(fd, b.p, b.n, MSG_NOSIGNAL) == (ssize_t)b.n ? E_OK : E_UNAVAILABLE;
}

static enum err read_all(int fd, struct buf *answer)
{
	uint64_t until = clock_mono_ms() + GET_MS;

	while (clock_mono_ms() < until) {
		char *p = buf_reserve(answer, 4096);
		ssize_t n = p ? recv(fd, p, 4096, 0) : -1;

		if (!p)
			return answer->err;
		if (n < 0)
			return E_UNAVAILABLE;
		if (n == 0)
			return E_OK;
		answer->n += (size_t)n;
	}
	return E_UNAVAILABLE;
}

/* Leaves the body of a 200. */
static enum err cut_head(struct buf *answer)
{
	struct str head = buf_view(answer);
	const char *end = memmem(head.p, head.n, "\r\n\r\n", 4);

	if (!end || !str_starts(head, STR("HTTP/1.")) || !str_is(str_sub(head, 8, 5), " 200 "))
		return E_UNAVAILABLE;
	size_t body = (size_t)(end - head.p) + 4;

	answer->n -= body;
	memmove(answer->p, answer->p + body, answer->n);
	return E_OK;
}

enum err monitor_get(const char *url, const char *page, struct buf *ret_body)
{
	struct target t;
	enum err err = take_apart(url, &t);
	int fd = err ? -1 : dial_any(&t);

	if (fd < 0)
		return err ? err : E_UNAVAILABLE;
	err = ask(fd, &t, page);
	if (!err)
		err = read_all(fd, ret_body);
	(void)close(fd);
	return err ? err : cut_head(ret_body);
}
