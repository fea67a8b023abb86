#include <assert.h>
#include <stdio.h>

#include "rpc/channel_impl.h"

#define CONNECT_MS 20000

/* It may take longer than the channel has patience for, or lives: then `ch` is NULL, and nobody wants the answer. */
struct channel_lookup {
	uv_getaddrinfo_t req;
	struct loop *loop;
	struct rpc_channel *ch;
};

void channel_end_attempt(struct rpc_channel *ch)
{
	loop_timer_stop(ch->end.loop, &ch->timer);
	if (ch->lookup)
		ch->lookup->ch = NULL;
	ch->lookup = NULL;
	if (ch->addresses)
		uv_freeaddrinfo(ch->addresses);
	ch->addresses = NULL;
	ch->next_address = NULL;
}

void channel_tell_why(struct rpc_channel *ch, enum err err, const char *text)
{
	if (ch->why.err == E_OK)
		(void)why_set(&ch->why, err, "%s port %u: %s", ch->host, ch->o.port, text);
}

static void on_connected(uv_connect_t *connect, int status)
{
	struct rpc_channel *ch = connect->data;
	struct rpc_conn *c = ch->conn;

	loop_tick(ch->end.loop);
	if (c->state != RPC_CONN_DIALING)
		return;
	if (status < 0) {
		if (!ch->next_address)
			channel_tell_why(ch, E_UNAVAILABLE, uv_strerror(status));
		rpc_conn_end(c, RPC_END_IO);
		return;
	}
	ch->connected = true;
	uv_tcp_nodelay(&c->tcp, 1);
	if (ch->o.tls)
		c->tls = tls_session_new_client(ch->o.tls, ch->name);
	if (ch->o.tls && !c->tls)
		rpc_conn_end(c, RPC_END_MEMORY);
	else
		rpc_conn_start(c);
}

bool channel_dial_next(struct rpc_channel *ch)
{
	const struct addrinfo *address = ch->next_address;
	struct rpc_conn *c = address ? mem_alloc(sizeof(*c)) : NULL;
	int rc;

	if (!c) {
		channel_tell_why(ch, address ? E_NOMEM : E_UNAVAILABLE, address ? "out of memory" : "no address");
		return false;
	}
	ch->next_address = address->ai_next;
	ch->conn = c;
	rpc_conn_init(c, &ch->end);
	c->keepalive_ms = ch->o.keepalive_ms;
	ch->connect.data = ch;
	rc = uv_tcp_connect(&ch->connect, &c->tcp, address->ai_addr, on_connected);
	if (rc < 0) {
		if (!ch->next_address)
			channel_tell_why(ch, E_UNAVAILABLE, uv_strerror(rc));
		rpc_conn_end(c, RPC_END_IO);
	}
	return true;
}

static void on_looked_up(uv_getaddrinfo_t *req, int status, struct addrinfo *addresses)
{
	struct channel_lookup *lookup = req->data;
	struct rpc_channel *ch = lookup->ch;

	loop_tick(lookup->loop);
	mem_free(lookup);
	if (!ch) {
		uv_freeaddrinfo(addresses);
		return;
	}
	ch->lookup = NULL;
	ch->addresses = addresses;
	ch->next_address = addresses;
	if (status < 0)
		channel_tell_why(ch, E_UNAVAILABLE, uv_strerror(status));
	if (status < 0 || !channel_dial_next(ch))
		channel_down(ch);
}

void channel_on_due(struct loop_timer *timer)
{
	struct rpc_channel *ch = CONTAINER_OF(timer, struct rpc_channel, timer);

	channel_tell_why(ch, E_TIMEOUT, "not connected in time");
	ch->next_address = NULL;
	if (ch->conn)
		rpc_conn_end(ch->conn, RPC_END_HANDSHAKE_TIME);
	else
		channel_down(ch);
}

static enum err look_up(struct rpc_channel *ch)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct channel_lookup *lookup = mem_alloc(sizeof(*lookup));
	char port[8];

	if (!lookup)
		return E_NOMEM;
	(void)snprintf(port, sizeof(port), "%u", ch->o.port);
	lookup->loop = ch->end.loop;
	lookup->ch = ch;
	lookup->req.data = lookup;
	if (uv_getaddrinfo(&ch->end.loop->uv, &lookup->req, on_looked_up, ch->host, port, &hints) < 0) {
		mem_free(lookup);
		return E_NOMEM;
	}
	ch->lookup = lookup;
	return E_OK;
}

enum err rpc_channel_connect(struct rpc_channel *ch)
{
	enum err err;

	assert(ch->state == CHANNEL_DOWN && !ch->closing && !ch->conn);
	ch->why = (struct why){ 0 };
	ch->connected = false;
	err = loop_timer_start(ch->end.loop, &ch->timer, ch->o.connect_ms ? ch->o.connect_ms : CONNECT_MS);
	if (err == E_OK)
		err = look_up(ch);
	if (err != E_OK)
		channel_end_attempt(ch);
	else
		ch->state = CHANNEL_CONNECTING;
	return err;
}
