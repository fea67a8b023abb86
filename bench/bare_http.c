/*
 * bare_http.c -- the floor for HTTP: reads a request with a Content-Length, answers 200 "success", keeps the connection.
 *
 * Shape     one epoll loop per thread, each with its own SO_REUSEPORT listener; nothing is stored, checked or logged.
 * Usage     bare_http PORT [LOOPS]    (LOOPS: one per core when missing)
 * Source    RFC 9112 6.3
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

#define IN_MAX     (16u << 10)
#define EVENTS_MAX 256
#define LOOPS_MAX  64

static const char success[] =
	"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 7\r\n\r\nsuccess";
static const char refusal[] = "HTTP/1.1 411 Length Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

struct conn {
	int fd;
	size_t n;    /* bytes in `in` */
	size_t skip; /* bytes of a body still to come */
	char in[IN_MAX];
};

/* Body length of the request whose header ends at `end`; false: it has none that we understand. */
static bool body_length(const char *p, const char *end, uint64_t *ret)
{
	struct str rest = { p, (size_t)(end - p) };

	str_cut(&rest, '\n');
	*ret = 0;
	while (rest.n) {
		struct str value = str_cut(&rest, '\n');
		struct str name = str_cut(&value, ':');

		if (value.n && value.p[value.n - 1] == '\r')
			value.n--;
		if (name.n == 14 && str_eq_nocase(name, STR("content-length")))
			return str_to_u64(str_trim(value), 1u << 30, ret);
		if (name.n == 17 && str_eq_nocase(name, STR("transfer-encoding")))
			return false;
	}
	return true;
}

static bool answer(const struct conn *c, const char *p, size_t n)
{
	/* 130 bytes fit any socket buffer; a client that does not read its answers is cut */
	return send(c->fd, p, n, MSG_NOSIGNAL) == (ssize_t)n;
}

/* Answers every complete request in `in`; false: the connection ends. */
static bool take_requests(struct conn *c)
{
	size_t at = 0;

	while (at < c->n) {
		const char *end = memmem(c->in + at, c->n - at, "\r\n\r\n", 4);
		uint64_t length;
		size_t size;

		if (!end)
			break;
		if (!body_length(c->in + at, end, &length)) {
			answer(c, refusal, sizeof(refusal) - 1);
			return false;
		}
		size = (size_t)(end - (c->in + at)) + 4 + (size_t)length;
		if (size > c->n - at && size <= IN_MAX)
			break; /* wait for the whole of it */
		if (!answer(c, success, sizeof(success) - 1))
			return false;
		c->skip = size > c->n - at ? size - (c->n - at) : 0;
		at = c->skip ? c->n : at + size;
	}
	c->n -= at;
	memmove(c->in, c->in + at, c->n);
	return c->n < IN_MAX;
}

static bool on_readable(struct conn *c)
{
	ssize_t n = recv(c->fd, c->in + c->n, IN_MAX - c->n, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0)
		return false;
	if (c->skip) {
		size_t body = c->skip < (size_t)n ? c->skip : (size_t)n;

		c->skip -= body;
		n -= (ssize_t)body;
		memmove(c->in, c->in + body, (size_t)n);
	}
	c->n += (size_t)n;
	return take_requests(c);
}

static void on_accept(int epoll, int listener)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct conn *c = fd >= 0 ? mem_alloc(sizeof(*c)) : NULL;
	int one = 1;

	if (!c) {
		if (fd >= 0)
			close(fd);
		return;
	}
	c->fd = fd;
	ev.data.ptr = c;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) == 0)
		return;
	close(fd);
	mem_free(c);
}

static int listen_on(uint16_t port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_port = htons(port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 || listen(fd, 1024) != 0) {
		perror("bare_http: listen");
		exit(1);
	}
	return fd;
}

static void *run_loop(void *arg)
{
	int listener = *(const int *)arg;
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event events[EVENTS_MAX] = { { .events = EPOLLIN, .data.ptr = NULL } };

	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &events[0]) != 0) {
		perror("bare_http: epoll");
		exit(1);
	}
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS_MAX, -1);

		for (int i = 0; i < n; i++) {
			struct conn *c = events[i].data.ptr;

			if (!c) {
				on_accept(epoll, listener);
			} else if (!on_readable(c)) {
				close(c->fd);
				mem_free(c);
			}
		}
	}
}

int main(int argc, char **argv)
{
	static int listeners[LOOPS_MAX];
	uint64_t port, loops = (uint64_t)get_nprocs();
	pthread_t thread;

	if (argc < 2 || argc > 3 || !str_to_u64(str_of(argv[1]), 65535, &port) || !port ||
	    (argc == 3 && !str_to_u64(str_of(argv[2]), LOOPS_MAX, &loops)) || !loops) {
		(void)fputs("usage: bare_http PORT [LOOPS]\n", stderr);
		return 2;
	}
	loops = loops < LOOPS_MAX ? loops : LOOPS_MAX;
	for (size_t i = 0; i < loops; i++)
		listeners[i] = listen_on((uint16_t)port);
	for (size_t i = 1; i < loops; i++) {
		if (pthread_create(&thread, NULL, run_loop, &listeners[i]) != 0) {
			perror("bare_http: thread");
			return 1;
		}
	}
	run_loop(&listeners[0]);
}
