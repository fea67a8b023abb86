#include "rpc/message.h"

#define KEEP_MAX 4096 /* memory that stays for the next message */

static void fail(struct rpc_reader *r, enum err err)
{
	if (r->err == E_OK)
		r->err = err;
}

/* Count what the buffers hold now; on the way to more, so that the budget is asked before the memory is taken. */
static bool hold(struct rpc_reader *r, size_t bytes)
{
	if (bytes > r->held && !rpc_budget_take(r->budget, bytes - r->held))
		return false;
	if (bytes < r->held)
		rpc_budget_give(r->budget, r->held - bytes);
	r->held = bytes;
	return true;
}

static void shrink(struct rpc_reader *r)
{
	if (r->body.cap > KEEP_MAX)
		buf_release(&r->body);
	buf_clear(&r->body);
	buf_release(&r->plain);
	(void)hold(r, r->body.cap);
	r->ended = false;
	r->prefix_n = 0;
}

static void read_prefix(struct rpc_reader *r, struct str *in)
{
	const unsigned char *p = r->prefix;

	while (r->prefix_n < RPC_PREFIX && in->n) {
		r->prefix[r->prefix_n++] = (unsigned char)in->p[0];
		*in = str_sub(*in, 1, in->n);
	}
	if (r->prefix_n < RPC_PREFIX)
		return;
	r->length = (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4];
	if (p[0] > 1)
		fail(r, E_MALFORMED);
	else if (p[0] == 1 && !r->packing)
		fail(r, E_UNSUPPORTED);
	else if (r->length > r->max)
		fail(r, E_LIMIT);
}

static void read_body(struct rpc_reader *r, struct str *in)
{
	struct str part = str_sub(*in, 0, r->length - r->body.n);
	size_t need = r->body.n + part.n;

	/* A buffer grows by doubling: what it will take is what is asked for. */
	if (need > r->body.cap && !hold(r, need > 2 * r->body.cap ? need : 2 * r->body.cap)) {
		fail(r, E_LIMIT);
		return;
	}
	buf_str(&r->body, part);
	fail(r, r->body.err);
	(void)hold(r, r->body.cap);
	*in = str_sub(*in, part.n, in->n);
}

/* What the budget has left bounds the output as the limit does; what came out in earlier turns is counted there. */
static size_t room_for_plain(const struct rpc_reader *r)
{
	size_t room = r->max;

	for (const struct rpc_budget *b = r->budget; b; b = b->parent) {
		size_t left = b->max - (b->used < b->max ? b->used : b->max) + r->plain.cap;

		if (b->max && room > left)
			room = left;
	}
	return room ? room : 1;
}

static enum err unpack_some(struct rpc_reader *r)
{
	size_t most = r->unpack_left ? *r->unpack_left : SIZE_MAX;
	size_t from = r->plain.n;
	enum err err;

	r->plain.max = room_for_plain(r);
	err = gzip_unpack(r->gzip, &r->unpacking, buf_view(&r->body), most, &r->plain);
	(void)hold(r, r->body.cap + r->plain.cap);
	if (r->unpack_left)
		*r->unpack_left -= r->plain.n - from < most ? r->plain.n - from : most;
	return err;
}

static enum rpc_read unpack(struct rpc_reader *r, struct str *ret_message)
{
	enum err err = unpack_some(r);

	if (err == E_BUSY)
		return RPC_READ_LATER;
	fail(r, err);
	r->ended = true;
	*ret_message = buf_view(&r->plain);
	return err == E_OK ? RPC_READ_MESSAGE : RPC_READ_FAILED;
}

/* A plain message that lies whole in the input is lent from there: no copy, and an idle stream holds no memory. */
static bool lend(struct rpc_reader *r, struct str *in, struct str *ret_message)
{
	if (r->keep || r->prefix[0] == 1 || r->body.n || in->n < r->length)
		return false;
	*ret_message = (struct str){ in->p ? in->p : "", r->length };
	*in = str_sub(*in, r->length, in->n);
	r->ended = true;
	return true;
}

enum rpc_read rpc_reader_feed(struct rpc_reader *r, struct str *in, struct str *ret_message)
{
	if (r->ended)
		shrink(r);
	if (r->err == E_OK && r->prefix_n < RPC_PREFIX)
		read_prefix(r, in);
	if (r->err == E_OK && r->prefix_n == RPC_PREFIX && lend(r, in, ret_message))
		return RPC_READ_MESSAGE;
	if (r->err == E_OK && r->prefix_n == RPC_PREFIX && r->body.n < r->length && in->n)
		read_body(r, in);
	if (r->err != E_OK)
		return RPC_READ_FAILED;
	if (r->prefix_n < RPC_PREFIX || r->body.n < r->length)
		return RPC_READ_MORE;
	if (r->prefix[0] == 1)
		return unpack(r, ret_message);
	r->ended = true;
	*ret_message = buf_view(&r->body);
	return RPC_READ_MESSAGE;
}

bool rpc_reader_is_inside(const struct rpc_reader *r)
{
	return !r->ended && r->prefix_n > 0;
}

void rpc_reader_release(struct rpc_reader *r)
{
	gzip_unpack_stop(r->gzip, &r->unpacking);
	buf_release(&r->body);
	buf_release(&r->plain);
	(void)hold(r, 0);
}

void rpc_prefix_write(bool packed, size_t n, unsigned char ret_prefix[static RPC_PREFIX])
{
	ret_prefix[0] = packed;
	ret_prefix[1] = (unsigned char)(n >> 24);
	ret_prefix[2] = (unsigned char)(n >> 16);
	ret_prefix[3] = (unsigned char)(n >> 8);
	ret_prefix[4] = (unsigned char)n;
}
