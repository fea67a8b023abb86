#include "rpc/end.h"

#include <assert.h>

#include "base/mem.h"
#include "rpc/conn.h"
#include "rpc/h2.h"

static void *h2_malloc(size_t size, void *ctx)
{
	(void)ctx;
	return mem_realloc(NULL, size ? size : 1);
}

static void h2_free(void *p, void *ctx)
{
	(void)ctx;
	mem_free(p);
}

static void *h2_calloc(size_t n, size_t size, void *ctx)
{
	(void)ctx;
	return mem_array(n, size);
}

static void *h2_realloc(void *p, size_t size, void *ctx)
{
	(void)ctx;
	return mem_realloc(p, size);
}

nghttp2_mem *rpc_end_mem(void)
{
	static nghttp2_mem mem = { NULL, h2_malloc, h2_free, h2_calloc, h2_realloc };

	return &mem;
}

static enum err make_option(struct rpc_end *end)
{
	if (nghttp2_option_new(&end->option) != 0)
		return E_NOMEM;
	nghttp2_option_set_no_auto_window_update(end->option, 1);
	nghttp2_option_set_no_closed_streams(end->option, 1);
	nghttp2_option_set_max_outbound_ack(end->option, RPC_UNREAD_MAX);
	nghttp2_option_set_max_continuations(end->option, end->limits.continuations);
	/* Counted by us, in both directions (h2.c). */
	nghttp2_option_set_stream_reset_rate_limit(end->option, UINT32_MAX, UINT32_MAX);
	return E_OK;
}

static void release(struct rpc_end *end)
{
	method_metrics_free(&end->methods);
	nghttp2_session_callbacks_del(end->callbacks);
	nghttp2_option_del(end->option);
	gzip_release(&end->gzip);
	buf_release(&end->frames);
	buf_release(&end->records);
}

static void on_turn(uv_idle_t *turn);

enum err rpc_end_init(struct rpc_end *end, struct loop *loop, const struct rpc_role *role,
		      const struct rpc_limits *limits, struct metrics *metrics)
{
	end->loop = loop;
	end->role = role;
	end->limits = *limits;
	end->memory.max = limits->memory;
	end->touched_tail = &end->touched;
	rpc_metrics_init(&end->metrics, metrics, role->is_server ? "server" : "client");
	end->callbacks = rpc_h2_callbacks();
	if (!end->callbacks || make_option(end) != E_OK || !buf_reserve(&end->frames, 2 * RPC_WRITE_SIZE)) {
		release(end);
		return E_NOMEM;
	}
	uv_idle_init(&loop->uv, &end->turn);
	end->turn.data = end;
	return E_OK;
}

static void on_closed(uv_handle_t *handle)
{
	struct rpc_end *end = handle->data;

	release(end);
	end->on_closed(end);
}

void rpc_end_close(struct rpc_end *end, void (*closed)(struct rpc_end *end))
{
	assert(!end->touched && end->memory.used == 0);
	end->on_closed = closed;
	uv_close((uv_handle_t *)&end->turn, on_closed);
}

/* Those that are touched meanwhile wait for the next turn, which then does not sleep. */
static void on_turn(uv_idle_t *turn)
{
	struct rpc_end *end = turn->data;
	size_t bound = end->touched_count;

	loop_tick(end->loop);
	while (bound-- && end->touched) {
		struct rpc_conn *conn = end->touched;

		rpc_end_forget(end, conn);
		rpc_conn_flush(conn);
	}
	if (!end->touched)
		uv_idle_stop(turn);
}

void rpc_end_touch(struct rpc_end *end, struct rpc_conn *conn)
{
	if (conn->touched)
		return;
	conn->touched = true;
	conn->next_touched = NULL;
	*end->touched_tail = conn;
	end->touched_tail = &conn->next_touched;
	end->touched_count++;
	uv_idle_start(&end->turn, on_turn);
}

void rpc_end_forget(struct rpc_end *end, struct rpc_conn *conn)
{
	struct rpc_conn **at = &end->touched;

	if (!conn->touched)
		return;
	while (*at != conn)
		at = &(*at)->next_touched;
	*at = conn->next_touched;
	if (!*at)
		end->touched_tail = at;
	end->touched_count--;
	conn->touched = false;
}
