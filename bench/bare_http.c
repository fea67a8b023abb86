/*
 * bare_http.c -- the floor for HTTP: reads a request with a Content-Length, answers 200 "success", keeps the connection.
 *
 * Shape     one epoll loop per thread, each with its own SO_REUSEPORT listener; nothing is checked or logged. With a FILE it is
 *           the floor for a gateway: a body is answered when it is flushed to that file (append.h).
 * Usage     bare_http PORT [LOOPS [FILE]]    (LOOPS: one per core when missing, or 0)
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
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "append.h"
#include "base/mem.h"
#include "base/str.h"

#define IN_MAX     (16u << 10)
#define EVENTS_MAX 256
#define LOOPS_MAX  64

static const char success[] =
	"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 7\r\n\r\nsuccess";
static const char refusal[] = "HTTP/1.1 411 Length Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

struct loop {
	int epoll, listener;
	int flushed_event;   /* readable when `flushed` is not empty */
	struct mpsc flushed; /* bodies that are stored and not answered yet */
};

struct conn {
	struct append_item item; /* first: found again from its node */
	struct loop *loop;
	int fd;
	size_t n;      /* bytes in `in` */
	size_t skip;   /* bytes of a body still to come */
	size_t stored; /* bytes of the request that is being stored; 0: none is */
	bool ended;    /* by the peer, while its request was being stored */
	char in[IN_MAX];
};

static bool storing;

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

/* In the thread that flushes. */
static void on_flushed(struct append_item *item)
{
	struct loop *loop = ((struct conn *)item)->loop;
	uint64_t one = 1;

	if (mpsc_put(&loop->flushed, &item->node) && write(loop->flushed_event, &one, sizeof(one)) < 0)
		perror("bare_http: wake");
}

static void store(struct conn *c, char *body, size_t length, size_t size)
{
	c->stored = size;
	c->item.bytes = (struct iovec){ .iov_base = body, .iov_len = length };
	c->item.on_flushed = on_flushed;
	append_put(&c->item);
}

/* Answers or stores every complete request in `in`; false: the connection ends. */
static bool take_requests(struct conn *c)
{
	size_t at = 0;

	while (at < c->n && !c->stored) {
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
		if (storing && size <= IN_MAX) {
			c->n -= at;
			memmove(c->in, c->in + at, c->n);
			store(c, c->in + size - length, (size_t)length, size);
			return true;
		}
		if (!answer(c, success, sizeof(success) - 1))
			return false;
		c->skip = size > c->n - at ? size - (c->n - at) : 0;
		at = c->skip ? c->n : at + size;
	}
	c->n -= at;
	memmove(c->in, c->in + at, c->n);
	return c->n < IN_MAX;
}

static void conn_end(struct conn *c)
{
	close(c->fd);
	mem_free(c);
}

static void on_all_flushed(struct loop *loop)
{
	struct mpsc_node *node;
	uint64_t count;

	if (read(loop->flushed_event, &count, sizeof(count)) < 0)
		return;
	for (node = mpsc_take(&loop->flushed); node;) {
		struct conn *c = (struct conn *)node;

		node = node->next;
		c->n -= c->stored;
		memmove(c->in, c->in + c->stored, c->n);
		c->stored = 0;
		if (c->ended || !answer(c, success, sizeof(success) - 1) || !take_requests(c))
			conn_end(c);
	}
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

static bool watch(int epoll, int fd, void *what)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = what };

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) == 0;
}

static void on_accept(struct loop *loop)
{
	int fd = accept4(loop->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct conn *c = fd >= 0 ? mem_alloc(sizeof(*c)) : NULL;
	int one = 1;

	if (!c) {
		if (fd >= 0)
			close(fd);
		return;
	}
	c->loop = loop;
	c->fd = fd;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (!watch(loop->epoll, fd, c))
		conn_end(c);
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

static void on_conn(struct conn *c)
{
	if (on_readable(c))
		return;
	c->ended = c->stored > 0;
	if (c->ended)
		epoll_ctl(c->loop->epoll, EPOLL_CTL_DEL, c->fd, NULL);
	else
		conn_end(c);
}

static void *run_loop(void *arg)
{
	struct loop *loop = arg;
	struct epoll_event events[EVENTS_MAX];

	for (;;) {
		int n = epoll_wait(loop->epoll, events, EVENTS_MAX, -1);
		bool flushed = false;

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr == &loop->listener)
				on_accept(loop);
			else if (events[i].data.ptr == loop)
				flushed = true;
			else
				on_conn(events[i].data.ptr);
		}
		if (flushed) /* last: it frees connections, whose events may be among these */
			on_all_flushed(loop);
	}
	return NULL;
}

static void loop_init(struct loop *loop, uint16_t port)
{
	loop->listener = listen_on(port);
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	loop->flushed_event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (watch(loop->epoll, loop->listener, &loop->listener) && watch(loop->epoll, loop->flushed_event, loop))
		return;
	perror("bare_http: epoll");
	exit(1);
}

int main(int argc, char **argv)
{
	static struct loop loops[LOOPS_MAX];
	uint64_t port, n = 0;
	pthread_t thread;

	if (argc < 2 || argc > 4 || !str_to_u64(str_of(argv[1]), 65535, &port) || !port ||
	    (argc > 2 && !str_to_u64(str_of(argv[2]), LOOPS_MAX, &n))) {
		(void)fputs("usage: bare_http PORT [LOOPS [FILE]]\n", stderr);
		return 2;
	}
	if (!n)
		n = get_nprocs() < LOOPS_MAX ? (uint64_t)get_nprocs() : LOOPS_MAX;
	storing = argc == 4;
	if (storing)
		append_start(argv[3]);
	for (size_t i = 0; i < n; i++)
		loop_init(&loops[i], (uint16_t)port);
	for (size_t i = 1; i < n; i++) {
		if (pthread_create(&thread, NULL, run_loop, &loops[i]) != 0) {
			perror("bare_http: thread");
			return 1;
		}
	}
	run_loop(&loops[0]);
}
