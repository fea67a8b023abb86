#include <errno.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "net/http_conn.h"

/* What the kernel did not take at once. */
struct rest {
	uv_write_t req;
	struct http_conn *conn;
	char bytes[];
};

static void on_written(uv_write_t *req, int status)
{
	struct rest *rest = req->data;
	struct http_conn *c = rest->conn;

	mem_free(rest);
	loop_tick(c->server->loop);
	c->writes--;
	if (c->state == HTTP_CLOSING)
		return;
	if (status < 0)
		http_conn_close(c);
	else
		http_conn_resume(c);
}

/* `head` and `body` without their first `skip` bytes, which were sent. */
static void send_later(struct http_conn *c, struct str head, struct str body, size_t skip)
{
	struct str first = str_sub(head, skip, head.n);
	struct str second = str_sub(body, skip > head.n ? skip - head.n : 0, body.n);
	struct rest *rest = mem_alloc(sizeof(*rest) + first.n + second.n);
	uv_buf_t buf;

	if (!rest) {
		http_conn_close(c);
		return;
	}
	if (first.n)
		memcpy(rest->bytes, first.p, first.n);
	if (second.n)
		memcpy(rest->bytes + first.n, second.p, second.n);
	buf = uv_buf_init(rest->bytes, (unsigned)(first.n + second.n));
	rest->conn = c;
	rest->req.data = rest;
	if (uv_write(&rest->req, (uv_stream_t *)&c->tcp, &buf, 1, on_written) < 0) {
		mem_free(rest);
		http_conn_close(c);
		return;
	}
	c->writes++;
}

/*
 * What the kernel takes at once: send(2), for write(2) asks more questions on its way to the socket, and two pieces more
 * than one. Less than 0: the connection is broken.
 */
static ssize_t send_now(struct http_conn *c, struct str head, struct str body)
{
	struct iovec pieces[2] = { { (char *)(uintptr_t)head.p, head.n }, { (char *)(uintptr_t)body.p, body.n } };
	struct msghdr message = { .msg_iov = pieces, .msg_iovlen = 2 };
	ssize_t sent;

	do
		sent = body.n ? sendmsg(c->fd, &message, MSG_NOSIGNAL) : send(c->fd, head.p, head.n, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS) ? 0 : sent;
}

static void send_raw(struct http_conn *c, struct str head, struct str body)
{
	ssize_t sent = 0;

	if (c->state == HTTP_CLOSING || head.n + body.n == 0)
		return;
	if (head.n + body.n > INT32_MAX) {
		http_conn_close(c);
		return;
	}
	if (c->writes == 0)
		sent = send_now(c, head, body);
	if (sent < 0)
		http_conn_close(c);
	else if ((size_t)sent < head.n + body.n)
		send_later(c, head, body, (size_t)sent);
}

void http_conn_flush_tls(struct http_conn *c)
{
	struct buf *out = tls_session_output(c->tls);

	if (out->err != E_OK)
		http_conn_close(c);
	else
		send_raw(c, buf_view(out), (struct str){ 0 });
	buf_release(out);
}

void http_conn_send(struct http_conn *c, struct str head, struct str body, bool last)
{
	if (!c->tls) {
		send_raw(c, head, body);
		return;
	}
	if (tls_session_write(c->tls, head) != E_OK || tls_session_write(c->tls, body) != E_OK) {
		http_conn_close(c);
		return;
	}
	if (last)
		tls_session_close(c->tls);
	http_conn_flush_tls(c);
}
