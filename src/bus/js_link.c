#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bus/js_bus.h"
#include "bus/js_options.h"
#include "bus/js_said.h"

#define NOTSENT_MAX    (64 << 10) /* unsent bytes in the kernel, so that a slow link holds little */
#define TLS_SILENT_MS  8000
#define PEER_SILENT_MS 30000
#define CONNECT_MAX_MS 6000 /* all of it: name, TLS, greeting; then the io thread interrupts it */

/*
 * The library keeps its lock while a write in TLS waits, and a ping of the supervisor may wait for that: there the kernel ends the
 * connection when the peer takes nothing for so long. Where TLS was not asked for, a server may require it all the same.
 */
static void set_socket(const struct js_link *link)
{
	unsigned notsent = NOTSENT_MAX;
	unsigned silent = link->tls ? TLS_SILENT_MS : PEER_SILENT_MS;

	(void)setsockopt(link->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &notsent, sizeof(notsent));
	(void)setsockopt(link->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silent, sizeof(silent));
}

/* Called by the library at the end of a connect, with its lock held: hands the socket to the io thread. */
static natsStatus on_attach(void **user, void *loop, natsConnection *nc, natsSock socket)
{
	struct js_link *link = loop;
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = link };

	*user = link;
	link->fd = fcntl((int)socket, F_DUPFD_CLOEXEC, 0);
	if (link->fd < 0)
		return NATS_SYS_ERROR;
	if (epoll_ctl(link->js->epoll, EPOLL_CTL_ADD, link->fd, &event)) {
		(void)close(link->fd);
		link->fd = -1;
		return NATS_SYS_ERROR; /* the library frees the connection */
	}
	set_socket(link);
	atomic_store(&link->nc, nc);
	atomic_store(&link->js->incoming, link); /* the last step: it is the io thread's then */
	bell_ring(&link->js->bell);
	return NATS_OK;
}

static natsStatus on_read(void *user, bool add)
{
	(void)user, (void)add;
	return NATS_OK;
}

static natsStatus on_write(void *user, bool add)
{
	struct js_link *link = user;

	atomic_store(&link->want_write, add);
	if (add)
		bell_ring(&link->js->bell);
	return NATS_OK;
}

static natsStatus on_detach(void *user)
{
	struct js_link *link = user;

	atomic_store(&link->detached, true);
	bell_ring(&link->js->bell);
	return NATS_OK;
}

static void link_free(struct js_link *link)
{
	natsConnection *nc;

	if (!link)
		return;
	nc = atomic_load(&link->nc);
	natsSubscription_Destroy(link->sub);
	natsConnection_Destroy(nc);
	if (link->fd >= 0)
		(void)close(link->fd);
	trouble_release(&link->said);
	mem_free(link->inbox);
	mem_free(link);
}

static void wait_until_gone(struct jetstream *js, struct js_link *link)
{
	(void)shutdown(link->fd, SHUT_RDWR);
	pthread_mutex_lock(&js->lock);
	while (!link->gone)
		pthread_cond_wait(&js->changed, &js->lock);
	pthread_mutex_unlock(&js->lock);
}

void js_link_close(struct js_link *link)
{
	if (!link)
		return;
	if (link->fd >= 0)
		wait_until_gone(link->js, link);
	link_free(link);
}

static enum err subscribe(struct js_link *link, struct why *why)
{
	CLEANUP(buf_release) struct buf wildcard = { 0 };
	natsInbox *inbox = NULL;

	if (natsInbox_Create(&inbox))
		return why_set(why, E_NOMEM, "make an inbox");
	link->inbox = str_dup(str_of(inbox));
	natsInbox_Destroy(inbox);
	buf_addf(&wildcard, "%s.*", link->inbox ? link->inbox : "");
	if (!link->inbox || !buf_cstr(&wildcard))
		return why_set(why, E_NOMEM, "make an inbox");
	if (natsConnection_SubscribeSync(&link->sub, atomic_load(&link->nc), wildcard.p))
		return why_set(why, E_UNAVAILABLE, "subscribe to the acks");
	return E_OK;
}

struct js_traffic js_link_traffic(const struct js_link *link)
{
	struct tcp_info info = { 0 };
	socklen_t n = sizeof(info);

	(void)getsockopt(link->fd, IPPROTO_TCP, TCP_INFO, &info, &n);
	return (struct js_traffic){ info.tcpi_bytes_acked, info.tcpi_bytes_received };
}

uint64_t js_link_standing(const struct js_link *link)
{
	int buffered = natsConnection_Buffered(atomic_load(&link->nc));
	int queued = 0;

	(void)ioctl(link->fd, SIOCOUTQ, &queued);
	return js_link_traffic(link).taken + (uint64_t)queued + (uint64_t)(buffered > 0 ? buffered : 0);
}

static void free_options(natsOptions **o)
{
	natsOptions_Destroy(*o);
}

/* The TLS handshake of the library knows no deadline; the io thread interrupts it (js_io.c). */
static natsStatus connect_within(struct jetstream *js, natsConnection **nc, natsOptions *o)
{
	natsStatus s;

	atomic_store(&js->give_up_ms, clock_mono_ms() + CONNECT_MAX_MS);
	bell_ring(&js->bell);
	s = natsConnection_Connect(nc, o);
	atomic_store(&js->give_up_ms, 0);
	return s;
}

static struct js_link *link_new(struct jetstream *js, bool tls)
{
	struct js_link *link = mem_alloc(sizeof(*link));

	if (!link)
		return NULL;
	link->js = js;
	link->fd = -1;
	link->tls = tls;
	trouble_init(&link->said);
	return link;
}

/* `anonymous`: TLS without a certificate of ours, which a server of TLS 1.3 misses only after the handshake. */
static enum err explain(natsStatus s, bool anonymous, struct why *why)
{
	const char *text = js_said_by_library(s);

	if (str_is(str_of(text), "Expected 'PONG', got ''"))
		return why_set(why, E_UNAVAILABLE, "the server closed the connection at the login%s",
			       anonymous ? "; perhaps it wants a client certificate" : "");
	return why_set(why, E_UNAVAILABLE, "%.300s", text);
}

enum err js_link_connect(struct jetstream *js, const struct server *server, struct js_link **ret_link, struct why *why)
{
	CLEANUP(free_options) natsOptions *o = NULL;
	struct js_link *link;
	natsConnection *nc = NULL;
	natsStatus s;
	enum err err = js_options(&js->config, server, &o, why);

	if (err)
		return err;
	link = link_new(js, js_options_tls(&js->config, server));
	if (!link || natsOptions_SetEventLoop(o, link, on_attach, on_read, on_write, on_detach)) {
		link_free(link);
		return why_set(why, E_NOMEM, "connect");
	}
	s = connect_within(js, &nc, o);
	if (s) {
		err = explain(s, link->tls && !js->config.tls.cert_path, why);
		js_link_close(link);
		return err;
	}
	err = subscribe(link, why);
	if (err) {
		js_link_close(link);
		return err;
	}
	*ret_link = link;
	return E_OK;
}
