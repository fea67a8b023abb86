#include "conn.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "answer.h"
#include "base/mem.h"

enum err conn_init(struct conn *c, unsigned index, const struct request *r)
{
	*c = (struct conn){ .fd = -1, .index = index, .size = r->bytes.n };
	c->bytes = mem_dup(r->bytes.p, r->bytes.n);
	return c->bytes ? E_OK : E_NOMEM;
}

void conn_release(struct conn *c)
{
	conn_close(c);
	mem_free(c->bytes);
	c->bytes = NULL;
}

void conn_close(struct conn *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->state = CONN_DOWN;
}

bool conn_open(struct conn *c, int epoll, const struct sockaddr_storage *addr, socklen_t addr_len, uint64_t now_ns)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c };
	int one = 1;

	assert(c->state == CONN_DOWN);
	c->fd = socket(addr->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return false;
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if ((connect(c->fd, (const struct sockaddr *)addr, addr_len) != 0 && errno != EINPROGRESS) ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &ev) != 0) {
		conn_close(c);
		return false;
	}
	c->state = CONN_CONNECTING;
	c->since_ns = now_ns;
	return true;
}

enum conn_step conn_opened(struct conn *c)
{
	int error = 0;
	socklen_t n = sizeof(error);

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0 || error != 0)
		return CONN_LOST;
	c->state = CONN_IDLE;
	return CONN_DONE;
}

void conn_take_id(struct conn *c, const struct request *r, const char run[static 8])
{
	if (!c->again) {
		request_id(run, c->index, c->next++, c->id);
		request_set_id(r, c->bytes, c->id);
	}
	c->again = false;
	c->sent = 0;
	c->in_n = 0;
	c->status = 0;
	c->state = CONN_BUSY;
}

enum conn_step conn_send(struct conn *c)
{
	while (c->sent < c->size) {
		ssize_t n = send(c->fd, c->bytes + c->sent, c->size - c->sent, MSG_NOSIGNAL);

		if (n > 0)
			c->sent += (size_t)n;
		else if (n < 0 && errno == EAGAIN)
			return CONN_MORE;
		else if (errno != EINTR)
			return CONN_LOST;
	}
	return CONN_DONE;
}

/* The header at the start of `in`, without the interim ones (100 Continue and the like) before it. */
static enum answer_state final_head(struct conn *c, struct answer *ret)
{
	enum answer_state state = answer_parse(c->in, c->in_n, ret);

	while (state == ANSWER_HEAD && ret->status < 200) {
		c->in_n -= ret->size;
		memmove(c->in, c->in + ret->size, c->in_n);
		state = answer_parse(c->in, c->in_n, ret);
	}
	return state;
}

/* `in` holds new bytes and no header was complete before. */
static enum conn_step take_head(struct conn *c)
{
	struct answer a;

	switch (final_head(c, &a)) {
	case ANSWER_MORE:
		return c->in_n < sizeof(c->in) ? CONN_MORE : CONN_LOST;
	case ANSWER_BAD:
		return CONN_LOST;
	case ANSWER_HEAD:
		break;
	}
	if (c->in_n > a.size)
		return CONN_LOST; /* more than one answer to one request */
	c->status = a.status;
	c->closes = a.close;
	c->left = a.size - c->in_n;
	return c->left ? CONN_MORE : CONN_DONE;
}

static enum conn_step take_bytes(struct conn *c, size_t n)
{
	if (!c->status) {
		c->in_n += n;
		return take_head(c);
	}
	if (n > c->left)
		return CONN_LOST;
	c->left -= n;
	return c->left ? CONN_MORE : CONN_DONE;
}

enum conn_step conn_recv(struct conn *c)
{
	for (;;) {
		size_t from = c->status ? 0 : c->in_n;
		size_t room = sizeof(c->in) - from;
		ssize_t n = recv(c->fd, c->in + from, room, 0);
		enum conn_step step;

		if (n < 0 && errno == EAGAIN)
			return CONN_MORE;
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || c->state != CONN_BUSY)
			return CONN_LOST; /* closed; or bytes that nobody asked for */
		step = take_bytes(c, (size_t)n);
		if (step != CONN_MORE)
			return step;
		if ((size_t)n < room && !c->status)
			return CONN_MORE; /* drained: the edge comes with the rest */
	}
}
