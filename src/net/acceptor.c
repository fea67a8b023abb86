#include "net/acceptor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

#define ACCEPT_TURN  64 /* connections in a turn of the loop: those that are open want theirs, too */
#define PAUSE_MS     100 /* when there is no descriptor or memory for one more: the listener would be ready all the while */

#define IPV6_NETWORK 8 /* bytes */

static void on_readable(uv_poll_t *poll, int status, int events);

static void on_pause_over(struct loop_timer *timer)
{
	struct acceptor *a = CONTAINER_OF(timer, struct acceptor, pause);

	uv_poll_start(&a->poll, UV_READABLE, on_readable);
}

static struct acceptor_peer peer_at_ipv4(const unsigned char *address)
{
	struct acceptor_peer peer = { .key = { [10] = 0xff, [11] = 0xff } };

	memcpy(peer.key + 12, address, 4);
	inet_ntop(AF_INET, address, peer.address, sizeof(peer.address));
	return peer;
}

static struct acceptor_peer peer_at_ipv6(const struct in6_addr *address)
{
	struct acceptor_peer peer = { 0 };

	memcpy(peer.key, address, IPV6_NETWORK);
	inet_ntop(AF_INET6, address, peer.address, sizeof(peer.address));
	return peer;
}

struct acceptor_peer acceptor_peer_at(const struct sockaddr_storage *from)
{
	const struct in6_addr *ipv6 = &((const struct sockaddr_in6 *)from)->sin6_addr;

	if (from->ss_family == AF_INET)
		return peer_at_ipv4((const unsigned char *)&((const struct sockaddr_in *)from)->sin_addr);
	if (from->ss_family != AF_INET6)
		return (struct acceptor_peer){ 0 };
	return IN6_IS_ADDR_V4MAPPED(ipv6) ? peer_at_ipv4(ipv6->s6_addr + 12) : peer_at_ipv6(ipv6);
}

/* At most `max` connections. 0, or the errno with which it ended before. */
static int take(struct acceptor *a, int max)
{
	for (int i = 0; i < max && !a->stopped; i++) {
		struct sockaddr_storage from = { 0 };
		socklen_t n = sizeof(from);
		int fd = accept4(a->fd, (struct sockaddr *)&from, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			const struct acceptor_peer peer = acceptor_peer_at(&from);

			a->on_connection(a, fd, &peer);
		} else if (errno != ECONNABORTED && errno != EINTR) {
			return errno;
		}
	}
	return 0;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct acceptor *a = poll->data;
	int error;

	(void)status;
	(void)events;
	loop_tick(a->loop);
	error = take(a, ACCEPT_TURN);
	if (error && error != EAGAIN && loop_timer_start(a->loop, &a->pause, PAUSE_MS) == E_OK)
		uv_poll_stop(poll);
}

enum err acceptor_start(struct acceptor *a, struct loop *loop, int fd, struct why *why)
{
	int on = 1, rc;

	/* Connections inherit it. An answer is one write; nothing is gained by waiting for more. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	rc = uv_poll_init(&loop->uv, &a->poll, fd);
	if (rc < 0) {
		close(fd);
		return why_set(why, E_UNAVAILABLE, "accept: %s", uv_strerror(rc));
	}
	a->loop = loop;
	a->fd = fd;
	a->poll.data = a;
	a->pause.on_due = on_pause_over;
	uv_poll_start(&a->poll, UV_READABLE, on_readable);
	return E_OK;
}

static void on_poll_closed(uv_handle_t *handle)
{
	struct acceptor *a = handle->data;

	a->on_closed(a);
}

void acceptor_take_waiting(struct acceptor *a)
{
	(void)take(a, SOMAXCONN);
}

void acceptor_stop(struct acceptor *a)
{
	if (a->stopped)
		return;
	a->stopped = true;
	loop_timer_stop(a->loop, &a->pause);
	uv_close((uv_handle_t *)&a->poll, on_poll_closed);
	close(a->fd);
}
